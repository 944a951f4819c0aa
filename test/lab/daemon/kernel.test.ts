/** What others do to a node's kernel: what is the overlay's is put right, and what lies below it is followed. */
import assert from 'node:assert/strict'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { run } from '../../support/command.ts'
import { assertSilent, monitor } from './monitor.ts'
import { eventually, type Node, type StoreUnderTest, SWITCH, startNetwork, startStore } from './network.ts'

const NETWORK = { Network: '10.5.0.0/16' }
const vxlan = { ...NETWORK, Backend: { Type: 'vxlan' } }
const hostGw = { ...NETWORK, Backend: { Type: 'host-gw' } }
const udp = { ...NETWORK, Backend: { Type: 'udp' } }

let store: StoreUnderTest
beforeAll(async () => {
  store = await startStore('file')
})
afterAll(async () => {
  await store[Symbol.asyncDispose]()
  run('ip', 'netns', 'delete', SWITCH)
})

const DAMAGES: Readonly<Record<string, (node: Node, peer: Node) => void>> = {
  'the route': (node, peer) => node.ip(`route delete ${peer.gateway}/24`),
  'the neighbour': (node, peer) => node.ip(`neigh delete ${peer.gateway} dev flannel.1`),
  'the FDB entry': (node, peer) => {
    run('bridge', '-n', node.name, 'fdb', 'delete', peer.mac(), 'dev', 'flannel.1', 'dst', '192.168.77.2')
  },
  'the address': (node) => node.ip(`address delete ${node.gateway}/32 dev flannel.1`),
  'its being up': (node) => node.ip('link set flannel.1 down'),
  'the device': (node) => node.ip('link delete flannel.1'),
  'the MTU': (node) => node.ip('link set flannel.1 mtu 1300'),
  'the MAC': (node) => node.ip('link set flannel.1 address 02:00:00:00:00:99'),
  everything: (node) => {
    node.ip('link set eth0 down')
    node.ip('link set eth0 up')
    node.ip('route replace default via 192.168.77.100')
    node.ip('link delete flannel.1')
  },
}

test('D1: vxlan: whatever is taken away comes back, and the MAC is the same', async () => {
  await using network = await startNetwork({ store, config: vxlan, nodes: 2 })
  const [one, two] = network.nodes
  const shape = () => {
    const [, mtu] = / mtu (\d+) /.exec(one!.ip('link show flannel.1'))!
    const address = /inet (\S+) /.exec(one!.ip('address show flannel.1'))?.[1]
    return JSON.stringify([
      one!.entries(),
      one!.mac(),
      mtu,
      address,
      / state UNKNOWN /.test(one!.ip('link show flannel.1')),
    ])
  }
  const before = shape()
  for (const [what, damage] of Object.entries(DAMAGES)) {
    damage(one!, two!)
    await eventually(`${what} is back`, () => one!.ip('-o link show').includes('flannel.1') && shape() === before)
    assert.deepEqual(network.unreachable(), [], what)
  }
})

test('D1: udp: the TUN device that is deleted comes back, and carries packets', async () => {
  await using network = await startNetwork({ store, config: udp, nodes: 2 })
  const [one] = network.nodes
  one!.ip('link delete flannel0')
  await eventually('the route is back', () => one!.entries().join() === 'route 10.5.0.0/16 dev flannel0')
  await eventually('packets pass', () => network.unreachable().length === 0)
})

test('D2: host-gw: a route that is replaced by one to another gateway is put back', async () => {
  await using network = await startNetwork({ store, config: hostGw, nodes: 2 })
  const [one, two] = network.nodes
  const before = one!.entries()
  one!.ip(`route replace ${two!.gateway}/24 via 192.168.77.100`)
  await eventually('it is back', () => one!.entries().join() === before.join())
})

test.each([
  ['vxlan', vxlan, '1350'],
  ['host-gw', hostGw, '1400'],
  ['udp', udp, '1372'],
] as const)('D3, %s: the link below gets another MTU, another address, goes down, and is another one', async (_, config, mtu) => {
  await using network = await startNetwork({ store, config, nodes: 2 })
  const [one, two] = network.nodes
  const subnet = one!.variable('FLANNEL_SUBNET')
  one!.ip('link set eth0 mtu 1400')
  await eventually('subnet.env has the MTU', () => one!.variable('FLANNEL_MTU') === mtu)
  const device = one!.ip('-o link show')
  if (config !== hostGw) assert.match(device, new RegExp(`flannel[.01]+: .* mtu ${mtu} `))

  one!.ip('address delete 192.168.77.1/24 dev eth0')
  one!.ip('address add 192.168.77.11/24 dev eth0')
  one!.ip('route replace default via 192.168.77.100')
  const name = `${one!.gateway}-24`
  await eventually('the lease has the address', async () => (await network.leases())[name]!.includes('192.168.77.11'))
  await eventually('packets pass', () => network.unreachable().length === 0)
  if (config === hostGw) assert.deepEqual(two!.entries(), [`route ${one!.gateway}/24 via 192.168.77.11 dev eth0`])

  one!.ip('link delete eth0')
  one!.plug()
  await eventually('packets pass by the new link', () => network.unreachable().length === 0)
  assert.equal(one!.variable('FLANNEL_SUBNET'), subnet)
})

describe('D5, D6: rules', () => {
  const chains = (node: Node) =>
    node
      .run('nft', 'list', 'ruleset')
      .split('\n')
      .flatMap((line) => /(?:chain|table ip6?) (FLANNEL\S*|flannel\S*|postrtg)/.exec(line)?.[1] ?? [])
      .sort()
      .join()

  test('come back when all are flushed, and go when the others are wanted', async () => {
    await using network = await startNetwork({ store, config: vxlan, nodes: 1, flags: ['--ip-masq'] })
    const [node] = network.nodes
    const iptables = node!.run('iptables-save')
    const [{ ipv4: pods }, net] = [node!.subnets, '10.5.0.0/16']
    const masquerade = [
      '-A POSTROUTING -m comment --comment "flanneld masq" -j FLANNEL-POSTRTG',
      '-A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 -m comment --comment "flanneld masq" -j RETURN',
      `-A FLANNEL-POSTRTG -s ${pods} -d ${net} -m comment --comment "flanneld masq" -j RETURN`,
      `-A FLANNEL-POSTRTG -s ${net} -d ${pods} -m comment --comment "flanneld masq" -j RETURN`,
      `-A FLANNEL-POSTRTG ! -s ${net} -d ${pods} -m comment --comment "flanneld masq" -j RETURN`,
      `-A FLANNEL-POSTRTG -s ${net} ! -d 224.0.0.0/4 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully`,
      `-A FLANNEL-POSTRTG ! -s ${net} -d ${net} -m comment --comment "flanneld masq" -j MASQUERADE --random-fully`,
    ]
    const rules = iptables.split('\n').filter((line) => line.includes('flanneld masq'))
    assert.deepEqual(rules, masquerade)

    const before = chains(node!)
    node!.run('nft', 'flush', 'ruleset')
    await eventually('iptables’ are back', () => chains(node!) === before)
    await network.configure({ ...vxlan, EnableNFTables: true })
    const ours = 'flannel-ipv4,flannel-ipv6,postrtg'
    await eventually('those of nftables alone', () => chains(node!) === ours)
    node!.run('nft', 'flush', 'ruleset')
    await eventually('they are back', () => chains(node!) === ours)
    await network.configure(vxlan)
    await eventually('those of iptables alone', () => chains(node!) === before)
  })
})

test.each([
  false,
  true,
])('A4: two daemons with a network each leave each other’s rules alone; nftables: %s', async (nft) => {
  const config = { ...vxlan, EnableNFTables: nft }
  await using network = await startNetwork({ store, config, nodes: 1, flags: ['--ip-masq'] })
  const [node] = network.nodes
  const other = { Network: '10.6.0.0/16', EnableNFTables: nft, Backend: { Type: 'host-gw' } }
  await store.operator.transact([], [{ put: '/other/config', value: JSON.stringify(other) }])
  const second = node!.startSecond(['-etcd-prefix', '/other', '--ip-masq'])
  const lines = () => node!.run('nft', 'list', 'ruleset')
  try {
    // saddr, daddr, and three each of masquerading and two of forwarding: whatever is said of one is said of the other.
    const count = (prefix: string) => lines().split(prefix).length - 1
    await eventually(
      'the rules of both',
      () => count('10.5.0.0/16') > 5 && count('10.5.0.0/16') === count('10.6.0.0/16'),
    )
    const running = await monitor(node!)
    await setTimeout(2000)
    await assertSilent(running)
    await second.end()
    assert.equal(count('10.5.0.0/16'), count('10.6.0.0/16'))
  } finally {
    await second.end()
  }
})
