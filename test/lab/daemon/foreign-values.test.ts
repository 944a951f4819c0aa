/** What others write into the store: leases that are none, configurations of all kinds, and nodes that run nothing of ours. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { run } from '../../support/command.ts'
import { eventually, type Node, type StoreUnderTest, SWITCH, startNetwork, startStore } from './network.ts'

const NETWORK = { Network: '10.5.0.0/16' }
/** The daemons' subnets are below those that stand here. */
const vxlan = { ...NETWORK, SubnetMax: '10.5.80.0', Backend: { Type: 'vxlan' } }
const hostGw = { ...vxlan, Backend: { Type: 'host-gw' } }

const IP = '192.168.77.9'
const VTEP = { VNI: 1, VtepMAC: '02:00:00:00:00:09' }
const lease = (PublicIP: string, BackendData: object = VTEP, BackendType = 'vxlan') =>
  JSON.stringify({ PublicIP, BackendType, BackendData })
const withMac = (VtepMAC: string) => lease(IP, { VNI: 1, VtepMAC })
const withVni = (VNI: unknown) => lease(IP, { ...VTEP, VNI })

/** Key, value, and why it is ignored; `own` is the gateway of the node that sees them. */
const ignored = (own: string): readonly (readonly [string, string, RegExp])[] => [
  ['garbage', lease(IP), /the key names no subnets/],
  ['10.5.100.0', lease(IP), /the key names no subnets/],
  ['10.5.101.0-24/x', lease(IP), /the key names no subnets/],
  ['10.5.102.9-32', lease(IP), /has no room for pods/],
  ['10.5.103.0-24', 'garbage', /Cannot decode the lease/],
  ['10.5.104.0-24', '', /Cannot decode the lease/],
  ['10.5.105.0-24', '[]', /Cannot use the document/],
  ['10.5.106.0-24', `{"PublicIP":"${IP}"`, /Cannot decode the lease/],
  ['10.5.107.0-24', '['.repeat(100_000), /Cannot decode the lease/],
  ['10.5.108.0-24', withMac('02:00:00:00:00:00:00:09'), /"BackendData\.VtepMAC"/],
  ['10.5.109.0-24', withMac('01:00:5e:00:00:09'), /"BackendData\.VtepMAC"/],
  ['10.5.110.0-24', withVni(2), /its VNI is 2, ours is 1/],
  ['10.5.111.0-24', withVni('1'), /"BackendData\.VNI"/],
  ['10.5.112.0-24', lease('0.0.0.0'), /there is no "PublicIP"/],
  ['10.5.113.0-24', lease('192.168.77'), /"PublicIP"/],
  ['10.5.114.0-24', `{"PublicIP":"${IP}","BackendType":"vxlan"}`, /there is no "BackendData"/],
  ['10.5.115.0-24', lease(IP, VTEP, 'host-gw'), /its backend is host-gw, ours is vxlan/],
  ['10.5.116.0-24', lease('192.168.77.1'), /it has our own address/],
  [`${own}-25`, lease(IP), /it overlaps our own/],
  [`${own}-24&fd00:5::-64`, lease(IP), /it overlaps our own/],
  ['10.5.0.0-16', lease(IP), /it overlaps our own/],
  ['10.99.0.0-24', lease(IP), /is not in the network/],
  ['192.168.77.0-24', lease(IP), /is not in the network/],
  ['0.0.0.0-1', lease(IP), /it overlaps our own/],
  ['10.5.117.0-24', lease('127.0.0.1'), /is no node's/],
  ['10.5.118.0-24', lease('224.0.0.1'), /is no node's/],
  ['10.5.119.0-24', lease('255.255.255.255'), /is no node's/],
  ['10.5.120.0-24', withMac('02:00:00:00:00:90'), /lease 10\.5\.122\.0-24 of 192\.168\.77\.90 has told its MAC/],
]

/** Of configurations: what is not valid, and what the log says of it. */
const refused: readonly (readonly [string, RegExp])[] = [
  ['garbage', /Cannot decode the network configuration/],
  ['', /Cannot decode the network configuration/],
  ['{}', /please define a correct Network parameter in the flannel config/],
  ['{"Network":"10.5.0.0"}', /invalid CIDR address: 10\.5\.0\.0/],
  ['{"Network":"10.5.0.0/29"}', /network is too small\. Minimum useful network prefix is \/28/],
  ['{"Network":"10.5.0.0/16","SubnetLen":31}', /SubnetLen must be less than \/31/],
  ['{"Network":"10.5.0.0/16","SubnetLen":17}', /network must be able to accommodate at least four subnets/],
  ['{"Network":"10.5.0.0/16","SubnetMin":"10.5.1.1"}', /SubnetMin is not on a SubnetLen boundary: 10\.5\.1\.1/],
  ['{"Network":"10.5.0.0/16","SubnetMax":"10.6.0.0"}', /SubnetMax is not in the range of the Network/],
  ['{"Network":"10.5.0.0/16","Backend":{"Type":"vxlan","VNI":"1"}}', /VXLAN backend config.*VNI/],
  ['{"Network":"10.5.0.0/16","Backend":{"Type":"vxlan","VNI":16777216}}', /VXLAN backend config.*VNI/],
  ['{"Network":"10.5.0.0/16","Backend":{"Type":"udp","Port":65536}}', /UDP backend config.*Port/],
  ['{"Network":"10.5.0.0/16","Backend":{}}', /unknown backend type: /],
  ['{"Network":"10.5.0.0/16","Backend":{"Type":"gre"}}', /unknown backend type: gre/],
  ['{"Network":"10.5.0.0/16","EnableIPv6":true}', /please define a correct IPv6Network parameter/],
]

/** And what is valid: the network, the MTU for pods, and the device. */
const accepted: readonly (readonly [string, string, string, string])[] = [
  ['{"network":"10.5.0.0/16","BACKEND":{"tYPE":"VXLAN","vni":7}}', '10.5.0.0/16', '1450', 'flannel.7'],
  [
    '{"Network":"10.6.1.2/16","Comment":{"a":[1]},"Backend":{"Type":"vxlan","Colour":1}}',
    '10.6.0.0/16',
    '1450',
    'flannel.1',
  ],
  ['{"Network":"10.7.0.0/16"}', '10.7.0.0/16', '1472', 'flannel0'],
  [
    '{"Network":"10.8.0.0/22","SubnetMin":"10.8.2.0","SubnetLen":30,"Backend":{"Type":"vxlan","MTU":1400}}',
    '10.8.0.0/22',
    '1350',
    'flannel.1',
  ],
]

describe.each(['etcd', 'file'] as const)('leases in %s', (kind) => {
  let store: StoreUnderTest
  beforeAll(async () => {
    store = await startStore(kind)
  })
  afterAll(async () => {
    await store[Symbol.asyncDispose]()
    run('ip', 'netns', 'delete', SWITCH)
  })

  test('E6: what is no lease, and leases that cannot be used, are ignored with a line each; those beside them are not', async () => {
    await using network = await startNetwork({ store, config: vxlan, nodes: 1 })
    const [node] = network.nodes
    const table = ignored(node!.gateway)
    const before = node!.lines('ip route show')
    const told = (name: string) =>
      node!.log.split('\n').filter((line) => new RegExp(`Ignoring lease ${name}(:| of )`).test(line))
    await network.put('10.5.121.0-24', lease('192.168.77.91', { VNI: 1, VtepMAC: '02:00:00:00:00:91' }))
    for (const [name, value] of table) await network.put(name, value)
    await store.operator.transact([], [{ put: `${network.prefix}/subnets2/10.5.123.0-24`, value: lease(IP) }])
    await network.put('10.5.122.0-24', lease('192.168.77.90', { VNI: 1, VtepMAC: '02:00:00:00:00:90' }))

    const routes = [121, 122].map((number) => `10.5.${number}.0/24 via 10.5.${number}.0 dev flannel.1 onlink`)
    const expected = [...before, ...routes].sort().join('\n')
    await eventually('those that are good', () => node!.lines('ip route show').sort().join('\n') === expected)
    await eventually('what is said of the others', () => table.every(([name]) => told(name).length > 0))
    for (const [name, , reason] of table) {
      assert.equal(told(name).length, 1, `${name}: ${node!.log}`)
      assert.match(told(name)[0]!, reason)
    }
    assert.equal(node!.entries().length, 6)
    assert.doesNotMatch(node!.log, /10\.5\.123/)

    for (const name of [...table.map(([each]) => each), '10.5.121.0-24', '10.5.122.0-24']) await network.delete(name)
    await eventually('nothing of theirs', () => node!.lines('ip route show').join() === before.join())
    assert.deepEqual(node!.entries(), [])
  })

  test('E6: host-gw: peers that are not on the link are left out with a line each; those that are, are not', async () => {
    await using network = await startNetwork({ store, config: hostGw, nodes: 1 })
    const [node] = network.nodes
    const put = (number: number, ip: string) => network.put(`10.5.${number}.0-24`, lease(ip, {}, 'host-gw'))
    await put(90, '203.0.113.1')
    await put(91, '10.5.91.1')
    await put(92, IP)
    await eventually('the good one', () => node!.entries().join() === `route 10.5.92.0/24 via ${IP} dev eth0`)
    for (const ip of ['203.0.113.1', '10.5.91.1']) {
      await eventually(`what is said of ${ip}`, () => node!.log.includes(`${ip} is not on the link eth0`))
      assert.equal(node!.log.split(`${ip} is not on the link eth0`).length, 2, node!.log)
    }
  })

  test('A7: what is no configuration is told, and waited out; keys in any case, unknown ones and defaults are taken', async () => {
    await using network = await startNetwork({ store, nodes: 1, idle: true })
    const [node] = network.nodes
    const put = (value: string) => store.operator.transact([], [{ put: `${network.prefix}/config`, value }])
    const isTold = (message: RegExp, goesOn: string) => () =>
      node!.log.split('\n').some((line) => message.test(line) && line.endsWith(goesOn))
    node!.start()
    for (const [value, message] of refused) {
      await put(value)
      await eventually(`${value} is refused`, isTold(message, '; waiting for another one'))
    }
    assert.equal(node!.variable('FLANNEL_SUBNET'), undefined)
    for (const [value, net, mtu, device] of accepted) {
      await put(value)
      const has = (name: string, wanted: string) => node!.variable(name) === wanted
      await eventually(`${value} is taken`, () => has('FLANNEL_NETWORK', net) && has('FLANNEL_MTU', mtu))
      const links = () => node!.lines('ip -o link show').flatMap((line) => /: (flannel[^:@]*)/.exec(line)?.[1] ?? [])
      await eventually(`${value} has a device`, () => links().join() === device)
    }
    assert.match(node!.variable('FLANNEL_SUBNET')!, /^10\.8\.[23]\.\d+\/30$/)
    // What comes now leaves the last one as it is.
    await put(refused[0]![0])
    await eventually('it is refused', isTold(refused[0]![1], '; the one before it stays'))
    assert.equal(node!.variable('FLANNEL_NETWORK'), '10.8.0.0/22')
  })

  test.each([
    ['vxlan', vxlan],
    ['host-gw', hostGw],
  ] as const)('A9: a node that is made by hand, with %s, and whose lease somebody puts, is a peer', async (type, config) => {
    await using network = await startNetwork({ store, config, nodes: 1 })
    const [node] = network.nodes
    await using foreign = new ForeignNode(node!, type)
    await network.put('10.5.90.0-24', foreign.lease)
    await eventually('it is a peer', () => node!.entries().join().includes('10.5.90.0/24'))
    await eventually('its pod reaches ours', () => foreign.reaches(node!))
    assert.ok(foreign.isReachedFrom(node!))
  })
})

/** With 10.5.90.0/24, and a pod's address on itself. */
class ForeignNode implements AsyncDisposable {
  readonly lease: string

  constructor(peer: Node, type: 'vxlan' | 'host-gw') {
    const address = '192.168.77.50'
    run('ip', 'netns', 'add', 'foreign')
    const ip = (words: string) => run('ip', '-n', 'foreign', ...words.split(' '))
    ip(`link add eth0 type veth peer name foreign netns ${SWITCH}`)
    run('ip', '-n', SWITCH, 'link', 'set', 'foreign', 'master', 'br0', 'up')
    ip(`address add ${address}/24 dev eth0`)
    ip('link set eth0 up')
    ip('link set lo up')
    ip('address add 10.5.90.2/32 dev lo')
    const peerAddress = `192.168.77.${peer.number}`
    this.lease = lease(address, {}, type)
    if (type === 'host-gw') ip(`route add ${peer.gateway}/24 via ${peerAddress} src 10.5.90.2`)
    else {
      const mac = '02:00:00:00:00:50'
      ip(`link add vtep address ${mac} type vxlan id 1 local ${address} dev eth0 dstport 8472 nolearning`)
      ip('link set vtep up')
      ip(`neigh add ${peer.gateway} lladdr ${peer.mac()} dev vtep nud permanent`)
      run('bridge', '-n', 'foreign', 'fdb', 'add', peer.mac(), 'dev', 'vtep', 'dst', peerAddress)
      ip(`route add ${peer.gateway}/24 via ${peer.gateway} dev vtep onlink src 10.5.90.2`)
      this.lease = lease(address, { VNI: 1, VtepMAC: mac })
    }
  }

  reaches(node: Node): boolean {
    return isAnswered('foreign', node.gateway.replace(/0$/, '2'))
  }

  isReachedFrom(node: Node): boolean {
    return isAnswered(node.podName, '10.5.90.2')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    run('ip', 'netns', 'delete', 'foreign')
  }
}

function isAnswered(namespace: string, target: string): boolean {
  return spawnSync('ip', ['netns', 'exec', namespace, 'ping', '-c', '1', '-W', '2', target]).status === 0
}
