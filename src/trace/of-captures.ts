/**
 * What captures saw, told as the ways of single packets. The kernel does not say which frame at one link was which at
 * another; a packet is known again by what nothing on its way changes: not its addresses and ports, which NAT changes, nor
 * its TTL, but its identification and what it carries. A tunnel's packet is the packet inside.
 */
import type { PacketType } from '../kernel/live.ts'
import { IpProtocol } from '../wire/ipv4.ts'
import { toHex } from './hex.ts'
import { type Headers, insideVxlan, readHeaders } from './summary.ts'

/** A frame at a tap. */
export interface Sighting {
  /** Nanoseconds. */
  readonly time: bigint
  /** Name of the node or pod, and its link. */
  readonly node: string
  readonly device: string
  readonly direction: 'in' | 'out'
  /** Whose the kernel took it for, where that is known. */
  readonly packetType?: PacketType
  readonly frame: Uint8Array
  /** Offset of the network header: 0 where the link has no other. */
  readonly network: number
}

/** One packet, wherever it was seen, in the order of time. */
export interface SeenPacket {
  readonly key: string
  readonly sightings: readonly Sighting[]
}

/** IP packets, in the order in which they were first seen. What was sent again, the same to the byte, is another packet. */
export function groupPackets(sightings: readonly Sighting[]): SeenPacket[] {
  const packets: { readonly key: string; readonly sightings: Sighting[]; readonly taps: Set<string> }[] = []
  const latest = new Map<string, (typeof packets)[number]>()
  for (const sighting of sightings.toSorted(byTime)) {
    const key = keyOf(sighting)
    if (key === undefined) continue
    const tap = tapOf(sighting)
    const known = latest.get(key)
    if (known && !known.taps.has(tap)) {
      known.sightings.push(sighting)
      known.taps.add(tap)
      continue
    }
    const packet = { key, sightings: [sighting], taps: new Set([tap]) }
    packets.push(packet)
    latest.set(key, packet)
  }
  return packets.map(({ key, sightings: seen }) => ({ key, sightings: seen }))
}

/** One packet is seen once in a place with the same TTL; one that goes round comes with a lower one. */
function tapOf({ node, device, direction, frame, network }: Sighting): string {
  const outer = readHeaders(frame, network)
  const inner = outer && insideVxlan(frame, outer)
  const ttl = (inner === undefined ? outer : readHeaders(frame, inner))?.ttl
  return `${node} ${device} ${direction} ${ttl}`
}

const byTime = (a: Sighting, b: Sighting) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0)

/** Undefined for what is no IP. */
function keyOf({ frame, network }: Sighting): string | undefined {
  const outer = readHeaders(frame, network)
  if (!outer) return undefined
  const inner = insideVxlan(frame, outer)
  if (inner === undefined) return identityOf(frame, network, outer)
  const headers = readHeaders(frame, inner)
  return headers && identityOf(frame, inner, headers)
}

function identityOf(frame: Uint8Array, network: number, headers: Headers): string {
  const { protocol, transport, length } = headers
  if (transport === undefined) return `fragment ${word(frame, network + 4)} ${headers.fragmentOffset}`
  switch (protocol) {
    case IpProtocol.tcp: {
      // Sequence and acknowledgement numbers, flags, how much it carries; and when it was sent, or retransmissions were one.
      const numbers = toHex(frame.subarray(transport + 4, transport + 12))
      const sent = timestampOf(frame, transport)
      return `tcp ${numbers} ${frame[transport + 13]} ${network + length - transport} ${sent}`
    }
    case IpProtocol.udp:
      return `udp ${identification(frame, network)} ${toHex(frame.subarray(transport + 8, network + length))}`
    case IpProtocol.icmp:
    case IpProtocol.icmpv6: {
      // An error is known by its own identification: NAT changes the packet that it quotes.
      const rest = isQuestion(protocol, frame[transport]!) ? toHex(frame.subarray(transport + 6, network + length)) : ''
      return `icmp ${frame[transport]} ${frame[transport + 1]} ${identification(frame, network)} ${rest}`
    }
    default:
      return `${protocol} ${identification(frame, network)} ${length}`
  }
}

const TIMESTAMPS = 8

/** TSval, RFC 7323 §3.2, in hexadecimal; nothing where there is none. */
function timestampOf(frame: Uint8Array, transport: number): string {
  const end = transport + (frame[transport + 12]! >> 4) * 4
  for (let at = transport + 20; at < end && frame[at] !== 0; ) {
    if (frame[at] === TIMESTAMPS) return toHex(frame.subarray(at + 2, at + 6))
    at += frame[at] === 1 ? 1 : Math.max(2, frame[at + 1]!)
  }
  return ''
}

/** Echo requests and replies have identifier and sequence, of which NAT changes the first. */
function isQuestion(protocol: number, type: number): boolean {
  return protocol === IpProtocol.icmp ? type === 0 || type === 8 : type === 128 || type === 129
}

function identification(frame: Uint8Array, network: number): number {
  return frame[network]! >> 4 === 4 ? word(frame, network + 4) : 0
}

const word = (bytes: Uint8Array, at: number) => (bytes[at]! << 8) | bytes[at + 1]!
