/**
 * Where segments and datagrams that nobody can use end, and why. Witness: skb:kfree_skb of Linux 6.18, of the thread that put
 * the same before its sockets.
 */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import type { TcpConnection } from '../../../src/kernel/socket.ts'
import { IpProtocol } from '../../../src/wire/ipv4.ts'
import { encodeTcp } from '../../../src/wire/tcp.ts'
import { fromHex } from '../world.ts'
import { HOST, PEER, Peer, type Said } from './peer.ts'

const MSS = '020405b4'

const SYN = {
  sequence: 1,
  acknowledgment: 0,
  flags: 2,
  window: 1000,
  urgentPointer: 0,
  options: [],
  payload: new Uint8Array(),
}

/** A row: what was said, and the drop that it led to; none where it was taken. */
interface Row {
  readonly title: string
  /** Sequence number and acknowledgement are counted from the first byte. */
  readonly said: Said
  readonly drop?: string
}

function follows(peer: Peer, rows: readonly Row[], theirs: number, ours: number): void {
  for (const { title, said, drop } of rows) {
    peer.say({ ...said, sequence: theirs + said.sequence, ack: said.ack === undefined ? 0 : ours + said.ack })
    assert.deepEqual(peer.drops(), drop ? [drop] : [], title)
  }
}

test('segments to a listener', () => {
  const peer = new Peer(2990, 8080)
  peer.host.sockets.listenTcp({ address: HOST, port: 8080 }, () => ({}))
  const rows: readonly Row[] = [
    { title: 'ACK', said: { flags: 'A', sequence: 0, ack: 5 }, drop: 'TCP_FLAGS@tcp_v4_do_rcv' },
    { title: 'RST', said: { flags: 'R', sequence: 0 }, drop: 'TCP_RESET@tcp_rcv_state_process' },
    { title: 'FIN', said: { flags: 'F', sequence: 0 }, drop: 'TCP_FLAGS@tcp_rcv_state_process' },
    { title: 'SYN and FIN', said: { flags: 'SF', sequence: 0 }, drop: 'TCP_FLAGS@tcp_rcv_state_process' },
  ]
  follows(peer, rows, 100, 0)
})

test('segments to a request', () => {
  const peer = new Peer(3001, 8080)
  peer.host.sockets.listenTcp({ address: HOST, port: 8080 }, () => ({}))
  const rows: readonly Row[] = [
    { title: 'wrong ACK', said: { flags: 'A', sequence: 0, ack: 6 }, drop: 'TCP_FLAGS@tcp_v4_do_rcv' },
    { title: 'old', said: { flags: 'A', sequence: -101, ack: 0 }, drop: 'TCP_OVERWINDOW@tcp_v4_rcv' },
    { title: 'no ACK', said: { flags: 'P', sequence: 0, data: 'x' }, drop: 'NOT_SPECIFIED@tcp_v4_rcv' },
    { title: 'SYN again', said: { flags: 'S', sequence: -1, options: MSS }, drop: 'NOT_SPECIFIED@tcp_v4_rcv' },
    { title: 'SYN in the window', said: { flags: 'S', sequence: 4 }, drop: 'NOT_SPECIFIED@tcp_v4_rcv' },
  ]
  peer.say({ flags: 'S', sequence: 1000, options: MSS })
  follows(peer, rows, 1001, peer.hear()[0]!.sequence + 1)
})

test('segments to a connection', () => {
  const peer = new Peer(3000, 8080)
  let connection: TcpConnection | undefined
  peer.host.sockets.listenTcp({ address: HOST, port: 8080 }, (accepted) => {
    connection = accepted
    return {}
  })
  peer.say({ flags: 'S', sequence: 1000, options: MSS })
  const ours = peer.hear()[0]!.sequence + 1
  const established: readonly Row[] = [
    { title: 'the last of the handshake', said: { flags: 'A', sequence: 0, ack: 0, window: 64_240 } },
    { title: 'data', said: { flags: 'PA', sequence: 0, ack: 0, data: 'hello' } },
    {
      title: 'old data',
      said: { flags: 'PA', sequence: 0, ack: 0, data: 'hello' },
      drop: 'TCP_OLD_DATA@tcp_rcv_established',
    },
    {
      title: 'older',
      said: { flags: 'PA', sequence: -101, ack: 0, data: 'old' },
      drop: 'TCP_OLD_SEQUENCE@tcp_validate_incoming',
    },
    {
      title: 'far',
      said: { flags: 'PA', sequence: 400_000, ack: 0, data: 'far' },
      drop: 'TCP_INVALID_SEQUENCE@tcp_validate_incoming',
    },
    { title: 'SYN', said: { flags: 'S', sequence: 5 }, drop: 'TCP_INVALID_SYN@tcp_validate_incoming' },
    { title: 'an old SYN', said: { flags: 'S', sequence: -101 }, drop: 'TCP_INVALID_SYN@tcp_validate_incoming' },
    { title: 'RST off by one', said: { flags: 'R', sequence: 6 }, drop: 'TCP_RESET@tcp_validate_incoming' },
    {
      title: 'ACK of what was not sent',
      said: { flags: 'A', sequence: 5, ack: 50 },
      drop: 'TCP_ACK_UNSENT_DATA@tcp_v4_do_rcv',
    },
    { title: 'no ACK', said: { flags: '', sequence: 5, data: 'x' }, drop: 'TCP_FLAGS@tcp_v4_do_rcv' },
    {
      title: 'a very old ACK',
      said: { flags: 'A', sequence: 5, ack: -100_001 },
      drop: 'TCP_TOO_OLD_ACK@tcp_v4_do_rcv',
    },
    { title: 'an old ACK', said: { flags: 'A', sequence: 5, ack: -1 }, drop: 'TCP_TOO_OLD_ACK@tcp_v4_do_rcv' },
    { title: 'the same ACK', said: { flags: 'A', sequence: 5, ack: 0 } },
    { title: 'out of order', said: { flags: 'A', sequence: 14, ack: 0, data: 'abc' } },
    {
      title: 'the same again',
      said: { flags: 'A', sequence: 14, ack: 0, data: 'abc' },
      drop: 'TCP_OFOMERGE@tcp_data_queue',
    },
  ]
  follows(peer, established, 1001, ours)
  connection!.end()
  const closing: readonly Row[] = [
    {
      title: 'ACK of what was not sent',
      said: { flags: 'A', sequence: 5, ack: 50 },
      drop: 'TCP_ACK_UNSENT_DATA@tcp_rcv_state_process',
    },
    { title: 'no ACK', said: { flags: '', sequence: 5, data: 'x' }, drop: 'TCP_FLAGS@tcp_rcv_state_process' },
    { title: 'data', said: { flags: 'A', sequence: 5, ack: 0, data: 'x' } },
    {
      title: 'old data',
      said: { flags: 'A', sequence: 5, ack: 0, data: 'x' },
      drop: 'TCP_OLD_DATA@tcp_rcv_state_process',
    },
    { title: 'FIN', said: { flags: 'FA', sequence: 6, ack: 1 } },
    { title: 'FIN again', said: { flags: 'FA', sequence: 6, ack: 1 }, drop: 'NOT_SPECIFIED@tcp_v4_rcv' },
    { title: 'ACK', said: { flags: 'A', sequence: 7, ack: 1 }, drop: 'NOT_SPECIFIED@tcp_v4_rcv' },
    { title: 'RST', said: { flags: 'R', sequence: 7, ack: 1 }, drop: 'NOT_SPECIFIED@tcp_v4_rcv' },
    { title: 'and it is gone', said: { flags: 'A', sequence: 7, ack: 1 }, drop: 'TCP_FLAGS@tcp_v4_do_rcv' },
  ]
  follows(peer, closing, 1001, ours)
})

test('segments behind a FIN', () => {
  const peer = new Peer(3000, 8080)
  peer.host.sockets.listenTcp({ address: HOST, port: 8080 }, () => ({}))
  peer.say({ flags: 'S', sequence: 1000, options: MSS })
  const ours = peer.hear()[0]!.sequence + 1
  const rows: readonly Row[] = [
    { title: 'FIN', said: { flags: 'FA', sequence: 0, ack: 0 } },
    { title: 'FIN again', said: { flags: 'FA', sequence: 0, ack: 0 }, drop: 'TCP_OLD_DATA@tcp_rcv_state_process' },
    {
      title: 'data',
      said: { flags: 'A', sequence: 1, ack: 0, data: 'abc' },
      drop: 'NOT_SPECIFIED@tcp_rcv_state_process',
    },
  ]
  follows(peer, rows, 1001, ours)
  // Two: data behind the FIN is not answered.
  assert.deepEqual(
    peer.hear().map(({ ack }) => ack),
    [1002, 1002],
  )
})

test('segments to a SYN', () => {
  const calls: string[] = []
  const peer = new Peer(7, 0)
  peer.host.sockets.connectTcp(
    { address: PEER, port: 7, sourcePort: 5000 },
    { closed: (_, errno) => calls.push(`closed ${errno}`) },
  )
  const ours = peer.hear()[0]!.sequence
  const to = new Peer(7, 5000, peer.world)
  const rows: readonly Row[] = [
    { title: 'wrong ACK', said: { flags: 'A', sequence: 0, ack: 5 }, drop: 'TCP_INVALID_ACK_SEQUENCE@tcp_v4_do_rcv' },
    { title: 'ACK alone', said: { flags: 'A', sequence: 0, ack: 1 }, drop: 'TCP_FLAGS@tcp_rcv_state_process' },
    { title: 'wrong RST', said: { flags: 'RA', sequence: 0, ack: 5 }, drop: 'TCP_INVALID_ACK_SEQUENCE@tcp_v4_do_rcv' },
    { title: 'RST alone', said: { flags: 'R', sequence: 0 }, drop: 'TCP_RESET@tcp_rcv_state_process' },
    { title: 'FIN alone', said: { flags: 'F', sequence: 0 }, drop: 'NOT_SPECIFIED@tcp_rcv_state_process' },
    { title: 'RST and ACK', said: { flags: 'RA', sequence: 0, ack: 1 } },
  ]
  follows(to, rows, 500, ours)
  assert.deepEqual(calls, ['closed ECONNREFUSED'])
})

for (const { title, protocol, hex, drop } of [
  {
    title: 'TCP with a wrong checksum',
    protocol: 6,
    hex: '03e81f90 000003e8 00000000 50020100 badb0000',
    drop: 'TCP_CSUM@tcp_v4_rcv',
  },
  { title: '12 bytes of TCP', protocol: 6, hex: '03e81f90 000003e8 00000000', drop: 'NOT_SPECIFIED@tcp_v4_rcv' },
  {
    title: 'a TCP header of 16 bytes',
    protocol: 6,
    hex: '03e81f90 000003e8 00000000 40020100 badb0000',
    drop: 'PKT_TOO_SMALL@tcp_v4_rcv',
  },
  {
    title: 'a TCP header of 24 bytes in 20',
    protocol: 6,
    hex: '03e81f90 000003e8 00000000 60020100 badb0000',
    drop: 'NOT_SPECIFIED@tcp_v4_rcv',
  },
  { title: 'UDP with a wrong checksum', protocol: 17, hex: '00010063 00091234 78', drop: 'UDP_CSUM@__udp4_lib_rcv' },
  {
    title: 'UDP with a wrong checksum to a socket',
    protocol: 17,
    hex: '00011388 00091234 78',
    drop: 'UDP_CSUM@__udp4_lib_rcv',
  },
  { title: 'a UDP length of 7', protocol: 17, hex: '00011388 00070000 78', drop: 'PKT_TOO_SMALL@__udp4_lib_rcv' },
  {
    title: 'a UDP length of 20 in 9 bytes',
    protocol: 17,
    hex: '00011388 00140000 78',
    drop: 'PKT_TOO_SMALL@__udp4_lib_rcv',
  },
  { title: '6 bytes of UDP', protocol: 17, hex: '00011388 0009', drop: 'NOT_SPECIFIED@__udp4_lib_rcv' },
  { title: 'UDP to nobody', protocol: 17, hex: '00010063 00090000 78', drop: 'NO_SOCKET@__udp4_lib_rcv' },
  {
    title: 'an echo reply that nobody waits for',
    protocol: IpProtocol.icmp,
    hex: '0000fffd 00010001',
    drop: 'NO_SOCKET@ping_rcv',
  },
]) {
  test(`${title}: ${drop}`, () => {
    const peer = new Peer(1, 1)
    const heard: unknown[] = []
    peer.host.sockets.bindUdp({ port: 5000 }, { datagram: (from) => heard.push(from) })
    peer.frame(protocol, fromHex(hex))
    assert.deepEqual(peer.drops(), [drop])
    assert.deepEqual(heard, [])
  })
}

test('what meets nobody is not answered where it was sent to many, nor where no way leads back', () => {
  const peer = new Peer(3000, 8080)
  const many = '10.9.0.255'
  peer.frame(IpProtocol.udp, fromHex('0001 1388 0009 0000 78'), { destination: many })
  assert.deepEqual(peer.drops(), ['NOT_SPECIFIED@__udp4_lib_rcv'])
  const rows = [
    { source: PEER, destination: many },
    { source: '172.31.0.1', destination: HOST },
  ]
  for (const addresses of rows) {
    const segment = encodeTcp({ ...SYN, sourcePort: 3000, destinationPort: 8080 }, addresses)
    peer.frame(IpProtocol.tcp, segment, addresses)
    assert.deepEqual(peer.drops(), ['NO_SOCKET@tcp_v4_rcv'])
  }
  assert.deepEqual(
    peer.world.take().filter((row) => row.includes(' out ') && row.startsWith('host')),
    [],
  )
})
