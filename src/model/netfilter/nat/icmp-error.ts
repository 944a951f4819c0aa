/**
 * Translation of ICMP errors, and of the packet that they quote: who sent that must recognise it.
 * nf_nat_icmp_reply_translation, nf_nat_icmpv6_reply_translation, net/netfilter/nf_nat_proto.c.
 */
import { fold, setU16, sumOf } from '../../bytes.ts'
import type { Packet } from '../../packet.ts'
import { type Connection, NAT_MASK, Status } from '../conntrack/connection.ts'
import { hasGoodChecksum, locate } from '../conntrack/headers.ts'
import { type Address, hasPorts, isIcmp, Protocol } from '../conntrack/tuple.ts'
import type { NatKind } from './range.ts'
import { translate } from './translate.ts'

const ICMP_REDIRECT = 5
const ICMPV6_REDIRECT = 137
const GRE = 47
/** RFC 792: a quotation has 64 bits behind the IP header. */
const WRITTEN_LENGTH = 8
const NAT_DONE = Status.sourceNatDone | Status.destinationNatDone

/**
 * Whether the error at `at` may go on: nothing is done yet. `changes`: it is to be translated, and so must hold as much of the
 * quoted transport header as is written to.
 */
export function isTranslatableError(packet: Packet, connection: Connection, at: number, changes: boolean): boolean {
  const { bytes, end } = packet
  const { family } = connection.original
  const ip = family === 'ip'
  if (end - at < 8 + (ip ? 20 : 40)) return false
  if (!hasGoodChecksum(family, packet, ip ? Protocol.icmp : Protocol.icmpv6, at)) return false
  if (bytes[at] === (ip ? ICMP_REDIRECT : ICMPV6_REDIRECT)) {
    if ((connection.status & NAT_DONE) !== NAT_DONE || connection.status & NAT_MASK) return false
  }
  if (!changes || !isWritten(connection.original.protocol)) return true
  const quoted = locate(family, bytes, at + 8, end)
  return quoted < 0 || end - quoted >= WRITTEN_LENGTH
}

/** Protocols that have something to be written behind the addresses: l4proto_manip_pkt. */
function isWritten(protocol: number): boolean {
  return hasPorts(protocol) || isIcmp(protocol) || protocol === GRE
}

/** `at`: the ICMP header. The quoted packet went the other way, so its other end is the one to change. */
export function translateIcmpError(
  packet: Packet,
  connection: Connection,
  at: number,
  kind: NatKind,
  address: Address,
  part: number,
): void {
  const { bytes, network, end } = packet
  const ip = connection.original.family === 'ip'
  const protocol = ip ? Protocol.icmp : Protocol.icmpv6
  translate(bytes, at + 8, end, kind === 'snat' ? 'dnat' : 'snat', address, part, connection.original.protocol)
  setU16(bytes, at + 2, 0)
  const pseudo = ip ? 0 : sumOf(bytes, network + 8, network + 40) + protocol + (end - at)
  setU16(bytes, at + 2, ~fold(sumOf(bytes, at, end, pseudo)) & 0xffff)
  translate(bytes, network, end, kind, address, part, protocol)
}
