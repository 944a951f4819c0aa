/** The header's errors (RFC 4271 §6.1, W30 to W34 of interop.py), and messages cut out of a stream (W38, W39). */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { describe, test } from 'vitest'
import { BgpError } from '../../src/bgp/errors.ts'
import { MAX_EXTENDED_MESSAGE } from '../../src/bgp/message/header.ts'
import { encodeKeepalive } from '../../src/bgp/message/keepalive.ts'
import { MessageReader } from '../../src/bgp/message/reader.ts'
import { vectors } from './captures/vectors.ts'
import { bytes, hexOf, messageHex } from './octets.ts'

const MARKER = 'ff'.repeat(16)
const UPDATE_OF_5000 = `${MARKER}138802${'00'.repeat(5000 - 19)}`

describe('a header that is wrong', () => {
  const cases: [title: string, message: string, answer: string][] = [
    ['W30 a marker of zeros', `${'00'.repeat(16)}001304`, '1/1 '],
    ['a marker with one bit missing', `${'ff'.repeat(15)}fe001304`, '1/1 '],
    ['W31 length 18', `${MARKER}001204`, '1/2 0012'],
    ['length 0', `${MARKER}000004`, '1/2 0000'],
    ['W32 length 5000 without extended messages', UPDATE_OF_5000, '1/2 1388'],
    ['an OPEN of 28 octets', `${MARKER}001c01${'00'.repeat(9)}`, '1/2 001c'],
    ['an UPDATE of 22 octets', `${MARKER}001602000000`, '1/2 0016'],
    ['a NOTIFICATION of 20 octets', `${MARKER}00140306`, '1/2 0014'],
    ['W33 a KEEPALIVE of 20 octets', `${MARKER}00140400`, '1/2 0014'],
    ['a ROUTE-REFRESH of 22 octets', `${MARKER}001605000100`, '1/2 0016'],
    ['W34 type 9', `${MARKER}001309`, '1/3 09'],
    ['type 0', `${MARKER}001300`, '1/3 00'],
    ['a wrong marker before a wrong length', `${'00'.repeat(16)}000009`, '1/1 '],
    ['a wrong length before a wrong type', `${MARKER}000009`, '1/2 0000'],
  ]
  for (const [title, message, answer] of cases) {
    test(`${title} is answered with ${answer}`, () => assert.equal(answerTo(message), answer))
  }

  test('is found before the message is whole', () => assert.equal(answerTo(UPDATE_OF_5000.slice(0, 38)), '1/2 1388'))

  test('an OPEN of more than 4096 octets is one also with extended messages (RFC 8654 §4)', () => {
    assert.equal(answerTo(`${MARKER}138801`, MAX_EXTENDED_MESSAGE), '1/2 1388')
    assert.equal(answerTo(`${MARKER}138804`, MAX_EXTENDED_MESSAGE), '1/2 1388')
  })
})

function answerTo(message: string, longest?: number): string {
  const reader = new MessageReader()
  if (longest) reader.longest = longest
  reader.push(bytes(message))
  try {
    reader.next()
  } catch (error) {
    assert.ok(error instanceof BgpError)
    return `${error.code}/${error.subcode} ${hexOf(error.data)}`
  }
  return 'accepted'
}

test('extended messages are taken when they have been agreed upon', () => {
  const reader = new MessageReader()
  reader.longest = MAX_EXTENDED_MESSAGE
  reader.push(bytes(UPDATE_OF_5000))
  assert.equal(reader.next()?.length, 5000)
  reader.push(bytes(`${MARKER}ffff02${'00'.repeat(65535 - 19)}`))
  assert.equal(reader.next()?.length, 65535)
})

test('a KEEPALIVE is a header alone', () => {
  assert.equal(hexOf(encodeKeepalive()), `${MARKER}001304`)
})

const sound = vectors.filter(({ bytes, means }) => !means.startsWith('BAD') && bytes.length < 4096 && bytes[18]! < 6)
const stream = new Uint8Array(Buffer.concat(sound.map(({ bytes }) => bytes)))
const wanted = sound.map(({ bytes }) => hexOf(bytes))

/** A message is good until next() is called again, so it is looked at before. */
function cut(pieces: readonly Uint8Array[]): string[] {
  const reader = new MessageReader()
  const found: string[] = []
  for (const piece of pieces) {
    reader.push(piece)
    for (let message = reader.next(); message; message = reader.next()) found.push(hexOf(message))
  }
  return found
}

describe('a stream is cut into the same messages', () => {
  test('in one piece (W39)', () => assert.deepEqual(cut([stream.slice()]), wanted))
  test('octet by octet (W38)', () => assert.deepEqual(cut(Array.from(stream, (octet) => Uint8Array.of(octet))), wanted))

  test('in any pieces', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: stream.length }), { maxLength: 60 }), (cuts) => {
        const ends = [...cuts.sort((a, b) => a - b), stream.length]
        const pieces = ends.map((end, i) => stream.slice(i === 0 ? 0 : ends[i - 1], end))
        assert.deepEqual(cut(pieces), wanted)
      }),
    )
  })

  test('where long messages follow short ones in pieces of their own', () => {
    const long = bytes(messageHex(2, '00'.repeat(4000)))
    const pieces = [long, encodeKeepalive(), long].flatMap((message) => [message.slice(0, 18), message.slice(18)])
    assert.deepEqual(cut(pieces), [hexOf(long), hexOf(encodeKeepalive()), hexOf(long)])
  })
})

test('a message that came in one piece is a view of it', () => {
  const reader = new MessageReader()
  const piece = new Uint8Array([...encodeKeepalive(), ...encodeKeepalive()])
  reader.push(piece)
  assert.equal(reader.next()?.buffer, piece.buffer)
  assert.equal(reader.next()?.byteOffset, 19)
  assert.equal(reader.next(), undefined)
})

test('a piece is taken when the one before it is read', () => {
  const reader = new MessageReader()
  reader.push(encodeKeepalive())
  assert.throws(() => reader.push(encodeKeepalive()), RangeError)
  reader.next()
  reader.push(encodeKeepalive())
  assert.equal(reader.next()?.length, 19)
})
