/** What daemons make of leases that come, change and go: of peers, and their own. */
import assert from 'node:assert/strict'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { run } from '../../support/command.ts'
import { assertSilent, monitor } from './monitor.ts'
import {
  eventually,
  type Network,
  type Node,
  type StoreUnderTest,
  SWITCH,
  startNetwork,
  startStore,
} from './network.ts'

/** The nodes get none of the subnets that peers are put in by hand. */
const vxlan = { Network: '10.5.0.0/16', SubnetMin: '10.5.16.0', Backend: { Type: 'vxlan' } }

const lease = (ip: string, mac: string, vni = 1) =>
  `{"PublicIP":"${ip}","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":${vni},"VtepMAC":"${mac}"}}`
const entriesFor = (subnet: string, ip: string, mac: string) => {
  const gateway = subnet.replace(/\/.*/, '')
  return [
    `route ${subnet} via ${gateway} dev flannel.1 onlink`,
    `neigh ${gateway} lladdr ${mac} PERMANENT`,
    `fdb ${mac} dst ${ip} self permanent`,
  ]
}
const becomes = (node: Node, what: string, entries: readonly string[]) =>
  eventually(what, () => node.entries().join() === [...entries].sort().join())

describe.each(['etcd', 'file'] as const)('leases in %s', (kind) => {
  let store: StoreUnderTest
  beforeAll(async () => {
    store = await startStore(kind)
  })
  afterAll(async () => {
    await store[Symbol.asyncDispose]()
    run('ip', 'netns', 'delete', SWITCH)
  })

  test('C1, C2, C3: a peer changes in place, loses its entries, and goes', async () => {
    await using network = await startNetwork({ store, config: vxlan, nodes: 1 })
    const [node] = network.nodes
    const name = '10.5.9.0-24'
    const is = (what: string, ip: string, mac: string) => becomes(node!, what, entriesFor('10.5.9.0/24', ip, mac))
    await network.put(name, lease('192.168.77.9', '02:00:00:00:00:09'))
    await is('it is there', '192.168.77.9', '02:00:00:00:00:09')
    await network.put(name, lease('192.168.77.10', '02:00:00:00:00:09'))
    await is('its address', '192.168.77.10', '02:00:00:00:00:09')
    await network.put(name, lease('192.168.77.10', '02:00:00:00:00:10'))
    await is('its MAC', '192.168.77.10', '02:00:00:00:00:10')
    await network.put(name, lease('192.168.77.10', '02:00:00:00:00:10', 2))
    await becomes(node!, 'another VNI', [])
    await network.put(name, '{"PublicIP":"192.168.77.10","BackendType":"host-gw"}')
    await network.put(name, lease('192.168.77.9', '02:00:00:00:00:09'))
    await is('as at first', '192.168.77.9', '02:00:00:00:00:09')

    // It goes when its entries are gone, and another one comes in the same moment.
    for (const words of ['route delete 10.5.9.0/24', 'neigh delete 10.5.9.0 dev flannel.1']) node!.ip(words)
    run('bridge', '-n', node!.name, 'fdb', 'delete', '02:00:00:00:00:09', 'dev', 'flannel.1', 'dst', '192.168.77.9')
    const { lease: id } = (await store.operator.get(network.key(name)))!
    await Promise.all([
      store.operator.revoke(id!),
      network.put('10.5.8.0-24', lease('192.168.77.8', '02:00:00:00:00:08')),
    ])
    const other = entriesFor('10.5.8.0/24', '192.168.77.8', '02:00:00:00:00:08')
    await becomes(node!, 'the other peer alone', other)
  })

  test('C4: a lease that is deleted is acquired again, and nothing changes in the kernel', async () => {
    await using network = await startNetwork({ store, config: vxlan, nodes: 2 })
    const [one, two] = network.nodes
    const before = await network.leases()
    const [running, ping] = [await monitor(one!), one!.pingOn(two!)]
    await network.delete(`${one!.gateway}-24`)
    await eventually('the lease is back', async () => JSON.stringify(await network.leases()) === JSON.stringify(before))
    await assertSilent(running)
    assert.equal((await ping.stop()).lost, 0)
    assert.match(one!.log, /is gone: it was deleted, or has ended; acquiring it again/)
  })

  test('C5: a lease is kept alive; after a sleep that was too long there is one again, and one alone', async () => {
    const flags = ['--subnet-lease-ttl', '3s', '--subnet-lease-renew-margin', '2s']
    await using network = await startNetwork({ store, config: vxlan, nodes: 2, flags })
    const [one] = network.nodes
    const [before, entry] = [await network.leases(), await entryOf(network, one!)]
    await setTimeout(6000)
    assert.deepEqual(await entryOf(network, one!), entry)
    // What `ip netns exec` has become is the daemon itself.
    one!.signal('SIGSTOP')
    await eventually('the lease has ended', async () => Object.keys(await network.leases()).length === 1)
    one!.signal('SIGCONT')
    await eventually('it is back', async () => JSON.stringify(await network.leases()) === JSON.stringify(before))
    await network.settled()
    assert.deepEqual(network.unreachable(), [])
  })

  test('E1: three nodes and three subnets, begun together: each has one', async () => {
    const config = { Network: '10.5.0.0/22', Backend: { Type: 'vxlan' } }
    await using network = await startNetwork({ store, config, nodes: 3, idle: true })
    for (let round = 0; round < 2; round++) {
      for (const node of network.nodes) node.start()
      for (const node of network.nodes) await node.ready()
      assert.deepEqual(Object.keys(await network.leases()), ['10.5.1.0-24', '10.5.2.0-24', '10.5.3.0-24'])
      assert.equal(new Set(network.nodes.map(({ gateway }) => gateway)).size, 3)
      for (const node of network.nodes) await node.stop('SIGKILL')
      for (const name of Object.keys(await network.leases())) await network.delete(name)
    }
  })

  test('E2: a node without a free subnet waits, and takes the one that is given back', async () => {
    const config = { Network: '10.5.0.0/22', SubnetMin: '10.5.1.0', SubnetMax: '10.5.1.0', Backend: { Type: 'vxlan' } }
    await using network = await startNetwork({ store, config, nodes: 2, idle: true })
    const [one, two] = network.nodes
    one!.start()
    await one!.ready()
    two!.start()
    await eventually('it says so', () => /out of subnets/.test(two!.log))
    await one!.stop()
    await network.delete('10.5.1.0-24')
    await two!.ready()
    assert.equal(two!.gateway, '10.5.1.0')
  })

  test('E3: a reservation is used and stays one; another node’s is never taken', async () => {
    const config = { Network: '10.5.0.0/22', SubnetMin: '10.5.1.0', SubnetMax: '10.5.2.0', Backend: { Type: 'vxlan' } }
    await using network = await startNetwork({ store, config, nodes: 1, idle: true })
    const [node] = network.nodes
    const reserve = (name: string, ip: string) => ({ put: network.key(name), value: `{"PublicIP":"${ip}"}` })
    await store.operator.transact([], [reserve('10.5.1.0-24', '192.168.77.9'), reserve('10.5.2.0-24', '192.168.77.1')])
    node!.start()
    await node!.ready()
    assert.equal(node!.gateway, '10.5.2.0')
    assert.equal((await store.operator.get(network.key('10.5.2.0-24')))!.lease, undefined)
  })
})

function entryOf(network: Network, node: Node) {
  return network.store.operator.get(network.key(`${node.gateway}-24`))
}
