/** What every codec promises: any bytes are a packet or a DecodeError, and a packet survives being written and read. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import { test } from 'vitest'
import { decodeArp, encodeArp } from '../../src/wire/arp.ts'
import { decodeBfd, encodeBfd } from '../../src/wire/bfd.ts'
import { DecodeError } from '../../src/wire/errors.ts'
import { decodeEthernet, encodeEthernet } from '../../src/wire/ethernet.ts'
import { decodeIcmp, encodeIcmp } from '../../src/wire/icmp.ts'
import { decodeIcmpv6, encodeIcmpv6 } from '../../src/wire/icmpv6.ts'
import { decodeIpv4, encodeIpv4 } from '../../src/wire/ipv4.ts'
import { decodeIpv6, encodeIpv6 } from '../../src/wire/ipv6.ts'
import { decodePcap, encodePcapHeader, encodePcapPacket } from '../../src/wire/pcap.ts'
import { decodePcapng, encodePcapngInterface, encodePcapngPacket, encodePcapngSection } from '../../src/wire/pcapng.ts'
import { decodeTcp, encodeTcp, tcpOptions } from '../../src/wire/tcp.ts'
import { decodeUdp, encodeUdp } from '../../src/wire/udp.ts'
import { decodeVxlan, encodeVxlan } from '../../src/wire/vxlan.ts'
import { frames } from '../fixtures/captures/captures.ts'

const v4 = { source: '10.0.0.1', destination: '10.0.0.2' }
const v6 = { source: 'fd00::1', destination: 'fd00::2' }
const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('utf8')
const utf8 = (value: string) => new Uint8Array(Buffer.from(value, 'utf8'))

interface Codec {
  readonly decode: (bytes: Uint8Array) => unknown
  readonly encode: (packet: never) => Uint8Array
}

const codecs: Record<string, Codec> = {
  ARP: { decode: decodeArp, encode: encodeArp },
  BFD: { decode: decodeBfd, encode: encodeBfd },
  Ethernet: { decode: decodeEthernet, encode: encodeEthernet },
  ICMP: { decode: decodeIcmp, encode: encodeIcmp },
  ICMPv6: { decode: decodeIcmpv6, encode: (packet) => encodeIcmpv6(packet, v6) },
  IPv4: { decode: decodeIpv4, encode: encodeIpv4 },
  IPv6: { decode: decodeIpv6, encode: encodeIpv6 },
  TCP: { decode: decodeTcp, encode: (packet) => encodeTcp(packet, v4) },
  UDP: { decode: decodeUdp, encode: (packet) => encodeUdp(packet, v4) },
  VXLAN: { decode: decodeVxlan, encode: encodeVxlan },
}

/** Random bytes seldom look like a header: real ones with a few bytes changed, or cut off, get further in. */
const damaged = fc
  .tuple(
    fc.constantFrom(...frames.map(({ bytes }) => bytes)),
    fc.constantFrom(0, 14, 34, 42, 50, 54, 62),
    fc.nat({ max: 200 }),
    fc.array(fc.tuple(fc.nat({ max: 80 }), fc.nat({ max: 255 })), { maxLength: 4 }),
  )
  .map(([bytes, skip, cut, changes]) => {
    const copy = bytes.slice(Math.min(skip, bytes.length), Math.max(skip, bytes.length - cut))
    for (const [at, value] of changes) if (at < copy.length) copy[at] = value
    return copy
  })
const anyBytes = fc.oneof(fc.uint8Array({ maxLength: 120 }), damaged)

for (const [name, { decode, encode }] of Object.entries(codecs)) {
  test(`${name}: any bytes are a packet that survives encoding, or a DecodeError`, () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        let packet: unknown
        try {
          packet = decode(bytes)
        } catch (error) {
          assert.ok(error instanceof DecodeError, String(error))
          return
        }
        assert.deepEqual(decode(encode(packet as never)), packet)
      }),
      { numRuns: 2000 },
    )
  })
}

test('tcpOptions() reads any options without failing', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ kind: fc.nat({ max: 9 }), data: fc.uint8Array({ maxLength: 12 }) })),
      (options) => {
        tcpOptions(options)
      },
    ),
  )
})

const packet = fc.record(
  {
    time: fc.bigInt({ min: 0n, max: 2n ** 32n * 1_000_000_000n - 1n }),
    length: fc.nat({ max: 2 ** 32 - 1 }),
    bytes: fc.uint8Array({ maxLength: 40 }),
  },
  { noNullPrototype: true },
)

test('a pcap file written with nanoseconds is read back as it was', () => {
  fc.assert(
    fc.property(fc.array(packet), fc.nat({ max: 0xffff }), (packets, linkType) => {
      const header = { resolution: 'nanoseconds', snapLength: 65535, linkType } as const
      const file = Buffer.concat([
        encodePcapHeader(header),
        ...packets.map((each) => encodePcapPacket(each, 'nanoseconds')),
      ])
      assert.deepEqual(decodePcap(new Uint8Array(file)), { ...header, packets })
    }),
  )
})

test('a pcap file written with microseconds loses what is below a microsecond and nothing else', () => {
  fc.assert(
    fc.property(packet, (each) => {
      const header = { resolution: 'microseconds', snapLength: 0, linkType: 1 } as const
      const file = Buffer.concat([encodePcapHeader(header), encodePcapPacket(each, 'microseconds')])
      assert.deepEqual(decodePcap(new Uint8Array(file)).packets, [{ ...each, time: each.time - (each.time % 1000n) }])
    }),
  )
})

const interfaces = fc.array(
  fc.record(
    {
      name: fc.option(fc.string({ minLength: 1 }), { nil: undefined }),
      linkType: fc.nat({ max: 0xffff }),
      snapLength: fc.nat({ max: 0xffff_ffff }),
    },
    { noNullPrototype: true },
  ),
  { minLength: 1, maxLength: 3 },
)
const direction = fc.constantFrom('inbound' as const, 'outbound' as const, undefined)
const comment = fc.option(fc.string({ unit: 'grapheme' }), { nil: undefined })

test('a pcapng file is read back as it was written', () => {
  fc.assert(
    fc.property(interfaces, fc.array(fc.tuple(packet, fc.nat(), direction, comment)), (taps, rows) => {
      const packets = rows.map(([each, tap, way, words]) => ({
        ...each,
        interface: tap % taps.length,
        direction: way,
        comment: words,
      }))
      const file = Buffer.concat([
        encodePcapngSection(),
        ...taps.map((tap) => encodePcapngInterface(tap, utf8)),
        ...packets.map((each) => encodePcapngPacket(each, utf8)),
      ])
      assert.deepEqual(decodePcapng(new Uint8Array(file), text), { interfaces: taps, packets })
    }),
  )
})

const section = encodePcapngSection()
const tap = encodePcapngInterface({ name: 'eth0', linkType: 1, snapLength: 0 }, utf8)
const files: Record<string, (bytes: Uint8Array) => unknown> = {
  pcap: decodePcap,
  pcapng: (bytes) => decodePcapng(bytes, text),
}
const starts = [
  new Uint8Array(0),
  encodePcapHeader({ resolution: 'nanoseconds', snapLength: 0, linkType: 1 }),
  section,
  new Uint8Array(Buffer.concat([section, tap])),
]

for (const [name, decode] of Object.entries(files)) {
  test(`${name}: any bytes are a file or a DecodeError`, () => {
    const block = fc
      .tuple(fc.constantFrom(1, 3, 6, 0x0a0d0d0a, 99), fc.nat({ max: 12 }), fc.uint8Array({ maxLength: 48 }))
      .map(([type, words, body]) => {
        const bytes = Buffer.alloc(8 + body.length)
        bytes.writeUInt32LE(type, 0)
        bytes.writeUInt32LE(words * 4, 4)
        bytes.set(body, 8)
        return bytes
      })
    fc.assert(
      fc.property(fc.constantFrom(...starts), fc.array(block, { maxLength: 3 }), anyBytes, (start, blocks, bytes) => {
        try {
          decode(new Uint8Array(Buffer.concat([start, ...blocks, bytes])))
        } catch (error) {
          assert.ok(error instanceof DecodeError, String(error))
        }
      }),
      { numRuns: 2000 },
    )
  })
}
