/** IPv6's header where a packet holds it: RFC 8200 §3. Offsets are from `packet.network`. */
import { extensionLength } from '../../wire/ipv6.ts'
import { setU16, setU32, u16 } from '../bytes.ts'
import type { Packet } from '../packet.ts'

export const ETHERTYPE_IPV6 = 0x86dd
export const HEADER_LENGTH = 40
/** IPV6_MIN_MTU */
export const MIN_MTU = 1280

export const PAYLOAD_AT = 4
export const NEXT_HEADER_AT = 6
export const HOP_LIMIT_AT = 7
export const SOURCE_AT = 8
export const DESTINATION_AT = 24

/** IANA "IPv6 Extension Header Types", and the protocols that the network layer knows itself. */
export const NextHeader = {
  hopByHop: 0,
  tcp: 6,
  udp: 17,
  routing: 43,
  fragment: 44,
  authentication: 51,
  icmp: 58,
  none: 59,
  options: 60,
} as const

export const FRAGMENT_HEADER = 8
export const MORE_FRAGMENTS = 1
export const OFFSET_MASK = 0xfff8

/** ipv6_get_dsfield */
export const trafficClass = (bytes: Uint8Array, network: number): number => (u16(bytes, network) >> 4) & 0xff

/** ip6_flow_hdr */
export function writeFlow(bytes: Uint8Array, network: number, traffic: number, label: number): void {
  setU32(bytes, network, (0x60000000 | (traffic << 20) | label) >>> 0)
}

export function writePayloadLength({ bytes, network, end }: Packet): void {
  setU16(bytes, network + PAYLOAD_AT, end - network - HEADER_LENGTH)
}

/** ipv6_ext_hdr */
export const isExtension = (next: number): boolean =>
  next === NextHeader.hopByHop ||
  next === NextHeader.routing ||
  next === NextHeader.fragment ||
  next === NextHeader.authentication ||
  next === NextHeader.none ||
  next === NextHeader.options

/** What stands behind the extension headers. */
export interface Transport {
  /** Where it begins: offset in the packet's bytes. */
  at: number
  protocol: number
  /** Offset of the byte that names it. */
  namedAt: number
  /** Of the fragment header that was passed, in bytes; 0 where there is none. */
  fragmentOffset: number
  /** A fragment header, or -1. */
  fragmentAt: number
}

const found: Transport = { at: 0, protocol: 0, namedAt: 0, fragmentOffset: 0, fragmentAt: -1 }

/**
 * ipv6_skip_exthdr: it may say that the transport begins behind the packet's end. The object is used again by the next call. Behind a
 * fragment that is not the first, no further.
 */
export function findTransport(bytes: Uint8Array, network: number, end: number): Transport | undefined {
  let at = network + HEADER_LENGTH
  let namedAt = network + NEXT_HEADER_AT
  found.fragmentOffset = 0
  found.fragmentAt = -1
  for (;;) {
    const next = bytes[namedAt]!
    if (!isExtension(next) || next === NextHeader.none) {
      found.at = at
      found.protocol = next
      found.namedAt = namedAt
      return found
    }
    if (at + 2 > end) return undefined
    namedAt = at
    if (next === NextHeader.fragment) {
      if (at + 4 > end) return undefined
      found.fragmentAt = at
      found.fragmentOffset = u16(bytes, at + 2) & OFFSET_MASK
      if (found.fragmentOffset !== 0) {
        found.at = at + FRAGMENT_HEADER
        found.protocol = bytes[namedAt]!
        found.namedAt = namedAt
        return found
      }
    }
    at += extensionLength(next, bytes[at + 1]!)
  }
}
