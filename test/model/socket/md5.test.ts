/** MD5 against the vectors of RFC 1321 §A.5, and against OpenSSL's. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { test } from 'vitest'
import { md5 } from '../../../src/model/socket/md5.ts'

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')

for (const [text, digest] of [
  ['', 'd41d8cd98f00b204e9800998ecf8427e'],
  ['a', '0cc175b9c0f1b6a831c399e269772661'],
  ['message digest', 'f96b697d7cb7938d525a2f31aaf161d0'],
  [
    '12345678901234567890123456789012345678901234567890123456789012345678901234567890',
    '57edf4a22be3c955ac49da2e2107b67a',
  ],
] as const) {
  test(`the digest of "${text}" is the RFC's`, () => {
    assert.equal(hex(md5(new TextEncoder().encode(text))), digest)
  })
}

test('the digest of parts is that of the whole, as OpenSSL has it', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 150 }), { maxLength: 4 }), (parts) => {
      const hash = createHash('md5')
      for (const part of parts) hash.update(part)
      assert.equal(hex(md5(...parts)), hash.digest('hex'))
    }),
  )
})
