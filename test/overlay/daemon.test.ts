/** Daemons, from an empty store to pods that reach each other, and what they do when they start again. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { entriesOf, type Node, PREFIX, startNodes, subnetsKey, World } from './daemon-world.ts'

const NETWORK = { Network: '10.5.0.0/16' }
const vxlan = { ...NETWORK, Backend: { Type: 'vxlan' } }
const hostGw = { ...NETWORK, Backend: { Type: 'host-gw' } }
const udp = { ...NETWORK, Backend: { Type: 'udp' } }
const dual = { ...hostGw, EnableIPv6: true, IPv6Network: 'fd00:5::/48' }
const threeSubnets = { Network: '10.5.0.0/22', Backend: { Type: 'vxlan' } }

const macOf = ({ kernel }: Node, device = 'flannel.1') => kernel.links.get(device)!.mac
/** A peer's three entries on a node. */
const entriesFor = (peer: Node) => {
  const gateway = peer.subnets.ipv4!.replace('/24', '')
  return [
    `fdb ${macOf(peer)} 192.168.77.${peer.number}`,
    `neigh ${gateway} ${macOf(peer)}`,
    `route ${gateway}/24 via ${gateway} dev flannel.1`,
  ]
}

test('A1: nodes on vxlan begin with an empty store, and their pods reach each other', async () => {
  const world = await startNodes(3, vxlan)
  assert.deepEqual(await world.unreachable(), [])
  const [one, two, three] = world.nodes
  assert.equal(
    one!.subnetFile,
    'FLANNEL_NETWORK=10.5.0.0/16\nFLANNEL_SUBNET=10.5.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=false\n',
  )
  assert.deepEqual(entriesOf(two!.kernel), [...entriesFor(one!), ...entriesFor(three!)].sort())
  const value = (node: Node) =>
    `{"PublicIP":"192.168.77.${node.number}","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"${macOf(node)}"}}`
  assert.deepEqual(await world.leases(), {
    '10.5.1.0-24': value(one!),
    '10.5.2.0-24': value(two!),
    '10.5.3.0-24': value(three!),
  })
})

test('host-gw: a route to each node, and no device', async () => {
  const world = await startNodes(3, hostGw)
  assert.deepEqual(await world.unreachable(), [])
  assert.deepEqual(entriesOf(world.nodes[0]!.kernel), [
    'route 10.5.2.0/24 via 192.168.77.2 dev eth0',
    'route 10.5.3.0/24 via 192.168.77.3 dev eth0',
  ])
  assert.equal(world.nodes[0]!.variable('FLANNEL_MTU'), '1500')
})

test('host-gw with a public address that is not the link’s own cannot begin', async () => {
  const world = new World(hostGw)
  const uplink = { interfaces: [], patterns: ['eth0'], canReach: undefined, publicIp: { ipv4: '203.0.113.1' } }
  const node = world.addNode(1).start({ uplink })
  await world.pass(3)
  assert.match(node.failures[0]!.message, /host-gw behind address translation/)
  assert.deepEqual(await world.leases(), {})
})

test('udp: a TUN and a route for the whole network; the data path is told the peers', async () => {
  const world = await startNodes(3, udp)
  const [one] = world.nodes
  assert.equal(one!.kernel.links.get('flannel0')!.mtu, 1472)
  assert.deepEqual(entriesOf(one!.kernel), ['route 10.5.0.0/16 dev flannel0'])
  const { tun, address, port, routes } = one!.udp!
  assert.deepEqual(
    { tun, address, port, routes },
    {
      tun: 'flannel0',
      address: '192.168.77.1',
      port: 8285,
      routes: [
        { subnet: '10.5.2.0/24', node: '192.168.77.2' },
        { subnet: '10.5.3.0/24', node: '192.168.77.3' },
      ],
    },
  )
  await world.operator.transact([], [{ delete: subnetsKey('10.5.2.0-24') }])
  await world.nodes[1]!.stop()
  await world.pass(1)
  assert.deepEqual(one!.udp!.routes, [{ subnet: '10.5.3.0/24', node: '192.168.77.3' }])
})

test('udp: a data path that ends by itself is begun again', async () => {
  const world = await startNodes(1, udp)
  const [node] = world.nodes
  node!.failUdp!(new Error('the TUN device is gone'))
  assert.match(node!.condition.problems.join(), /data path of udp/)
  await world.pass(1)
  assert.ok(node!.udp)
  assert.deepEqual(node!.condition.problems, [])
  await node!.stop()
  assert.equal(node!.udp, undefined)
})

test('A5: both families, by host-gw: the model has no VXLAN over IPv6', async () => {
  const world = await startNodes(2, dual)
  assert.equal(world.nodes[0]!.variable('FLANNEL_IPV6_SUBNET'), 'fd00:5:0:1::1/64')
  assert.deepEqual(await world.unreachable('ipv4', 1500 - 28), [])
  assert.deepEqual(await world.unreachable('ipv6', 1500 - 48), [])
  assert.deepEqual(Object.keys(await world.leases()), ['10.5.1.0-24&fd00:5:0:1::-64', '10.5.2.0-24&fd00:5:0:2::-64'])
})

test('a configuration that comes later, or is invalid at first, is waited for', async () => {
  const world = new World()
  const node = world.addNode(1).start()
  await world.pass(60)
  assert.deepEqual(node.condition.problems, [
    'there is no network configuration yet',
    'subnet.env has not been written yet',
  ])
  await world.configure({ ...vxlan, Network: '10.5.0.0/29' })
  await world.pass(60)
  assert.equal(node.ready, 0)
  await world.configure(vxlan)
  await world.pass(1)
  assert.equal(node.ready, 1)
})

for (const [name, config] of Object.entries({ vxlan, 'host-gw': hostGw, udp, dual })) {
  test(`B1, ${name}: a restart keeps subnet and MAC, and changes nothing in the kernel or the store`, async () => {
    const world = await startNodes(2, config)
    const [node] = world.nodes
    const before = { subnetFile: node!.subnetFile, entries: entriesOf(node!.kernel), leases: await world.leases() }
    const mac = node!.kernel.links.get('flannel.1')?.mac
    await node!.stop()
    if (name !== 'udp') assert.deepEqual(await world.unreachable(), [])
    const revision = (await world.operator.list('')).revision
    const changes: unknown[] = []
    const watch = node!.kernel.watch(['link', 'address', 'route', 'neighbour', 'fdb', 'nftables'], (change) => {
      if (change !== 'lost' && change.subject !== 'neighbour') changes.push(change)
    })
    node!.operations.length = 0
    node!.start()
    await world.pass(3)
    watch.close()
    assert.deepEqual(changes, [])
    assert.deepEqual(node!.operations, [])
    assert.equal((await world.operator.list('')).revision, revision)
    assert.equal(node!.kernel.links.get('flannel.1')?.mac, mac)
    assert.deepEqual(
      { subnetFile: node!.subnetFile, entries: entriesOf(node!.kernel), leases: await world.leases() },
      before,
    )
    assert.equal(node!.ready, 2)
  })
}

test('B4: after a reboot the subnet is the same, and the MAC that the lease told', async () => {
  const world = await startNodes(2, vxlan)
  const [one, two] = world.nodes
  const [mac, entries, leases] = [macOf(one!), entriesOf(two!.kernel), await world.leases()]
  await one!.stop()
  one!.kernel.links.delete('flannel.1')
  one!.start()
  await world.pass(2)
  assert.equal(macOf(one!), mac)
  assert.deepEqual([entriesOf(two!.kernel), await world.leases()], [entries, leases])
  assert.deepEqual(await world.unreachable(), [])
})

test('B4: after a reboot without subnet.env the subnet is the same, and peers have the new MAC alone', async () => {
  const world = await startNodes(2, vxlan)
  const [one, two] = world.nodes
  const [mac, names] = [macOf(one!), Object.keys(await world.leases())]
  await one!.stop()
  one!.kernel.links.delete('flannel.1')
  one!.subnetFile = undefined
  one!.start()
  await world.pass(2)
  assert.notEqual(macOf(one!), mac)
  assert.deepEqual(Object.keys(await world.leases()), names)
  assert.deepEqual(entriesOf(two!.kernel), entriesFor(one!).sort())
  assert.deepEqual(await world.unreachable(), [])
})

test('B4: a node that comes back with another MAC leaves nothing of the old one at its peers', async () => {
  const world = await startNodes(2, vxlan)
  const [one, two] = world.nodes
  await one!.stop()
  one!.kernel.links.set('flannel.1', { mac: '02:00:00:00:00:77' })
  one!.start()
  await world.pass(2)
  assert.equal(macOf(one!), '02:00:00:00:00:77')
  assert.deepEqual(entriesOf(two!.kernel), entriesFor(one!).sort())
  assert.deepEqual(await world.unreachable(), [])
})

test('a node whose lease has ended takes its subnet of subnet.env again', async () => {
  const world = await startNodes(1, vxlan, { random: () => 0.5 })
  const [node] = world.nodes
  const [name] = Object.keys(await world.leases())
  await node!.stop()
  await world.operator.transact([], [{ delete: subnetsKey(name) }])
  node!.start({ random: () => 0 })
  await world.pass(2)
  assert.deepEqual(Object.keys(await world.leases()), [name])
})

test('E1: three daemons and three subnets, again and again: each has one', async () => {
  const world = new World(threeSubnets)
  for (const number of [1, 2, 3]) world.addNode(number)
  for (let round = 0; round < 5; round++) {
    for (const node of world.nodes) node.start()
    await world.pass(3)
    const names = Object.keys(await world.leases())
    assert.deepEqual(names, ['10.5.1.0-24', '10.5.2.0-24', '10.5.3.0-24'])
    assert.equal(new Set(world.nodes.map(({ subnets }) => subnets.ipv4)).size, 3)
    for (const node of world.nodes) {
      await node.stop()
      node.subnetFile = undefined
    }
    await world.operator.transact(
      [],
      names.map((name) => ({ delete: subnetsKey(name) })),
    )
  }
})

test('E2: a node without a free subnet says so, waits, and takes the one that becomes free', async () => {
  const world = new World(threeSubnets)
  for (const number of [1, 2, 3, 4]) {
    world.addNode(number).start()
    await world.pass(1)
  }
  const [, two, , four] = world.nodes
  await world.pass(60)
  assert.deepEqual([four!.ready, four!.failures], [0, []])
  assert.equal(four!.told('lease').length, 1)
  assert.match(four!.condition.problems.join(), /no lease/)
  await two!.stop()
  await world.operator.transact([], [{ delete: subnetsKey('10.5.2.0-24') }])
  await world.pass(2)
  assert.equal(four!.subnets.ipv4, '10.5.2.0/24')
})

test('E3: a reservation is used and stays one, and another node’s is never taken', async () => {
  const world = new World({ ...threeSubnets })
  const reserve = (name: string, ip: string) =>
    world.operator.transact([], [{ put: subnetsKey(name), value: `{"PublicIP":"${ip}"}` }])
  await reserve('10.5.2.0-24', '192.168.77.1')
  await reserve('10.5.1.0-24', '192.168.77.9')
  const node = world.addNode(1).start()
  const other = world.addNode(2).start()
  await world.pass(100_000)
  assert.equal(node.subnets.ipv4, '10.5.2.0/24')
  assert.equal(other.subnets.ipv4, '10.5.3.0/24')
  const entry = await world.operator.get(`${PREFIX}/subnets/10.5.2.0-24`)
  assert.equal(entry!.lease, undefined)
  assert.equal(node.condition.leaseLeft, undefined)
  assert.deepEqual(node.condition.problems, [])
})
