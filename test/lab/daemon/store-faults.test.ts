/** etcd is away, loses members, its history or its data, or cannot be reached from one node: no pod notices. */
import assert from 'node:assert/strict'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, test } from 'vitest'
import { files } from '../../../src/linux/files.ts'
import { openStore } from '../../../src/store/open.ts'
import type { Store } from '../../../src/store/store.ts'
import { run } from '../../support/command.ts'
import { type Etcd, startCluster } from '../../support/etcd.ts'
import { monitor } from './monitor.ts'
import { eventually, type Node, type StoreUnderTest, SWITCH, startNetwork, startStore } from './network.ts'

const vxlan = { Network: '10.5.0.0/16', Backend: { Type: 'vxlan' } }
/** Milliseconds. */
const OUTAGE = 60_000
const ACCEPT_RA = 'net.ipv6.conf.flannel/1.accept_ra'

let store: StoreUnderTest
beforeAll(async () => {
  store = await startStore('etcd')
})
afterAll(async () => {
  await store[Symbol.asyncDispose]()
  run('ip', 'netns', 'delete', SWITCH)
})

/** Peers that there are not, by number. */
const lease = (number: number, mac = number) =>
  `{"PublicIP":"192.168.77.${number}","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"02:00:00:00:00:${mac}"}}`
const nameOf = (number: number) => `10.5.${number}.0-24`
const entriesOf = (number: number, ip = number, mac = number) => [
  `route 10.5.${number}.0/24 via 10.5.${number}.0 dev flannel.1 onlink`,
  `neigh 10.5.${number}.0 lladdr 02:00:00:00:00:${mac} PERMANENT`,
  `fdb 02:00:00:00:00:${mac} dst 192.168.77.${ip} self permanent`,
]
/** Subnets for them that the daemons cannot have chosen. */
const [P1, P2, P3, P4, P5] = [91, 92, 93, 94, 95]
const config = { ...vxlan, SubnetMax: '10.5.80.0' }

const becomes = (node: Node, what: string, entries: readonly string[]) =>
  eventually(what, () => node.entries().join() === [...entries].sort().join())

test('E4: etcd is away for a while: what is changed right after it is back is known, and nobody has noticed', async () => {
  await using network = await startNetwork({ store, config, nodes: 2 })
  const [one, two] = network.nodes
  const [before, leases] = [one!.entries(), await network.leases()]
  await network.put(nameOf(P1), lease(P1))
  await becomes(one!, 'the peer is known', [...before, ...entriesOf(P1)])
  const ping = one!.pingOn(two!)
  const running = await monitor(two!)
  await store.etcd!.kill()
  // D1: the kernel tells nobody of this one; it is looked at once a minute, with a store or without.
  one!.run('sysctl', '-q', '-w', `${ACCEPT_RA}=2`)
  await setTimeout(OUTAGE)
  await eventually('the setting is put right', () => one!.run('sysctl', '-n', ACCEPT_RA) === '0\n')
  assert.deepEqual(await running.stop(), [])
  await store.etcd!.restart()
  await Promise.all([
    network.delete(nameOf(P1)),
    network.put(nameOf(P2), lease(P2)),
    network.put(nameOf(P3), lease(P3)),
  ])
  for (const node of [one!, two!]) {
    const others = node === one ? before : before.map((entry) => mirror(entry, one!, two!))
    await becomes(node, `${node.name} knows the changes`, [...others, ...entriesOf(P2), ...entriesOf(P3)])
    assert.equal(node.log.match(/trying again, and everything stays as it is/g)!.length, 1, node.log)
  }
  assert.equal((await ping.stop()).lost, 0)
  for (const number of [P2, P3]) await network.delete(nameOf(number))
  assert.deepEqual(await network.leases(), leases)
})

/** What one's entry for two is on two for one. */
function mirror(entry: string, one: Node, two: Node): string {
  return entry
    .replaceAll(two.gateway, one.gateway)
    .replaceAll(two.mac(), one.mac())
    .replace('192.168.77.2', '192.168.77.1')
}

test('E4: of three members of etcd one is dead from the start, the leader moves, and another one dies and comes back', async () => {
  const cluster = await startCluster(3, { namespace: SWITCH, address: '192.168.77.100', port: 3379 })
  const endpoints = cluster.map(({ endpoint }) => endpoint)
  const operator = openStore({ etcd: { endpoints } }, { tryLock: files.tryLock, report: assert.fail })
  try {
    const [first, second, third] = cluster
    await first!.kill()
    await serves(operator)
    const flags = ['-etcd-endpoints', endpoints.join(',')]
    const ofCluster = { kind: 'etcd', flags, operator, etcd: second, [Symbol.asyncDispose]: async () => {} } as const
    await using network = await startNetwork({ store: ofCluster, config, nodes: 2 })
    const [one, two] = network.nodes
    const [before, leases] = [one!.entries(), await network.leases()]
    assert.equal(Object.keys(leases).length, 2)
    const ping = one!.pingOn(two!)

    const leader = await leaderOf([second!, third!])
    const other = leader === second ? third! : second!
    await leader.etcdctl('move-leader', await memberOf(other))
    await network.put(nameOf(P1), lease(P1))
    await becomes(one!, 'a peer of the new leader’s time', [...before, ...entriesOf(P1)])

    // The leader dies: with the first one back there is a majority, after an election.
    await first!.restart()
    await other.kill()
    await serves(operator)
    await network.put(nameOf(P2), lease(P2))
    await becomes(one!, 'a peer of the third leader’s time', [...before, ...entriesOf(P1), ...entriesOf(P2)])
    await other.restart()
    for (const number of [P1, P2]) await network.delete(nameOf(number))
    await becomes(one!, 'the two alone', before)
    assert.deepEqual(await network.leases(), leases)
    assert.equal((await ping.stop()).lost, 0)
    for (const { log } of network.nodes) assert.doesNotMatch(log, /acquiring/)
  } finally {
    operator.close()
    await Promise.all(cluster.map((member) => member.stop()))
  }
})

/** There is a leader. */
function serves(operator: Store): Promise<void> {
  return eventually('etcd serves', () =>
    operator.transact([], [{ put: '/anything', value: '' }]).then(
      () => true,
      () => false,
    ),
  )
}

/** Numbers of 64 bits, as text: JSON.parse would round them. */
async function statusOf(member: Etcd): Promise<{ readonly id: string; readonly leader: string }> {
  const text = await member.etcdctl('endpoint', 'status', '--write-out', 'json')
  const [, id] = /"member_id":(\d+)/.exec(text)!
  const [, leader] = /"leader":(\d+)/.exec(text)!
  return { id: id!, leader: leader! }
}

async function memberOf(member: Etcd): Promise<string> {
  return BigInt((await statusOf(member)).id).toString(16)
}

async function leaderOf(members: readonly Etcd[]): Promise<Etcd> {
  for (const member of members) {
    const { id, leader } = await statusOf(member)
    if (id === leader) return member
  }
  assert.fail('there is no leader')
}

test('E5: a node that is cut off while leases change, and etcd forgets how, has what etcd has when it is back', async () => {
  await using network = await startNetwork({ store, config, nodes: 2 })
  const [one, two] = network.nodes
  const [before, subnets, value] = [one!.entries(), one!.subnets, await network.leases()]
  for (const number of [P1, P2, P3]) await network.put(nameOf(number), lease(number))
  await becomes(one!, 'three more peers', [...before, ...[P1, P2, P3].flatMap((number) => entriesOf(number))])
  const running = await monitor(one!)

  run('ip', '-n', SWITCH, 'link', 'set', one!.name, 'down')
  await eventually('it is noticed', () => one!.log.includes('everything stays as it is'), 60_000)
  await network.put(nameOf(P1), lease(P4, P4))
  await network.put(nameOf(P2), lease(P2, P5))
  await network.delete(nameOf(P3))
  await network.put(nameOf(P4), lease(P3))
  await network.put(nameOf(P5), lease(P1))
  await network.delete(nameOf(P5))
  await compact(store.etcd!)
  run('ip', '-n', SWITCH, 'link', 'set', one!.name, 'up')

  const changed = [...entriesOf(P1, P4, P4), ...entriesOf(P2, P2, P5), ...entriesOf(P4, P3, P3)]
  await becomes(one!, 'the changes are known', [...before, ...changed])
  const own = [one!.gateway, one!.mac(), two!.gateway, two!.mac(), ': flannel.1: ']
  assert.deepEqual(
    (await running.stop()).filter((line) => own.some((text) => line.includes(text))),
    [],
  )
  for (const number of [P1, P2, P4]) await network.delete(nameOf(number))
  await becomes(one!, 'the other node alone', before)
  assert.deepEqual([one!.subnets, await network.leases()], [subnets, value])
  assert.doesNotMatch(one!.log, /acquiring|conflict/)
  await eventually('packets pass', () => network.unreachable().length === 0)
})

/** To the newest revision. */
async function compact(etcd: Etcd): Promise<void> {
  const [, revision] = /"revision":(\d+)/.exec(await etcd.etcdctl('endpoint', 'status', '--write-out', 'json'))!
  await etcd.etcdctl('compact', revision!)
}

test('etcd comes back without its data: every node has its own subnet again, and pods have not noticed', async () => {
  await using network = await startNetwork({ store, config, nodes: 3 })
  const [one, two, three] = network.nodes
  const leases = await network.leases()
  assert.equal(Object.keys(leases).length, 3)
  const subnets = network.nodes.map((node) => node.subnets)
  const pings = [one!.pingOn(two!), two!.pingOn(three!), three!.pingOn(one!)]
  await store.etcd!.kill()
  await store.etcd!.restart('lost')
  await network.configure(config)
  await eventually('all leases are back', async () => {
    return JSON.stringify(await network.leases()) === JSON.stringify(leases)
  })
  await network.settled()
  assert.deepEqual(
    network.nodes.map((node) => node.subnets),
    subnets,
  )
  for (const ping of pings) assert.equal((await ping.stop()).lost, 0)
  assert.deepEqual(network.unreachable(), [])
})
