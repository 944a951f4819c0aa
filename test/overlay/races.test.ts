/** Several nodes at once, on a store whose answers and events come late, in every order that chance finds. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'vitest'
import { overlaps, parsePrefix } from '../../src/address/prefix.ts'
import type { NetworkConfig } from '../../src/overlay/config.ts'
import { FAMILIES, type Lease } from '../../src/overlay/lease.ts'
import { formatLeaseKey } from '../../src/overlay/lease-key.ts'
import type { MemoryStore } from '../../src/store/memory.ts'
import { attributesOf, dual, ipv6Only, keyOf, Node, threeSubnets, valueFor, vxlan, World } from './registry-world.ts'
import { slowStore } from './slow-store.ts'

/** Numbers from 0 to below 1 that a seed decides: mulberry32. */
function chances(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

interface SlowNode {
  readonly number: number
  readonly node: Node
  readonly connection: MemoryStore
}

class SlowWorld extends World {
  readonly random: () => number
  readonly nodes: SlowNode[] = []

  constructor(seed: number) {
    super()
    this.random = chances(seed)
  }

  begin(number: number, config: NetworkConfig, leaseSeconds = 100): SlowNode {
    const connection = this.server.connect()
    const store = slowStore(connection, this.clock, () => Math.floor(this.random() * 50))
    const node = new Node(store, this.clock, { random: this.random, leaseSeconds })
    node.registry.announce({ config, attributes: attributesOf(number, config) })
    const begun = { number, node, connection }
    this.nodes.push(begun)
    return begun
  }

  end(ended: SlowNode): void {
    ended.node.registry.close()
    ended.connection.close()
    this.nodes.splice(this.nodes.indexOf(ended), 1)
  }
}

function subnetsIn(lease: Lease): string[] {
  return FAMILIES.flatMap((family) => lease[family]?.subnet ?? [])
}

/** Every node has the lease that the store says, and no two have a subnet in common. */
async function assertSettled(world: SlowWorld, config: NetworkConfig): Promise<void> {
  const taken: string[] = []
  for (const { number, node } of world.nodes) {
    const { lease } = node
    assert.ok(lease, `node ${number} has no lease: ${node.notices.at(-1)?.message}`)
    const key = keyOf(
      formatLeaseKey({
        ...(lease.ipv4 && { ipv4: lease.ipv4.subnet }),
        ...(lease.ipv6 && { ipv6: lease.ipv6.subnet }),
      }),
    )
    assert.equal((await world.operator.get(key))?.value, valueFor(number, config))
    for (const subnet of subnetsIn(lease)) {
      const other = taken.find((each) => overlaps(parsePrefix(each), parsePrefix(subnet)))
      assert.equal(other, undefined, `two nodes have ${subnet}`)
      taken.push(subnet)
    }
    const others = world.nodes.filter((each) => each.node !== node).map((each) => each.node.lease!)
    const expected = others.map((each) => (each.ipv4 ?? each.ipv6)!.subnet).sort()
    assert.deepEqual(node.reached, expected, `whom node ${number} reaches`)
  }
  assert.equal((await world.entries()).length, world.nodes.length, 'no lease is left over')
}

const seeds = fc.integer({ min: 0, max: 2 ** 31 })
const configs = [
  ['IPv4', threeSubnets],
  ['IPv6', ipv6Only],
  ['both families', dual],
] as const

for (const [name, config] of configs) {
  test(`${name}: three nodes that start together in a network of three subnets have one each`, async () => {
    await fc.assert(
      fc.asyncProperty(seeds, async (seed) => {
        const world = new SlowWorld(seed)
        for (const number of [1, 2, 3]) world.begin(number, config)
        await world.clock.advance(60_000)
        await assertSettled(world, config)
      }),
      { numRuns: 60 },
    )
  })

  test(`${name}: what is told as our lease is nobody else's, at any moment`, async () => {
    await fc.assert(
      fc.asyncProperty(seeds, async (seed) => {
        const world = new SlowWorld(seed)
        for (const number of [1, 2, 3]) world.begin(number, config)
        for (let i = 0; i < 100; i++) {
          await world.clock.advance(10)
          const told = world.nodes.flatMap(({ node }) => (node.lease ? subnetsIn(node.lease) : []))
          assert.equal(new Set(told).size, told.length)
        }
      }),
      { numRuns: 50 },
    )
  })
}

test('a fourth node waits, and has a lease when one of the others is gone for good', async () => {
  await fc.assert(
    fc.asyncProperty(seeds, fc.integer({ min: 0, max: 3 }), async (seed, gone) => {
      const world = new SlowWorld(seed)
      for (const number of [1, 2, 3, 4]) world.begin(number, threeSubnets)
      await world.clock.advance(60_000)
      assert.equal(world.nodes.filter(({ node }) => node.lease).length, 3)
      world.end(world.nodes[gone]!)
      await world.clock.advance(200_000)
      await assertSettled(world, threeSubnets)
    }),
    { numRuns: 40 },
  )
})

test('an answer that is lost leaves no second lease behind', async () => {
  await fc.assert(
    fc.asyncProperty(seeds, fc.integer({ min: 0, max: 2 }), async (seed, which) => {
      const world = new SlowWorld(seed)
      for (const number of [1, 2, 3]) world.begin(number, threeSubnets)
      world.nodes[which]!.connection.loseAnswer()
      await world.clock.advance(60_000)
      await assertSettled(world, threeSubnets)
    }),
    { numRuns: 60 },
  )
})

test('a lease that is only out of sight is never taken for gone', async () => {
  const steps = fc.array(fc.constantFrom('cut', 'mend', 'compact', 'announce'), { maxLength: 12 })
  await fc.assert(
    fc.asyncProperty(seeds, steps, async (seed, happens) => {
      const world = new SlowWorld(seed)
      // Before the node chooses a subnet, so that it chooses another.
      await world.put('10.5.200.0-24', valueFor(9))
      const { node, connection } = world.begin(1, vxlan)
      await world.clock.advance(1_000)
      for (const [i, what] of happens.entries()) {
        if (what === 'cut') connection.cut()
        if (what === 'mend') connection.mend()
        if (what === 'compact') world.server.compact()
        const attributes = attributesOf(1, vxlan, (i % 8) + 1)
        if (what === 'announce') node.registry.announce({ config: vxlan, attributes })
        await world.put('10.5.200.0-24', valueFor(9, vxlan, (i % 8) + 1))
        await world.clock.advance(Math.floor(world.random() * 200))
      }
      connection.mend()
      await world.clock.advance(20_000)
      assert.deepEqual(
        node.told('lease').filter((message) => message.includes('gone')),
        [],
      )
      assert.deepEqual(node.told('conflict'), [])
      assert.deepEqual(node.reached, ['10.5.200.0/24'])
    }),
    { numRuns: 60 },
  )
})

test('after close nothing is told, whatever was under way', async () => {
  await fc.assert(
    fc.asyncProperty(seeds, fc.integer({ min: 0, max: 400 }), async (seed, milliseconds) => {
      const world = new SlowWorld(seed)
      const { node } = world.begin(1, threeSubnets)
      await world.clock.advance(milliseconds)
      node.registry.close()
      const told = () => node.notices.length + node.leases.length + node.peers.length + node.configs.length
      const before = told()
      await world.put('10.5.9.0-24', valueFor(9))
      await world.clock.advance(500_000)
      assert.equal(told(), before)
      assert.equal(world.clock.next, undefined, 'nothing waits, and the lease has ended')
    }),
    { numRuns: 60 },
  )
})

/** What can happen to a node or to the store. */
const faults = [
  'cut',
  'mend',
  'restart',
  'delete',
  'stop',
  'start',
  'compact',
  'empty',
  'lose answer',
  'wait',
  'wait long',
] as const

test('whatever happens to nodes and store, afterwards every node has a lease, and no two the same', async () => {
  const fault = fc.tuple(fc.constantFrom(...faults), fc.integer({ min: 0, max: 2 }))
  await fc.assert(
    fc.asyncProperty(
      seeds,
      fc.constantFrom(threeSubnets, ipv6Only, dual),
      fc.array(fault, { maxLength: 15 }),
      async (seed, config, happens) => {
        const world = new SlowWorld(seed)
        for (const number of [1, 2, 3]) world.begin(number, config)
        for (const [what, which] of happens) {
          const chosen = world.nodes[which]!
          if (what === 'cut') chosen.connection.cut()
          if (what === 'mend') chosen.connection.mend()
          if (what === 'lose answer') chosen.connection.loseAnswer()
          if (what === 'stop') world.server.stop()
          if (what === 'start') world.server.start()
          if (what === 'compact') world.server.compact()
          if (what === 'empty') world.server.restartEmpty()
          if (what === 'delete' && world.operator.isConnected) {
            const [entry] = await world.entries()
            if (entry) await world.operator.transact([], [{ delete: entry.key }])
          }
          if (what === 'restart') {
            world.end(chosen)
            world.begin(chosen.number, config)
          }
          await world.clock.advance(what === 'wait long' ? 150_000 : Math.floor(world.random() * 300))
        }
        world.server.start()
        for (const { connection } of world.nodes) connection.mend()
        await world.clock.advance(300_000)
        await assertSettled(world, config)
      },
    ),
    { numRuns: 100 },
  )
})
