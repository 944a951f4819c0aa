import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'vitest'
import { compareKeys } from '../../src/store/transaction.ts'

test('keys are ordered as their bytes', () => {
  const key = fc.string({ unit: fc.constantFrom('a', 'b', '/', '\u00fc', '\uffee', '\u{1f600}', '\u0000') })
  fc.assert(
    fc.property(key, key, (left, right) => {
      const byBytes = Buffer.compare(Buffer.from(left), Buffer.from(right))
      assert.equal(Math.sign(compareKeys(left, right)), byBytes)
    }),
  )
})
