/** IPv4's header where a packet holds it: RFC 791. Offsets are from `packet.network`. */
import { fold, sumOf, sumOf20 } from '../bytes.ts'
import type { Packet } from '../packet.ts'

export const ETHERTYPE_IPV4 = 0x0800
export const HEADER_LENGTH = 20

export const TOS_AT = 1
export const LENGTH_AT = 2
export const IDENTIFICATION_AT = 4
export const FRAGMENT_AT = 6
export const TTL_AT = 8
export const PROTOCOL_AT = 9
export const CHECKSUM_AT = 10
export const SOURCE_AT = 12
export const DESTINATION_AT = 16

/** The flags beside the fragment's offset, which counts 8 bytes. */
export const DONT_FRAGMENT = 0x4000
export const MORE_FRAGMENTS = 0x2000
export const OFFSET_MASK = 0x1fff

export const headerLength = ({ view, network }: Packet) => (view.getUint8(network) & 15) * 4

/** ip_is_fragment */
export const isFragment = ({ view, network }: Packet) => (view.getUint16(network + FRAGMENT_AT) & 0x3fff) !== 0

export const hasDontFragment = ({ view, network }: Packet) => (view.getUint8(network + FRAGMENT_AT) & 0x40) !== 0

/** ip_send_check */
export function writeChecksum(packet: Packet): void {
  const { bytes, view, network } = packet
  view.setUint16(network + CHECKSUM_AT, 0)
  const length = headerLength(packet)
  const sum = length === HEADER_LENGTH ? sumOf20(view, network) : sumOf(bytes, network, network + length)
  view.setUint16(network + CHECKSUM_AT, ~fold(sum))
}

/** ip_tos2prio, net/ipv4/route.c. */
const PRIORITIES = [0, 0, 0, 0, 2, 2, 2, 2, 6, 6, 6, 6, 4, 4, 4, 4] as const

/** rt_tos2priority */
export const priorityOf = (tos: number) => PRIORITIES[(tos & 0x1e) >> 1]!
