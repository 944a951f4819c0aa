/** A node registers itself, and sees others, pools and what it holds, in a store whose connections break. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { assign } from '../../src/pool/assign.ts'
import { removeNode } from '../../src/pool/collect.ts'
import { nodeKey, poolKey } from '../../src/pool/keys.ts'
import { type NodeView, watchNode } from '../../src/pool/node-watch.ts'
import { formatNode, type Node } from '../../src/pool/nodes.ts'
import { changePool, createPool } from '../../src/pool/pools.ts'
import { Registration } from '../../src/pool/registration.ts'
import { releaseHandle } from '../../src/pool/release.ts'
import { changeSettings } from '../../src/pool/settings.ts'
import { carryOut } from '../../src/pool/steps.ts'
import { MemoryServer } from '../../src/store/memory.ts'
import { ManualClock, settled } from '../support/manual-clock.ts'
import { requestOf } from './world.ts'

const self: Node = {
  name: 'n1',
  ipv4: '192.168.77.1/24',
  ipv6: undefined,
  as: 64512,
  routeReflectorClusterId: undefined,
  vtep: undefined,
  labels: { rack: 'r1' },
}

function begin() {
  const clock = new ManualClock()
  const server = new MemoryServer(clock)
  const store = server.connect()
  const operator = server.connect()
  const problems: string[] = []
  const problem = (text: string) => void problems.push(text)
  return { clock, server, store, operator, problems, problem }
}

test('what a node holds is seen as it changes', async () => {
  const { store, operator, problem, problems } = begin()
  const views: NodeView[] = []
  const watch = watchNode(store, 'n1', { changed: (view) => void views.push(view), problem })
  const now = async () => {
    await settled()
    return views.at(-1)!.holdings
  }
  await carryOut(createPool({ cidr: '10.244.0.0/30', blockSize: 31 }), operator)
  await carryOut(changeSettings({ maxBlocksPerHost: 1 }), operator)
  assert.deepEqual(await now(), { blocks: [], borrowed: [] })
  const [first] = await carryOut(assign(requestOf('n1', 'a:1:eth0')), operator)
  assert.deepEqual(await now(), { blocks: [first!.block], borrowed: [] })
  await carryOut(assign(requestOf('n2', 'a:2:eth0')), operator)
  await carryOut(assign(requestOf('n1', 'a:3:eth0')), operator)
  const [borrowed] = await carryOut(assign(requestOf('n1', 'a:4:eth0')), operator)
  assert.ok(borrowed!.borrowed)
  assert.deepEqual(await now(), { blocks: [first!.block], borrowed: [borrowed!.address] })
  await carryOut(releaseHandle('a:4:eth0'), operator)
  await carryOut(changePool('10.244.0.0/30', { disabled: true }), operator)
  assert.deepEqual(await now(), { blocks: [first!.block], borrowed: [] })
  assert.equal(views.at(-1)!.pools[0]!.disabled, true)
  await carryOut(removeNode('n1'), operator)
  assert.deepEqual(await now(), { blocks: [], borrowed: [] })
  assert.deepEqual(problems, [])
  watch.close()
  const count = views.length
  await carryOut(changePool('10.244.0.0/30', { disabled: false }), operator)
  await settled()
  assert.equal(views.length, count)
})

test('a claim that is not confirmed is not held, and what cannot be read is left out and told of', async () => {
  const { store, operator, problem, problems } = begin()
  const views: NodeView[] = []
  watchNode(store, 'n1', { changed: (view) => void views.push(view), problem })
  await operator.transact(
    [],
    [{ put: '/overlab/ipam/v2/host/n1/ipv4/block/10.244.1.0-26', value: '{"state":"pending"}' }],
  )
  await operator.transact([], [{ put: poolKey('10.244.0.0/16'), value: '{"cidr":"10.244.0.0/16"}' }])
  await operator.transact([], [{ put: poolKey('10.245.0.0/16'), value: 'nonsense' }])
  await settled()
  assert.deepEqual(views.at(-1)!.holdings.blocks, [])
  assert.deepEqual(
    views.at(-1)!.pools.map(({ cidr }) => cidr),
    ['10.244.0.0/16'],
  )
  assert.match(problems.at(-1)!, /Cannot read .*10\.245\.0\.0-16/)
})

test('a node is there while it runs, and gone at once when it is stopped', async () => {
  const { clock, store, operator, problem } = begin()
  const registration = new Registration(self, { store, clock, problem })
  await settled()
  assert.ok(await operator.get(nodeKey('n1')))
  await clock.advance(600_000)
  assert.ok(await operator.get(nodeKey('n1')), 'after ten minutes')
  registration.change({ ...self, labels: { rack: 'r2' } })
  await settled()
  assert.match((await operator.get(nodeKey('n1')))!.value, /r2/)
  await registration.close()
  assert.equal(await operator.get(nodeKey('n1')), undefined)
})

test('it comes back after an outage that was longer than its lease, and when somebody deletes it', async () => {
  const { clock, store, operator, problem, problems } = begin()
  new Registration(self, { store, clock, problem })
  await settled()
  store.cut()
  await clock.advance(120_000)
  assert.equal(await operator.get(nodeKey('n1')), undefined)
  assert.ok(problems.length > 0)
  store.mend()
  await clock.advance(40_000)
  assert.ok(await operator.get(nodeKey('n1')))
  await operator.transact([], [{ delete: nodeKey('n1') }])
  await clock.advance(40_000)
  assert.ok(await operator.get(nodeKey('n1')))
})

test('another machine of the same name is told of, an earlier life of this one is not', async () => {
  const { clock, server, store, problem, problems } = begin()
  const earlier = { ...self, ipv4: '192.168.77.9/24' }
  const lease = await store.grant(90)
  await store.transact([], [{ put: nodeKey('n1'), value: formatNode(earlier), lease }])
  new Registration(self, { store, clock, problem })
  await settled()
  await clock.advance(100_000)
  assert.deepEqual(problems, [])
  new Registration(earlier, { store: server.connect(), clock, problem: () => {} })
  await clock.advance(40_000)
  assert.match(problems[0]!, /^Another machine is there as node "n1", too/)
})

test('others see it come and go', async () => {
  const { clock, server, store, problem } = begin()
  const views: NodeView[] = []
  watchNode(server.connect(), 'n2', { changed: (view) => void views.push(view), problem })
  new Registration(self, { store, clock, problem })
  await settled()
  assert.deepEqual(views.at(-1)!.nodes, [self])
  store.cut() // the node dies
  await clock.advance(100_000)
  await settled()
  assert.deepEqual(views.at(-1)!.nodes, [])
})
