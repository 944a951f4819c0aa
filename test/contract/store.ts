/**
 * What every store must do: etcd, a directory, and memory run this list.
 *
 * Each case begins with two connections to one store, and a prefix that nobody else uses. The cases are by subject in store/.
 */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import type { StoreCase, StoreWorld } from './store/case.ts'
import { keyCases } from './store/key.ts'
import { leaseCases } from './store/lease.ts'
import { transactionCases } from './store/transaction.ts'
import { watchCases } from './store/watch.ts'

export const storeCases: readonly StoreCase[] = [...keyCases, ...transactionCases, ...leaseCases, ...watchCases]

export interface StoreContract {
  setUp():
    | (StoreWorld & { tearDown(): void | Promise<void> })
    | Promise<StoreWorld & { tearDown(): void | Promise<void> }>
}

export function storeContract(name: string, { setUp }: StoreContract): void {
  for (const { title, check } of storeCases) {
    test(`${name}: ${title}`, async () => {
      const world = await setUp()
      try {
        await check(world)
      } finally {
        await world.tearDown()
        world.one.close()
        world.other.close()
      }
    })
  }

  test(`${name}: no two cases have one title`, () => {
    const titles = storeCases.map(({ title }) => title)
    assert.equal(new Set(titles).size, titles.length)
  })
}
