/** Whom we tell that a packet goes no further, and whom not. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { checksum } from '../../../src/wire/checksum.ts'
import { decodeIcmp } from '../../../src/wire/icmp.ts'
import { FakePath } from './fake-path.ts'
import { ends, HERE, icmpPacket, NODE, route, superPacket, tcpPacket, text, udpPacket, withHeader } from './packets.ts'

const nowhere = { destination: '10.5.77.1' }

function complaints(path: FakePath) {
  return path.complaints.map(({ to, message }) => {
    assert.equal(checksum(message), 0)
    return { to, ...decodeIcmp(message) }
  })
}

// A packet that has no route, and what its sender hears of it: the kernel's own words for "net unreachable", or nothing.
for (const { what, packet, isTold } of [
  { what: 'UDP', packet: udpPacket(text(9), nowhere), isTold: true },
  { what: 'an echo request', packet: icmpPacket(8, nowhere), isTold: true },
  { what: 'an echo reply', packet: icmpPacket(0, nowhere), isTold: true },
  { what: 'a timestamp request', packet: icmpPacket(13, nowhere), isTold: true },
  { what: 'a first fragment', packet: udpPacket(text(16), { ...nowhere, moreFragments: true }), isTold: true },
  { what: 'destination unreachable', packet: icmpPacket(3, nowhere), isTold: false },
  { what: 'redirect', packet: icmpPacket(5, nowhere), isTold: false },
  { what: 'time exceeded', packet: icmpPacket(11, nowhere), isTold: false },
  { what: 'parameter problem', packet: icmpPacket(12, nowhere), isTold: false },
  { what: 'an ICMP type that nobody knows', packet: icmpPacket(200, nowhere), isTold: false },
  { what: 'a later fragment', packet: udpPacket(text(16), { ...nowhere, fragmentOffset: 8 }), isTold: false },
  { what: 'multicast', packet: udpPacket(text(9), { destination: '224.0.0.5' }), isTold: false },
  { what: 'broadcast', packet: udpPacket(text(9), { destination: '255.255.255.255' }), isTold: false },
  { what: 'no source', packet: udpPacket(text(9), { ...nowhere, source: '0.0.0.0' }), isTold: false },
  { what: 'a multicast source', packet: udpPacket(text(9), { ...nowhere, source: '224.0.0.1' }), isTold: false },
  { what: 'a loopback source', packet: udpPacket(text(9), { ...nowhere, source: '127.0.0.1' }), isTold: false },
  { what: 'a bare header that says ICMP', packet: icmpPacket(8, nowhere).subarray(0, 20).with(3, 20), isTold: false },
]) {
  test(`the sender hears ${isTold ? 'that there is no route' : 'nothing'}: ${what}`, () => {
    const path = new FakePath()
    path.setRoutes(route)
    path.fromTun(withHeader(packet))
    assert.equal(path.counters.noRoute, 1)
    const expected = [{ to: HERE, kind: 'destination unreachable', code: 0, mtu: 0, original: packet }]
    assert.deepEqual(complaints(path), isTold ? expected : [])
  })
}

test('a TTL of 1 or 0 ends at the near node, which says so', () => {
  for (const ttl of [1, 0]) {
    const path = new FakePath()
    path.setRoutes(route)
    const packet = udpPacket(text(9), { ttl })
    path.fromTun(withHeader(packet))
    assert.deepEqual(complaints(path), [{ to: HERE, kind: 'time exceeded', code: 0, original: packet }])
    assert.deepEqual(path.sent, [])
    assert.equal(path.counters.ttlExceeded, 1)
  }
})

test('a TTL of 1 ends at the far node, which says so', () => {
  const path = new FakePath()
  path.setRoutes(route)
  const packet = udpPacket(text(9), { ...ends, ttl: 1 })
  path.receiveAll({ from: NODE, bytes: packet })
  assert.deepEqual(complaints(path), [{ to: ends.source, kind: 'time exceeded', code: 0, original: packet }])
  assert.deepEqual(path.written, [])
})

test('548 bytes are quoted, so that the message is no longer than 576', () => {
  const path = new FakePath()
  path.fromTun(superPacket(tcpPacket(text(30_000)), 1000))
  const [told] = complaints(path)
  assert.equal(told?.kind === 'destination unreachable' && told.original.length, 548)
})

test('after a burst of 100, a thousand are sent in a second', () => {
  let now = 5000
  const path = new FakePath({ clock: () => now })
  const flood = () => path.fromTun(...Array.from({ length: 500 }, () => withHeader(udpPacket(text(9), nowhere))))
  flood()
  assert.equal(path.counters.icmpSent, 100)
  assert.equal(path.counters.icmpLimited, 400)
  now += 50
  flood()
  assert.equal(path.counters.icmpSent, 150)
  now += 10_000
  flood()
  assert.equal(path.counters.icmpSent, 250)
  assert.equal(path.counters.noRoute, 1500)
})
