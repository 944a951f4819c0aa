/** Whom a node reaches: the leases of others, told as a whole, and what of them is ignored. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { parseConfig } from '../../src/overlay/config.ts'
import { attributesOf, dual, keyOf, valueFor, vxlan, World } from './registry-world.ts'

test('every node reaches all others, and not itself', async () => {
  const world = new World()
  const nodes = [await world.start(1), await world.start(2), await world.start(3)]
  assert.deepEqual(
    nodes.map(({ reached }) => reached),
    [
      ['10.5.2.0/24', '10.5.3.0/24'],
      ['10.5.1.0/24', '10.5.3.0/24'],
      ['10.5.1.0/24', '10.5.2.0/24'],
    ],
  )
  for (const node of nodes) assert.deepEqual([...node.told('peer'), ...node.told('conflict')], [])
})

test('a lease that comes, changes and goes', async () => {
  const world = new World()
  const node = await world.start(1)
  await world.put('10.5.9.0-24', valueFor(9))
  assert.deepEqual(node.peers.at(-1), [{ backend: 'vxlan', ipv4: { subnet: '10.5.9.0/24', ...attributesOf(9).ipv4 } }])
  await world.put('10.5.9.0-24', valueFor(8, vxlan, 2))
  assert.deepEqual(node.peers.at(-1)![0]!.ipv4, { subnet: '10.5.9.0/24', ...attributesOf(8, vxlan, 2).ipv4 })
  await world.delete('10.5.9.0-24')
  assert.deepEqual(node.peers.at(-1), [])
})

test('a renewal as flannel makes it, the same value again, is no event', async () => {
  const world = new World()
  const node = await world.start(1)
  await world.put('10.5.9.0-24', valueFor(9), await world.operator.grant(100))
  const { length } = node.peers
  await world.put('10.5.9.0-24', valueFor(9), await world.operator.grant(100))
  assert.equal(node.peers.length, length)
})

test('many changes at once are one event', async () => {
  const world = new World()
  const node = await world.start(1)
  const numbers = Array.from({ length: 50 }, (_, i) => i + 10)
  const writes = numbers.map((number) => ({ put: keyOf(`10.5.${number}.0-24`), value: valueFor(number % 10 || 9) }))
  await world.operator.transact([], writes.slice(2))
  await world.settle()
  assert.equal(node.peers.length, 2)
  assert.ok(node.reached.length > 30)
})

const mac = '02:00:00:00:00:09'
const of9 = (backend: string, data = '') =>
  `{"PublicIP":"192.168.77.9","PublicIPv6":null,"BackendType":"${backend}"${data}}`

// Key, value, and what is said of it.
const ignored: readonly (readonly [string, string, RegExp])[] = [
  ['garbage', '{}', /^Ignoring lease garbage: the key names no subnets$/],
  ['10.5.9.0-24/x', valueFor(9), /the key names no subnets/],
  ['10.5.9.0-24', 'garbage', /^Ignoring lease 10\.5\.9\.0-24: Cannot decode the lease/],
  ['10.5.9.0-24', '{"BackendType":"vxlan"}', /there is no "PublicIP"/],
  ['10.5.9.0-24', of9('vxlan'), /there is no "BackendData"/],
  [
    '10.5.9.0-24',
    of9('vxlan', ',"BackendData":{"VNI":1,"VtepMAC":"02:00:00:00:00:00:00:09"}'),
    /"BackendData\.VtepMAC"/,
  ],
  [
    '10.5.9.0-24',
    of9('vxlan', `,"BackendData":{"VNI":2,"VtepMAC":"${mac}"}`),
    /of 192\.168\.77\.9: its VNI is 2, ours is 1$/,
  ],
  ['10.5.9.0-24', of9('host-gw'), /of 192\.168\.77\.9: its backend is host-gw, ours is vxlan$/],
  ['10.5.9.0-24', '{"PublicIP":"192.168.77.9"}', /its backend is udp or alloc, ours is vxlan$/],
  ['10.5.1.128-25', valueFor(9), /it overlaps our own 10\.5\.1\.0\/24$/],
  ['10.5.0.0-16', valueFor(9), /it overlaps our own 10\.5\.1\.0\/24$/],
  ['10.99.0.0-24', valueFor(9), /of 192\.168\.77\.9: 10\.99\.0\.0\/24 is not in the network 10\.5\.0\.0\/16$/],
  ['192.168.77.0-24', valueFor(9), /192\.168\.77\.0\/24 is not in the network/],
  ['10.5.9.9-32', valueFor(9), /10\.5\.9\.9\/32 has no room for pods$/],
  ['10.5.9.8-31', valueFor(9), /10\.5\.9\.8\/31 has no room for pods$/],
  ['10.5.9.0-24', valueFor(9).replace('192.168.77.9', '127.0.0.1'), /its address 127\.0\.0\.1 is no node's$/],
  ['10.5.9.0-24', valueFor(9).replace('192.168.77.9', '224.0.0.1'), /its address 224\.0\.0\.1 is no node's$/],
  ['10.5.9.0-24', valueFor(1, vxlan, 2), /of 192\.168\.77\.1: it has our own address/],
]

for (const [name, value, message] of ignored) {
  test(`${name} ${value}: ignored, said once, and forgotten when it is gone`, async () => {
    const world = new World()
    const node = await world.start(1)
    const before = node.notices.length
    await world.put(name, value)
    await world.put(name, value)
    await world.put('10.5.77.0-24', valueFor(7))
    assert.deepEqual(node.reached, ['10.5.77.0/24'])
    assert.equal(node.notices.length, before + 1)
    assert.match(node.notices.at(-1)!.message, message)
    assert.equal(node.notices.at(-1)!.key, keyOf(name))
    await world.delete(name)
    await world.put(name, value)
    assert.equal(node.notices.length, before + 2)
  })
}

test('what is not below subnets/ is not looked at', async () => {
  const world = new World()
  const node = await world.start(1)
  const before = node.notices.length
  await world.operator.transact([], [{ put: '/coreos.com/network/subnets2/10.5.9.0-24', value: valueFor(9) }])
  await world.settle()
  assert.deepEqual(node.reached, [])
  assert.equal(node.notices.length, before)
})

test('an old flannel’s lease without VNI is a peer', async () => {
  const world = new World()
  const node = await world.start(1)
  await world.put('10.5.9.0-24', of9('vxlan', `,"BackendData":{"VtepMAC":"${mac}"}`))
  assert.deepEqual(node.reached, ['10.5.9.0/24'])
})

test('udp reaches leases without a type, and no others', async () => {
  const world = new World()
  const node = world.node()
  const config = parseConfig('{"Network":"10.5.0.0/16"}')
  node.registry.announce({ config, attributes: { backend: '', ipv4: { publicIp: '192.168.77.1' } } })
  await world.settle()
  await world.put('10.5.8.0-24', '{"PublicIP":"192.168.77.8","PublicIPv6":null}')
  await world.put('10.5.9.0-24', valueFor(9))
  assert.deepEqual(node.reached, ['10.5.8.0/24'])
  assert.match(node.told('peer')[0]!, /its backend is vxlan, ours is udp or alloc$/)
})

test('of two leases with one subnet the one that was written first is a peer', async () => {
  const world = new World()
  const node = await world.start(1, dual)
  await world.put('10.5.3.0-24&fd00:5:0:3::-64', valueFor(3, dual))
  await world.put('10.5.3.0-24&fd00:5:0:2::-64', valueFor(2, dual))
  assert.deepEqual(
    node.peers.at(-1)!.map(({ ipv4 }) => ipv4!.publicIp),
    ['192.168.77.3'],
  )
  assert.match(
    node.told('conflict')[0]!,
    /fd00:5:0:2::-64 of 192\.168\.77\.2: lease .*fd00:5:0:3::-64 had one of its subnets/,
  )
})

test('of leases with one MAC at several addresses the one that was written last is a peer', async () => {
  const world = new World()
  const node = await world.start(1)
  const at = (ip: string) => valueFor(9).replace('192.168.77.9', ip)
  await world.put('10.5.9.0-24', at('192.168.77.9'))
  await world.put('10.5.8.0-24', at('192.168.77.8'))
  assert.deepEqual(node.reached, ['10.5.8.0/24'])
  assert.match(
    node.told('conflict')[0]!,
    /10\.5\.9\.0-24 of .*: lease 10\.5\.8\.0-24 of 192\.168\.77\.8 has told its MAC/,
  )
  await world.delete('10.5.8.0-24')
  assert.deepEqual(node.reached, ['10.5.9.0/24'])
  await world.put('10.5.8.0-24', at('192.168.77.9'))
  assert.deepEqual(node.reached, ['10.5.8.0/24', '10.5.9.0/24'])
})

test('a network that grows has the peers that are in it now', async () => {
  const world = new World()
  const node = await world.start(1)
  await world.put('10.4.9.0-24', valueFor(9))
  assert.deepEqual(node.reached, [])
  const config = parseConfig('{"Network":"10.4.0.0/15","Backend":{"Type":"vxlan"}}')
  node.registry.announce({ config, attributes: attributesOf(1) })
  await world.settle()
  assert.deepEqual(node.reached, ['10.4.9.0/24'])
})

test('a change that was missed, and compacted away, is made up for, and the own lease is not taken for gone', async () => {
  const world = new World()
  const node = await world.start(1)
  for (const number of [7, 8, 9]) await world.put(`10.5.${number}.0-24`, valueFor(number))
  node.store.cut()
  await world.settle()
  await world.delete('10.5.7.0-24')
  await world.put('10.5.8.0-24', valueFor(8, vxlan, 2))
  await world.put('10.5.6.0-24', valueFor(6))
  await world.delete('10.5.9.0-24')
  await world.put('10.5.9.0-24', valueFor(9, vxlan, 3))
  world.server.compact()
  const { length } = node.peers
  node.store.mend()
  await world.settle()
  assert.equal(node.peers.length, length + 1)
  const macs = node.peers.at(-1)!.map(({ ipv4 }) => [ipv4!.subnet, ipv4!.vtep!.mac])
  assert.deepEqual(macs, [
    ['10.5.6.0/24', '02:00:00:00:01:06'],
    ['10.5.8.0/24', '02:00:00:00:02:08'],
    ['10.5.9.0/24', '02:00:00:00:03:09'],
  ])
  assert.equal(node.leases.length, 1)
  assert.deepEqual(node.told('conflict'), [])
})

test('after an outage in which nothing happened to the leases nothing is told', async () => {
  const world = new World()
  const node = await world.start(1)
  for (const number of [9, 7, 8]) await world.put(`10.5.${number}.0-24`, valueFor(number))
  const { length } = node.peers
  node.store.cut()
  await world.settle()
  await world.operator.transact([], [{ put: '/elsewhere', value: '' }])
  world.server.compact()
  node.store.mend()
  await world.settle()
  assert.equal(node.peers.length, length)
})

test('what was ignored before an outage is not said again after it', async () => {
  const world = new World()
  const node = await world.start(1)
  await world.put('10.5.9.0-24', 'garbage')
  node.store.cut()
  await world.settle()
  world.server.compact()
  await world.put('10.5.8.0-24', valueFor(8))
  world.server.compact()
  node.store.mend()
  await world.settle()
  assert.equal(node.told('peer').length, 1)
})

test('when a store comes back empty, peers that have not yet found it stay for a while', async () => {
  const world = new World()
  const node = await world.start(1)
  const others = [await world.start(2), await world.start(3)]
  const reached = ['10.5.2.0/24', '10.5.3.0/24']
  const { length } = node.peers
  for (const { store } of others) store.cut()
  world.server.restartEmpty()
  await world.settle()
  others[0]!.store.mend()
  await world.clock.advance(1_000)
  assert.deepEqual(await world.names(), ['10.5.1.0-24', '10.5.2.0-24'])
  assert.equal(node.peers.length, length)
  others[1]!.store.mend()
  await world.clock.advance(1_000)
  assert.deepEqual(node.reached, reached)
  assert.ok(node.peers.slice(length).every((peers) => peers.length === 2))

  // Whoever does not come back is gone in the end, and whoever comes later is a peer at once.
  others[1]!.store.cut()
  world.server.restartEmpty()
  await world.settle()
  assert.deepEqual(node.reached, reached)
  await world.clock.advance(10_000)
  assert.deepEqual(node.reached, ['10.5.2.0/24'])
  await world.put('10.5.9.0-24', valueFor(9))
  assert.deepEqual(node.reached, ['10.5.2.0/24', '10.5.9.0/24'])
})

test('a node that changes its backend reaches those of the new one', async () => {
  const world = new World()
  const node = await world.start(1)
  await world.put('10.5.8.0-24', of9('host-gw'))
  await world.put('10.5.9.0-24', valueFor(9, vxlan, 1).replace('77.9', '77.8'))
  node.registry.announce({ config: vxlan, attributes: { backend: 'host-gw', ipv4: { publicIp: '192.168.77.1' } } })
  await world.settle()
  assert.deepEqual(node.reached, ['10.5.8.0/24'])
})
