import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'vitest'
import { inPieces, joined } from '../../src/bgp/octets.ts'

test('pieces are the parts in their order, none longer than it may be unless a part is, and no two that would fit together', () => {
  const parts = fc.array(fc.uint8Array({ minLength: 1, maxLength: 12 }))
  fc.assert(
    fc.property(parts, fc.integer({ min: 1, max: 30 }), (given, most) => {
      const pieces = inPieces(given, most)
      assert.deepEqual(joined(pieces), joined(given))
      for (const piece of pieces) assert.ok(piece.length <= most || given.some((part) => part.length === piece.length))
      for (const [i, piece] of pieces.slice(1).entries()) assert.ok(pieces[i]!.length + piece.length > most)
    }),
  )
})
