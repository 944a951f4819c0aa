/** A node's own lease: acquired, kept, changed, and acquired again when it is lost. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { parseConfig } from '../../src/overlay/config.ts'
import { formatLeaseAttributes, subnetsOf } from '../../src/overlay/lease.ts'
import { attributesOf, dual, ipv6Only, keyOf, PREFIX, threeSubnets, valueFor, vxlan, World } from './registry-world.ts'

test('the first node gets a free subnet, bound to an etcd lease, as flannel writes it', async () => {
  const world = new World()
  const node = await world.start(1)
  assert.deepEqual(node.leases, [{ backend: 'vxlan', ipv4: { subnet: '10.5.1.0/24', ...attributesOf(1).ipv4 } }])
  const [entry] = await world.entries()
  assert.equal(entry!.key, '/coreos.com/network/subnets/10.5.1.0-24')
  const data = '"BackendData":{"VNI":1,"VtepMAC":"02:00:00:00:01:01"}'
  assert.equal(entry!.value, `{"PublicIP":"192.168.77.1","PublicIPv6":null,"BackendType":"vxlan",${data}}`)
  assert.deepEqual(await world.operator.timeToLive(entry!.lease!), { left: 100, granted: 100 })
  assert.deepEqual(node.peers, [[]])
})

test('a node that starts again keeps its lease, and writes nothing', async () => {
  const world = new World()
  const first = await world.start(1, vxlan, { random: () => 0.5 })
  first.registry.close()
  const before = await world.entries()
  await world.clock.advance(10_000)
  const second = await world.start(1, vxlan, { previous: subnetsOf(first.lease!) })
  assert.deepEqual(second.lease, first.lease)
  assert.deepEqual(await world.entries(), before)
  assert.equal((await world.operator.timeToLive(before[0]!.lease!))!.left, 100)
})

test('a node that has forgotten its subnet keeps its lease as well, when nobody objects for a second', async () => {
  const world = new World()
  const first = await world.start(1, vxlan, { random: () => 0.5 })
  first.registry.close()
  const peer = await world.start(2)
  const told = peer.peers.length
  const second = await world.start(1)
  assert.equal(second.lease, undefined)
  await world.clock.advance(1_000)
  assert.deepEqual(second.lease, first.lease)
  assert.equal(peer.peers.length, told)
  await world.clock.advance(1_000_000)
  assert.equal((await world.entries()).length, 2)
})

test('a node that comes back with another MAC keeps its subnet, and tells the MAC', async () => {
  const world = new World()
  const first = await world.start(1)
  first.registry.close()
  const second = world.node()
  second.registry.announce({ config: vxlan, attributes: attributesOf(1, vxlan, 2) })
  await world.clock.advance(1_000)
  assert.deepEqual(subnetsOf(second.lease!), subnetsOf(first.lease!))
  assert.deepEqual(
    (await world.entries()).map(({ value }) => value),
    [valueFor(1, vxlan, 2)],
  )
})

test('a node that comes back with another address keeps its subnet, known by that and its MAC', async () => {
  const world = new World()
  const first = await world.start(1)
  first.registry.close()
  const previous = subnetsOf(first.lease!)
  const [moved, other] = [world.node({ previous }), world.node({ previous })]
  const attributes = { ...attributesOf(1), ipv4: { ...attributesOf(1).ipv4!, publicIp: '192.168.78.1' } }
  moved.registry.announce({ config: vxlan, attributes })
  await world.settle()
  assert.equal(moved.lease!.ipv4!.subnet, '10.5.1.0/24')
  assert.deepEqual(
    (await world.entries()).map(({ value }) => value),
    [formatLeaseAttributes(attributes)],
  )
  other.registry.announce({ config: vxlan, attributes: attributesOf(2) })
  await world.settle()
  assert.equal(other.lease!.ipv4!.subnet, '10.5.2.0/24')
})

test('the subnet that the node had before is taken where it is free, and allowed', async () => {
  const world = new World()
  const previous = { ipv4: '10.5.77.0/24' }
  assert.equal((await world.start(1, vxlan, { previous })).lease!.ipv4!.subnet, '10.5.77.0/24')
  assert.equal((await world.start(2, vxlan, { previous })).lease!.ipv4!.subnet, '10.5.1.0/24')
  const outside = { ipv4: '10.6.1.0/24' }
  assert.equal((await world.start(3, vxlan, { previous: outside })).lease!.ipv4!.subnet, '10.5.2.0/24')
})

test('a reservation is used, and stays one', async () => {
  const world = new World()
  await world.put('10.5.40.0-24', '{"PublicIP":"192.168.77.1"}')
  await world.put('10.5.1.0-24', '{"PublicIP":"192.168.77.9"}')
  const node = await world.start(1)
  assert.equal(node.lease!.ipv4!.subnet, '10.5.40.0/24')
  await world.clock.advance(1_000_000)
  const entry = await world.operator.get(keyOf('10.5.40.0-24'))
  assert.equal(entry!.value, valueFor(1))
  assert.equal(entry!.lease, undefined)
  assert.equal(node.registry.renewedAt, undefined)
})

test('a reservation stays one when our MAC changes, and when an operator puts it over our lease', async () => {
  const world = new World()
  const node = await world.start(1)
  await world.put('10.5.1.0-24', '{"PublicIP":"192.168.77.1"}')
  node.registry.announce({ config: vxlan, attributes: attributesOf(1, vxlan, 2) })
  await world.settle()
  const [entry] = await world.entries()
  assert.equal(entry!.value, valueFor(1, vxlan, 2))
  assert.equal(entry!.lease, undefined)
  await world.clock.advance(1_000_000)
  assert.equal((await world.entries()).length, 1)
  assert.equal(node.lease!.ipv4!.subnet, '10.5.1.0/24')
})

test('an operator makes a reservation of a lease that a node took over', async () => {
  const world = new World()
  const first = await world.start(1)
  first.registry.close()
  const second = await world.start(1)
  await world.clock.advance(1_000)
  await world.put('10.5.1.0-24', '{"PublicIP":"192.168.77.1"}')
  await world.clock.advance(1_000_000)
  const [entry] = await world.entries()
  assert.deepEqual([entry!.value, entry!.lease], [valueFor(1), undefined])
  assert.equal(second.leases.length, 1)
})

test('a reservation of another node is never taken, even as the last subnet', async () => {
  const world = new World()
  await world.put('10.5.3.0-24', '{"PublicIP":"192.168.77.9"}')
  await world.start(1, threeSubnets)
  await world.start(2, threeSubnets)
  const third = await world.start(3, threeSubnets)
  assert.equal(third.lease, undefined)
})

test('what lies below subnets/ without being a lease takes its subnet too, when the key names one', async () => {
  const world = new World()
  await world.put('10.5.1.0-24', 'garbage')
  await world.put('garbage', '{}')
  assert.equal((await world.start(1)).lease!.ipv4!.subnet, '10.5.2.0/24')
})

test('out of subnets: it is said once, and the next one that is free is taken', async () => {
  const world = new World()
  for (const number of [1, 2, 3]) await world.start(number, threeSubnets)
  const fourth = await world.start(4, threeSubnets)
  await world.clock.advance(60_000)
  assert.equal(fourth.lease, undefined)
  const message = 'out of subnets: all /24 of 10.5.0.0/22 from 10.5.1.0 to 10.5.3.0 are taken'
  assert.deepEqual(fourth.told('lease'), [`Cannot acquire a lease: ${message}; waiting until one is free`])
  await world.operator.transact([], [{ put: keyOf('x'), value: '' }])
  const second = (await world.operator.get(keyOf('10.5.2.0-24')))!
  await world.operator.transact([], [{ delete: second.key }])
  await world.settle()
  const owners = await world.entries()
  assert.equal(
    owners.filter(({ value }) => value === valueFor(4, threeSubnets) || value === valueFor(2, threeSubnets)).length,
    1,
  )
})

test('the lease is kept alive, and its key never changes', async () => {
  const world = new World()
  const node = await world.start(1)
  const [before] = await world.entries()
  await world.clock.advance(100_000_000)
  assert.deepEqual(await world.entries(), [before])
  assert.equal(node.leases.length, 1)
  assert.ok(world.clock.now() - node.registry.renewedAt! <= 50_000)
})

test('a node that is gone loses its lease when its time is over', async () => {
  const world = new World()
  const node = await world.start(1)
  node.registry.close()
  await world.clock.advance(99_000)
  assert.equal((await world.entries()).length, 1)
  await world.clock.advance(2_000)
  assert.deepEqual(await world.entries(), [])
})

test('a lease that somebody deleted is made again, with the same subnet, and it is said', async () => {
  const world = new World()
  const node = await world.start(1, vxlan, { random: () => 0.7 })
  const [before] = await world.names()
  await world.delete(before!)
  assert.deepEqual(await world.names(), [before])
  assert.equal(node.leases.length, 1, 'nothing has changed for the data path')
  assert.match(node.told('lease')[1]!, /is gone: it was deleted, or has ended; acquiring it again$/)
})

test('a node whose lease ended while it was cut off takes it again', async () => {
  const world = new World()
  const node = await world.start(1)
  node.store.cut()
  await world.clock.advance(200_000)
  assert.deepEqual(await world.entries(), [])
  node.store.mend()
  await world.settle()
  assert.deepEqual(await world.names(), ['10.5.1.0-24'])
  assert.equal(node.leases.length, 1)
})

test('a node whose subnet went to another one while it was cut off takes another one', async () => {
  const world = new World()
  const first = await world.start(1)
  first.store.cut()
  await world.clock.advance(200_000)
  const second = await world.start(2)
  assert.equal(second.lease!.ipv4!.subnet, '10.5.1.0/24')
  first.store.mend()
  await world.settle()
  assert.deepEqual(
    first.leases.map((lease) => lease?.ipv4?.subnet),
    ['10.5.1.0/24', undefined, '10.5.2.0/24'],
  )
  assert.deepEqual(first.reached, ['10.5.1.0/24'])
  assert.deepEqual(second.reached, ['10.5.2.0/24'])
})

test('a lease that another node writes over is that node’s, and ours is another one', async () => {
  const world = new World()
  const node = await world.start(1)
  await world.put('10.5.1.0-24', valueFor(9))
  assert.deepEqual(
    node.leases.map((lease) => lease?.ipv4?.subnet),
    ['10.5.1.0/24', undefined, '10.5.2.0/24'],
  )
  assert.match(node.told('conflict')[0]!, /^Lease 10\.5\.1\.0-24 belongs to another node, which wrote/)
  assert.equal((await world.operator.get(keyOf('10.5.1.0-24')))!.value, valueFor(9))
})

test('a lease that is given to another node with what its backend cannot use is that node’s all the same', async () => {
  const world = new World()
  const node = await world.start(1)
  const value = '{"PublicIP":"192.168.77.9","BackendType":"vxlan"}'
  await world.put('10.5.1.0-24', value)
  assert.equal((await world.operator.get(keyOf('10.5.1.0-24')))!.value, value)
  assert.equal(node.lease!.ipv4!.subnet, '10.5.2.0/24')
})

test('what is no lease is written over, at most every ten seconds', async () => {
  const world = new World()
  const node = await world.start(1)
  const value = async () => (await world.operator.get(keyOf('10.5.1.0-24')))!.value
  await world.put('10.5.1.0-24', 'garbage')
  assert.equal(await value(), valueFor(1))
  await world.put('10.5.1.0-24', 'more')
  assert.equal(await value(), 'more')
  await world.clock.advance(10_000)
  assert.equal(await value(), valueFor(1))
  assert.equal(node.leases.length, 1)
})

test('of two nodes with one address, the one that came later gives way', async () => {
  const world = new World()
  const first = await world.start(1)
  const twin = world.node()
  twin.registry.announce({ config: vxlan, attributes: attributesOf(1, vxlan, 2) })
  await world.settle()
  assert.equal(first.lease!.ipv4!.subnet, '10.5.1.0/24')
  assert.equal(twin.lease!.ipv4!.subnet, '10.5.2.0/24')
  assert.equal((await world.operator.get(keyOf('10.5.1.0-24')))!.value, valueFor(1))
  assert.match(twin.told('conflict')[0]!, /another node that has our address/)
  assert.match(
    first.told('conflict').at(-1)!,
    /^Ignoring lease 10\.5\.2\.0-24 of 192\.168\.77\.1: it has our own address/,
  )
})

test('somebody binds our key to an etcd lease of his own: it is bound to ours again, at most every ten seconds', async () => {
  const world = new World()
  const node = await world.start(1)
  const [before] = await world.entries()
  const theirs = await world.operator.grant(10_000)
  const lease = async () => (await world.entries())[0]!.lease
  await world.put('10.5.1.0-24', valueFor(1), theirs)
  assert.equal(await lease(), before!.lease)
  await world.put('10.5.1.0-24', valueFor(1), theirs)
  assert.equal(await lease(), theirs)
  await world.clock.advance(10_000)
  assert.equal(await lease(), before!.lease)
  assert.equal(node.leases.length, 1)
  assert.equal(node.told('conflict').length, 2)
})

test('of two nodes with one address and nothing else to tell them apart, the one that came later gives way', async () => {
  const world = new World()
  const config = parseConfig('{"Network":"10.5.0.0/16"}')
  const announcement = { config, attributes: { backend: '', ipv4: { publicIp: '10.0.2.15' } } }
  const first = world.node()
  first.registry.announce(announcement)
  await world.settle()
  const twin = world.node()
  twin.registry.announce(announcement)
  await world.clock.advance(5_000)
  assert.deepEqual(
    [first, twin].map(({ leases }) => leases.map((lease) => lease?.ipv4?.subnet)),
    [['10.5.1.0/24'], ['10.5.2.0/24']],
    'and it never told the lease of the other one',
  )
})

test('another address and another MAC are written into the same lease', async () => {
  const world = new World()
  const node = await world.start(1)
  const [before] = await world.entries()
  const attributes = attributesOf(8, vxlan, 3)
  node.registry.announce({ config: vxlan, attributes })
  await world.settle()
  const [after] = await world.entries()
  assert.equal(after!.key, before!.key)
  assert.equal(after!.lease, before!.lease)
  assert.equal(after!.value, valueFor(8, vxlan, 3))
  assert.deepEqual(node.lease, { backend: 'vxlan', ipv4: { subnet: '10.5.1.0/24', ...attributes.ipv4 } })
})

test('a subnet that another configuration does not allow is replaced, at once', async () => {
  const world = new World()
  const node = await world.start(1)
  const config = parseConfig('{"Network":"10.6.0.0/16","Backend":{"Type":"vxlan"}}')
  node.registry.announce({ config, attributes: attributesOf(1) })
  await world.settle()
  assert.deepEqual(await world.names(), ['10.6.1.0-24'])
  assert.deepEqual(
    node.leases.map((lease) => lease?.ipv4?.subnet),
    ['10.5.1.0/24', '10.6.1.0/24'],
  )
})

test('a lease of ours that does not fit is replaced when the node starts', async () => {
  const world = new World()
  await world.put('10.9.1.0-24', valueFor(1), await world.operator.grant(100))
  await world.start(1)
  assert.deepEqual(await world.names(), ['10.5.1.0-24'])
})

test('a reservation that does not fit is left alone', async () => {
  const world = new World()
  await world.put('10.9.1.0-24', '{"PublicIP":"192.168.77.1"}')
  await world.start(1)
  assert.deepEqual(await world.names(), ['10.5.1.0-24', '10.9.1.0-24'])
})

test('IPv6 is added to a lease: the IPv4 subnet stays', async () => {
  const world = new World()
  const node = await world.start(1, threeSubnets, { random: () => 0.9 })
  node.registry.announce({ config: dual, attributes: attributesOf(1, dual) })
  await world.settle()
  assert.deepEqual(await world.names(), ['10.5.3.0-24&fd00:5:0:3::-64'])
  assert.deepEqual(node.lease!.ipv4!.subnet, '10.5.3.0/24')
})

test('IPv6 alone: every node has a subnet of its own, under the key that flannel reads', async () => {
  const world = new World()
  const nodes = [await world.start(1, ipv6Only), await world.start(2, ipv6Only), await world.start(3, ipv6Only)]
  assert.deepEqual(await world.names(), [
    '0.0.0.0-0&fd00:5:0:1::-64',
    '0.0.0.0-0&fd00:5:0:2::-64',
    '0.0.0.0-0&fd00:5:0:3::-64',
  ])
  assert.deepEqual(nodes[0]!.reached, ['fd00:5:0:2::/64', 'fd00:5:0:3::/64'])
  nodes[1]!.registry.close()
  const again = await world.start(2, ipv6Only)
  await world.clock.advance(1_000)
  assert.equal(again.lease!.ipv6!.subnet, 'fd00:5:0:2::/64')
})

test('both families: of two nodes that took the same IPv4 subnet the second gives it back', async () => {
  const world = new World()
  const first = world.node({ random: () => 0 })
  let chance = 0
  const second = world.node({ random: () => [0, 0.5][chance++ % 2]! })
  await world.settle()
  // Both tables are empty, so that both choose 10.5.1.0/24, with different IPv6 subnets.
  for (const [i, node] of [first, second].entries()) {
    node.registry.announce({ config: dual, attributes: attributesOf(i + 1, dual) })
  }
  await world.settle()
  assert.equal(first.lease!.ipv4!.subnet, '10.5.1.0/24')
  assert.equal(second.lease!.ipv4!.subnet, '10.5.2.0/24')
  assert.equal(second.leases.length, 1, 'what it gave back it never told')
  assert.equal((await world.entries()).length, 2)
})

test('an answer that is lost: the lease that was made all the same is found and used', async () => {
  const world = new World()
  const node = world.node()
  await world.settle()
  node.store.loseAnswer()
  node.registry.announce({ config: vxlan, attributes: attributesOf(1) })
  await world.settle()
  await world.clock.advance(5_000)
  assert.deepEqual(await world.names(), ['10.5.1.0-24'])
  assert.equal(node.lease!.ipv4!.subnet, '10.5.1.0/24')
})

test('the store is away: told once, everything stays, and it goes on when the store is back', async () => {
  const world = new World()
  const [one, two] = [await world.start(1), await world.start(2)]
  world.server.stop()
  await world.clock.advance(60_000)
  assert.equal(one.leases.length, 1)
  assert.deepEqual(one.reached, ['10.5.2.0/24'])
  assert.equal(one.told('store').length, 2, 'the watch, and the renewal that failed')
  world.server.start()
  await world.settle()
  assert.equal(one.told('store').at(-1), 'memory is back')
  await world.clock.advance(1_000)
  assert.equal((await world.entries()).length, 2)
  assert.equal(two.leases.length, 1)
})

test('a store that comes back empty gets all leases again', async () => {
  const world = new World()
  const nodes = [await world.start(1), await world.start(2), await world.start(3)]
  world.server.restartEmpty()
  await world.settle()
  await world.clock.advance(2_000)
  assert.deepEqual(await world.names(), ['10.5.1.0-24', '10.5.2.0-24', '10.5.3.0-24'])
  for (const node of nodes) assert.equal(node.leases.length, 1)
})

test('an idle node asks nothing of its clock but the renewal', async () => {
  const world = new World()
  await world.start(1, vxlan, { leaseSeconds: 86_400 })
  assert.equal(world.clock.next, 43_200_000)
})

test('after close nothing is told, and nothing waits', async () => {
  const world = new World()
  const node = await world.start(1)
  node.registry.close()
  const told = node.notices.length
  await world.start(2)
  await world.delete('10.5.1.0-24')
  assert.equal(node.notices.length, told)
  assert.deepEqual(await world.names(), ['10.5.2.0-24'])
})

test('a configuration: waited for, an invalid one told once, changes told', async () => {
  const world = new World()
  const node = world.node()
  await world.settle()
  const key = `${PREFIX}/config`
  const put = async (value: string) => {
    await world.operator.transact([], [{ put: key, value }])
    await world.settle()
  }
  assert.deepEqual(node.told('config'), [
    'There is no network configuration in "/coreos.com/network/config" of memory: waiting',
  ])
  await world.operator.transact([], [{ put: `${key}2`, value: 'x' }])
  await put('{"Network":"10.5.0.0/29"}')
  await put('{"Network":"10.5.0.0/29"}')
  assert.equal(node.configs.length, 0)
  assert.equal(node.told('config').length, 2)
  assert.match(
    node.told('config')[1]!,
    /network is too small\. Minimum useful network prefix is \/28; waiting for another one$/,
  )
  await put('{"Network":"10.5.0.0/16","Backend":{"Type":"vxlan"}}')
  await put('{"network":"10.5.0.0/16", "backend":{"type":"VXLAN"}}')
  assert.deepEqual(node.configs, [vxlan])
  await put('{')
  assert.match(node.told('config')[2]!, /^Cannot use .*; the one before it stays$/)
  await put('{"Network":"10.6.0.0/16","Backend":{"Type":"vxlan"}}')
  assert.deepEqual(
    node.configs.map(({ ipv4 }) => ipv4!.network),
    ['10.5.0.0/16', '10.6.0.0/16'],
  )
  await world.operator.transact([], [{ delete: key }])
  await world.settle()
  assert.match(node.told('config')[3]!, /is gone from memory: the one before it stays$/)
})
