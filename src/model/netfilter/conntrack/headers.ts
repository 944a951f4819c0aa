/** Where the transport header is, and whether its checksum is right. */
import { extensionLength } from '../../../wire/ipv6.ts'
import { fold, sumOf, u16 } from '../../bytes.ts'
import { findTransport, HEADER_LENGTH, isExtension, NextHeader } from '../../ipv6/header.ts'
import type { Packet } from '../../packet.ts'
import { Protocol, type TupleFamily } from './tuple.ts'

/** What locate and locate6 found beside the offset. */
export const located = { protocol: 0 }

/**
 * Offset of the transport header of the packet whose network header is at `network`; -1: it has none, or cannot be read. How much
 * of it is there, who reads it must ask.
 */
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

/** get_l4proto: only the first fragment has one, and not what says that nothing follows. */
function locate6(bytes: Uint8Array, network: number, end: number): number {
  if (end - network < HEADER_LENGTH) return -1
  const transport = findTransport(bytes, network, end)
  if (transport?.fragmentOffset !== 0 || transport.protocol === NextHeader.none) return -1
  located.protocol = transport.protocol
  return transport.at
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
    if (next === NextHeader.fragment) return at > end ? NO_FRAGMENT : [at, namedAt]
    if (!isExtension(next) || next === NextHeader.none || end - at < 8) return NO_FRAGMENT
    namedAt = at
    at += extensionLength(next, bytes[at + 1]!)
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
