/** When TCP says a thing again, and when it gives up. Witness: Linux 6.18, whose timers are up to a sixteenth late. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import type { TcpConnection, TcpEvents } from '../../../src/kernel/socket.ts'
import { HOST, PEER, Peer } from './peer.ts'

const MSS = '020405b4'
const SECOND = 1000

function shaken(events: TcpEvents = {}, options = MSS) {
  const peer = new Peer(3000, 8080)
  let accepted: TcpConnection | undefined
  peer.host.sockets.listenTcp({ address: HOST, port: 8080 }, (connection) => {
    accepted = connection
    return events
  })
  peer.say({ flags: 'S', sequence: 1000, window: 64240, options })
  const iss = peer.hear()[0]!.sequence
  peer.say({ flags: 'A', sequence: 1001, ack: iss + 1, window: 64240 })
  return { peer, iss, connection: accepted! }
}

// "0.0034 1.0348 2.0589 3.0829 4.1069 5.1309 7.1469 11.2749 19.4677 35.5949 68.1096": net/ipv4/tcp_syn_linear_timeouts 4.
test('a SYN is sent eleven times, and the connection fails after 131 seconds', () => {
  const peer = new Peer(99, 0)
  const calls: string[] = []
  peer.host.sockets.connectTcp(
    { address: PEER, port: 99 },
    { closed: (_, errno) => calls.push(`closed ${errno} at ${peer.world.now / SECOND}`) },
  )
  peer.world.advance(200 * SECOND)
  const heard = peer.hear()
  assert.deepEqual(
    heard.map(({ time, flags }) => `${flags} ${time / SECOND}`),
    [0, 1, 2, 3, 4, 5, 7, 11, 19, 35, 67].map((time) => `S ${time}`),
  )
  assert.deepEqual(calls, ['closed ETIMEDOUT at 131'])
  // Each is a packet of its own with the time of its own.
  const [first, second] = heard
  assert.equal(second!.identification, (first!.identification + 1) & 0xffff)
  assert.equal(second!.options.timestamps!.value - first!.options.timestamps!.value, 1000)
  assert.equal(second!.sequence, first!.sequence)
})

test('net/ipv4/tcp_syn_retries and tcp_syn_linear_timeouts say how often a SYN is sent', () => {
  const peer = new Peer(99, 0)
  peer.host.sysctl.set('net/ipv4/tcp_syn_retries', '2')
  peer.host.sysctl.set('net/ipv4/tcp_syn_linear_timeouts', '0')
  peer.host.sockets.connectTcp({ address: PEER, port: 99 }, {})
  peer.world.advance(60 * SECOND)
  assert.deepEqual(
    peer.hear().map(({ time }) => time / SECOND),
    [0, 1, 3],
  )
})

// "0.0032 1.0348 3.0515 7.1788 15.3708 31.4992"
test('SYN and ACK are sent six times, and the request is forgotten after 63 seconds', () => {
  const peer = new Peer(3000, 8080)
  peer.host.sockets.listenTcp({ address: HOST, port: 8080 }, () => ({}))
  peer.say({ flags: 'S', sequence: 1000, options: MSS })
  const iss = peer.hear()[0]!.sequence
  peer.world.advance(62 * SECOND)
  assert.deepEqual(
    peer.hear().map(({ time, flags, identification }) => `${flags} ${time / SECOND} ${identification}`),
    [1, 3, 7, 15, 31].map((time) => `SA ${time} 0`),
  )
  peer.world.advance(2 * SECOND)
  peer.say({ flags: 'A', sequence: 1001, ack: iss + 1 })
  assert.deepEqual(
    peer.hear().map(({ flags }) => flags),
    ['R'],
  )
})

test('a SYN that comes again is answered again', () => {
  const peer = new Peer(3000, 8080)
  peer.host.sockets.listenTcp({ address: HOST, port: 8080 }, () => ({}))
  peer.say({ flags: 'S', sequence: 1000, options: MSS })
  const [first] = peer.hear()
  peer.world.advance(600)
  peer.say({ flags: 'S', sequence: 1000, options: MSS })
  const [again] = peer.hear()
  assert.deepEqual({ ...again, time: 0 }, { ...first, time: 0 })
})

// "0.2038 … 0.5868 1.3268 2.7954 5.8988 11.7868 23.5628 47.6269 94.7309", after a handshake that took longer.
test('data is sent again after 200 ms, the first segment only, each time after twice as long', () => {
  const { peer, connection } = shaken()
  connection.write(new Uint8Array(5000))
  const sent = peer.hear()
  assert.deepEqual(
    sent.map(({ length }) => length),
    [1460, 1460, 1460, 620],
  )
  peer.world.advance(26 * SECOND)
  const again = peer.hear()
  assert.deepEqual(
    again.map(({ time }) => time),
    [200, 600, 1400, 3000, 6200, 12_600, 25_400],
  )
  for (const { sequence, length, flags } of again) {
    assert.deepEqual({ sequence, length, flags }, { sequence: sent[0]!.sequence, length: 1460, flags: 'A' })
  }
})

test('how long the handshake took counts: after one of 100 ms, data is sent again after 300', () => {
  const peer = new Peer(3000, 8080)
  peer.host.sockets.listenTcp({ address: HOST, port: 8080 }, (connection) => {
    connection.write(new Uint8Array(1))
    return {}
  })
  peer.say({ flags: 'S', sequence: 1000, window: 64240, options: MSS })
  const iss = peer.hear()[0]!.sequence
  peer.world.advance(100)
  peer.say({ flags: 'A', sequence: 1001, ack: iss + 1, window: 64240 })
  peer.world.advance(1000)
  assert.deepEqual(
    peer.hear().map(({ time }) => time),
    [100, 400, 1000],
  )
})

test('a FIN is sent again like data', () => {
  const { peer, connection } = shaken()
  connection.end()
  peer.world.advance(1500)
  assert.deepEqual(
    peer.hear().map(({ time, flags }) => `${flags} ${time}`),
    ['FA 0', 'FA 200', 'FA 600', 'FA 1400'],
  )
})

// net/ipv4/tcp_retries2 15: "a hypothetical timeout of 924.6 seconds", ip-sysctl.rst.
test('a connection that nobody acknowledges fails after 924.6 seconds', () => {
  const calls: string[] = []
  const { peer, connection } = shaken({ closed: (_, errno) => calls.push(`closed ${errno}`) })
  connection.write(new Uint8Array(1))
  peer.world.advance(924 * SECOND)
  assert.deepEqual(calls, [])
  peer.world.advance(200 * SECOND)
  assert.deepEqual(calls, ['closed ETIMEDOUT'])
  assert.throws(() => connection.write(new Uint8Array(1)), { errno: 'EPIPE' })
})

test('TIME_WAIT lasts for 60 seconds after the last that was heard', () => {
  const { peer, connection, iss } = shaken()
  connection.end()
  peer.say({ flags: 'FA', sequence: 1001, ack: iss + 2 })
  peer.hear()
  const repeat = () => {
    peer.say({ flags: 'FA', sequence: 1001, ack: iss + 2 })
    return peer.hear().map(({ flags }) => flags)
  }
  peer.world.advance(59 * SECOND)
  assert.deepEqual(repeat(), ['A'])
  peer.world.advance(59 * SECOND)
  assert.deepEqual(repeat(), ['A'])
  peer.world.advance(61 * SECOND)
  assert.deepEqual(repeat(), ['R'])
})
