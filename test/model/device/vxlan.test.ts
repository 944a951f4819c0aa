/** VXLAN's traps, in the rig of the recorded walks. test/linux/model/vxlan.test.ts holds random cases beside Linux. */
import assert from 'node:assert/strict'
import { beforeEach, describe, test } from 'vitest'
import { runLine } from '../../../src/command/run.ts'
import { Hook, Verdict } from '../../../src/model/netfilter/hooks.ts'
import type { Packet } from '../../../src/model/packet.ts'
import { fromHex, toHex } from '../../../src/trace/hex.ts'
import { encodeIpv4, IpProtocol } from '../../../src/wire/ipv4.ts'
import { encodeUdp } from '../../../src/wire/udp.ts'
import { encodeVxlan } from '../../../src/wire/vxlan.ts'
import { twoNodes } from '../two-nodes.ts'
import type { World } from '../world.ts'

/** test/golden S02's frame: p1 → p3. */
const frame = '020b0000010002000af40002080045 00001d00020000401163e30af400020af401020fa00fa1000988af41'.replace(' ', '')
const VTEP2 = '02:f1:00:00:02:01'

let world: World
/** The neighbours on the way know each other, as after a ping. */
beforeEach(async () => {
  world = twoNodes()
  assert.equal((await world.in('p1').ping('10.244.1.2')).outcome, 'reply')
  world.take()
  world.takeDrops()
})

const send = () => world.send('p1:eth0', frame)
const at = (tap: string) => world.takeSeen().filter((seen) => `${seen.at} ${seen.direction}` === tap)

describe('a frame', () => {
  test('is carried in UDP to port 8472, without DF, with a checksum', () => {
    send()
    const [seen] = at('n1:eth0 out')
    const { hex } = seen!
    assert.equal(hex.slice(0, 32), '02000000020102000000010108004500')
    assert.equal(hex.slice(32, 36), '004f', 'length of the outer packet')
    assert.equal(hex.slice(40, 48), '00004011', 'no DF, ttl 64, UDP')
    assert.equal(hex.slice(52, 68), 'c0a8380bc0a8380c')
    assert.equal(hex.slice(72, 80), '2118003b')
    assert.notEqual(hex.slice(80, 84), '0000')
    assert.equal(hex.slice(84, 100), '0800000000000100')
    assert.equal(hex.slice(100, 128), '02f10000020102f1000001010800')
  })

  test('has a source port of ip_local_port_range, the same for the same flow', () => {
    world.in('n1').sysctl.set('net/ipv4/ip_local_port_range', '50000 50010')
    send()
    send()
    const ports = at('n1:eth0 out').map(({ hex }) => Number.parseInt(hex.slice(68, 72), 16))
    assert.equal(ports.length, 2)
    assert.equal(ports[0], ports[1])
    assert.ok(ports[0]! >= 50000 && ports[0]! < 50010)
  })

  test('that is ARP is of one flow with all ARP', () => {
    for (const [from, target] of [
      ['02f100000101', '0af40002'],
      ['02f100000155', '0af40003'],
    ]) {
      world.send('n1:flannel.1', `02f100000201${from}08060001080006040001${from}0af40000000000000000${target}`)
    }
    const ports = at('n1:eth0 out').map(({ hex }) => hex.slice(68, 72))
    assert.equal(ports.length, 2)
    assert.equal(ports[0], ports[1])
  })

  test('whose IP header is cut off, is not carried', () => {
    world.send('n1:flannel.1', frame.slice(0, 2 * (14 + 19)).replace(/^.{24}/, '02f10000020102f100000101'))
    assert.deepEqual(world.takeDrops(), ['PKT_TOO_SMALL@vxlan_xmit_one at n1:flannel.1'])
  })

  // `bridge fdb replace 02:f1:00:00:02:01 dev flannel.1 dst 192.168.56.11` on n1: it goes round until its TTL is used up.
  test('for this very host comes in behind the going out', () => {
    world.in('n1').fdb.delete({ link: 'flannel.1', mac: VTEP2, owner: 'self' })
    world.in('n1').fdb.append({ link: 'flannel.1', mac: VTEP2, owner: 'self', destination: '192.168.56.11' })
    send()
    const taps = world.takeTaps().filter((tap) => tap.startsWith('n1:flannel.1'))
    assert.equal(taps.length, 2 * 63)
    assert.ok(taps.every((tap, i) => tap === `n1:flannel.1 ${i % 2 === 0 ? 'out' : 'in'}`))
  })

  test('of this host for this very host is discarded: it has the route that it left by', async () => {
    const { fdb } = world.in('n1')
    fdb.delete({ link: 'flannel.1', mac: VTEP2, owner: 'self' })
    fdb.append({ link: 'flannel.1', mac: VTEP2, owner: 'self', destination: '192.168.56.11' })
    world.in('n1').sockets.bindUdp({}, {}).send({ address: '10.244.1.2', port: 4001 }, new Uint8Array(1))
    assert.deepEqual(world.takeTaps(), ['n1:flannel.1 out', 'n1:flannel.1 in'])
    assert.deepEqual(world.takeDrops(), ['NOT_SPECIFIED@dst_discard at n1:flannel.1 OVL_OUTPUT_ROUTE'])
  })

  test('that a rule refuses behind its encapsulation dies once', async () => {
    assert.equal(
      (await runLine('iptables -P OUTPUT DROP', { kernel: world.in('n1'), now: () => 0, sleep: async () => {} }))
        .status,
      0,
    )
    send()
    assert.deepEqual(world.takeDrops(), ['NETFILTER_DROP@nft_do_chain at n1:flannel.1'])
  })

  test('whose destination no entry names, is dropped', () => {
    world.in('n1').fdb.delete({ link: 'flannel.1', mac: VTEP2, owner: 'self' })
    send()
    assert.deepEqual(world.takeDrops(), ['NO_TX_TARGET@vxlan_xmit at n1:flannel.1'])
  })

  test('takes the way that the routes name now, not that of the frame before', () => {
    const { routes } = world.in('n1')
    send()
    world.takeDrops()
    routes.add({ type: 'blackhole', destination: '192.168.56.12/32' })
    send()
    assert.equal(at('n1:eth0 out').length, 1)
    assert.deepEqual(world.takeDrops(), ['IP_OUTNOROUTES@vxlan_xmit_one at n1:flannel.1'])
    routes.delete({ type: 'blackhole', destination: '192.168.56.12/32' })
    send()
    assert.equal(at('n1:eth0 out').length, 1)
  })

  test('leaves by the device that its entry names, wherever else a route leads', () => {
    const { fdb, links, routes, neighbours } = world.in('n1')
    const entry = { link: 'flannel.1', mac: VTEP2, owner: 'self', destination: '192.168.56.12', via: 'eth9' } as const
    links.add({ kind: 'veth', name: 'eth9', up: true, peer: { name: 'far' } })
    links.set('far', { up: true })
    routes.add({ destination: '192.168.0.0/16', link: 'eth9' })
    neighbours.add({ link: 'eth9', address: '192.168.56.12', mac: '02:00:00:00:09:09' })
    fdb.replace(entry)
    assert.deepEqual(
      fdb.list({ link: 'flannel.1' }).map(({ via }) => via),
      ['eth9'],
    )
    world.take()
    send()
    assert.equal(at('n1:eth0 out').length, 0)
    links.delete('eth9')
    world.takeDrops()
    send()
    assert.equal(at('n1:eth0 out').length, 0)
    assert.equal(world.takeDrops().length, 1)
  })

  test('goes to every destination of its entry, to the first one last', () => {
    const { fdb } = world.in('n1')
    world.in('n1').neighbours.add({ link: 'eth0', address: '192.168.56.13', mac: '02:00:00:00:03:01' })
    for (const destination of ['192.168.56.12', '192.168.56.13']) {
      fdb.append({ link: 'flannel.1', mac: '00:00:00:00:00:00', owner: 'self', destination })
    }
    fdb.delete({ link: 'flannel.1', mac: VTEP2, owner: 'self' })
    send()
    assert.deepEqual(
      at('n1:eth0 out').map(({ hex }) => hex.slice(60, 68)),
      ['c0a8380d', 'c0a8380c'],
    )
  })

  test('keeps its mark, as its new packet passes the hooks of the host', () => {
    const { namespace } = world.in('n1')
    const marks: number[] = []
    const mark = (packet: Packet) => {
      packet.mark = 0x4000
      return Verdict.accept
    }
    const see = (packet: Packet) => {
      marks.push(packet.mark)
      return Verdict.accept
    }
    namespace.hooks.ip.register(Hook.forward, { priority: 0, name: 'mark', call: mark })
    namespace.hooks.ip.register(Hook.postrouting, { priority: 0, name: 'see', call: see })
    send()
    // The frame's packet on flannel.1, then the outer one on eth0.
    assert.deepEqual(marks.slice(0, 2), [0x4000, 0x4000])
  })

  test('too long for the underlay goes in fragments', () => {
    world.in('n1').routes.add({ destination: '192.168.56.12/32', link: 'eth0', metrics: { mtu: 1400 } })
    const data = 1450 - 28
    const header = `4500${(1450).toString(16).padStart(4, '0')}000200004011`
    const long = `020b0000010002000af400020800${header}5e560af400020af401020fa00fa1${(data + 8).toString(16).padStart(4, '0')}0000${'00'.repeat(data)}`
    world.send('p1:eth0', long)
    const seen = world.takeSeen()
    const lengths = (tap: string) =>
      seen.filter((each) => `${each.at} ${each.direction}` === tap).map(({ hex }) => hex.length / 2)
    assert.deepEqual(lengths('n1:eth0 out'), [1410, 138])
    assert.deepEqual(lengths('n2:flannel.1 in'), [1464])
  })
})

describe('a packet that comes in', () => {
  test('with a VNI that nobody has, is dropped', () => {
    world.in('n1').links.delete('flannel.1')
    world.in('n1').links.add({
      kind: 'vxlan',
      name: 'flannel.1',
      vxlan: { vni: 2, local: '192.168.56.11', port: 8472, learning: false },
      up: true,
    })
    world.send('n2:flannel.1', '02f10000010102f10000020109000000')
    assert.deepEqual(world.takeDrops(), ['VXLAN_VNI_NOT_FOUND@vxlan_rcv at n1:eth0'])
  })

  test("with the device's own MAC as its source, is dropped", () => {
    world.send('n2:flannel.1', '02f10000010102f10000010109000000')
    assert.deepEqual(world.takeDrops(), ['LOCAL_MAC@vxlan_rcv at n1:eth0'])
  })

  test('whose IP header is cut off, is dropped before the device sees it', () => {
    const ends = { source: '192.168.56.12', destination: '192.168.56.11' }
    const inner = fromHex('02f10000010102f1000002010800450000130000000040110000c0a8380c0a0000')
    const carried = { sourcePort: 50000, destinationPort: 8472, payload: encodeVxlan({ vni: 1, frame: inner }) }
    const outer = { tos: 0, identification: 1, dontFragment: false, moreFragments: false, fragmentOffset: 0, ttl: 64 }
    const payload = encodeUdp(carried, ends)
    const packet = encodeIpv4({ ...outer, ...ends, protocol: IpProtocol.udp, options: [], payload })
    world.send('n2:eth0', `0200000001010200000002010800${toHex(packet)}`)
    assert.ok(!world.takeTaps().includes('n1:flannel.1 in'))
    assert.deepEqual(world.takeDrops(), ['PKT_TOO_SMALL@vxlan_rcv at n1:eth0'])
  })

  test('for a device that is gone, is dropped, whatever came for it before', () => {
    send()
    world.takeDrops()
    const { links } = world.in('n2')
    links.add({ kind: 'vxlan', name: 'vx2', vxlan: { vni: 2, local: '192.168.56.12', port: 8472 }, up: true })
    links.delete('flannel.1')
    send()
    assert.deepEqual(world.takeDrops(), ['VXLAN_VNI_NOT_FOUND@vxlan_rcv at n2:eth0'])
  })

  test('is taken from any host', () => {
    world.in('n2').addresses.add({ link: 'eth0', prefix: '192.168.56.99/24' })
    world.in('n2').links.delete('flannel.1')
    world.in('n2').links.add({
      kind: 'vxlan',
      name: 'flannel.1',
      vxlan: { vni: 1, local: '192.168.56.99', remote: '192.168.56.11', port: 8472 },
      up: true,
    })
    world.send('n2:flannel.1', '02f10000010102f10000020109000000')
    assert.deepEqual(world.takeDrops(), ['UNHANDLED_PROTO@__netif_receive_skb_core at n1:flannel.1'])
  })

  test('while the device is down, finds the port closed, of which the node hears', () => {
    world.in('n2').links.set('flannel.1', { up: false })
    send()
    const drops = world.takeDrops()
    assert.ok(drops.includes('NO_SOCKET@__udp4_lib_rcv at n2:eth0'), `${drops}`)
    assert.deepEqual(
      at('n1:eth0 in').map(({ hex }) => hex.slice(68, 72)),
      ['0303'],
    )
  })

  test('for a MAC that is not the device’s, is for another host', () => {
    world.in('n1').neighbours.replace({ link: 'flannel.1', address: '10.244.1.0', mac: '02:f1:00:00:99:99' })
    world.in('n1').fdb.add({
      link: 'flannel.1',
      mac: '02:f1:00:00:99:99',
      owner: 'self',
      destination: '192.168.56.12',
    })
    send()
    assert.deepEqual(world.takeDrops(), ['OTHERHOST@ip_rcv_core at n2:flannel.1'])
  })
})

describe('the MTU', () => {
  const mtu = (name: string) => world.in('n1').links.get(name)!.mtu
  const add = (name: string, vni: number, mtuWanted?: number, device?: string) =>
    world.in('n1').links.add({
      kind: 'vxlan',
      name,
      vxlan: { vni, port: 4789, ...(device && { device }) },
      ...(mtuWanted && { mtu: mtuWanted }),
    })

  test('is at most 50 less than that of the device below', () => {
    assert.equal(mtu('flannel.1'), 1450)
    add('vx', 5, 1600, 'eth0')
    assert.equal(mtu('vx'), 1450)
    assert.throws(() => world.in('n1').links.set('vx', { mtu: 1500 }), { errno: 'EINVAL' })
    world.in('n1').links.set('vx', { mtu: 1400 })
    assert.equal(mtu('vx'), 1400)
  })

  test('is free where no device is named', () => {
    add('vx', 5)
    assert.equal(mtu('vx'), 1500)
    world.in('n1').links.set('vx', { mtu: 1600 })
    assert.equal(mtu('vx'), 1600)
  })
})

describe('learned entries', () => {
  const HOST = '02:f1:00:00:02:01'
  beforeEach(() => {
    world.in('n1').links.delete('flannel.1')
    world.in('n1').links.add({
      kind: 'vxlan',
      name: 'flannel.1',
      vxlan: { vni: 1, local: '192.168.56.11', port: 8472 },
      up: true,
    })
    world.send('n2:flannel.1', `02:f1:00:00:01:01${HOST}09000000`.replaceAll(':', ''))
  })
  const entry = () =>
    world
      .in('n1')
      .fdb.list({ link: 'flannel.1' })
      .find(({ mac }) => mac === HOST)

  test('name the host that the frame came from', () => {
    assert.deepEqual([entry()!.destination, entry()!.state], ['192.168.56.12', 'dynamic'])
  })

  test('go after 300 s', () => {
    world.advance(299_000)
    assert.ok(entry())
    world.advance(11_000)
    assert.equal(entry(), undefined)
  })

  test('go when the device goes down', () => {
    world.in('n1').links.set('flannel.1', { up: false })
    assert.equal(entry(), undefined)
  })
})

test('what is not modelled is refused by name', () => {
  const add = (vxlan: { remote?: string; device?: string }) => () =>
    world.in('n1').links.add({ kind: 'vxlan', name: 'vx', vxlan: { vni: 9, port: 4789, ...vxlan } })
  assert.throws(add({ remote: 'fd00::1' }), { errno: 'EOPNOTSUPP', explanation: 'not modelled: VXLAN over IPv6' })
  assert.throws(add({ remote: '239.1.1.1', device: 'eth0' }), {
    errno: 'EOPNOTSUPP',
    explanation: 'not modelled: VXLAN multicast',
  })
})
