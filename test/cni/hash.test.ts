import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { test } from 'vitest'
import { fnv1a } from '../../src/cni/hash.ts'
import { sha512 } from '../../src/cni/sha512.ts'

test('sha512() is what node:crypto says, for any bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      assert.equal(sha512(bytes), createHash('sha512').update(bytes).digest('hex'))
    }),
  )
})

for (const length of [0, 111, 112, 127, 128, 239, 240]) {
  test(`sha512() pads ${length} bytes`, () => {
    const bytes = new Uint8Array(length).fill(0x61)
    assert.equal(sha512(bytes), createHash('sha512').update(bytes).digest('hex'))
  })
}

// http://www.isthe.com/chongo/src/fnv/test_fnv.c
for (const { text, hash } of [
  { text: '', hash: 'cbf29ce484222325' },
  { text: 'a', hash: 'af63dc4c8601ec8c' },
  { text: 'foobar', hash: '85944171f73967e8' },
]) {
  test(`fnv1a() of "${text}" is ${hash}`, () => assert.equal(fnv1a(text), hash))
}
