/** Options and routing headers that are for this host: ip6_parse_tlv, ipv6_parse_hopopts, ipv6_rthdr_rcv, net/ipv6/exthdrs.c. */
import { drop, unsupported } from '../observer.ts'
import { type Packet, PacketFor } from '../packet.ts'
import { isMulticast } from './address.ts'
import { DESTINATION_AT, HEADER_LENGTH } from './header.ts'
import { sendIcmpv6Error } from './icmp.ts'

const PARAMETER_PROBLEM = 4
const ERRONEOUS_FIELD = 0
const UNKNOWN_OPTION = 2

const Option = { pad1: 0, padN: 1, routerAlert: 5, jumbo: 0xc2, homeAddress: 0xc9 } as const
/** Of an unknown option's type: skip it, drop the packet, tell its sender, tell unless it was multicast. RFC 8200 §4.2. */
const Action = { skip: 0, drop: 1, tell: 2 } as const
/** RFC 4942 §2.1.9.5: to align a header, 7 bytes are enough. */
const MOST_PADDING = 7
/** Who reads options, and what says how many there may be; where that is negative, none that is unknown besides. */
const HOP_BY_HOP = { kernel: 'ipv6_parse_hopopts', setting: 'net/ipv6/max_hbh_opts_number' } as const
const DESTINATION: { readonly kernel: string; readonly setting: string } = {
  kernel: 'ipv6_destopt_rcv',
  setting: 'net/ipv6/max_dst_opts_number',
}
/** RFC 8200 §4.4: of other types this host knows nothing. 2 is mobility's, 3 RPL's, 4 segment routing's. */
const KNOWN_ROUTING: readonly number[] = [2, 3, 4]

/** False: the packet has ended. */
export function acceptHopByHop(packet: Packet): boolean {
  const at = packet.network + HEADER_LENGTH
  if (!acceptOptions(packet, at, HOP_BY_HOP)) return false
  packet.transport = at + (packet.bytes[at + 1]! + 1) * 8
  return true
}

/** Of hop-by-hop or destination options whose header is at `at`. */
export function acceptOptions(packet: Packet, at: number, { kernel, setting } = DESTINATION): boolean {
  const { bytes, end, network, device } = packet
  const limit = at + (bytes[at + 1]! + 1) * 8
  if (at + 8 > end || limit > end) return refuseCut(packet, kernel, 'options are cut off')
  const most = device.namespace.sysctl.number(setting)
  let i = at + 2
  let count = 0
  let padding = 0
  while (i < limit) {
    const type = bytes[i]!
    const length = type === Option.pad1 ? 1 : bytes[i + 1]! + 2
    if ((type !== Option.pad1 && i + 2 > limit) || i + length > limit)
      return refuse(packet, 'IP_INHDR', 'ip6_parse_tlv', `option ${type} is too long`)
    if (type === Option.pad1 || type === Option.padN) {
      padding += length
      if (padding > MOST_PADDING || !isZero(bytes, i + 2, i + length))
        return refuse(packet, 'IP_INHDR', 'ip6_parse_tlv', 'padding of more than 7 bytes, or with something in it')
      i += length
      continue
    }
    padding = 0
    if (++count > Math.abs(most)) {
      drop(packet, 'IP_INHDR', 'ip6_parse_tlv', {
        what: `more than ${Math.abs(most)} options`,
        ref: `sysctl ${setting}`,
      })
      return false
    }
    if (type === Option.jumbo || type === Option.homeAddress) {
      unsupported(packet, `IPv6 option ${type}`)
      return false
    }
    const isKnown = type === Option.routerAlert && setting === HOP_BY_HOP.setting
    if (!isKnown && (most < 0 || type >> 6 !== Action.skip)) {
      const toMany = isMulticast(bytes, network + DESTINATION_AT)
      if (most >= 0 && type >> 6 !== Action.drop && (type >> 6 === Action.tell || !toMany))
        sendIcmpv6Error(packet, PARAMETER_PROBLEM, UNKNOWN_OPTION, i - network)
      return refuse(packet, 'UNHANDLED_PROTO', 'ip6_tlvopt_unknown', `option ${type} is unknown`)
    }
    i += length
  }
  return true
}

/** ipv6_rthdr_rcv: one that has been worked off is passed over. */
export function acceptRouting(packet: Packet, at: number): boolean {
  const { bytes, end, network } = packet
  if (at + 8 > end || at + (bytes[at + 1]! + 1) * 8 > end)
    return refuseCut(packet, 'ipv6_rthdr_rcv', 'the routing header is cut off')
  if (packet.for !== PacketFor.host || isMulticast(bytes, network + DESTINATION_AT)) {
    const what = 'a packet with a routing header is for one host'
    drop(packet, 'NOT_SPECIFIED', 'ipv6_rthdr_rcv', { own: 'OVL_ROUTING_HEADER', what })
    return false
  }
  const type = bytes[at + 2]!
  if (type === 3 || type === 4 || (bytes[at + 3] !== 0 && KNOWN_ROUTING.includes(type))) {
    unsupported(packet, `IPv6 routing header ${type}`)
    return false
  }
  if (bytes[at + 3] === 0) return true
  sendIcmpv6Error(packet, PARAMETER_PROBLEM, ERRONEOUS_FIELD, at + 2 - network)
  drop(packet, 'NOT_SPECIFIED', 'ipv6_rthdr_rcv', {
    own: 'OVL_ROUTING_HEADER',
    what: `routing type ${type} is unknown`,
  })
  return false
}

function isZero(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (bytes[i] !== 0) return false
  return true
}

function refuseCut(packet: Packet, kernel: string, what: string): false {
  drop(packet, 'NOT_SPECIFIED', kernel, { own: 'OVL_EXTENSION_CUT', what })
  return false
}

function refuse(packet: Packet, reason: string, kernel: string, what: string): false {
  drop(packet, reason, kernel, { what })
  return false
}
