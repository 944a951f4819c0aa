/** UDP → TUN: what becomes of other nodes' datagrams. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'vitest'
import { TcpFlag } from '../../../src/wire/tcp.ts'
import { type FakeOptions, FakePath, type Message } from './fake-path.ts'
import {
  assertRight,
  ends,
  NODE,
  readHeader,
  route,
  routed,
  segmentsOf,
  superPacket,
  tcpPacket,
  text,
  trainOf,
  udpPacket,
  withHeader,
} from './packets.ts'

function connected(options?: FakeOptions): FakePath {
  const path = new FakePath(options)
  path.setRoutes(route)
  return path
}

/** Each a message of its own. */
const single = (...packets: Uint8Array[]): Message[] => packets.map((bytes) => ({ from: NODE, bytes }))
/** TCP segments of one flow, of these lengths. */
function flow(lengths: readonly number[], shape = {}, port = 1000): Uint8Array[] {
  let sequence = 0xffff_ff00 // it begins anew on the way
  return lengths.map((length, i) => {
    const packet = tcpPacket(
      text(length, i),
      { sequence },
      { ...ends, identification: (65_530 + i) & 0xffff, port, ...shape },
    )
    sequence = (sequence + length) >>> 0
    return packet
  })
}
const headers = (path: FakePath) => path.written.map((each) => readHeader(each).header)

test('a packet from a node is written with its TTL one less, and nothing in its virtio_net_hdr', () => {
  const path = connected()
  const packet = udpPacket(text(33), ends)
  path.receiveAll(...single(packet))
  assert.deepEqual(path.written, [withHeader(routed(packet))])
})

test('what strangers send is dropped and counted', () => {
  const path = connected()
  const bytes = udpPacket(text(33), ends)
  path.receiveAll({ from: '192.168.1.3', bytes }, { from: '0.0.0.0', bytes }, { from: NODE, bytes })
  assert.equal(path.written.length, 1)
  assert.equal(path.counters.strangers, 2)
  path.setRoutes()
  path.receiveAll({ from: NODE, bytes })
  assert.equal(path.written.length, 1)
})

test('the datagrams of a train become one super-packet', () => {
  const path = connected()
  path.receiveAll({ from: NODE, ...trainOf(flow([1000, 1000, 1000, 10])) })
  assert.deepEqual(headers(path), [{ flags: 1, type: 1, headerLength: 52, size: 1000, start: 20, offset: 16 }])
  assert.deepEqual(path.written.flatMap(segmentsOf), flow([1000, 1000, 1000, 10]).map(routed))
  assert.equal(path.counters.packetsMerged, 4)
})

test('packets of several messages become one super-packet too', () => {
  const path = connected()
  path.receiveAll(...single(...flow([500, 500, 500])))
  assert.deepEqual(path.written.flatMap(segmentsOf), flow([500, 500, 500]).map(routed))
  assert.equal(path.written.length, 1)
})

test('UDP is merged where the TUN device takes it, and is not where it does not', () => {
  const packets = [text(100, 1), text(100, 2), text(30, 3)].map((payload, i) =>
    udpPacket(payload, { ...ends, identification: 7 + i }),
  )
  for (const mergesUdp of [true, false]) {
    const path = connected({ mergesUdp })
    path.receiveAll(...single(...packets))
    assert.equal(path.written.length, mergesUdp ? 1 : 3)
    assert.deepEqual(path.written.flatMap(segmentsOf), packets.map(routed))
  }
})

// What keeps the second packet from joining the first; each must still be written as it came.
const second = (tcp: object, shape = {}) =>
  tcpPacket(text(100), { sequence: 101, ...tcp }, { ...ends, identification: 101, ...shape })
const first = (tcp: object = {}, shape = {}) => tcpPacket(text(100), tcp, { ...ends, ...shape })
const options = (value: number) => [
  { kind: 8, data: Uint8Array.of(0, 0, 0, value, 0, 0, 0, 6) },
  { kind: 1, data: text(0) },
  { kind: 1, data: text(0) },
]
const pairs: readonly { readonly why: string; readonly packets: readonly Uint8Array[]; readonly merged?: true }[] = [
  { why: 'nothing', packets: [first(), second({})], merged: true },
  { why: 'nothing, PSH on the second', packets: [first(), second({ flags: TcpFlag.ack | TcpFlag.psh })], merged: true },
  { why: 'PSH on the first', packets: [first({ flags: TcpFlag.ack | TcpFlag.psh }), second({})] },
  { why: 'a gap in the sequence', packets: [first(), second({ sequence: 102 })] },
  { why: 'another acknowledgment', packets: [first(), second({ acknowledgment: 8 })] },
  { why: 'another window', packets: [first(), second({ window: 501 })] },
  { why: 'another urgent pointer', packets: [first(), second({ urgentPointer: 1 })] },
  { why: 'other option values', packets: [first({ options: options(1) }), second({ options: options(2) })] },
  { why: 'FIN', packets: [first(), second({ flags: TcpFlag.ack | TcpFlag.fin })] },
  { why: 'SYN', packets: [first(), second({ flags: TcpFlag.syn })] },
  { why: 'RST', packets: [first(), second({ flags: TcpFlag.ack | TcpFlag.rst })] },
  { why: 'URG', packets: [first(), second({ flags: TcpFlag.ack | TcpFlag.urg })] },
  { why: 'CWR', packets: [first(), second({ flags: TcpFlag.ack | TcpFlag.cwr })] },
  { why: 'a congestion mark', packets: [first({}, { tos: 2 }), second({}, { tos: 3 })] },
  { why: 'another TTL', packets: [first(), second({}, { ttl: 63 })] },
  { why: 'DF on one', packets: [first(), second({}, { dontFragment: false })] },
  {
    why: 'an ID that jumps, without DF',
    packets: [first({}, { dontFragment: false }), second({}, { dontFragment: false, identification: 102 })],
  },
  {
    why: 'nothing: an ID that counts on, without DF',
    packets: [first({}, { dontFragment: false }), second({}, { dontFragment: false })],
    merged: true,
  },
  { why: 'another source port', packets: [first(), second({}, { port: 1001 })] },
  { why: 'another source', packets: [first(), second({}, { source: '10.5.2.4' })] },
  { why: 'another destination', packets: [first(), second({}, { destination: '10.5.1.9' })] },
  {
    why: 'options in the IPv4 header',
    packets: [
      first({}, { options: [{ kind: 0x94, data: text(2) }] }),
      second({}, { options: [{ kind: 0x94, data: text(2) }] }),
    ],
  },
  { why: 'a fragment', packets: [first(), second({}, { moreFragments: true })] },
  { why: 'no payload', packets: [first(), tcpPacket(text(0), { sequence: 101 }, { ...ends, identification: 101 })] },
  {
    why: 'a longer one',
    packets: [first(), tcpPacket(text(101), { sequence: 101 }, { ...ends, identification: 101 })],
  },
  { why: 'another protocol', packets: [first(), udpPacket(text(100), ends)] },
]
for (const { why, packets, merged } of pairs) {
  test(`two segments ${merged ? 'join' : 'stay apart'}: ${why}`, () => {
    const path = connected()
    path.receiveAll(...single(...packets))
    assert.equal(path.written.length, merged ? 1 : 2)
    if (merged) assert.deepEqual(path.written.flatMap(segmentsOf), packets.map(routed))
    else
      assert.deepEqual(
        path.written,
        packets.map((packet) => withHeader(routed(packet))),
      )
  })
}

test('a packet with a reserved TCP bit does not join', () => {
  const path = connected()
  const [a, b] = [first(), second({})]
  b[32]! |= 1 // AE of RFC 9768; the checksum is wrong then, too
  path.receiveAll(...single(a, b))
  assert.equal(path.written.length, 2)
  assert.equal(path.counters.wrongChecksums, 0)
})

test('what has a wrong checksum joins nothing and goes on as it is', () => {
  // Which of three, and which byte of it: in the IPv4 header's checksum, in the payload.
  for (const which of [0, 1, 2]) {
    for (const at of [10, 60]) {
      const packets = flow([100, 100, 100], { identification: 5 }, 1000).map((each) => each.slice())
      packets[which]![at]! ^= 0x10
      const path = connected()
      path.receiveAll(...single(...packets))
      const alone = path.written
        .filter((each) => readHeader(each).header.type === 0)
        .map((each) => readHeader(each).packet)
      const damaged = alone.find((packet) => {
        try {
          assertRight(packet)
          return false
        } catch {
          return true
        }
      })
      assert.ok(damaged, `packet ${which}, byte ${at}`)
      assert.equal(path.counters.wrongChecksums, 1)
      assert.equal(
        path.written.flatMap((each) => (readHeader(each).header.type === 0 ? [each] : segmentsOf(each))).length,
        3,
      )
    }
  }
})

test('UDP without a checksum is not merged: nobody knows whether it is right', () => {
  const path = connected()
  const packets = [udpPacket(text(50), ends), udpPacket(text(50, 1), ends)]
  for (const packet of packets) packet.fill(0, 26, 28)
  path.receiveAll(...single(...packets))
  assert.equal(path.written.length, 2)
  assert.equal(path.counters.wrongChecksums, 0)
})

test('a shorter packet is the last of its super-packet', () => {
  const path = connected()
  const packets = flow([100, 99, 99, 100, 100])
  path.receiveAll(...single(...packets))
  assert.deepEqual(
    headers(path).map(({ size }) => size),
    [100, 0, 100],
  )
  assert.deepEqual(path.written.flatMap(segmentsOf), packets.map(routed))
})

test('a super-packet is no longer than an IPv4 packet, and of UDP no more than 64', () => {
  const path = connected()
  path.receiveAll(...single(...flow(Array(60).fill(1400))))
  assert.equal(path.written.length, 2)
  assert.ok(path.written[0]!.length <= 10 + 65_535)
  const other = connected()
  const packets = Array.from({ length: 64 }, (_, i) => udpPacket(text(20, i), { ...ends, identification: i }))
  const more = Array.from({ length: 6 }, (_, i) => udpPacket(text(20, i), { ...ends, identification: 64 + i }))
  other.receiveAll({ from: NODE, ...trainOf([...packets, ...more]) })
  assert.equal(other.written.length, 2)
  assert.deepEqual(other.written.flatMap(segmentsOf), [...packets, ...more].map(routed))
})

test('whatever comes in whatever order is written in that order, and no byte is lost or changed', () => {
  const ordinary = { flow: 0, flags: 16, window: 500, tos: 0, isUdp: false, skip: 0, fragment: 0, damage: -1 }
  const piece = fc.oneof(
    { weight: 6, arbitrary: fc.record({ length: fc.constantFrom(100, 100, 100, 99), inTrain: fc.boolean() }) },
    {
      weight: 1,
      arbitrary: fc.record(
        {
          flow: fc.constantFrom(1, 2),
          length: fc.constantFrom(0, 1, 1400),
          flags: fc.constantFrom(24, 17, 2),
          window: fc.constant(501),
          tos: fc.constant(3),
          isUdp: fc.constant(true),
          skip: fc.constant(1),
          fragment: fc.constant(8),
          damage: fc.constantFrom(10, 45),
          inTrain: fc.boolean(),
        },
        { requiredKeys: ['length', 'inTrain'] },
      ),
    },
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), (varied) => {
      const pieces = varied.map((each) => ({ ...ordinary, ...each }))
      const next = [1, 1, 1]
      const packets = pieces.map(({ flow: of, length, flags, window, tos, isUdp, skip, fragment, damage }, i) => {
        const shape = {
          ...ends,
          port: 1000 + of,
          tos,
          identification: i,
          dontFragment: false,
          fragmentOffset: fragment,
        }
        next[of]! += skip
        const packet = isUdp
          ? udpPacket(text(length, i), shape)
          : tcpPacket(text(length, i), { sequence: next[of]!, flags, window }, shape)
        if (!isUdp) next[of]! += length
        if (damage >= 0 && damage < packet.length) packet[damage]! ^= 0x40
        return packet
      })
      const path = connected()
      path.receiveAll(
        ...messagesOf(
          packets,
          pieces.map(({ inTrain }) => inTrain),
        ),
      )
      const written = path.written.flatMap((each) =>
        readHeader(each).header.type === 0 ? [readHeader(each).packet] : segmentsOf(each),
      )
      // The TTL of a packet with a wrong header checksum goes down all the same, and its checksum stays as wrong as it was.
      const expected = packets.map((packet, i) =>
        pieces[i]!.damage === 10 ? withoutChecksum(routed(packet)) : routed(packet),
      )
      assert.deepEqual(
        written.map((packet, i) => (pieces[i]!.damage === 10 ? withoutChecksum(packet) : packet)),
        expected,
      )
    }),
    { numRuns: 200 },
  )
})

function withoutChecksum(packet: Uint8Array): Uint8Array {
  const copy = packet.slice()
  copy.fill(0, 10, 12)
  return copy
}

/** Consecutive packets that may be a train, as one message. */
function messagesOf(packets: readonly Uint8Array[], inTrain: readonly boolean[]): Message[] {
  const messages: Message[] = []
  let train: Uint8Array[] = []
  const end = () => {
    if (train.length > 0) messages.push({ from: NODE, ...trainOf(train) })
    train = []
  }
  for (const [i, packet] of packets.entries()) {
    const last = train.at(-1)
    if (!inTrain[i] || (last && (last.length !== train[0]!.length || packet.length > last.length))) end()
    train.push(packet)
  }
  end()
  return messages
}

test('what one end cuts, the other puts together again', () => {
  const shapes = fc.record({
    isTcp: fc.boolean(),
    length: fc.integer({ min: 1, max: 60_000 }),
    size: fc.integer({ min: 1000, max: 8000 }),
    identification: fc.nat({ max: 65_535 }),
    push: fc.boolean(),
  })
  fc.assert(
    fc.property(shapes, ({ isTcp, length, size, identification, push }) => {
      const shape = { ...ends, identification, dontFragment: false }
      const flags = TcpFlag.ack | (push ? TcpFlag.psh : 0)
      const packet = isTcp ? tcpPacket(text(length), { flags }, shape) : udpPacket(text(length), shape)
      const whole = superPacket(packet, size)
      const sender = new FakePath()
      sender.setRoutes({ subnet: '10.5.1.0/24', node: NODE })
      sender.fromTun(whole)
      const receiver = connected()
      receiver.receiveAll(...sender.sent.map(({ datagrams }) => ({ from: NODE, ...trainOf(datagrams) })))
      assert.equal(receiver.written.length, 1)
      const { header, packet: arrived } = readHeader(receiver.written[0]!)
      const before = readHeader(whole)
      assert.deepEqual(
        length > size
          ? { header, arrived }
          : { header: before.header, arrived: readHeader(superPacket(arrived, size)).packet },
        {
          header: length > size ? { ...before.header, headerLength: packet.length - length } : before.header,
          arrived: routed(routed(before.packet)),
        },
      )
    }),
    { numRuns: 60 },
  )
})

const good = udpPacket(text(100), ends)
const changed = (change: (packet: Uint8Array) => void) => {
  const packet = good.slice()
  change(packet)
  return packet
}
for (const { what, bytes } of [
  { what: 'an empty datagram', bytes: new Uint8Array() },
  { what: 'one byte', bytes: Uint8Array.of(0x45) },
  { what: 'half a header', bytes: good.subarray(0, 19) },
  { what: 'a length that is more than there is', bytes: good.subarray(0, 100) },
  { what: 'a length that is less than the header', bytes: changed((packet) => packet.fill(0, 2, 4)) },
  { what: 'a header of 16 bytes', bytes: changed((packet) => packet.fill(0x44, 0, 1)) },
  { what: 'version 6', bytes: changed((packet) => packet.fill(0x65, 0, 1)) },
]) {
  test(`it is counted and not written: ${what}`, () => {
    const path = connected()
    path.receiveAll(...single(bytes, good))
    assert.deepEqual(path.written, [withHeader(routed(good))])
    assert.equal(path.counters.malformed, 1)
  })
}

test('what follows the packet in its datagram is not written', () => {
  const path = connected()
  path.receiveAll(...single(Uint8Array.of(...good, 1, 2, 3)))
  assert.deepEqual(path.written, [withHeader(routed(good))])
})

test('a datagram that was cut off is counted and not written', () => {
  const path = connected()
  path.receiveAll({ from: NODE, bytes: good, isTruncated: true })
  assert.deepEqual(path.written, [])
  assert.equal(path.counters.truncated, 1)
})

test('any bytes in any train are survived, and what is written is as long as its IPv4 header says', () => {
  const path = connected()
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    fc
      .tuple(
        fc.constantFrom(good, ...flow([100, 100])),
        fc.array(fc.tuple(fc.nat({ max: 60 }), fc.nat({ max: 255 })), { maxLength: 5 }),
      )
      .map(([packet, changes]) => {
        const copy = packet.slice()
        for (const [at, value] of changes) copy[at] = value
        return copy
      }),
  )
  fc.assert(
    fc.property(
      fc.array(fc.tuple(bytes, fc.option(fc.integer({ min: -1, max: 200 }), { nil: undefined })), { maxLength: 5 }),
      (messages) => {
        path.written.length = 0
        path.receiveAll(
          ...messages.map(([data, segment]) => ({
            from: NODE,
            bytes: data,
            ...(segment !== undefined && { segment }),
          })),
        )
        for (const each of path.written) {
          const { packet } = readHeader(each)
          assert.equal((packet[2]! << 8) | packet[3]!, packet.length)
        }
      },
    ),
    { numRuns: 500 },
  )
})
