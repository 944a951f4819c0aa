/** UDP endpoints, tunnels' sockets, and what their packets look like. Witness: Linux 6.18 and RFC 768. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { isErrno } from '../../../src/kernel/errors.ts'
import type { UdpError } from '../../../src/kernel/socket.ts'
import { fold, setU16, sumOf, u16 } from '../../../src/model/bytes.ts'
import type { Packet } from '../../../src/model/packet.ts'
import { decodeIpv4, hasRightChecksum, IpProtocol } from '../../../src/wire/ipv4.ts'
import { fromHex, World } from '../world.ts'
import { Peer } from './peer.ts'

const A = '10.9.0.1'
const B = '10.9.0.2'

/** Two hosts on a link of 1500 bytes. */
function hosts(seed = 1) {
  const world = new World(seed)
  world.pair('a:e0', '02:00:00:00:00:0a', 'b:e0', '02:00:00:00:00:0b')
  const [a, b] = [world.in('a'), world.in('b')]
  a.addresses.add({ link: 'e0', prefix: `${A}/24` })
  b.addresses.add({ link: 'e0', prefix: `${B}/24` })
  /** IPv4 packets that `a` sent. */
  const sent = () =>
    world.seen
      .splice(0)
      .filter(({ at, direction, hex }) => at === 'a:e0' && direction === 'out' && hex.slice(24, 28) === '0800')
      .map(({ hex }) => fromHex(hex).subarray(14))
  return { world, a, b, sent }
}

// python: u.sendto(bytes(n), …) for n in 1, 1472, 1473, seen by AF_PACKET: "id 7f4e fr 4000", "id 7f50 fr 4000", "id 7f51 fr
// 2000", "id 7f51 fr 00b9".
test('what fits has DF and a number all the same; what does not is cut up here', () => {
  const { a, b, sent } = hosts()
  const sizes: number[] = []
  b.sockets.bindUdp({ port: 9 }, { datagram: (_, bytes) => sizes.push(bytes.length) })
  const socket = a.sockets.bindUdp({ address: A, port: 5000 }, {})
  for (const size of [1, 1472, 1473]) socket.send({ address: B, port: 9 }, new Uint8Array(size))
  const packets = sent().map((packet) => {
    assert.ok(hasRightChecksum(packet))
    const { identification, dontFragment, moreFragments, fragmentOffset, payload, ttl, tos } = decodeIpv4(packet)
    assert.deepEqual({ ttl, tos }, { ttl: 64, tos: 0 })
    const number = identification === 0 ? 'id 0' : 'id'
    return `${number}${dontFragment ? ' DF' : ''}${moreFragments ? ' MF' : ''} at ${fragmentOffset} ${payload.length}`
  })
  assert.deepEqual(packets, ['id DF at 0 9', 'id DF at 0 1480', 'id MF at 0 1480', 'id at 1480 1'])
  assert.deepEqual(sizes, [1, 1472, 1473])
})

test('a checksum that comes out as 0 is sent as all ones: RFC 768', () => {
  const { a, sent } = hosts()
  const socket = a.sockets.bindUdp({ address: A, port: 5000 }, {})
  // What is missing to 0xffff: the sum of everything else, its complement as data.
  socket.send({ address: B, port: 9 }, Uint8Array.of(0, 0))
  const other = u16(decodeIpv4(sent()[0]!).payload, 6)
  socket.send({ address: B, port: 9 }, Uint8Array.of(other >> 8, other))
  assert.equal(u16(decodeIpv4(sent()[0]!).payload, 6), 0xffff)
})

test('a datagram without a checksum is taken; what follows its length is not data', () => {
  const peer = new Peer(1, 1)
  const heard: string[] = []
  peer.host.sockets.bindUdp({ port: 5000 }, { datagram: (from, bytes) => heard.push(`${from.port} ${bytes}`) })
  peer.frame(IpProtocol.udp, fromHex('0001 1388 000a 0000 7879 0000'))
  assert.deepEqual(heard, ['1 120,121'])
})

test('a datagram for many is heard by every socket that is bound to no address', () => {
  const { world, a, b } = hosts()
  const heard: string[] = []
  const bind = (name: string, at: { address?: string; port: number }) =>
    b.sockets.bindUdp(at, { datagram: () => heard.push(name) })
  bind('any', { port: 9 })
  bind('other port', { port: 10 })
  const frame = '45000021 00004000 40110000 0a090001 0a0900ff 00070009 000d0000 68656c6c6f'
  const bytes = fromHex(frame)
  let sum = 0
  for (let i = 0; i < 20; i += 2) sum += u16(bytes, i)
  sum = ~((sum & 0xffff) + (sum >> 16)) & 0xffff
  bytes[10] = sum >> 8
  bytes[11] = sum
  a.packets.send('e0', Uint8Array.of(...fromHex('ffffffffffff 02000000000a 0800'), ...bytes))
  assert.deepEqual(heard, ['any'])
  assert.deepEqual(world.takeDrops(), [])
})

test('an address that is bound goes before none', () => {
  const { a, b } = hosts()
  b.addresses.add({ link: 'e0', prefix: '10.9.0.3/24' })
  const heard: string[] = []
  b.sockets.bindUdp({ address: B, port: 9 }, { datagram: () => heard.push(B) })
  b.sockets.bindUdp({ address: '10.9.0.3', port: 9 }, { datagram: () => heard.push('10.9.0.3') })
  const socket = a.sockets.bindUdp({}, {})
  for (const address of ['10.9.0.3', B]) socket.send({ address, port: 9 }, new Uint8Array(1))
  assert.deepEqual(heard, ['10.9.0.3', B])
})

test('a socket that is closed hears nothing more, the next of its port does', () => {
  const { a, b } = hosts()
  const heard: string[] = []
  const bind = (name: string) => b.sockets.bindUdp({ port: 9 }, { datagram: () => heard.push(name) })
  const socket = a.sockets.bindUdp({}, {})
  const send = () => socket.send({ address: B, port: 9 }, new Uint8Array(1))
  const first = bind('first')
  send()
  first.close()
  send()
  assert.deepEqual(heard, ['first'])
  bind('second')
  send()
  assert.deepEqual(heard, ['first', 'second'])
})

test('the seed decides ports', () => {
  const ports = (seed: number) => Array.from({ length: 3 }, () => hosts(seed).a.sockets.bindUdp({}, {}).local.port)
  assert.deepEqual(ports(5), ports(5))
  assert.equal(new Set(ports(5)).size, 1)
  assert.notDeepEqual(ports(5), ports(6))
})

// "connect() prefers even ports", inet_hash_connect; bind(2) of TCP odd ones.
test('connections get even ports, listeners odd ones', () => {
  const { a, b } = hosts()
  b.sockets.listenTcp({ port: 80 }, () => ({}))
  for (let i = 0; i < 5; i++) {
    assert.equal(a.sockets.connectTcp({ address: B, port: 80 }, {}).local.port % 2, 0)
    assert.equal(a.sockets.listenTcp({ port: 0 }, () => ({})).local.port % 2, 1)
  }
  a.sysctl.set('net/ipv4/ip_local_port_range', '40001 40004')
  const ports = Array.from({ length: 4 }, () => a.sockets.connectTcp({ address: B, port: 80 }, {}).local.port)
  assert.deepEqual([...ports.slice(0, 2).sort(), ...ports.slice(2).sort()], [40_002, 40_004, 40_001, 40_003])
  assert.throws(
    () => a.sockets.connectTcp({ address: B, port: 80 }, {}),
    (error) => isErrno(error, 'EADDRNOTAVAIL'),
  )
})

test('a tunnel takes whole packets of its port, and the port for itself', () => {
  const { a, b } = hosts()
  const heard: string[] = []
  const tunnel = b.namespace.sockets.bindEncapsulation(8472, (packet: Packet) => {
    heard.push(`${u16(packet.bytes, packet.transport + 2)} ${packet.end - packet.transport}`)
  })
  assert.throws(
    () => b.sockets.bindUdp({ port: 8472 }, {}),
    (error) => isErrno(error, 'EADDRINUSE'),
  )
  const errors: UdpError[] = []
  const socket = a.sockets.bindUdp({}, { error: (error) => errors.push(error) })
  socket.send({ address: B, port: 8472 }, new Uint8Array(50))
  assert.deepEqual(heard, ['8472 58'])
  tunnel.close()
  socket.send({ address: B, port: 8472 }, new Uint8Array(50))
  assert.deepEqual(
    errors.map(({ errno }) => errno),
    ['ECONNREFUSED'],
  )
})

// facts/model.md 2.3: "PMTU is learned by a host only if the quoted packet matches a live socket".
test('a path MTU is learned where a socket of ours is quoted, and a tunnel by the port that it sends to', () => {
  const peer = new Peer(1, 1)
  const learned = () => {
    const sizes: number[] = []
    const socket = peer.host.sockets.bindUdp({}, {})
    peer.world.take()
    socket.send({ address: '10.9.0.66', port: 9 }, new Uint8Array(1400))
    for (const { hex, at, direction } of peer.world.seen.splice(0)) {
      if (at === 'host:e0' && direction === 'out') sizes.push(hex.length / 2)
    }
    socket.close()
    return sizes
  }
  /** 3/4 with an MTU of 1200, about a datagram from these ports to 10.9.0.66. */
  const tooBig = (from: number, to: number) => {
    const ports = [from, to].map((port) => port.toString(16).padStart(4, '0')).join('')
    const quoted = `45000594 00004000 4011200b 0a090002 0a090042 ${ports} 05800000`
    const message = fromHex(`0304 0000 0000 04b0 ${quoted}`)
    let sum = 0
    for (let i = 0; i < message.length; i += 2) sum += u16(message, i)
    sum = ~((sum & 0xffff) + (sum >> 16)) & 0xffff
    message[2] = sum >> 8
    message[3] = sum
    peer.frame(IpProtocol.icmp, message)
  }
  tooBig(7000, 8472)
  assert.deepEqual(learned(), [1442])
  peer.host.namespace.sockets.bindEncapsulation(8472, () => {})
  tooBig(7000, 8472)
  assert.deepEqual(learned(), [1210, 266])
})

// udp to 198.51.100.1 with 2000 bytes, behind a router without a route: its 3/0 comes between the fragments. With a router's MTU of
// 1000 the first fragment dies in the veth (NOT_SPECIFIED@__dev_forward_skb2, NOT_SPECIFIED@ip_do_fragment), the second is not sent.
test('of fragments, one comes to its end before the next sets out; behind one that the link refuses there is none', () => {
  const { world, a, b } = hosts()
  a.routes.add({ destination: '0.0.0.0/0', gateway: B })
  b.sysctl.set('net/ipv4/ip_forward', '1')
  const socket = a.sockets.bindUdp({ address: A, port: 5000 }, {})
  const send = () => socket.send({ address: '198.51.100.1', port: 9 }, new Uint8Array(2000))
  send() // neighbours are found
  world.take()
  world.takeDrops()
  send()
  assert.deepEqual(
    world.takeTaps().filter((tap) => tap.startsWith('a:')),
    ['a:e0 out', 'a:e0 in', 'a:e0 out'],
  )
  world.takeDrops()
  b.links.set('e0', { mtu: 1000 })
  send()
  assert.deepEqual(world.takeTaps(), ['a:e0 out'])
  assert.deepEqual(world.takeDrops(), [
    'NOT_SPECIFIED@__dev_forward_skb2 at a:e0 OVL_VETH_MTU',
    'NOT_SPECIFIED@ip_do_fragment at a:e0 OVL_FRAGMENT_REFUSED',
  ])
})

test('a tunnel hears what is sent to all', () => {
  const { world, b } = hosts()
  const heard: Packet[] = []
  b.namespace.sockets.bindEncapsulation(4789, (packet) => heard.push(packet), 'ipv4')
  world.send(
    'a:e0',
    'ffffffffffff02000000000a0800 4500001d00004000401125bf0a0900010a0900ff 000712b500090000 41'.replaceAll(' ', ''),
  )
  assert.equal(heard.length, 1)
})

test('under ip_no_pmtu_disc a socket sends without DF, one that was there before as it did', () => {
  const { a, sent } = hosts()
  const before = a.sockets.bindUdp({ address: A, port: 5000 }, {})
  a.sysctl.set('net/ipv4/ip_no_pmtu_disc', '1')
  const after = a.sockets.bindUdp({ address: A, port: 5001 }, {})
  for (const socket of [before, after]) socket.send({ address: B, port: 9 }, new Uint8Array(1))
  assert.deepEqual(
    sent().map((packet) => decodeIpv4(packet).dontFragment),
    [true, false],
  )
})

// Who listens at the port that the quoted datagram went to is not who sent it.
test('an error is no concern of whoever listens at the same port as the other end', () => {
  const peer = new Peer(1, 1)
  peer.host.sockets.bindUdp({ port: 4001 }, {})
  const quoted = '4500001d 00010000 4011 0000 0a090002 0a090042 0fa0 0fa1 0009 0000'
  peer.frame(IpProtocol.icmp, icmpOf(`0304 0000 00000044 ${quoted}`))
  assert.equal(peer.host.routes.lookup('10.9.0.66')!.metrics?.mtu, undefined)
  peer.frame(IpProtocol.icmp, icmpOf(`0304 0000 00000400 ${quoted.replace('0fa0 0fa1', '0fa1 0fa0')}`))
  assert.equal(peer.host.routes.lookup('10.9.0.66')!.metrics?.mtu, 1024)
})

/** The message with its checksum. */
function icmpOf(hex: string): Uint8Array {
  const bytes = fromHex(hex)
  setU16(bytes, 2, ~fold(sumOf(bytes, 0, bytes.length)) & 0xffff)
  return bytes
}

test('nobody’s address is this very host: TCP, UDP and echo', async () => {
  const { a } = hosts()
  const heard: string[] = []
  a.sockets.bindUdp({ port: 7 }, { datagram: ({ address }) => heard.push(address) })
  a.sockets.bindUdp({}, {}).send({ address: '0.0.0.0', port: 7 }, Uint8Array.of(1))
  a.sockets.listenTcp({ port: 7 }, () => ({}))
  a.sockets.connectTcp({ address: '0.0.0.0', port: 7 }, { established: ({ remote }) => heard.push(remote.address) })
  a.model.advance(1000)
  assert.deepEqual(heard, ['127.0.0.1', '127.0.0.1'])
  const answer = await a.ping('0.0.0.0')
  assert.ok(answer.outcome === 'reply' && answer.from === '127.0.0.1')
})
