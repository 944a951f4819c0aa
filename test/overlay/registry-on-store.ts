/** Registries on a store that is not in the process, in real time: run on etcd and on a directory. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { subnetsOf } from '../../src/overlay/lease.ts'
import { formatLeaseKey, networkKeys } from '../../src/overlay/lease-key.ts'
import type { Store } from '../../src/store/store.ts'
import { systemClock } from '../../src/store/system-clock.ts'
import { attributesOf, Node, threeSubnets, valueFor } from './registry-world.ts'

const ROUNDS = 50

/** `open` answers another connection to the same store at each call. */
export function registryOnStore(name: string, open: () => Store): void {
  function start(store: Store, number: number, prefix: string): Node {
    const node = new Node(store, systemClock, { prefix, random: Math.random, leaseSeconds: 60 })
    node.registry.announce({ config: threeSubnets, attributes: attributesOf(number, threeSubnets) })
    return node
  }

  async function withNodes(
    numbers: readonly number[],
    run: (nodes: Node[], store: Store, prefix: string) => Promise<void>,
  ) {
    const operator = open()
    const stores = numbers.map(open)
    const prefix = `/registry-${numbers.length}-${process.hrtime.bigint()}`
    const nodes = numbers.map((number, i) => start(stores[i]!, number, prefix))
    try {
      await run(nodes, operator, prefix)
    } finally {
      for (const { registry } of nodes) registry.close()
      for (const store of [...stores, operator]) store.close()
    }
  }

  test(`${name}: three nodes that start together with three subnets have one each, ${ROUNDS} times`, async () => {
    const [one, two, three] = [open(), open(), open()]
    try {
      for (let round = 0; round < ROUNDS; round++) {
        const prefix = `/round-${round}`
        const nodes = [one, two, three].map((store, i) => start(store, i + 1, prefix))
        await Promise.all(nodes.map((node) => node.until(() => node.peers.at(-1)?.length === 2)))
        const names = nodes.map(({ lease }) => formatLeaseKey(subnetsOf(lease!))).sort()
        assert.deepEqual(names, ['10.5.1.0-24', '10.5.2.0-24', '10.5.3.0-24'])
        const { entries } = await one.list(networkKeys(prefix).subnets)
        assert.equal(entries.length, 3)
        for (const { registry } of nodes) registry.close()
      }
    } finally {
      for (const store of [one, two, three]) store.close()
    }
  })

  test(`${name}: a lease that is deleted is made again, and the others are told nothing new in the end`, async () => {
    await withNodes([1, 2], async ([one, two], store, prefix) => {
      await Promise.all([one!, two!].map((node) => node.until(() => node.peers.at(-1)?.length === 1)))
      const key = networkKeys(prefix).subnets + formatLeaseKey(subnetsOf(one!.lease!))
      const before = two!.peers.length
      await store.transact([], [{ delete: key }])
      await two!.until(() => two!.peers.length >= before + 2)
      assert.deepEqual(two!.peers.at(-1), two!.peers[before - 1])
      const entry = await store.get(key)
      assert.equal(entry!.value, valueFor(1, threeSubnets))
      assert.equal((await store.timeToLive(entry!.lease!))!.granted, 60)
    })
  })

  test(`${name}: a reservation is used, and has no lease afterwards`, async () => {
    const store = open()
    const prefix = `/reserved-${process.hrtime.bigint()}`
    const key = `${networkKeys(prefix).subnets}10.5.3.0-24`
    await store.transact([], [{ put: key, value: '{"PublicIP":"192.168.77.1"}' }])
    const node = start(store, 1, prefix)
    await node.until(() => node.lease !== undefined)
    assert.equal(node.lease!.ipv4!.subnet, '10.5.3.0/24')
    const entry = await store.get(key)
    assert.deepEqual([entry!.value, entry!.lease], [valueFor(1, threeSubnets), undefined])
    node.registry.close()
    store.close()
  })

  test(`${name}: the fourth node waits, and takes the subnet that a node gives up`, async () => {
    await withNodes([1, 2, 3, 4], async (nodes, store, prefix) => {
      const waiting = () => nodes.filter(({ leases }) => leases.length === 0)
      await Promise.all(
        nodes.map((node) => node.until(() => node.lease !== undefined || node.told('lease').length > 0)),
      )
      const [fourth] = waiting()
      const gone = nodes.find((node) => node !== fourth)!
      gone.registry.close()
      await store.transact([], [{ delete: networkKeys(prefix).subnets + formatLeaseKey(subnetsOf(gone.lease!)) }])
      await fourth!.until(() => fourth!.lease !== undefined)
      assert.deepEqual(fourth!.lease!.ipv4!.subnet, gone.lease!.ipv4!.subnet)
    })
  })
}
