/** Networks from an empty store, by each backend: what is in the kernel and in the store is flannel's, to the letter. */
import assert from 'node:assert/strict'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { run } from '../../support/command.ts'
import { eventually, type StoreUnderTest, SWITCH, startNetwork, startStore } from './network.ts'

const NETWORK = { Network: '10.5.0.0/16' }
const vxlan = { ...NETWORK, Backend: { Type: 'vxlan' } }

describe.each(['etcd', 'file'] as const)('leases in %s', (kind) => {
  let store: StoreUnderTest
  beforeAll(async () => {
    store = await startStore(kind)
  })
  afterAll(async () => {
    await store[Symbol.asyncDispose]()
    run('ip', 'netns', 'delete', SWITCH)
  })

  test('A1: vxlan', async () => {
    await using network = await startNetwork({ store, config: vxlan, nodes: 2 })
    const [one, two] = network.nodes
    assert.deepEqual(network.unreachable(), [])
    const value = (node: typeof one) =>
      `{"PublicIP":"192.168.77.${node!.number}","PublicIPv6":null,"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"${node!.mac()}"}}`
    assert.deepEqual(await network.leases(), {
      [`${one!.gateway}-24`]: value(one),
      [`${two!.gateway}-24`]: value(two),
    })
    const entry = await store.operator.get(network.key(`${one!.gateway}-24`))
    assert.equal((await store.operator.timeToLive(entry!.lease!))!.granted, 86_400)
    const details = one!.lines('ip -d link show flannel.1').join(' ')
    const flannels =
      'vxlan id 1 local 192.168.77.1 dev eth0 srcport 0 0 dstport 8472 nolearning ttl auto ageing 300 udpcsum noudp6zerocsumtx noudp6zerocsumrx'
    assert.ok(details.includes(flannels), details)
    assert.match(details, /<BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450/)
    assert.match(one!.ip('address show flannel.1'), new RegExp(`inet ${one!.gateway}/32 scope global flannel.1`))
    assert.deepEqual(
      one!.entries(),
      [
        `route ${two!.gateway}/24 via ${two!.gateway} dev flannel.1 onlink`,
        `neigh ${two!.gateway} lladdr ${two!.mac()} PERMANENT`,
        `fdb ${two!.mac()} dst 192.168.77.2 self permanent`,
      ].sort(),
    )
    assert.equal(one!.run('sysctl', '-n', 'net.ipv6.conf.flannel/1.accept_ra').trim(), '0')
  })

  test('A2: udp', async () => {
    await using network = await startNetwork({ store, config: { ...NETWORK, Backend: { Type: 'udp' } }, nodes: 2 })
    const [one, two] = network.nodes
    assert.deepEqual(network.unreachable(), [])
    assert.match(one!.ip('-d link show flannel0'), /<POINTOPOINT,MULTICAST,NOARP,UP,LOWER_UP> mtu 1472/)
    assert.match(one!.ip('address show flannel0'), new RegExp(`inet ${one!.gateway}/32 scope global flannel0`))
    assert.deepEqual(one!.entries(), ['route 10.5.0.0/16 dev flannel0'])
    assert.match(one!.run('ss', '-Hnul'), /192\.168\.77\.1:8285/)
    assert.equal((await network.leases())[`${one!.gateway}-24`], '{"PublicIP":"192.168.77.1","PublicIPv6":null}')
    const target = two!.gateway.replace(/0$/, '2')
    const answer = run('ip', 'netns', 'exec', one!.podName, 'ping', '-c', '1', '-W', '2', target)
    assert.match(answer, /ttl=60 /)
  })

  test('A3: host-gw', async () => {
    await using network = await startNetwork({ store, config: { ...NETWORK, Backend: { Type: 'host-gw' } }, nodes: 2 })
    const [one, two] = network.nodes
    assert.deepEqual(network.unreachable('ipv4', 1500 - 28), [])
    assert.deepEqual(one!.entries(), [`route ${two!.gateway}/24 via 192.168.77.2 dev eth0`])
    assert.equal(one!.variable('FLANNEL_MTU'), '1500')
    const expected = '{"PublicIP":"192.168.77.1","PublicIPv6":null,"BackendType":"host-gw"}'
    assert.equal((await network.leases())[`${one!.gateway}-24`], expected)
  })

  test('A3: host-gw behind address translation is refused', async () => {
    const config = { ...NETWORK, Backend: { Type: 'host-gw' } }
    await using network = await startNetwork({ store, config, nodes: 1, idle: true })
    const [node] = network.nodes
    node!.start(['--iface=eth0', '--public-ip', '203.0.113.9'])
    assert.equal(await node!.ended(), 1)
    assert.match(node!.log, /Cannot use the backend host-gw behind address translation/)
  })

  test('A5: both families by vxlan, each with a packet as large as the pods’ MTU', async () => {
    const config = { ...vxlan, EnableIPv6: true, IPv6Network: 'fd00:5::/48' }
    await using network = await startNetwork({ store, config, nodes: 2 })
    const [one] = network.nodes
    assert.equal(one!.variable('FLANNEL_MTU'), '1430')
    assert.match(one!.ip('link show flannel-v6.1'), /mtu 1430/)
    assert.deepEqual(network.unreachable('ipv4', 1430 - 28), [])
    assert.deepEqual(network.unreachable('ipv6', 1430 - 48), [])
    const [name, value] = Object.entries(await network.leases())[0]!
    assert.match(name, /^10\.5\.\d+\.0-24&fd00:5:0:[\da-f]+::-64$/)
    assert.match(value, /"BackendV6Data":{"VNI":1,"VtepMAC":"/)
  })

  test('G1: a peer that leaves the link goes by vxlan, and back', async () => {
    const config = { ...NETWORK, Backend: { Type: 'vxlan', DirectRouting: true } }
    await using network = await startNetwork({ store, config, nodes: 2 })
    const [one, two] = network.nodes
    const plain = [`route ${two!.gateway}/24 via 192.168.77.2 dev eth0`]
    assert.deepEqual(one!.entries(), plain)
    one!.ip('route add 192.168.77.2/32 via 192.168.77.100 proto static')
    await eventually('it goes by vxlan', () => one!.entries().join().includes('dev flannel.1 onlink'))
    assert.equal(one!.entries().length, 3)
    one!.ip('route del 192.168.77.2/32 proto static')
    await eventually('it goes directly', () => one!.entries().join() === plain.join())
    assert.deepEqual(network.unreachable(), [])
  })

  test('G2: behind address translation the device has the node’s own address', async () => {
    const flags = ['-iface', 'eth0', '-public-ip', '203.0.113.1']
    await using network = await startNetwork({ store, config: vxlan, nodes: 1, flags })
    const [one] = network.nodes
    assert.match(one!.ip('-d link show flannel.1'), /local 192\.168\.77\.1 /)
    assert.match(Object.values(await network.leases())[0]!, /^{"PublicIP":"203\.0\.113\.1"/)
  })
})
