/** Where the transport header is, and whether its checksum is right. */
import { fold, sumOf, u16 } from '../../bytes.ts'
import type { Packet } from '../../packet.ts'
import { Protocol, type TupleFamily } from './tuple.ts'

const HOP_BY_HOP = 0
const ROUTING = 43
const FRAGMENT = 44
const NO_NEXT = 59
const AUTHENTICATION = 51
const DESTINATION = 60

/** What locate and locate6 found beside the offset. */
export const located = { protocol: 0 }

/** Offset of the transport header of the packet whose network header is at `network`; -1: it has none, or cannot be read. */
export function locate(family: TupleFamily, bytes: Uint8Array, network: number, end: number): number {
  return family === 'ip' ? locate4(bytes, network, end) : locate6(bytes, network, end)
}

/** ipv4_get_l4proto: only the first fragment has one. */
function locate4(bytes: Uint8Array, network: number, end: number): number {
  if (end - network < 20 || u16(bytes, network + 6) & 0x1fff) return -1
  const transport = network + (bytes[network]! & 0xf) * 4
  if (transport > end) return -1
  located.protocol = bytes[network + 9]!
  return transport
}

/** ipv6_skip_exthdr. */
function locate6(bytes: Uint8Array, network: number, end: number): number {
  if (end - network < 40) return -1
  let next = bytes[network + 6]!
  let at = network + 40
  while (
    next === HOP_BY_HOP ||
    next === ROUTING ||
    next === FRAGMENT ||
    next === AUTHENTICATION ||
    next === DESTINATION
  ) {
    if (end - at < 8) return -1
    if (next === FRAGMENT && u16(bytes, at + 2) & 0xfff8) return -1
    const length = next === FRAGMENT ? 8 : lengthOfOptions(next, bytes[at + 1]!)
    next = bytes[at]!
    at += length
  }
  if (next === NO_NEXT || at > end) return -1
  located.protocol = next
  return at
}

/** ipv6_optlen, ipv6_authlen: bytes of an extension header that says `units` of itself. */
function lengthOfOptions(header: number, units: number): number {
  return header === AUTHENTICATION ? (units + 2) * 4 : (units + 1) * 8
}

const NO_FRAGMENT = [-1, -1] as const

/** find_prev_fhdr: where an IPv6 packet's fragment header is, and what names it. -1: it is no fragment. */
export function findFragmentHeader(
  bytes: Uint8Array,
  network: number,
  end: number,
): readonly [at: number, namedAt: number] {
  let namedAt = network + 6
  let at = network + 40
  for (;;) {
    const next = bytes[namedAt]!
    if (next === FRAGMENT) return at > end ? NO_FRAGMENT : [at, namedAt]
    if (next !== HOP_BY_HOP && next !== ROUTING && next !== AUTHENTICATION && next !== DESTINATION) return NO_FRAGMENT
    if (end - at < 8) return NO_FRAGMENT
    namedAt = at
    at += lengthOfOptions(next, bytes[at + 1]!)
  }
}

/** nf_checksum: whether the transport's checksum is right. Protocols without one always pass. */
export function hasGoodChecksum(family: TupleFamily, packet: Packet, protocol: number, at: number): boolean {
  if (packet.checksum === 'verified') return true
  const isGood = isSumRight(family, packet, protocol, at)
  // Who has looked no longer goes by the tunnel's: __skb_checksum_complete.
  if (!isGood) packet.checksum = 'none'
  return isGood
}

function isSumRight(family: TupleFamily, packet: Packet, protocol: number, at: number): boolean {
  const { bytes, end, network } = packet
  if (protocol === Protocol.icmp) return fold(sumOf(bytes, at, end)) === 0xffff
  if (protocol !== Protocol.tcp && protocol !== Protocol.udp && protocol !== Protocol.icmpv6) return true
  if (protocol === Protocol.udp && u16(bytes, at + 6) === 0) return true
  // A UDP datagram may be shorter than its packet: Linux sums the packet all the same, with the packet's length.
  const addresses = family === 'ip' ? sumOf(bytes, network + 12, network + 20) : sumOf(bytes, network + 8, network + 40)
  return fold(sumOf(bytes, at, end, addresses + protocol + (end - at))) === 0xffff
}
