/**
 * What TCP answers to segments that are put before it one by one. The witness is Linux 6.18: a peer of AF_PACKET frames said
 * the same to a Python socket, and these are the kernel's answers (sequence numbers from its initial one on; window as in
 * the header).
 */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import type { TcpConnection, TcpEvents } from '../../../src/kernel/socket.ts'
import { type Heard, HOST, Peer, type Said } from './peer.ts'

const MSS = '020405b4'
const SACK = '0402'
const TIMESTAMPS = '080a0000000500000000'
const SCALE = '01030307'

/** A line of what was heard, sequence numbers counted from `iss`. */
function line(
  { flags, sequence, ack, window, length, identification, dontFragment, tos, ttl }: Heard,
  iss = 0,
): string {
  const numbers = `seq ${(sequence - iss) >>> 0} ack ${ack} win ${window} data ${length}`
  const ip = `${identification === 0 ? 'id 0' : 'id'}${dontFragment ? ' DF' : ''} tos ${tos} ttl ${ttl}`
  return `${flags} ${numbers}, ${ip}`
}

// In a namespace without sockets: python, `inject(1000, 99, …, tos=0xb8)`.
for (const { said, answer } of [
  { said: { flags: 'S', sequence: 100 }, answer: 'RA seq 0 ack 101' },
  { said: { flags: 'S', sequence: 100, data: 'abc' }, answer: 'RA seq 0 ack 104' },
  { said: { flags: 'A', sequence: 200, ack: 300 }, answer: 'R seq 300 ack 0' },
  { said: { flags: 'PA', sequence: 200, ack: 300, data: 'abc' }, answer: 'R seq 300 ack 0' },
  { said: { flags: 'F', sequence: 400 }, answer: 'RA seq 0 ack 401' },
  { said: { flags: 'FA', sequence: 400, ack: 500 }, answer: 'R seq 500 ack 0' },
  { said: { flags: 'R', sequence: 600 }, answer: undefined },
  { said: { flags: 'SA', sequence: 700, ack: 800 }, answer: 'R seq 800 ack 0' },
  { said: { flags: '', sequence: 900, data: 'xy' }, answer: 'RA seq 0 ack 902' },
  { said: { flags: 'SF', sequence: 100 }, answer: 'RA seq 0 ack 102' },
]) {
  test(`${said.flags || 'no flag'} with ${said.data ?? 'no data'} to a port where nobody listens: ${answer ?? 'no answer'}`, () => {
    const peer = new Peer(1000, 99)
    peer.say({ ...said, tos: 0xb8 })
    assert.deepEqual(
      peer.hear().map((heard) => line(heard)),
      answer ? [`${answer} win 0 data 0, id 0 DF tos 184 ttl 64`] : [],
    )
    assert.deepEqual(peer.drops(), ['NO_SOCKET@tcp_v4_rcv'])
  })
}

// `mss` 1460 in all; the kernel's timestamp is random.
for (const { offered, window, options } of [
  { offered: MSS + SACK + TIMESTAMPS + SCALE, window: 65160, options: '020405b40402080aTTTTTTTT000000050103030a' },
  { offered: MSS, window: 64240, options: '020405b4' },
  { offered: `${MSS + SACK}0101`, window: 64240, options: '020405b401010402' },
  { offered: MSS + SCALE, window: 64240, options: '020405b40103030a' },
  { offered: `${MSS}0101${TIMESTAMPS}`, window: 65160, options: '020405b40101080aTTTTTTTT00000005' },
  { offered: '', window: 64240, options: '020405b4' },
  { offered: `${MSS + SACK}0101${SCALE}`, window: 64240, options: '020405b4010104020103030a' },
]) {
  test(`a SYN with options ${offered || 'none'} is answered with ${options}`, () => {
    const peer = listening()
    peer.say({ flags: 'S', sequence: 1000, window: 64240, options: offered })
    const [answer, ...more] = peer.hear()
    assert.equal(more.length, 0)
    assert.equal(line(answer!, answer!.sequence), `SA seq 0 ack 1001 win ${window} data 0, id 0 DF tos 0 ttl 64`)
    const timestamp = options.indexOf('T')
    const { rawOptions } = answer!
    assert.equal(
      timestamp < 0 ? rawOptions : rawOptions.slice(0, timestamp) + 'T'.repeat(8) + rawOptions.slice(timestamp + 8),
      options,
    )
  })
}

test('a connection answers what is out of order, old, far, half open; TIME_WAIT answers, and gives way to a new one', () => {
  const peer = listening()
  const { connection, iss } = shake(peer)
  // Half a second and more between them, or the kernel would not answer all: tcp_invalid_ratelimit.
  const at = (milliseconds: number, said: Said) => {
    peer.world.advance(milliseconds)
    peer.say(said)
    return peer.hear().map((heard) => line(heard, iss))
  }
  const told = (said: Said) => at(600, said)
  const ack = (iss + 1) >>> 0
  assert.deepEqual(told({ flags: 'PA', sequence: 1001, ack, data: 'hello' }), [
    'A seq 1 ack 1006 win 64235 data 0, id DF tos 0 ttl 64',
  ])
  const same = ['A seq 1 ack 1006 win 64235 data 0, id DF tos 0 ttl 64']
  assert.deepEqual(told({ flags: 'PA', sequence: 1011, ack, data: 'later' }), same)
  assert.deepEqual(told({ flags: 'PA', sequence: 900, ack, data: 'old' }), same)
  assert.deepEqual(told({ flags: 'PA', sequence: 401_006, ack, data: 'far' }), same)
  assert.deepEqual(told({ flags: 'S', sequence: 1006 }), same)
  assert.deepEqual(told({ flags: 'A', sequence: 1006, ack: ack + 50 }), same)
  connection.write(new Uint8Array(10))
  assert.deepEqual(
    peer.hear().map((heard) => line(heard, iss)),
    ['PA seq 1 ack 1006 win 64235 data 10, id DF tos 0 ttl 64'],
  )
  assert.deepEqual(at(50, { flags: 'A', sequence: 1006, ack: ack + 10 }), [])
  connection.end()
  assert.deepEqual(
    peer.hear().map((heard) => line(heard, iss)),
    ['FA seq 11 ack 1006 win 64235 data 0, id DF tos 0 ttl 64'],
  )
  assert.deepEqual(at(50, { flags: 'A', sequence: 1006, ack: ack + 11 }), [])
  const next = ack + 11
  // With it, what came before its time is in order, too.
  assert.deepEqual(told({ flags: 'PA', sequence: 1006, ack: next, data: 'world' }), [
    'A seq 12 ack 1016 win 64225 data 0, id DF tos 0 ttl 64',
  ])
  assert.deepEqual(told({ flags: 'FA', sequence: 1016, ack: next }), [
    'A seq 12 ack 1017 win 64224 data 0, id DF tos 0 ttl 64',
  ])
  const remains = ['A seq 12 ack 1017 win 64224 data 0, id 0 DF tos 0 ttl 64']
  assert.deepEqual(told({ flags: 'FA', sequence: 1016, ack: next }), remains)
  assert.deepEqual(told({ flags: 'PA', sequence: 1016, ack: next, data: 'tw' }), remains)
  // "seq 81057fcc", where the old one's next was 81047fcb.
  assert.deepEqual(told({ flags: 'S', sequence: 1100, options: MSS }), [
    `SA seq ${12 + 0x10001} ack 1101 win 64240 data 0, id 0 DF tos 0 ttl 64`,
  ])
  assert.deepEqual(told({ flags: 'S', sequence: 900, options: MSS }).slice(-1), [
    `A seq ${12 + 0x10002} ack 1101 win 64240 data 0, id 0 DF tos 0 ttl 64`,
  ])
})

test('what comes twice within half a second and fits nowhere is answered once', () => {
  const peer = listening()
  const { iss } = shake(peer)
  peer.world.advance(600)
  peer.say({ flags: 'S', sequence: 1001 })
  peer.say({ flags: 'R', sequence: 1002, ack: iss + 1 })
  assert.equal(peer.hear().length, 1)
})

test('a reset counts only where it stands at the very next number', () => {
  const calls: string[] = []
  const peer = listening({ closed: (_, errno) => calls.push(`closed ${errno}`) })
  const { iss } = shake(peer)
  peer.world.advance(600)
  peer.say({ flags: 'R', sequence: 1002 })
  assert.deepEqual(
    peer.hear().map((heard) => line(heard, iss)),
    ['A seq 1 ack 1001 win 64240 data 0, id DF tos 0 ttl 64'],
  )
  assert.deepEqual(calls, [])
  peer.say({ flags: 'RA', sequence: 1001, ack: iss + 1 })
  assert.deepEqual(calls, ['closed ECONNRESET'])
  assert.deepEqual(peer.hear(), [])
  // It is gone: the listener has a new one.
  peer.say({ flags: 'A', sequence: 1001, ack: iss + 1 })
  assert.equal(peer.hear()[0]?.flags, 'R')
})

test('the other side ends first: what is still sent, and the last acknowledgement ends it', () => {
  const calls: string[] = []
  const peer = listening({ end: () => calls.push('end'), closed: (_, errno) => calls.push(`closed ${errno}`) })
  const { connection, iss } = shake(peer)
  const heard = () => peer.hear().map((each) => line(each, iss))
  peer.say({ flags: 'FA', sequence: 1001, ack: iss + 1 })
  assert.deepEqual(heard(), ['A seq 1 ack 1002 win 64239 data 0, id DF tos 0 ttl 64'])
  connection.write(new Uint8Array(5))
  connection.end()
  assert.deepEqual(heard(), [
    'PA seq 1 ack 1002 win 64239 data 5, id DF tos 0 ttl 64',
    'FA seq 6 ack 1002 win 64239 data 0, id DF tos 0 ttl 64',
  ])
  assert.deepEqual(calls, ['end', 'closed undefined'])
  peer.say({ flags: 'A', sequence: 1002, ack: iss + 7 })
  assert.deepEqual(heard(), [])
  peer.say({ flags: 'A', sequence: 1002, ack: iss + 7 })
  assert.deepEqual(heard(), ['R seq 7 ack 0 win 0 data 0, id 0 DF tos 0 ttl 64'])
})

test('an aborted connection says RST and ACK, and then knows of nothing', () => {
  const peer = listening()
  const { connection, iss } = shake(peer)
  peer.say({ flags: 'PA', sequence: 1001, ack: iss + 1, data: 'zz' })
  peer.hear()
  connection.abort()
  assert.deepEqual(
    peer.hear().map((heard) => line(heard, iss)),
    ['RA seq 1 ack 1003 win 64238 data 0, id DF tos 0 ttl 64'],
  )
  peer.world.advance(10_000)
  assert.deepEqual(peer.hear(), [])
})

test('IPv4 numbers of a connection go up by one, as its segments do', () => {
  const peer = listening()
  const { connection } = shake(peer)
  connection.write(new Uint8Array(4000))
  const numbers = peer.hear().map(({ identification }) => identification)
  assert.equal(numbers.length, 3)
  assert.deepEqual(
    numbers.map((number) => (number - numbers[0]!) & 0xffff),
    [0, 1, 2],
  )
})

let accepted: TcpConnection | undefined

function listening(events: TcpEvents = {}): Peer {
  const peer = new Peer(3000, 8080)
  accepted = undefined
  peer.host.sockets.listenTcp({ address: HOST, port: 8080 }, (connection) => {
    accepted = connection
    return events
  })
  return peer
}

/** A handshake from sequence number 1000 on. */
function shake(peer: Peer): { connection: TcpConnection; iss: number } {
  peer.say({ flags: 'S', sequence: 1000, window: 64240, options: MSS })
  const [answer] = peer.hear()
  const iss = answer!.sequence
  peer.say({ flags: 'A', sequence: 1001, ack: iss + 1, window: 64240 })
  assert.deepEqual(peer.hear(), [])
  return { connection: accepted!, iss }
}

// net.ipv4.ip_no_pmtu_disc=1, a connection over lo: SYN "id 09b7 frag 0000", SYN-ACK "id 0000 frag 4000", data "id 09b9 frag 0000",
// what no socket resets "id 0000 frag 4000".
test('under ip_no_pmtu_disc segments go without DF, but for SYN-ACKs and what no socket resets', () => {
  const peer = new Peer(3000, 8080)
  peer.host.sysctl.set('net/ipv4/ip_no_pmtu_disc', '1')
  peer.host.sockets.listenTcp({ address: HOST, port: 8080 }, (connection) => {
    connection.write(Uint8Array.of(1))
    return {}
  })
  peer.say({ flags: 'S', sequence: 1000 })
  const [synAck] = peer.hear()
  peer.say({ flags: 'A', sequence: 1001, ack: synAck!.sequence + 1 })
  const [data] = peer.hear()
  const nobody = new Peer(3000, 8081, peer.world)
  nobody.say({ flags: 'S', sequence: 1000 })
  const [reset] = nobody.hear()
  assert.deepEqual(
    [synAck, data, reset].map((heard) => `${heard!.flags}${heard!.dontFragment ? ' DF' : ''}`),
    ['SA DF', 'PA', 'RA DF'],
  )
  assert.equal(synAck!.identification, 0)
  assert.equal(reset!.identification, 0)
  assert.notEqual(data!.identification, 0)
})
