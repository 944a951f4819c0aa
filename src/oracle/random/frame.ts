/**
 * Random IPv4 and ARP frames. Most of a frame is as a host would send it; one thing or another is not: a time to live of
 * 0 to 3, a length just about an MTU, a fragment, a source that cannot be, a wrong checksum, an error that quotes a packet.
 *
 *   packets(…)     IPv4 packets as values, of which a kind makes frames of its own: fragments, a conversation
 *   frames(…)      steps of a scenario
 *   frameStep(…)   a step of bytes
 */
import fc from 'fast-check'
import { toHex } from '../../trace/hex.ts'
import { encodeArp } from '../../wire/arp.ts'
import { EtherType, encodeEthernet } from '../../wire/ethernet.ts'
import { encodeIcmp, type Icmp } from '../../wire/icmp.ts'
import { encodeIpv4, IpProtocol, type Ipv4 } from '../../wire/ipv4.ts'
import { encodeTcp, TcpFlag } from '../../wire/tcp.ts'
import { encodeUdp } from '../../wire/udp.ts'
import type { ScenarioStep } from '../scenario.ts'

export type FrameStep = Extract<ScenarioStep, { hex: string }>

/** Whence frames are sent, and what may stand in them. Of every list the first is the likeliest. */
export interface Ground {
  readonly ns: string
  readonly dev: string
  /** MACs. */
  readonly from: readonly string[]
  readonly to: readonly string[]
  /** IPv4 addresses. Martians come by themselves. */
  readonly sources: readonly string[]
  readonly destinations: readonly string[]
  /** Bytes: lengths are drawn about these. */
  readonly mtus: readonly number[]
  /** Of UDP and TCP; UNUSUAL_PORTS come by themselves. */
  readonly ports?: readonly number[]
  /** So many times as often as elsewhere a frame is as it should be: where much else is in its way. 1 where left out. */
  readonly sound?: number
}

const ETHERNET = 14
const HEADER = 20
const UDP = 8

/** Where nobody listens. */
const PORT = 4001
const UNUSUAL_PORTS = [53, 4789, 8472, 0xffff, 0] as const

/** Of no host: RFC 1122 §3.2.1.3, RFC 1112, RFC 6890. */
const MARTIANS = [
  '127.0.0.1',
  '0.0.0.0',
  '224.0.0.1',
  '255.255.255.255',
  '240.0.0.1',
  '169.254.1.1',
  '0.0.0.5',
] as const

/** The first of the values mostly, each of the others now and then. */
export function mostly<T>(values: readonly T[], weight = 3): fc.Arbitrary<T> {
  const [first, ...others] = values
  if (others.length === 0) return fc.constantFrom(...values)
  return often(fc.constant(first as T), fc.constantFrom(...others), weight)
}

/** `usual` so many times as often as `rare`. A case shrinks from the rare to the usual. */
export function often<T>(usual: fc.Arbitrary<T>, rare: fc.Arbitrary<T>, weight: number): fc.Arbitrary<T> {
  return fc.oneof({ withCrossShrink: true }, { weight, arbitrary: usual }, { weight: 1, arbitrary: rare })
}

/** True once in so many times. */
export function rarely(times: number): fc.Arbitrary<boolean> {
  return often(fc.constant(false), fc.constant(true), times - 1)
}

/** Bytes behind the IPv4 header: few, or such that the packet is an MTU long, or one byte more or less. */
export function payloadSizes(mtus: readonly number[]): fc.Arbitrary<number> {
  const about = fc
    .tuple(fc.constantFrom(...mtus), fc.constantFrom(0, 1, -1, 8, -8))
    .map(([mtu, more]) => mtu + more - HEADER)
  return often(fc.integer({ min: UDP, max: 80 }), about, 2)
}

/** So many bytes that a piece which is lost or moved is seen. */
export function countedBytes(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => i)
}

/** A payload waits for the addresses that its checksum covers. */
type Transport = (endpoints: Endpoints) => { readonly protocol: number; readonly payload: Uint8Array }

const udpPayload = ({ ports = [PORT], mtus }: Ground): fc.Arbitrary<Transport> =>
  fc
    .record({
      sourcePort: mostly([4000, 40_000, ...UNUSUAL_PORTS], 6),
      destinationPort: mostly([...ports, ...UNUSUAL_PORTS], 6),
      size: payloadSizes(mtus),
    })
    .map(({ size, ...both }) => (endpoints) => {
      const payload = countedBytes(Math.max(0, size - UDP))
      return { protocol: IpProtocol.udp, payload: encodeUdp({ ...both, payload }, endpoints) }
    })

const { syn, ack, rst, fin, psh } = TcpFlag

const tcpPayload = ({ ports = [PORT] }: Ground): fc.Arbitrary<Transport> =>
  fc
    .record({
      sourcePort: fc.constantFrom(4000, 40_000),
      destinationPort: mostly([...ports, 22], 6),
      flags: mostly([syn, ack, syn | ack, rst, fin | ack, psh | ack, 0, syn | fin], 2),
      size: mostly([0, 1, 100]),
    })
    .map(({ size, ...fields }) => (endpoints) => {
      const segment = {
        ...fields,
        sequence: 1000,
        acknowledgment: (fields.flags & ack) === 0 ? 0 : 2000,
        window: 65_000,
        urgentPointer: 0,
        options: [],
        payload: countedBytes(size),
      }
      return { protocol: IpProtocol.tcp, payload: encodeTcp(segment, endpoints) }
    })

const echoPayload = ({ mtus }: Ground): fc.Arbitrary<Transport> =>
  fc
    .record({ reply: rarely(8), identifier: fc.constantFrom(1, 77), size: payloadSizes(mtus) })
    .map(({ size, ...fields }) => {
      const data = countedBytes(Math.max(0, size - UDP))
      const payload = encodeIcmp({ kind: 'echo', ...fields, sequence: 1, data })
      return () => ({ protocol: IpProtocol.icmp, payload })
    })

/** An error about a datagram that went the other way. */
const errorPayload = ({ mtus }: Ground): fc.Arbitrary<Transport> =>
  fc
    .record({
      code: fc.constantFrom(3, 1, 0, 4, 13),
      kind: fc.constantFrom('destination unreachable', 'time exceeded', 'parameter problem'),
      mtu: fc.constantFrom(...mtus, 552, 68, 0),
      quoted: fc.constantFrom(UDP, 0, 4, 100),
    })
    .map((fields) => (endpoints) => ({
      protocol: IpProtocol.icmp,
      payload: encodeIcmp(errorOf(fields, { source: endpoints.destination, destination: endpoints.source })),
    }))

interface ErrorFields {
  readonly kind: 'destination unreachable' | 'time exceeded' | 'parameter problem'
  readonly code: number
  readonly mtu: number
  /** Bytes behind the quoted header. */
  readonly quoted: number
}

function errorOf({ kind, code, mtu, quoted }: ErrorFields, asked: Endpoints): Icmp {
  const payload = encodeUdp({ sourcePort: PORT, destinationPort: 4000, payload: countedBytes(120) }, asked)
  const packet = encodeIpv4({ ...plainHeader(asked), ttl: 1, protocol: IpProtocol.udp, payload })
  const original = packet.slice(0, HEADER + quoted)
  if (kind === 'destination unreachable') return { kind, code, mtu: code === 4 ? mtu : 0, original }
  if (kind === 'time exceeded') return { kind, code: code & 1, original }
  return { kind, code: 0, pointer: 9, original }
}

export interface Endpoints {
  readonly source: string
  readonly destination: string
}

/** A header as hosts send it, of a packet that may be cut. */
export function plainHeader({ source, destination }: Endpoints) {
  return {
    tos: 0,
    identification: 0x1234,
    dontFragment: false,
    moreFragments: false,
    fragmentOffset: 0,
    ttl: 64,
    source,
    destination,
    options: [],
  } as const
}

/** Packets with sound checksums. `martians` false: their sources are only those of the ground. */
export function packets(ground: Ground, { martians = true } = {}): fc.Arbitrary<Ipv4> {
  const { sources, destinations, sound = 1 } = ground
  const usual = mostly(sources, 5 * sound)
  const source = martians ? often(usual, fc.constantFrom(...MARTIANS), 14 * sound) : usual
  return fc
    .record({
      endpoints: fc.record({ source, destination: mostly(destinations, 2 * sound) }),
      transport: transports(ground),
      fields: fc.record({
        ttl: mostly([64, 2, 1, 3, 0, 255], 6 * sound),
        tos: mostly([0, 0xb9, 0x10, 0x03], 5),
        dontFragment: rarely(3),
        identification: mostly([0x1234, 0, 0xffff], 5),
      }),
      fragment: fragmentFields,
    })
    .map(({ endpoints, transport, fields, fragment }) => ({
      ...plainHeader(endpoints),
      ...fields,
      ...fragment,
      ...transport(endpoints),
    }))
}

const fragmentFields = often(
  fc.constant({ moreFragments: false, fragmentOffset: 0 }),
  fc.record({ moreFragments: fc.boolean(), fragmentOffset: fc.constantFrom(8, 64, 0, 1480, 65_528) }),
  14,
)

/** GRE, IPv4 in IPv4, and a number for experiments: RFC 3692. */
const otherPayload: fc.Arbitrary<Transport> = fc
  .constantFrom(253, IpProtocol.gre, IpProtocol.ipip)
  .map((protocol) => () => ({ protocol, payload: countedBytes(24) }))

const transports = (ground: Ground): fc.Arbitrary<Transport> =>
  fc.oneof(
    { withCrossShrink: true },
    { weight: 11 * (ground.sound ?? 1), arbitrary: echoPayload(ground) },
    { weight: 4, arbitrary: udpPayload(ground) },
    { weight: 2, arbitrary: tcpPayload(ground) },
    { weight: 1, arbitrary: errorPayload(ground) },
    { weight: 1, arbitrary: otherPayload },
  )

/** What goes wrong with the bytes of a packet on their way: mostly nothing. */
export const damage: fc.Arbitrary<(packet: Uint8Array) => Uint8Array> = often(
  fc.constant((packet) => packet),
  fc.constantFrom<((packet: Uint8Array) => Uint8Array)[]>(
    (packet) => flipped(packet, 10), // the header's checksum
    (packet) => flipped(packet, packet.length - 1), // a transport's checksum no longer fits
    (packet) => Uint8Array.of(...packet, 0, 0, 0, 0, 0), // padding
    (packet) => packet.subarray(0, packet.length - 1), // shorter than it says
    (packet) => packet.subarray(0, HEADER - 1),
    (packet) => flipped(packet, 0), // 4 and a header of 16 bytes
  ),
  11,
)

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const copy = bytes.slice()
  copy[at]! ^= 1
  return copy
}

export interface FrameHeader {
  readonly source: string
  readonly destination: string
}

/** The frame that carries these bytes. */
export function frameStep(
  { ns, dev }: Pick<Ground, 'ns' | 'dev'>,
  { source, destination }: FrameHeader,
  payload: Uint8Array,
  etherType: number = EtherType.ipv4,
): FrameStep {
  return { ns, dev, hex: toHex(encodeEthernet({ source, destination, tags: [], etherType, payload })) }
}

/** Longest frame of an Ethernet device: AF_PACKET refuses what is longer (packet_snd of net/packet/af_packet.c). */
export function fits(step: FrameStep, mtu: number): boolean {
  return step.hex.length / 2 <= mtu + ETHERNET
}

/** Frames with IPv4. */
export function frames(ground: Ground, options?: { readonly martians?: boolean }): fc.Arbitrary<FrameStep> {
  return fc
    .tuple(headers(ground), packets(ground, options), damage)
    .map(([header, packet, damaged]) => frameStep(ground, header, damaged(encodeIpv4(packet))))
}

export function headers({ from, to, sound = 1 }: Pick<Ground, 'from' | 'to' | 'sound'>): fc.Arbitrary<FrameHeader> {
  return fc.record({ source: mostly(from, 9), destination: mostly(to, 4 * sound) })
}

/** Requests and answers, gratuitous ones, and probes. */
export function arpFrames(ground: Ground): fc.Arbitrary<FrameStep> {
  const { from, to, sources, destinations } = ground
  return fc
    .record({
      header: headers({ from, to: ['ff:ff:ff:ff:ff:ff', ...to] }),
      operation: mostly([1, 2], 2),
      senderMac: mostly(from, 9),
      senderIp: mostly([...sources, '0.0.0.0']),
      targetIp: mostly([...destinations, ...sources], 2),
      targetMac: mostly(['00:00:00:00:00:00', ...to], 2),
    })
    .map(({ header, ...arp }) => frameStep(ground, header, encodeArp(arp), EtherType.arp))
}
