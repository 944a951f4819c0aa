/** What the documents say of single headers, a claim each. Frames as Linux sends them: captures.test.ts. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { decodeArp } from '../../src/wire/arp.ts'
import { checksum, pseudoHeader, sum } from '../../src/wire/checksum.ts'
import { decodeEthernet, encodeEthernet } from '../../src/wire/ethernet.ts'
import { decodeIcmp, encodeIcmp } from '../../src/wire/icmp.ts'
import { decodeIcmpv6 } from '../../src/wire/icmpv6.ts'
import { decodeIpv4, decodeIpv4Header, encodeIpv4, hasRightChecksum, type Ipv4 } from '../../src/wire/ipv4.ts'
import { decodeIpv6, encodeIpv6, type Ipv6 } from '../../src/wire/ipv6.ts'
import { decodePcap } from '../../src/wire/pcap.ts'
import { decodePcapng } from '../../src/wire/pcapng.ts'
import { decodeTcp, encodeTcp, mssOption, TcpFlag, tcpOptions, timestampsOption } from '../../src/wire/tcp.ts'
import { decodeUdp, encodeUdp } from '../../src/wire/udp.ts'
import { decodeVxlan, encodeVxlan } from '../../src/wire/vxlan.ts'

const hex = (text: string) => Uint8Array.from(Buffer.from(text.replace(/\s/g, ''), 'hex'))
const toHex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const refused = (protocol: string, offset: number) => ({ name: 'DecodeError', protocol, offset })

const ipv4: Ipv4 = {
  tos: 0,
  identification: 1,
  dontFragment: true,
  moreFragments: false,
  fragmentOffset: 0,
  ttl: 64,
  protocol: 17,
  source: '192.0.2.1',
  destination: '198.51.100.1',
  options: [],
  payload: hex('0102'),
}
const ipv6: Ipv6 = {
  trafficClass: 0,
  flowLabel: 0,
  hopLimit: 64,
  source: '2001:db8::1',
  destination: '2001:db8::2',
  extensions: [],
  protocol: 17,
  payload: hex('0102'),
}

test('the sum of RFC 1071 §3 is ddf2', () => {
  assert.equal(sum(hex('0001 f203 f4f5 f6f7')), 0xddf2)
  assert.equal(checksum(hex('0001 f203 f4f5 f6f7')), 0x220d)
})
test('an odd last byte is summed as if a zero followed: RFC 1071 §4.1', () => {
  assert.equal(sum(hex('0102 03')), sum(hex('0102 0300')))
})
test('a pseudo-header of two families is refused', () => {
  assert.throws(() => pseudoHeader({ source: '10.0.0.1', destination: 'fd00::1' }, 17, 8), RangeError)
})

test('two VLAN tags are read outermost first', () => {
  const frame = decodeEthernet(hex('020000000002 020000000001 88a8 7064 8100 00c8 0800 45'))
  assert.deepEqual(frame.tags, [
    { protocol: 0x88a8, vlan: 100, priority: 3, dropEligible: true },
    { protocol: 0x8100, vlan: 200, priority: 0, dropEligible: false },
  ])
  assert.equal(frame.etherType, 0x0800)
})
test('a frame that ends inside its tag is refused', () => {
  assert.throws(() => decodeEthernet(hex('020000000002 020000000001 8100 0064')), refused('802.1Q', 2))
})
test('VLAN 4096 is refused when writing', () => {
  const tags = [{ protocol: 0x8100, vlan: 4096, priority: 0, dropEligible: false }]
  const frame = { destination: '02:00:00:00:00:02', source: '02:00:00:00:00:01', tags, etherType: 0x0800 }
  assert.throws(() => encodeEthernet({ ...frame, payload: hex('') }), RangeError)
})

test('ARP for other hardware than Ethernet is refused', () => {
  assert.throws(() => decodeArp(hex(`0006 0800 0604 0001 ${'00'.repeat(20)}`)), refused('ARP', 0))
})
test('ARP for another protocol than IPv4 is refused', () => {
  assert.throws(() => decodeArp(hex(`0001 86dd 0610 0001 ${'00'.repeat(20)}`)), refused('ARP', 2))
})

const badIpv4 = [
  { name: 'version 6', hex: `65${'00'.repeat(19)}`, offset: 0 },
  { name: 'a header length below 20', hex: `44${'00'.repeat(19)}`, offset: 0 },
  { name: 'a header length beyond the packet', hex: `46${'00'.repeat(19)}`, offset: 20 },
  { name: 'a total length shorter than the header', hex: `4500 0013${'00'.repeat(16)}`, offset: 2 },
  { name: 'a total length beyond the packet', hex: `4500 0015${'00'.repeat(16)}`, offset: 2 },
  { name: 'an option of length 1', hex: `4600 0018${'00'.repeat(16)} 0701 0000`, offset: 20 },
]
for (const { name, hex: text, offset } of badIpv4) {
  test(`IPv4 with ${name} is refused`, () => assert.throws(() => decodeIpv4(hex(text)), refused('IPv4', offset)))
}
test("Ethernet's padding is no part of an IPv4 payload", () => {
  const padded = new Uint8Array([...encodeIpv4(ipv4), ...new Uint8Array(30)])
  assert.equal(toHex(decodeIpv4(padded).payload), '0102')
})
test('an IPv4 header whose packet is cut off is read alone, as ICMP errors quote it', () => {
  const { header, totalLength } = decodeIpv4Header(
    encodeIpv4({ ...ipv4, payload: new Uint8Array(500) }).subarray(0, 28),
  )
  assert.equal(header.destination, '198.51.100.1')
  assert.equal(totalLength, 520)
})
test('a changed byte makes the IPv4 checksum wrong', () => {
  const bytes = encodeIpv4(ipv4)
  assert.ok(hasRightChecksum(bytes))
  bytes[8] = 63
  assert.ok(!hasRightChecksum(bytes))
})
test('IPv4 options are padded with zeros to a multiple of four bytes', () => {
  const bytes = encodeIpv4({
    ...ipv4,
    options: [
      { kind: 148, data: hex('0000') },
      { kind: 1, data: hex('') },
    ],
  })
  assert.equal(toHex(bytes.subarray(20, 28)), '9404000001000000')
})
const unwritableIpv4: [string, Partial<Ipv4>][] = [
  ['41 bytes of options', { options: [{ kind: 7, data: new Uint8Array(39) }] }],
  ['a fragment offset that is no multiple of 8', { fragmentOffset: 4 }],
  ['65,516 bytes of payload', { payload: new Uint8Array(65_516) }],
  ['TTL 256', { ttl: 256 }],
  ['an address that is none', { source: '192.0.2' }],
]
for (const [name, change] of unwritableIpv4) {
  test(`IPv4 with ${name} is refused when writing`, () => {
    assert.throws(() => encodeIpv4({ ...ipv4, ...change }), RangeError)
  })
}

test('what follows a fragment other than the first is payload, whatever its next header says: RFC 8200 §4.5', () => {
  const extensions = [{ type: 44, fragmentOffset: 8, moreFragments: false, identification: 7 } as const]
  const packet = decodeIpv6(encodeIpv6({ ...ipv6, extensions, protocol: 60, payload: hex('ff') }))
  assert.equal(packet.protocol, 60)
  assert.equal(toHex(packet.payload), 'ff')
})
test('an authentication header is counted in words of four bytes: RFC 4302 §2.2', () => {
  const extensions = [{ type: 51, data: new Uint8Array(22) } as const]
  const bytes = encodeIpv6({ ...ipv6, extensions })
  assert.equal(bytes[41], 4)
  assert.deepEqual(decodeIpv6(bytes).extensions, [{ type: 51, data: new Uint8Array(22) }])
})
test('an IPv6 extension header that reaches beyond the packet is refused', () => {
  const bytes = encodeIpv6({ ...ipv6, protocol: 6, payload: hex('1101 0000') })
  bytes[6] = 0
  assert.throws(() => decodeIpv6(bytes), refused('IPv6', 40))
})
test('an IPv6 packet shorter than its payload length is refused', () => {
  assert.throws(() => decodeIpv6(encodeIpv6(ipv6).subarray(0, 41)), refused('IPv6', 4))
})

test('the MTU of "fragmentation needed" is read: RFC 1191 §4', () => {
  const icmp = decodeIcmp(hex('0304 0000 0000 0578 45'))
  assert.deepEqual(icmp, { kind: 'destination unreachable', code: 4, mtu: 1400, original: hex('45') })
})
test('an ICMP type without a meaning here survives', () => {
  const bytes = encodeIcmp({ kind: 'other', type: 13, code: 0, rest: 5, data: hex('aabb') })
  assert.deepEqual(decodeIcmp(bytes), { kind: 'other', type: 13, code: 0, rest: 5, data: hex('aabb') })
})
test('a neighbour discovery option of length zero is refused: RFC 4861 §4.6', () => {
  assert.throws(() => decodeIcmpv6(hex(`8700 0000 00000000 ${'00'.repeat(16)} 0100`)), refused('NDP', 20))
})

test('a UDP length beyond the packet is refused', () => {
  assert.throws(() => decodeUdp(hex('0035 0035 0009 0000')), refused('UDP', 4))
})
test('a UDP checksum that comes out as zero is sent as all ones: RFC 768', () => {
  // The payload makes the one's complement sum of everything ffff.
  const endpoints = { source: '0.0.0.0', destination: '0.0.0.0' }
  const bytes = encodeUdp({ sourcePort: 0, destinationPort: 0, payload: hex('ffda') }, endpoints)
  assert.equal(sum(hex('ffda'), 17 + 10 + 10), 0xffff)
  assert.equal(toHex(bytes.subarray(6, 8)), 'ffff')
})
test('UDP without endpoints has no checksum', () => {
  assert.equal(toHex(encodeUdp({ sourcePort: 1, destinationPort: 2, payload: hex('') })), '0001000200080000')
})

test('TCP options of a SYN are read by their values', () => {
  const options = [mssOption(1460), { kind: 4, data: hex('') }, timestampsOption(7, 0), { kind: 3, data: hex('07') }]
  const segment = { sourcePort: 1, destinationPort: 2, sequence: 3, acknowledgment: 0, flags: TcpFlag.syn }
  const bytes = encodeTcp({ ...segment, window: 9, urgentPointer: 0, options, payload: hex('') }, ipv4)
  assert.deepEqual(tcpOptions(decodeTcp(bytes).options), {
    mss: 1460,
    sackPermitted: true,
    timestamps: { value: 7, echoReply: 0 },
    windowScale: 7,
  })
})
test('SACK blocks are read as left and right edges: RFC 2018 §3', () => {
  assert.deepEqual(tcpOptions([{ kind: 5, data: hex('00000001 00000005 00000009 0000000c') }]).sack, [
    [1, 5],
    [9, 12],
  ])
})
test('a TCP data offset beyond the segment is refused', () => {
  assert.throws(() => decodeTcp(hex(`${'00'.repeat(12)} 6000 ${'00'.repeat(6)}`)), refused('TCP', 12))
})

test('VXLAN reserved bits are ignored: RFC 7348 §5', () => {
  assert.equal(decodeVxlan(hex('ffffffff000001ff')).vni, 1)
})
test('VXLAN without the I flag is refused', () => {
  assert.throws(() => decodeVxlan(new Uint8Array(8)), refused('VXLAN', 0))
})
test('a VNI of 25 bits is refused when writing', () => {
  assert.throws(() => encodeVxlan({ vni: 2 ** 24, frame: hex('') }), RangeError)
})

const pcapFiles = [
  { name: 'microseconds, big-endian', hex: 'a1b2c3d4 0002 0004 00000000 00000000 0000ffff 00000001', tick: 1000n },
  { name: 'nanoseconds, big-endian', hex: 'a1b23c4d 0002 0004 00000000 00000000 0000ffff 00000001', tick: 1n },
]
for (const { name, hex: header, tick } of pcapFiles) {
  test(`pcap in ${name} is read`, () => {
    const { packets } = decodePcap(hex(`${header} 00000002 00000003 00000001 00000005 aa`))
    assert.deepEqual(packets, [{ time: 2_000_000_000n + 3n * tick, length: 5, bytes: hex('aa') }])
  })
}
test('a pcap file that is cut off inside a packet is refused', () => {
  const file = 'd4c3b2a1 0200 0400 00000000 00000000 ffff0000 01000000 00000000 00000000 02000000 02000000 aa'
  assert.throws(() => decodePcap(hex(file)), refused('pcap', 40))
})

const SECTION = '0a0d0d0a 0000001c 1a2b3c4d 0001 0000 ffffffff ffffffff 0000001c'
test('pcapng in big-endian order, of two sections, with unknown blocks between, is read', () => {
  const tap = '00000001 00000014 0001 0000 00000000 00000014'
  const unknown = '00000bad 00000010 01020304 00000010'
  const packet = '00000006 00000024 00000000 00000000 000f4240 00000001 00000001 aa000000 00000024'
  const { interfaces, packets } = decodePcapng(
    hex(`${SECTION}${tap}${unknown}${packet}${SECTION}${tap}${packet}`),
    () => '',
  )
  assert.equal(interfaces.length, 2)
  assert.deepEqual(
    packets.map(({ interface: index, time, bytes }) => [index, time, toHex(bytes)]),
    [
      [0, 1_000_000_000n, 'aa'],
      [1, 1_000_000_000n, 'aa'],
    ],
  )
})
test('a simple packet block of pcapng has no time', () => {
  const tap = '00000001 00000014 0001 0000 00000000 00000014'
  const simple = '00000003 00000014 00000002 aabb0000 00000014'
  const { packets } = decodePcapng(hex(`${SECTION}${tap}${simple}`), () => '')
  assert.equal(packets[0]!.time, undefined)
  assert.equal(toHex(packets[0]!.bytes), 'aabb')
})
test('a pcapng packet of an interface that was not described is refused', () => {
  const packet = '00000006 00000020 00000000 00000000 00000000 00000000 00000000 00000020'
  assert.throws(() => decodePcapng(hex(`${SECTION}${packet}`), () => ''), refused('pcapng', 28))
})
