/** Bytes from the encoding's own documentation, https://protobuf.dev/programming-guides/encoding/, and what etcd was seen to send. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'vitest'
import { RangeResponse, TxnRequest, WatchResponse } from '../../src/store/etcd/messages.ts'
import { bool, bytes, int32, int64, message, optional, repeated, text, uint64 } from '../../src/store/etcd/protobuf.ts'

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

test('the examples of the documentation are encoded as there', () => {
  const Test1 = message({ a: [1, int32] })
  assert.equal(hex(Test1.encode({ a: 150 })), '089601')
  assert.equal(hex(Test1.encode({ a: -2 })), '08feffffffffffffffff01')
  assert.equal(hex(message({ b: [2, text] }).encode({ b: 'testing' })), '120774657374696e67')
  assert.equal(hex(message({ c: [3, Test1] }).encode({ c: { a: 150 } })), '1a03089601')
  const Test4 = message({ d: [4, text], e: [5, repeated(int32)] })
  assert.equal(hex(Test4.encode({ d: 'hello', e: [1, 2, 3] })), '220568656c6c6f280128022803')
})

test('a zero is written where it is given, and read where nothing was sent', () => {
  const Both = message({ number: [1, int64], flag: [2, bool], inner: [3, optional(message({ text: [1, text] }))] })
  assert.equal(hex(Both.encode({ number: 0n })), '0800')
  assert.equal(hex(Both.encode({})), '')
  assert.deepEqual(Both.decode(new Uint8Array()), { number: 0n, flag: false, inner: undefined })
})

test('fields that are not in the table are passed over, of whatever type', () => {
  const One = message({ a: [1, int32] })
  const unknown = ['1005', '1a0161', '250000 0000', '290000 0000 0000 0000', '8001 01'].join('').replaceAll(' ', '')
  assert.deepEqual(One.decode(Buffer.from(`${unknown}0807${unknown}`, 'hex')), { a: 7 })
})

test('what is encoded is decoded the same', () => {
  const Inner = message({ id: [1, uint64], name: [2, text] })
  const All = message({
    int32: [1, int32],
    int64: [2, int64],
    uint64: [3, uint64],
    bool: [4, bool],
    text: [5, text],
    bytes: [16, bytes],
    inner: [17, repeated(Inner)],
    maybe: [2047, optional(Inner)],
  })
  const plain = { noNullPrototype: true }
  const inner = fc.record({ id: fc.bigInt(0n, 2n ** 64n - 1n), name: fc.string({ unit: 'grapheme' }) }, plain)
  const values = fc.record({
    int32: fc.integer(),
    int64: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n),
    uint64: fc.bigInt(0n, 2n ** 64n - 1n),
    bool: fc.boolean(),
    text: fc.string({ unit: 'grapheme' }),
    bytes: fc.uint8Array().map((each) => Uint8Array.from(each)),
    inner: fc.array(inner),
    maybe: fc.option(inner, { nil: undefined }),
  })
  fc.assert(
    fc.property(values, (each) => {
      const decoded = All.decode(Uint8Array.from(All.encode(each)))
      assert.deepEqual({ ...decoded, bytes: hex(decoded.bytes) }, { ...each, bytes: hex(each.bytes) })
    }),
  )
})

test('any bytes are a message or a RangeError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      for (const Message of [RangeResponse, WatchResponse, TxnRequest]) {
        try {
          Message.decode(bytes)
        } catch (error) {
          assert.ok(error instanceof RangeError, String(error))
        }
      }
    }),
  )
})
