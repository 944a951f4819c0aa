import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'vitest'
import { runHolding, runsOf, withoutAddress } from '../../src/ipam/run.ts'

const run = (from: number, to: number) => ({ from: BigInt(from), to: BigInt(to) })

test('runsOf() joins what follows one another, whatever the order', () => {
  assert.deepEqual(runsOf([7n, 1n, 2n, 3n, 2n, 9n, 8n]), [run(1, 3), run(7, 9)])
  assert.deepEqual(runsOf([]), [])
})

test('withoutAddress() cuts a run in two, shortens it, or leaves nothing', () => {
  assert.deepEqual(withoutAddress(run(1, 5), 3n), [run(1, 2), run(4, 5)])
  assert.deepEqual(withoutAddress(run(1, 5), 1n), [run(2, 5)])
  assert.deepEqual(withoutAddress(run(1, 5), 5n), [run(1, 4)])
  assert.deepEqual(withoutAddress(run(1, 1), 1n), [])
  assert.deepEqual(withoutAddress(run(1, 5), 6n), [run(1, 5)])
})

test('an address is in a run exactly when it is one of the addresses', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.bigInt(0n, 60n)), fc.bigInt(0n, 60n), (addresses, address) => {
      const runs = runsOf(addresses)
      assert.equal(runHolding(runs, address) !== undefined, addresses.includes(address))
      const rest = runs.flatMap((each) => withoutAddress(each, address))
      assert.deepEqual(rest, runsOf(addresses.filter((other) => other !== address)))
    }),
  )
})
