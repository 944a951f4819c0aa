/** Where segments end that a socket's settings refuse, and a window that closes and opens again. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import type { TcpConnection } from '../../../src/kernel/socket.ts'
import { CLIENT, LossyLink, SERVER } from './lossy-link.ts'
import { HOST, PEER, Peer } from './peer.ts'

const MSS = '020405b4'
const UNSIGNED = { flags: 'S', sequence: 1000, options: MSS }
/** A signature of nothing: RFC 2385 §3.0. */
const SIGNED = { ...UNSIGNED, options: `${MSS}0101 1312${'00'.repeat(16)}`.replaceAll(' ', '') }
const key = new TextEncoder().encode('sesame')

for (const { title, options, keyed, said, drop } of [
  {
    title: 'less than the least TTL',
    options: { minTtl: 65 },
    keyed: false,
    said: UNSIGNED,
    drop: 'TCP_MINTTL@tcp_v4_rcv',
  },
  { title: 'the least TTL', options: { minTtl: 64 }, keyed: false, said: UNSIGNED, drop: undefined },
  { title: 'no signature', options: {}, keyed: true, said: UNSIGNED, drop: 'TCP_MD5NOTFOUND@tcp_v4_rcv' },
  { title: 'another signature', options: {}, keyed: true, said: SIGNED, drop: 'TCP_MD5FAILURE@tcp_v4_rcv' },
  { title: 'a signature without need', options: {}, keyed: false, said: SIGNED, drop: 'TCP_MD5UNEXPECTED@tcp_v4_rcv' },
] as const) {
  test(`a SYN with ${title} ${drop ? `ends as ${drop}, without an answer` : 'is answered'}`, () => {
    const peer = new Peer(2990, 8080)
    const listener = peer.host.sockets.listenTcp({ port: 8080, options }, () => ({}))
    if (keyed) listener.setMd5Key(`${PEER}/32`, key)
    peer.say(said)
    assert.deepEqual([peer.drops(), peer.hear().length], drop ? [[drop], 0] : [[], 1])
  })
}

test('who connects with a key sends SACK and no timestamps beside the signature, as Linux does', () => {
  const peer = new Peer(8080, 40_000)
  peer.host.sockets.connectTcp({ address: PEER, port: 8080, sourcePort: 40_000, source: HOST, md5: key }, {})
  const [syn] = peer.hear()
  assert.match(syn!.rawOptions, /^01011312.{32}020405b401010402010303/)
})

test('who reads on after a pause tells so at once', () => {
  const link = new LossyLink({ fate: () => 'arrives' })
  const [client, server] = [link.world.in('client'), link.world.in('server')]
  let received = 0
  let accepted: TcpConnection | undefined
  server.sockets.listenTcp({ port: 80 }, (connection) => {
    accepted = connection
    return { data: (_, bytes) => (received += bytes.length) }
  })
  const connection = client.sockets.connectTcp({ address: SERVER, port: 80, source: CLIENT }, {})
  link.advance(10)
  accepted!.pause()
  connection.write(new Uint8Array(300_000))
  link.advance(60_000)
  accepted!.resume()
  link.advance(10)
  assert.equal(received, 300_000)
})

test('a window that opens again is found, though the segment that told so was lost', () => {
  let isLost = false
  const link = new LossyLink({ fate: () => (isLost ? 'lost' : 'arrives') })
  const [client, server] = [link.world.in('client'), link.world.in('server')]
  let received = 0
  let accepted: TcpConnection | undefined
  server.sockets.listenTcp({ port: 80 }, (connection) => {
    accepted = connection
    return { data: (_, bytes) => (received += bytes.length) }
  })
  const connection = client.sockets.connectTcp({ address: SERVER, port: 80, source: CLIENT }, {})
  link.advance(10)
  accepted!.pause()
  connection.write(new Uint8Array(300_000))
  link.advance(60_000)
  assert.equal(received, 0)
  isLost = true
  accepted!.resume()
  link.advance(10)
  isLost = false
  assert.ok(received > 60_000 && received < 300_000, `${received} bytes`)
  link.advance(200_000)
  assert.equal(received, 300_000)
})
