/** Daemons that end and begin again: pods do not notice, and nothing in the kernel is changed that is right. */
import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { run } from '../../support/command.ts'
import { assertSilent, monitor } from './monitor.ts'
import { eventually, type StoreUnderTest, SWITCH, startNetwork, startStore } from './network.ts'

/** The nodes get none of the subnets that peers are put in by hand. */
const NETWORK = { Network: '10.5.0.0/16', SubnetMin: '10.5.16.0' }
const vxlan = { ...NETWORK, Backend: { Type: 'vxlan' } }
const hostGw = { ...NETWORK, Backend: { Type: 'host-gw' } }
const udp = { ...NETWORK, Backend: { Type: 'udp' } }

describe.each(['etcd', 'file'] as const)('leases in %s', (kind) => {
  let store: StoreUnderTest
  beforeAll(async () => {
    store = await startStore(kind)
  })
  afterAll(async () => {
    await store[Symbol.asyncDispose]()
    run('ip', 'netns', 'delete', SWITCH)
  })

  describe.each([
    { name: 'vxlan', config: vxlan },
    { name: 'host-gw', config: hostGw },
  ])('$name', ({ config }) => {
    test('B1: killed, away for a while, and begun again: no packet is lost, and subnet and MAC are the same', async () => {
      await using network = await startNetwork({ store, config, nodes: 2 })
      const [one, two] = network.nodes
      const before = [one!.entries(), one!.subnets, await network.leases()]
      const ping = two!.pingOn(one!)
      await one!.stop('SIGKILL')
      await setTimeout(3000)
      one!.start()
      await one!.ready()
      const { sent, lost } = await ping.stop()
      assert.ok(sent > 30)
      assert.equal(lost, 0)
      assert.deepEqual([one!.entries(), one!.subnets, await network.leases()], before)
    })

    test.each(['false', 'true'])('B2: a restart is silent; rules in nftables: %s', async (nftables) => {
      const rules = { EnableNFTables: nftables === 'true' }
      await using network = await startNetwork({
        store,
        config: { ...config, ...rules },
        nodes: 2,
        flags: ['-ip-masq'],
      })
      const [one] = network.nodes
      const running = await monitor(one!)
      assert.equal(await one!.stop(), 0)
      one!.start()
      await one!.ready()
      await assertSilent(running)
      assert.deepEqual(network.unreachable(), [])
    })
  })

  test('B3: the TUN of udp outlives the daemon that is killed, and its successor takes it up', async () => {
    await using network = await startNetwork({ store, config: udp, nodes: 2 })
    const [one] = network.nodes
    const running = await monitor(one!)
    await one!.stop('SIGKILL')
    assert.match(one!.ip('link show flannel0'), /mtu 1472/)
    assert.deepEqual(one!.entries(), ['route 10.5.0.0/16 dev flannel0'])
    one!.start()
    await one!.ready()
    assert.deepEqual(network.unreachable(), [])
    // The device loses its carrier with the process, and has it again.
    const lines = (await running.stop()).filter((line) => !/^\d+: flannel0: <.*> mtu 1472 /.test(line))
    assert.deepEqual(
      lines.filter((line) => /[Dd]eleted/.test(line)),
      [],
    )
  })

  test('B4: after a reboot the subnet and the MAC are the same', async () => {
    await using network = await startNetwork({ store, config: vxlan, nodes: 2 })
    const [one, two] = network.nodes
    const before = [one!.subnets, one!.mac(), two!.entries()]
    await one!.stop()
    one!.ip('link delete flannel.1')
    one!.start()
    await one!.ready()
    assert.deepEqual([one!.subnets, one!.mac(), two!.entries()], before)
    assert.deepEqual(network.unreachable(), [])
  })

  test('B4: after a reboot without subnet.env the subnet is the same', async () => {
    await using network = await startNetwork({ store, config: vxlan, nodes: 2 })
    const [one, two] = network.nodes
    const subnets = one!.subnets
    await one!.stop()
    one!.ip('link delete flannel.1')
    rmSync(one!.subnetPath)
    one!.start()
    await one!.ready()
    assert.deepEqual(one!.subnets, subnets)
    await eventually('the peer has the MAC', () => two!.entries().join().includes(one!.mac()))
    assert.equal(two!.entries().length, 3)
    assert.deepEqual(network.unreachable(), [])
  })

  test('B4: with another MAC: peers have it, and nothing of the old one', async () => {
    await using network = await startNetwork({ store, config: vxlan, nodes: 2 })
    const [one, two] = network.nodes
    await one!.stop()
    one!.ip('link set flannel.1 address 02:00:00:00:00:77')
    one!.start()
    await one!.ready()
    await eventually('the peer has the new MAC', () => two!.entries().join().includes('02:00:00:00:00:77'))
    assert.deepEqual(
      two!.entries(),
      [
        `route ${one!.gateway}/24 via ${one!.gateway} dev flannel.1 onlink`,
        `neigh ${one!.gateway} lladdr 02:00:00:00:00:77 PERMANENT`,
        'fdb 02:00:00:00:00:77 dst 192.168.77.1 self permanent',
      ].sort(),
    )
  })

  test('D4: what is left of a peer that went meanwhile goes; what is others’ stays', async () => {
    await using network = await startNetwork({ store, config: vxlan, nodes: 2 })
    const [one] = network.nodes
    const before = one!.entries()
    const data = '"BackendType":"vxlan","BackendData":{"VNI":1,"VtepMAC":"02:00:00:00:00:09"}'
    await network.put('10.5.9.0-24', `{"PublicIP":"192.168.77.9","PublicIPv6":null,${data}}`)
    await eventually('the peer is known', () => one!.entries().length === before.length + 3)
    await one!.stop()
    await network.delete('10.5.9.0-24')
    one!.ip('route add 10.99.0.0/24 via 192.168.77.100 proto boot')
    one!.start()
    await one!.ready()
    assert.deepEqual(one!.entries(), [...before, 'route 10.99.0.0/24 via 192.168.77.100 dev eth0'].sort())
  })

  test('--cleanup: nothing of it is left, and what is others’ is', async () => {
    const links = (words: string[]) => words.map((line) => line.replace(/^\d+: ([^:@]+).*/, '$1'))
    for (const config of [vxlan, hostGw, udp, { ...vxlan, EnableNFTables: true }]) {
      await using network = await startNetwork({ store, config, nodes: 2, flags: ['--ip-masq'] })
      const [one] = network.nodes
      await one!.stop()
      one!.ip('route add 10.99.0.0/24 via 192.168.77.100 proto boot')
      one!.start(['--cleanup'])
      assert.equal(await one!.ended(), 0, one!.log)
      assert.deepEqual(one!.entries(), ['route 10.99.0.0/24 via 192.168.77.100 dev eth0'])
      assert.deepEqual(
        links(one!.lines('ip -o link show')).filter((name) => name.startsWith('flannel')),
        [],
      )
      assert.doesNotMatch(one!.run('nft', 'list', 'ruleset'), /flannel/i)
      assert.equal(one!.variable('FLANNEL_SUBNET'), undefined)
    }
  })
})
