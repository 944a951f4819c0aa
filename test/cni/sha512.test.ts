import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { test } from 'vitest'
import { sha512 } from '../../src/cni/sha512.ts'

test('sha512() is what node:crypto says, for any bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      assert.equal(sha512(bytes), createHash('sha512').update(bytes).digest('hex'))
    }),
  )
})
