/** What a running daemon makes of changes: of peers, of the kernel, of the link below, of the configuration. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { entriesOf, type Node, startNodes, subnetsKey, World } from './daemon-world.ts'

const NETWORK = { Network: '10.5.0.0/16' }
const vxlan = { ...NETWORK, Backend: { Type: 'vxlan' } }
const hostGw = { ...NETWORK, Backend: { Type: 'host-gw' } }
const udp = { ...NETWORK, Backend: { Type: 'udp' } }
const direct = { ...NETWORK, Backend: { Type: 'vxlan', DirectRouting: true } }

/** A lease of a node that there is not. */
const foreign = (ip: string, mac: string, vni = 1) =>
  `{"PublicIP":"${ip}","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":${vni},"VtepMAC":"${mac}"}}`
const entries = (subnet: string, ip: string, mac: string) => {
  const gateway = subnet.replace('/24', '')
  return [`fdb ${mac} ${ip}`, `neigh ${gateway} ${mac}`, `route ${subnet} via ${gateway} dev flannel.1`]
}

test('C1: a peer whose lease goes is forgotten, and nothing else', async () => {
  const world = await startNodes(2, vxlan)
  const [one] = world.nodes
  const before = entriesOf(one!.kernel)
  await world.put('10.5.9.0-24', foreign('192.168.77.9', '02:00:00:00:00:09'))
  const its = entries('10.5.9.0/24', '192.168.77.9', '02:00:00:00:00:09')
  assert.deepEqual(entriesOf(one!.kernel), [...before, ...its].sort())
  const { lease } = (await world.operator.get(subnetsKey('10.5.9.0-24')))!
  await world.operator.revoke(lease!)
  await world.pass(1)
  assert.deepEqual(entriesOf(one!.kernel), before)
  assert.deepEqual(await world.unreachable(), [])
})

test('C2: a peer that goes when its entries are gone holds up nobody', async () => {
  const world = await startNodes(1, vxlan)
  const [one] = world.nodes
  await world.put('10.5.9.0-24', foreign('192.168.77.9', '02:00:00:00:00:09'))
  one!.kernel.routes.delete({ destination: '10.5.9.0/24', link: 'flannel.1' })
  one!.kernel.neighbours.delete({ link: 'flannel.1', address: '10.5.9.0' })
  one!.kernel.fdb.delete({ link: 'flannel.1', mac: '02:00:00:00:00:09', owner: 'self', destination: '192.168.77.9' })
  const value = foreign('192.168.77.8', '02:00:00:00:00:08')
  await world.operator.transact([], [{ delete: subnetsKey('10.5.9.0-24') }, { put: subnetsKey('10.5.8.0-24'), value }])
  await world.pass(1)
  assert.deepEqual(entriesOf(one!.kernel), entries('10.5.8.0/24', '192.168.77.8', '02:00:00:00:00:08').sort())
})

test('C3: of a peer that changes in place there are the new entries, and nothing old', async () => {
  const world = await startNodes(1, vxlan)
  const [one] = world.nodes
  const change = async (value: string) => {
    await world.put('10.5.9.0-24', value)
    return entriesOf(one!.kernel)
  }
  const is = (ip: string, mac: string) => entries('10.5.9.0/24', ip, mac).sort()
  assert.deepEqual(await change(foreign('192.168.77.9', '02:00:00:00:00:09')), is('192.168.77.9', '02:00:00:00:00:09'))
  assert.deepEqual(
    await change(foreign('192.168.77.10', '02:00:00:00:00:09')),
    is('192.168.77.10', '02:00:00:00:00:09'),
  )
  assert.deepEqual(
    await change(foreign('192.168.77.10', '02:00:00:00:00:10')),
    is('192.168.77.10', '02:00:00:00:00:10'),
  )
  assert.deepEqual(await change(foreign('192.168.77.10', '02:00:00:00:00:10', 2)), [])
  assert.deepEqual(await change('{"PublicIP":"192.168.77.10","BackendType":"host-gw"}'), [])
  assert.deepEqual(await change(foreign('192.168.77.9', '02:00:00:00:00:09')), is('192.168.77.9', '02:00:00:00:00:09'))
})

test('C4: a lease that is lost is acquired again with the same subnet, and pods do not notice', async () => {
  const world = await startNodes(2, vxlan)
  const [one] = world.nodes
  const [before, subnetFile] = [await world.leases(), one!.subnetFile]
  for (const node of world.nodes) node.operations.length = 0
  await world.operator.transact([], [{ delete: subnetsKey('10.5.1.0-24') }])
  await world.pass(1)
  assert.deepEqual(await world.leases(), before)
  assert.equal(one!.subnetFile, subnetFile)
  // Nor does the peer let it go meanwhile.
  for (const node of world.nodes) assert.deepEqual(node.operations, [])
  assert.match(one!.told('lease').join('\n'), /Lease 10\.5\.1\.0-24 is gone/)
  assert.deepEqual(await world.unreachable(), [])
})

const DAMAGES: Readonly<Record<string, (node: Node) => void>> = {
  'a route': ({ kernel }) => kernel.routes.delete({ destination: '10.5.2.0/24', link: 'flannel.1' }),
  'a neighbour': ({ kernel }) => kernel.neighbours.delete({ link: 'flannel.1', address: '10.5.2.0' }),
  'every FDB entry': ({ kernel }) => {
    for (const { mac, owner, destination } of kernel.fdb.list({ link: 'flannel.1' }))
      kernel.fdb.delete({ link: 'flannel.1', mac, owner, destination: destination! })
  },
  'the address': ({ kernel }) => kernel.addresses.delete({ link: 'flannel.1', prefix: '10.5.1.0/32' }),
  'its being up': ({ kernel }) => kernel.links.set('flannel.1', { up: false }),
  'the device': ({ kernel }) => kernel.links.delete('flannel.1'),
}
for (const [what, damage] of Object.entries(DAMAGES)) {
  test(`D1: who takes away ${what} finds it back within a second, with the same MAC`, async () => {
    const world = await startNodes(2, vxlan)
    const [one] = world.nodes
    const before = [entriesOf(one!.kernel), one!.kernel.links.get('flannel.1')!.mac]
    damage(one!)
    await world.pass(1)
    assert.deepEqual([entriesOf(one!.kernel), one!.kernel.links.get('flannel.1')!.mac], before)
    assert.deepEqual(await world.unreachable(), [])
  })
}

test('D2: a route that is replaced by one to another gateway is put back', async () => {
  const world = await startNodes(2, hostGw)
  const [one] = world.nodes
  const before = entriesOf(one!.kernel)
  one!.kernel.routes.replace({ destination: '10.5.2.0/24', gateway: '192.168.77.9', link: 'eth0', protocol: 3 })
  await world.pass(1)
  assert.deepEqual(entriesOf(one!.kernel), before)
})

test('D3: another MTU of the link reaches the device and subnet.env', async () => {
  const world = await startNodes(2, vxlan)
  const [one] = world.nodes
  one!.kernel.links.set('eth0', { mtu: 1400 })
  await world.pass(1)
  assert.equal(one!.kernel.links.get('flannel.1')!.mtu, 1350)
  assert.equal(one!.variable('FLANNEL_MTU'), '1350')
})

for (const [name, config] of Object.entries({ vxlan, 'host-gw': hostGw })) {
  test(`D3, ${name}: a node that gets another address keeps its subnet, and its peers follow`, async () => {
    const world = await startNodes(2, config)
    const [one] = world.nodes
    one!.kernel.addresses.delete({ link: 'eth0', prefix: '192.168.77.1/24' })
    await world.pass(1)
    assert.match(one!.condition.problems.join(), /eth0|default route/)
    one!.kernel.addresses.add({ link: 'eth0', prefix: '192.168.77.11/24' })
    await world.pass(2)
    assert.match((await world.leases())['10.5.1.0-24']!, /^{"PublicIP":"192.168.77.11"/)
    assert.equal(one!.variable('FLANNEL_SUBNET'), '10.5.1.1/24')
    assert.deepEqual(one!.condition.problems, [])
    assert.deepEqual(await world.unreachable(), [])
  })

  test(`D3, ${name}: a link that goes and comes back as another one`, async () => {
    const world = await startNodes(2, config)
    const [one] = world.nodes
    const mac = one!.kernel.links.get('flannel.1')?.mac
    one!.kernel.links.delete('eth0')
    await world.pass(5)
    world.plug(one!)
    await world.pass(6)
    assert.equal(one!.kernel.links.get('flannel.1')?.mac, mac)
    assert.deepEqual(await world.unreachable(), [])
    assert.deepEqual(one!.condition.problems, [])
  })
}

test('a link that comes up has the store asked whether it still answers; pods that come and go do not', async () => {
  const world = await startNodes(1, vxlan)
  const [one] = world.nodes
  let asked = 0
  one!.store.reconnect = () => {
    asked++
  }
  one!.kernel.links.add({ kind: 'veth', name: 'veth9', up: true, peer: { name: 'veth10' } })
  one!.kernel.routes.add({ destination: '10.99.0.0/24', gateway: '192.168.77.100', link: 'eth0' })
  await world.pass(1)
  assert.equal(asked, 0)
  one!.kernel.links.set('eth0', { up: false })
  one!.kernel.links.set('eth0', { up: true })
  await world.pass(1)
  assert.equal(asked, 1)
})

test('D3: a link that goes down and up, and has no default route after that, is the same link', async () => {
  const world = await startNodes(2, hostGw)
  const [one] = world.nodes
  one!.kernel.links.set('eth0', { up: false })
  await world.pass(1)
  one!.kernel.links.set('eth0', { up: true })
  await world.pass(6)
  assert.deepEqual(one!.condition.problems, [])
  assert.deepEqual(await world.unreachable(), [])
})

test('D4: what is left of a peer that went while the daemon was down goes; what is others’ stays', async () => {
  const world = await startNodes(2, vxlan)
  const [one] = world.nodes
  const before = entriesOf(one!.kernel)
  await world.put('10.5.9.0-24', foreign('192.168.77.9', '02:00:00:00:00:09'))
  await one!.stop()
  one!.kernel.routes.add({ destination: '10.99.0.0/24', gateway: '192.168.77.9', link: 'eth0', protocol: 3 })
  await world.operator.transact([], [{ delete: subnetsKey('10.5.9.0-24') }])
  one!.start()
  await world.pass(2)
  const others = 'route 10.99.0.0/24 via 192.168.77.9 dev eth0'
  assert.deepEqual(entriesOf(one!.kernel), [...before, others].sort())
})

const tables = ({ kernel }: Node) =>
  [...kernel.nftables.list().tables.map(({ family, name }) => `${family} ${name}`)].sort()
const chains = ({ kernel }: Node) =>
  kernel.nftables
    .list()
    .chains.map(({ table, name }) => `${table} ${name}`)
    .filter((name) => /FLANNEL|postrtg/.test(name))
    .sort()

test('D5, D6: rules of one kind at a time, and they come back', async () => {
  const rules = { masquerade: true, fullyRandom: true, forward: true, blackhole: false }
  const world = await startNodes(1, vxlan, { rules })
  const [one] = world.nodes
  const iptables = ['filter FLANNEL-FWD', 'nat FLANNEL-POSTRTG']
  assert.deepEqual(chains(one!), iptables)
  await world.configure({ ...vxlan, EnableNFTables: true })
  await world.pass(1)
  assert.deepEqual(chains(one!), ['flannel-ipv4 postrtg'])
  one!.kernel.nftables.commit(
    one!.kernel.nftables.list().tables.map((table) => ({ operation: 'delete table', table }) as const),
  )
  assert.deepEqual(tables(one!), [])
  await world.pass(1)
  assert.deepEqual(chains(one!), ['flannel-ipv4 postrtg'])
  await world.configure(vxlan)
  await world.pass(1)
  assert.deepEqual(chains(one!), iptables)
  assert.ok(!tables(one!).some((name) => name.includes('flannel')))
})

const BACKENDS = {
  'another VNI': [vxlan, { ...NETWORK, Backend: { Type: 'vxlan', VNI: 7 } }],
  'vxlan to host-gw': [vxlan, hostGw],
  'host-gw to vxlan': [hostGw, vxlan],
  'vxlan to udp': [vxlan, udp],
  'udp to vxlan': [udp, vxlan],
  'another network of vxlan': [vxlan, { Network: '10.6.0.0/16', Backend: { Type: 'vxlan' } }],
  'another network of host-gw': [hostGw, { Network: '10.6.0.0/16', Backend: { Type: 'host-gw' } }],
  'another network of udp': [udp, { Network: '10.6.0.0/16', Backend: { Type: 'udp' } }],
} as const
for (const [what, [before, after]] of Object.entries(BACKENDS)) {
  for (const restarted of [false, true]) {
    const how = restarted ? 'while the daemons are down' : 'while they run'
    test(`another configuration ${how}, ${what}: the new one's state alone`, async () => {
      const world = await startNodes(2, before)
      if (restarted) for (const node of world.nodes) await node.stop()
      await world.configure(after)
      if (restarted) for (const node of world.nodes) node.start()
      await world.pass(3)
      const fresh = await startNodes(2, after)
      const shape = (node: Node) => [
        node.kernel.links
          .list()
          .map(({ name, mtu }) => `${name} ${mtu}`)
          .filter((name) => /^flannel/.test(name)),
        node.kernel.addresses
          .list()
          .flatMap(({ link, prefix }) => (/^flannel/.test(link) && !/^fe80/.test(prefix) ? `${link} ${prefix}` : [])),
        entriesOf(node.kernel).map((line) => line.replace(/([0-9a-f]{2}:){5}[0-9a-f]{2}/, 'MAC')),
        node.subnetFile,
        node.udp !== undefined,
      ]
      assert.deepEqual(world.nodes.map(shape), fresh.nodes.map(shape))
      const types = (leases: Record<string, string>) =>
        Object.entries(leases).map(([name, value]) => [name, value.replace(/"VtepMAC":"[^"]*"/, '')])
      assert.deepEqual(types(await world.leases()), types(await fresh.leases()))
    })
  }
}

test('a configuration that this node cannot have leaves everything as it is', async () => {
  const uplink = { interfaces: [], patterns: ['eth0'], canReach: undefined, publicIp: { ipv4: '192.168.77.1' } }
  const world = new World(vxlan)
  const node = world.addNode(1).start({ uplink: { ...uplink, publicIp: { ipv4: '203.0.113.1' } } })
  await world.pass(2)
  const before = [entriesOf(node.kernel), node.subnetFile]
  await world.configure(hostGw)
  await world.pass(2)
  assert.deepEqual([entriesOf(node.kernel), node.subnetFile], before)
  assert.match(node.condition.problems.join(), /host-gw/)
  assert.deepEqual(node.failures, [])
})

test('G1: a peer that leaves the link goes by vxlan, and back', async () => {
  const world = await startNodes(2, direct)
  const [one] = world.nodes
  const plain = ['route 10.5.2.0/24 via 192.168.77.2 dev eth0']
  assert.deepEqual(entriesOf(one!.kernel), plain)
  const away = { destination: '192.168.77.2/32', gateway: '192.168.77.254', link: 'eth0', protocol: 4 }
  one!.kernel.routes.add(away)
  await world.pass(2)
  const mac = world.nodes[1]!.kernel.links.get('flannel.1')!.mac
  assert.deepEqual(entriesOf(one!.kernel), entries('10.5.2.0/24', '192.168.77.2', mac).sort())
  one!.kernel.routes.delete(away)
  await world.pass(2)
  assert.deepEqual(entriesOf(one!.kernel), plain)
  assert.deepEqual(await world.unreachable(), [])
})

test('G2: behind address translation the lease has the public address, and the device the node’s own', async () => {
  const world = new World(vxlan)
  const publicIp = { ipv4: '203.0.113.1' }
  const node = world.addNode(1).start({ uplink: { interfaces: ['eth0'], patterns: [], canReach: undefined, publicIp } })
  await world.pass(2)
  assert.equal(node.kernel.links.get('flannel.1')!.vxlan!.local, '192.168.77.1')
  assert.match((await world.leases())['10.5.1.0-24']!, /^{"PublicIP":"203\.0\.113\.1"/)
})

test('E4: a store that is away changes nothing, and what came meanwhile is known when it is back', async () => {
  const world = await startNodes(2, vxlan)
  const [one] = world.nodes
  one!.store.cut()
  one!.operations.length = 0
  await world.pass(60)
  assert.deepEqual(one!.condition.problems, [])
  assert.match(one!.condition.warnings.join(), /the store has been away for 60 s/)
  assert.deepEqual(await world.unreachable(), [])
  assert.deepEqual(one!.operations, [])
  await world.pass(3_600)
  assert.match(one!.condition.problems.join(), /the store has been away/)
  await world.operator.transact(
    [],
    [{ put: subnetsKey('10.5.9.0-24'), value: foreign('192.168.77.9', '02:00:00:00:00:09') }],
  )
  one!.store.mend()
  await world.pass(1)
  assert.ok(entriesOf(one!.kernel).includes('fdb 02:00:00:00:00:09 192.168.77.9'))
  assert.deepEqual(one!.condition.problems, [])
})

test('a device that is gone and cannot come back is a problem', async () => {
  const world = await startNodes(1, vxlan)
  const [one] = world.nodes
  one!.kernel.links.delete('eth0')
  await world.pass(3)
  assert.match(one!.condition.problems.join(), /device flannel\.1 is missing/)
})

test('while nothing happens there is no timer under ten seconds', async () => {
  const world = await startNodes(2, vxlan)
  await world.pass(30)
  world.timers.length = 0
  await world.pass(300)
  assert.ok(world.timers.length > 0)
  assert.deepEqual(
    world.timers.filter((milliseconds) => milliseconds < 10_000 && milliseconds > 0),
    [],
  )
})
