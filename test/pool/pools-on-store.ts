/** Nodes that take addresses at once, each by a connection of its own to a store of any kind. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { assign } from '../../src/pool/assign.ts'
import { removeNode } from '../../src/pool/collect.ts'
import { watchNode } from '../../src/pool/node-watch.ts'
import { createPool, deletePool } from '../../src/pool/pools.ts'
import { releaseHandle } from '../../src/pool/release.ts'
import { carryOut } from '../../src/pool/steps.ts'
import type { Store } from '../../src/store/store.ts'
import { requestOf } from './world.ts'

const POOL = '10.244.0.0/26' // 16 blocks of four

export function poolsOnStore(name: string, open: () => Store): void {
  test(`in ${name}, four nodes that take ten addresses each at once have forty, and a watch sees what a node holds`, async () => {
    const stores = Array.from({ length: 4 }, open)
    const [first] = stores as [Store]
    await carryOut(createPool({ cidr: POOL, blockSize: 30 }), first)
    let blocks: readonly string[] = []
    const watch = watchNode(first, 'n0', {
      changed: ({ holdings }) => {
        blocks = holdings.blocks
      },
      problem: assert.fail,
    })
    const handles = stores.flatMap((store, n) =>
      Array.from({ length: 10 }, (_, c) => ({ store, n, handle: `net:c${n}-${c}:eth0` })),
    )
    const given = await Promise.all(
      handles.map(({ store, n, handle }) => carryOut(assign(requestOf(`n${n}`, handle)), store)),
    )
    assert.equal(new Set(given.map(([assigned]) => assigned!.address)).size, 40)
    const own = new Set(given.slice(0, 10).flatMap(([assigned]) => (assigned!.borrowed ? [] : [assigned!.block])))
    const hasSeen = () => [...own].every((block) => blocks.includes(block))
    for (let n = 0; n < 500 && !hasSeen(); n++) await new Promise((resolve) => setTimeout(resolve, 20))
    assert.ok(hasSeen(), 'the watch has seen the blocks that addresses came from')
    watch.close()
    await Promise.all(handles.map(({ store, handle }) => carryOut(releaseHandle(handle), store)))
    for (let n = 0; n < 4; n++) await carryOut(removeNode(`n${n}`), first)
    await carryOut(deletePool(POOL), first)
    assert.deepEqual((await first.list('/overlab/ipam/')).entries, [])
    for (const store of stores) store.close()
  })
}
