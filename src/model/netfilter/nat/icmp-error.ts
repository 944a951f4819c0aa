/**
 * Translation of ICMP errors, and of the packet that they quote: who sent that must recognise it.
 * nf_nat_icmp_reply_translation, nf_nat_icmpv6_reply_translation, net/netfilter/nf_nat_proto.c.
 */
import { fold, setU16, sumOf } from '../../bytes.ts'
import type { Packet } from '../../packet.ts'
import { type Connection, NAT_MASK, Status } from '../conntrack/connection.ts'
import { hasGoodChecksum } from '../conntrack/headers.ts'
import { type Address, Protocol } from '../conntrack/tuple.ts'
import type { NatKind } from './range.ts'
import { translate } from './translate.ts'

const ICMP_REDIRECT = 5
const ICMPV6_REDIRECT = 137
const NAT_DONE = Status.sourceNatDone | Status.destinationNatDone

/** Whether the error at `at` can be translated, and need not be dropped: nothing is done yet. */
export function isTranslatableError(packet: Packet, connection: Connection, at: number): boolean {
  const { bytes, end } = packet
  const { family } = connection.original
  const ip = family === 'ip'
  if (end - at < 8 + (ip ? 20 : 40)) return false
  if (!hasGoodChecksum(family, packet, ip ? Protocol.icmp : Protocol.icmpv6, at)) return false
  if (bytes[at] !== (ip ? ICMP_REDIRECT : ICMPV6_REDIRECT)) return true
  return (connection.status & NAT_DONE) === NAT_DONE && !(connection.status & NAT_MASK)
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
