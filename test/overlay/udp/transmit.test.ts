/** TUN → UDP: what becomes of the kernel's packets. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'vitest'
import { EAGAIN, EBADFD, EINTR, EINVAL, EIO, EMSGSIZE } from '../../../src/kernel/data-path.ts'
import { decodeIpv4 } from '../../../src/wire/ipv4.ts'
import { decodeTcp, TcpFlag, timestampsOption } from '../../../src/wire/tcp.ts'
import { type FakeOptions, FakePath, PORT } from './fake-path.ts'
import {
  assertRight,
  NODE,
  route,
  routed,
  segmentsOf,
  superPacket,
  THERE,
  tcpPacket,
  text,
  udpPacket,
  unfinished,
  withHeader,
} from './packets.ts'

function connected(options?: FakeOptions): FakePath {
  const path = new FakePath(options)
  path.setRoutes(route)
  return path
}

const datagrams = (path: FakePath) => path.sent.flatMap((message) => message.datagrams)

test('a packet goes to the node of its destination, a datagram of its own, with its TTL one less', () => {
  const path = connected()
  const packet = udpPacket(text(33))
  path.fromTun(withHeader(packet))
  assert.deepEqual(path.sent, [{ to: NODE, port: PORT, datagrams: [routed(packet)], isTrain: false }])
})

test('a checksum that the kernel left unfinished is finished', () => {
  for (const packet of [udpPacket(text(33)), tcpPacket(text(40)), tcpPacket(text(41))]) {
    const path = connected()
    const isTcp = decodeIpv4(packet).protocol === 6
    path.fromTun(withHeader(unfinished(packet), { flags: 1, start: 20, offset: isTcp ? 16 : 6 }))
    assert.deepEqual(datagrams(path), [routed(packet)])
  }
})

test('of the flags, CWR is on the first segment only, PSH and FIN on the last only', () => {
  const path = connected()
  const flags = TcpFlag.cwr | TcpFlag.ece | TcpFlag.ack | TcpFlag.psh | TcpFlag.fin
  path.fromTun(superPacket(tcpPacket(text(250), { flags }), 100), superPacket(tcpPacket(text(90), { flags }), 100))
  const middle = TcpFlag.ece | TcpFlag.ack
  assert.deepEqual(
    datagrams(path).map((each) => decodeTcp(decodeIpv4(each).payload).flags),
    [middle | TcpFlag.cwr, middle, middle | TcpFlag.psh | TcpFlag.fin, flags],
  )
})

test('a UDP checksum that comes to 0 is written as all ones', () => {
  const path = connected()
  const packets = Array.from({ length: 65_536 }, (_, i) => udpPacket(Uint8Array.of(i >> 8, i)))
  const zero = packets.find((packet) => packet[26] === 0xff && packet[27] === 0xff)!
  const twice = udpPacket(Uint8Array.of(...zero.subarray(28), ...zero.subarray(28)))
  path.fromTun(withHeader(unfinished(zero), { flags: 1, start: 20, offset: 6 }), superPacket(twice, 2))
  assert.deepEqual(
    datagrams(path).map((each) => (each[26]! << 8) | each[27]!),
    [0xffff, 0xffff, 0xffff],
  )
  for (const datagram of datagrams(path)) assertRight(datagram)
})

test('a super-packet is cut as the kernel would have cut it', () => {
  const shapes = fc.record({
    isTcp: fc.boolean(),
    length: fc.integer({ min: 1, max: 60_000 }),
    size: fc.integer({ min: 48, max: 9000 }),
    identification: fc.nat({ max: 65_535 }),
    sequence: fc.nat({ max: 0xffff_ffff }),
    hasTimestamps: fc.boolean(),
    hasIpOptions: fc.boolean(),
    flags: fc.constantFrom(0, TcpFlag.psh, TcpFlag.psh | TcpFlag.fin, TcpFlag.cwr, TcpFlag.ece),
    tos: fc.constantFrom(0, 1, 0xb8),
    dontFragment: fc.boolean(),
  })
  fc.assert(
    fc.property(
      shapes,
      ({ isTcp, length, size, identification, sequence, hasTimestamps, hasIpOptions, flags, tos, dontFragment }) => {
        const shape = {
          identification,
          tos,
          dontFragment,
          options: hasIpOptions ? [{ kind: 0x94, data: text(2) }] : [],
        }
        const options = hasTimestamps
          ? [{ kind: 1, data: text(0) }, { kind: 1, data: text(0) }, timestampsOption(1, 2)]
          : []
        const packet = isTcp
          ? tcpPacket(text(length), { sequence, flags: flags | TcpFlag.ack, options }, shape)
          : udpPacket(text(length), shape)
        const path = connected()
        const whole = superPacket(packet, size)
        path.fromTun(whole)
        const sent = datagrams(path)
        for (const datagram of sent) assertRight(datagram)
        assert.equal(sent.length, Math.ceil(length / size))
        assert.equal(path.counters.packetsSent, sent.length)
        assert.equal(path.counters.superPackets, 1)
        // The reference is made of the codecs, of packets without options in their IPv4 header.
        if (sent.length > 1 && !hasIpOptions) {
          const expected = segmentsOf(
            withHeader(routed(unfinished(packet)), {
              flags: 1,
              type: isTcp ? 1 : 5,
              size,
              start: 20,
              offset: isTcp ? 16 : 6,
              headerLength: packet.length - length,
            }),
          )
          assert.deepEqual(sent, expected)
        }
        const payloads = sent.map((each) => {
          const { payload } = decodeIpv4(each)
          return isTcp ? decodeTcp(payload).payload : payload.subarray(8)
        })
        assert.deepEqual(new Uint8Array(Buffer.concat(payloads)), text(length))
      },
    ),
    { numRuns: 60 },
  )
})

test('consecutive packets to one node go as trains: of one length but the last, 64 and 65507 bytes at most', () => {
  const aPacket = fc.tuple(fc.constantFrom(0, 10, 10, 10, 700, 1400, 1400), fc.constantFrom(1, 1, 1, 2))
  fc.assert(
    fc.property(fc.array(aPacket, { maxLength: 200 }), (shapes) => {
      const path = new FakePath()
      path.setRoutes({ subnet: '10.5.1.0/24', node: '192.168.1.1' }, { subnet: '10.5.2.0/24', node: '192.168.1.2' })
      const packets = shapes.map(([length, node], i) => udpPacket(text(length, i), { destination: `10.5.${node}.9` }))
      path.fromTun(...packets.map((packet) => withHeader(packet)))
      assert.deepEqual(datagrams(path), packets.map(routed))
      for (const { to, datagrams: train, isTrain } of path.sent) {
        assert.equal(isTrain, train.length > 1)
        const [first, last] = [train[0]!.length, train.at(-1)!.length]
        assert.ok(train.length <= 64 && train.length * first <= 65_507 + first - last)
        assert.ok(last <= first && train.slice(0, -1).every(({ length }) => length === first))
        for (const datagram of train) assert.equal(`192.168.1.${datagram[18]}`, to)
      }
    }),
  )
})

test('a train is no longer than a datagram may be', () => {
  const path = connected()
  const packets = Array.from({ length: 60 }, (_, i) => udpPacket(text(1400, i)))
  path.fromTun(...packets.map((packet) => withHeader(packet)))
  assert.deepEqual(
    path.sent.map((message) => message.datagrams.length),
    [45, 15],
  )
  assert.deepEqual(datagrams(path), packets.map(routed))
})

test('many equal packets are few messages', () => {
  const path = connected()
  path.fromTun(...Array.from({ length: 640 }, (_, i) => withHeader(udpPacket(text(64, i)))))
  assert.equal(path.counters.messagesSent, 10)
  assert.equal(path.counters.sendCalls, 10)
})

// Why a train is refused, and whether trains are tried after that.
for (const { errno, name, again } of [
  { errno: EINVAL, name: 'EINVAL, the MTU of the path is less', again: true },
  { errno: EMSGSIZE, name: 'EMSGSIZE, the same in other versions', again: true },
  { errno: EIO, name: 'EIO, no checksum offload', again: false },
]) {
  test(`a train that is refused goes as single datagrams: ${name}`, () => {
    const path = connected({ refuse: ({ datagrams: train }) => (train.length > 1 ? errno : 0) })
    const packet = tcpPacket(text(20_000), { flags: TcpFlag.ack | TcpFlag.psh })
    const before = udpPacket(text(50))
    path.fromTun(withHeader(before), superPacket(packet, 1000), withHeader(before))
    assert.equal(path.sent.length, 22)
    assert.deepEqual(datagrams(path)[0], routed(before))
    assert.deepEqual(datagrams(path)[21], routed(before))
    const bytes = datagrams(path)
      .slice(1, 21)
      .map((each) => decodeTcp(decodeIpv4(each).payload).payload)
    assert.deepEqual(new Uint8Array(Buffer.concat(bytes)), text(20_000))
    for (const datagram of datagrams(path)) assertRight(datagram)
    path.fromTun(superPacket(packet, 1000))
    assert.equal(path.counters.messagesSplit, again ? 2 : 1)
    assert.equal(path.counters.sendErrors, 0)
  })
}

test('a datagram that is longer than its path takes goes again, to be fragmented', () => {
  const path = connected({ refuse: (_, fragment) => (fragment ? 0 : EMSGSIZE) })
  const packet = udpPacket(text(1400))
  path.fromTun(withHeader(packet))
  assert.deepEqual(datagrams(path), [routed(packet)])
  assert.equal(path.counters.sendErrors, 0)
})

test('a message that is refused for another reason is counted, and the next one goes', () => {
  const path = new FakePath({ refuse: ({ to }) => (to === '192.168.1.1' ? 1 : 0) })
  path.setRoutes({ subnet: '10.5.1.0/24', node: '192.168.1.1' }, { subnet: '10.5.2.0/24', node: '192.168.1.2' })
  for (const node of [1, 2, 1]) path.queue(withHeader(udpPacket(text(9), { destination: `10.5.${node}.9` })))
  path.settle()
  assert.deepEqual(
    path.sent.map(({ to }) => to),
    ['192.168.1.2'],
  )
  assert.equal(path.counters.sendErrors, 2)
})

test('a full socket is waited for, and nothing is read, lost or sent twice', () => {
  const path = connected()
  const packets = Array.from({ length: 5 }, (_, i) => udpPacket(text(100 * (5 - i), i)))
  path.sendOnce = -EAGAIN
  path.queue(...packets.map((packet) => withHeader(packet)))
  path.turn()
  assert.deepEqual(path.sent, [])
  const later = udpPacket(text(1))
  path.queue(withHeader(later))
  path.turn()
  assert.equal(path.waitedForRoom, 1)
  path.settle()
  assert.deepEqual(datagrams(path), [...packets, later].map(routed))
})

test('a call that a signal interrupts is made again', () => {
  const path = connected()
  path.sendOnce = -EINTR
  path.fromTun(withHeader(udpPacket(text(5))))
  assert.equal(path.sent.length, 1)
  path.readTunOnce = -EINTR
  path.fromTun(withHeader(udpPacket(text(5))))
  assert.equal(path.sent.length, 2)
})

test('what follows the packet is not sent', () => {
  const path = connected()
  const packet = udpPacket(text(5))
  path.fromTun(withHeader(new Uint8Array([...packet, 1, 2, 3])))
  assert.deepEqual(datagrams(path), [routed(packet)])
})

const broken: readonly { readonly what: string; readonly read: Uint8Array }[] = [
  { what: 'nothing', read: withHeader(new Uint8Array()) },
  { what: 'half a virtio_net_hdr', read: text(5) },
  { what: 'half an IPv4 header', read: withHeader(udpPacket(text(5)).subarray(0, 12)) },
  { what: 'IPv6', read: withHeader(Uint8Array.of(0x60, ...text(47))) },
  { what: 'a header of 16 bytes', read: withHeader(Uint8Array.of(0x44, ...udpPacket(text(5)).subarray(1))) },
  { what: 'a length that is more than there is', read: withHeader(udpPacket(text(50)).subarray(0, 40)) },
  { what: 'a super-packet of segments of 0 bytes', read: superPacket(tcpPacket(text(500)), 0) },
  { what: 'a super-packet in more segments than TCP has', read: superPacket(tcpPacket(text(30_000)), 3) },
  { what: 'a super-packet of another protocol', read: withHeader(udpPacket(text(500)), { type: 1, size: 100 }) },
  { what: 'a super-packet of an unknown kind', read: withHeader(udpPacket(text(500)), { type: 3, size: 100 }) },
  { what: 'a super-packet without payload', read: superPacket(tcpPacket(text(0)), 100) },
]
for (const { what, read } of broken) {
  test(`it is counted and not sent: ${what}`, () => {
    const path = connected()
    path.fromTun(read)
    assert.deepEqual(path.sent, [])
    assert.equal(path.counters.malformed, 1)
    assert.equal(path.complaints.length, 0)
  })
}

test('any bytes are survived, and what is sent is what the IPv4 header says', () => {
  const damaged = fc
    .tuple(
      fc.constantFrom(
        superPacket(tcpPacket(text(3000)), 1000),
        superPacket(udpPacket(text(3000)), 1000),
        withHeader(udpPacket(text(40))),
      ),
      fc.array(fc.tuple(fc.nat({ max: 70 }), fc.nat({ max: 255 })), { maxLength: 6 }),
      fc.nat({ max: 3000 }),
    )
    .map(([bytes, changes, cut]) => {
      const copy = bytes.slice(0, Math.max(0, bytes.length - (cut % 5 === 0 ? cut : 0)))
      for (const [at, value] of changes) copy[at] = value
      return copy
    })
  const path = new FakePath()
  path.setRoutes({ subnet: '0.0.0.0/0', node: NODE })
  fc.assert(
    fc.property(fc.oneof(damaged, fc.uint8Array({ maxLength: 200 })), (bytes) => {
      path.sent.length = 0
      path.fromTun(bytes)
      for (const datagram of datagrams(path)) assert.equal((datagram[2]! << 8) | datagram[3]!, datagram.length)
    }),
    { numRuns: 2000 },
  )
})

test('routes are replaced all at once', () => {
  const path = connected()
  path.setRoutes({ subnet: `${THERE}/32`, node: '192.168.1.7' })
  path.fromTun(withHeader(udpPacket(text(5))), withHeader(udpPacket(text(5), { destination: '10.5.2.4' })))
  assert.deepEqual(
    path.sent.map(({ to }) => to),
    ['192.168.1.7'],
  )
  assert.equal(path.counters.noRoute, 1)
})

test('commands are looked for between packets that never end', () => {
  const path = connected()
  for (let i = 0; i < 64 * 32 + 1; i++) path.queue(withHeader(udpPacket(text(5))))
  path.turn()
  assert.equal(path.counters.tunReads, 64 * 32)
})

test('run() ends when it is told to', () => connected().stop())

test('a TUN device that was deleted is an error', () => {
  const path = connected()
  path.readTunOnce = -EBADFD
  path.queue(withHeader(udpPacket(text(5))))
  assert.throws(() => path.turn(), { message: 'Cannot read packets: the TUN device was deleted' })
})
