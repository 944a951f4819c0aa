/** Finds a packet's transport header for the machine: nft_set_pktinfo_*. Source: net/netfilter/nf_tables_ipv4.h, …_ipv6.h. */
import { EtherType } from '../../../wire/ethernet.ts'
import { u16 } from '../../bytes.ts'
import { type Machine, NO_TRANSPORT } from './machine.ts'

const IPV4_HEADER = 20
const IPV6_HEADER = 40
const FRAGMENT_OFFSET = 0x1fff

/** NEXTHDR_*, linux/ipv6.h. */
const HOP = 0
const ROUTING = 43
const FRAGMENT = 44
const NONE = 59
const DESTINATION = 60

/** nft_set_pktinfo_ipv4: the IP layer has checked the header. */
export function findIpv4Transport(machine: Machine): void {
  const { bytes, network } = machine.packet
  machine.transportProtocol = bytes[network + 9]!
  machine.transport = network + ((bytes[network]! & 0xf) << 2)
  machine.fragmentOffset = u16(bytes, network + 6) & FRAGMENT_OFFSET
}

/** nft_set_pktinfo_ipv6: ipv6_find_hdr, as far as the authentication header (IP6_FH_F_AUTH). */
export function findIpv6Transport(machine: Machine): void {
  const { packet } = machine
  const { bytes, network, end } = packet
  let next = bytes[network + 6]!
  let at = network + IPV6_HEADER
  machine.fragmentOffset = 0
  machine.transportProtocol = NO_TRANSPORT
  while (isExtension(next) && next !== NONE) {
    // No more is looked at than this, so that the transport's header may begin behind the packet's end.
    if (at + (next === FRAGMENT || next === ROUTING ? 4 : 2) > end) return
    const following = bytes[at]!
    if (next === FRAGMENT) {
      const offset = u16(bytes, at + 2) & ~7
      if (offset !== 0) {
        if (isExtension(following) && following !== NONE) return
        machine.fragmentOffset = offset
        machine.transportProtocol = following
        // Where it begins is not told, so that it is looked for at the packet's start.
        machine.transport = machine.data
        return
      }
      at += 8
    } else at += (bytes[at + 1]! + 1) << 3
    next = following
  }
  machine.transportProtocol = next
  machine.transport = at
}

/** By EtherType where the IP layer has not been: bridge and netdev. What does not hold is no IP there. */
export function findTransport(machine: Machine, etherType: number): void {
  if (etherType === EtherType.ipv4 && isWholeIpv4(machine)) findIpv4Transport(machine)
  else if (etherType === EtherType.ipv6 && isWholeIpv6(machine)) findIpv6Transport(machine)
  else findNoTransport(machine)
}

/** nft_set_pktinfo_unspec. */
export function findNoTransport(machine: Machine): void {
  machine.transportProtocol = NO_TRANSPORT
  machine.fragmentOffset = 0
}

/** __nft_set_pktinfo_ipv4_validate. */
function isWholeIpv4({ packet: { bytes, network, end } }: Machine): boolean {
  const there = end - network
  if (there < IPV4_HEADER) return false
  const header = (bytes[network]! & 0xf) << 2
  const length = u16(bytes, network + 2)
  return bytes[network]! >> 4 === 4 && header >= IPV4_HEADER && length <= there && header <= length
}

/** __nft_set_pktinfo_ipv6_validate. */
function isWholeIpv6({ packet: { bytes, network, end } }: Machine): boolean {
  const there = end - network
  return there >= IPV6_HEADER && bytes[network]! >> 4 === 6 && u16(bytes, network + 4) + IPV6_HEADER <= there
}

function isExtension(next: number): boolean {
  return next === HOP || next === ROUTING || next === FRAGMENT || next === NONE || next === DESTINATION
}
