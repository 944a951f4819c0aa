/**
 * What a tunnel's device in a bridge answers to a frame that does not fit: skb_tunnel_check_pmtu and what it calls,
 * net/ipv4/ip_tunnel_core.c.
 *
 * A bridge has no route to the sender. So the error is made of the frame itself, as if its destination had sent it, and comes
 * in by the tunnel's device: the bridge knows the way back.
 */
import { IpProtocol } from '../../wire/ipv4.ts'
import { fold, setU16, setU32, sumOfView, u16, u32 } from '../bytes.ts'
import * as ipv4 from '../ipv4/header.ts'
import { isAny, isLoopback, isMulticast } from '../ipv6/address.ts'
import * as ipv6 from '../ipv6/header.ts'
import { clone, ETHERNET_HEADER, ensureHeadroom, type Packet, pushEthernet } from '../packet.ts'

const ICMP_HEADER = 8
/** RFC 1812 §4.3.2.3, and as the least MTU that is told of. */
const LARGEST_ERROR = 576

const FRAGMENTATION_NEEDED = [3, 4] as const
const PACKET_TOO_BIG = [2, 0] as const

/** icmp_is_err */
const ICMP_ERRORS: readonly number[] = [3, 4, 5, 11, 12]
const NDISC_REDIRECT = 137
const LOOPBACK_NETWORK = 127
const BROADCAST = 0xffff_ffff

/** Undefined where the sender is not to hear of it: the frame is sent all the same, in fragments. */
export function tooBigAnswer(packet: Packet, mtu: number): Packet | undefined {
  if (packet.protocol === ipv4.ETHERTYPE_IPV4) return deserves(packet, mtu) ? answer4(packet, mtu) : undefined
  if (packet.protocol === ipv6.ETHERTYPE_IPV6) return deserves6(packet, mtu) ? answer6(packet, mtu) : undefined
  return undefined
}

/** iptunnel_pmtud_check_icmp */
function deserves({ bytes, network }: Packet, mtu: number): boolean {
  if (mtu < LARGEST_ERROR || u16(bytes, network + ipv4.FRAGMENT_AT) !== ipv4.DONT_FRAGMENT) return false
  const source = u32(bytes, network + ipv4.SOURCE_AT)
  const destination = u32(bytes, network + ipv4.DESTINATION_AT)
  if ([source, destination].some((address) => address === BROADCAST || address >>> 28 === 0xe)) return false
  if (source >>> 24 === 0 || source >>> 24 === LOOPBACK_NETWORK) return false
  const at = network + (bytes[network]! & 15) * 4
  return bytes[network + ipv4.PROTOCOL_AT] !== IpProtocol.icmp || !ICMP_ERRORS.includes(bytes[at]!)
}

/** iptunnel_pmtud_check_icmpv6 */
function deserves6({ bytes, network, end }: Packet, mtu: number): boolean {
  const source = network + ipv6.SOURCE_AT
  if (mtu < ipv6.MIN_MTU || isAny(bytes, source) || isMulticast(bytes, source) || isLoopback(bytes, source))
    return false
  const transport = ipv6.findTransport(bytes, network, end)
  if (transport?.fragmentOffset !== 0) return false
  const type = bytes[transport.at]!
  return transport.protocol !== ipv6.NextHeader.icmp || (type >= 128 && type !== NDISC_REDIRECT)
}

/** iptunnel_pmtud_build_icmp */
function answer4(packet: Packet, mtu: number): Packet {
  const answer = quoting(packet, FRAGMENTATION_NEEDED, LARGEST_ERROR, ipv4.HEADER_LENGTH)
  const { bytes, view, network, transport, end } = answer
  setU32(bytes, transport + 4, mtu)
  setU16(bytes, transport + 2, ~fold(sumOfView(view, transport, end)) & 0xffff)
  const asked = transport + ICMP_HEADER
  bytes[network] = 0x45
  setU16(bytes, network + ipv4.LENGTH_AT, end - network)
  setU16(bytes, network + ipv4.FRAGMENT_AT, ipv4.DONT_FRAGMENT)
  bytes[network + ipv4.TTL_AT] = bytes[asked + ipv4.TTL_AT]!
  bytes[network + ipv4.PROTOCOL_AT] = IpProtocol.icmp
  bytes.copyWithin(network + ipv4.SOURCE_AT, asked + ipv4.DESTINATION_AT, asked + ipv4.DESTINATION_AT + 4)
  bytes.copyWithin(network + ipv4.DESTINATION_AT, asked + ipv4.SOURCE_AT, asked + ipv4.SOURCE_AT + 4)
  ipv4.writeChecksum(answer)
  return answer
}

/** iptunnel_pmtud_build_icmpv6 */
function answer6(packet: Packet, mtu: number): Packet {
  const answer = quoting(packet, PACKET_TOO_BIG, ipv6.MIN_MTU, ipv6.HEADER_LENGTH)
  const { bytes, view, network, transport, end } = answer
  setU32(bytes, transport + 4, mtu)
  const asked = transport + ICMP_HEADER
  bytes[network] = 0x60
  ipv6.writePayloadLength(answer)
  bytes[network + ipv6.NEXT_HEADER_AT] = ipv6.NextHeader.icmp
  bytes[network + ipv6.HOP_LIMIT_AT] = bytes[asked + ipv6.HOP_LIMIT_AT]!
  bytes.copyWithin(network + ipv6.SOURCE_AT, asked + ipv6.DESTINATION_AT, asked + ipv6.DESTINATION_AT + 16)
  bytes.copyWithin(network + ipv6.DESTINATION_AT, asked + ipv6.SOURCE_AT, asked + ipv6.SOURCE_AT + 16)
  const addresses = sumOfView(view, network + ipv6.SOURCE_AT, transport)
  const pseudo = addresses + end - transport + ipv6.NextHeader.icmp
  setU16(bytes, transport + 2, ~fold(sumOfView(view, transport, end, pseudo)) & 0xffff)
  return answer
}

/** The packet's beginning, behind an error's headers, which are zero but for type and code, and an Ethernet header that leads back. */
function quoting(packet: Packet, [type, code]: readonly [number, number], most: number, header: number): Packet {
  const answer = clone(packet)
  answer.end = Math.min(answer.end, answer.network + most - header - ICMP_HEADER)
  ensureHeadroom(answer, answer.network, header + ICMP_HEADER + ETHERNET_HEADER)
  const { bytes, network } = answer
  answer.transport = network - ICMP_HEADER
  answer.network = answer.transport - header
  bytes.fill(0, answer.network, network)
  bytes[answer.transport] = type
  bytes[answer.transport + 1] = code
  answer.checksum = 'none'
  answer.fragmentSizes = undefined
  const { bytes: asked, link } = packet
  pushEthernet(answer, asked.subarray(link + 6, link + 12), asked.subarray(link, link + 6), packet.protocol)
  return answer
}
