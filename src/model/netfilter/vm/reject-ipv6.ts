/** What the sender of a rejected IPv6 packet is told: net/ipv6/netfilter/nf_reject_ipv6.c. */
import { fold, sumOf, u16 } from '../../bytes.ts'
import { isAny, isMulticast } from '../../ipv6/address.ts'
import {
  DESTINATION_AT,
  ETHERTYPE_IPV6,
  findTransport,
  HEADER_LENGTH,
  NextHeader,
  SOURCE_AT,
} from '../../ipv6/header.ts'
import { sendIcmpv6Error } from '../../ipv6/icmp.ts'
import { sendIpv6 } from '../../ipv6/output.ts'
import { routeOutput6 } from '../../ipv6/route-output.ts'
import { note } from '../../observer.ts'
import { newPacket, type Packet } from '../../packet.ts'
import { sendBack } from '../bridge/send-back.ts'
import { attach, setClosing } from '../conntrack.ts'
import { Hook, type HookNumber } from '../hooks.ts'
import { OTHERWISE_SUMMED, UDP_CHECKSUM_AT } from './reject-ipv4.ts'
import { FLAGS_AT, RST, TCP_CHECKSUM_AT, TCP_HEADER, writeReset } from './tcp-reset.ts'

const UNREACHABLE = 1

/** nf_send_unreach6. Nothing is said about what was damaged. */
export function rejectIpv6(packet: Packet, code: number, hook: HookNumber): void {
  const isSound = packet.checksum === 'summed' || isIntact(packet)
  if (isSound && hasRoute(packet, hook)) sendIcmpv6Error(packet, UNREACHABLE, code, 0)
}

/** nf_send_reset6. Resets are not answered. */
export function resetIpv6(packet: Packet, hook: HookNumber): void {
  const { bytes, network, end } = packet
  for (const at of [network + SOURCE_AT, network + DESTINATION_AT])
    if (isMulticast(bytes, at) || isAny(bytes, at)) return
  const transport = findTransport(bytes, network, end)
  if (transport?.protocol !== NextHeader.tcp || transport.fragmentOffset !== 0) return
  const { at } = transport
  if (at + TCP_HEADER > end || bytes[at + FLAGS_AT]! & RST) return
  if (!isIntact(packet) || !hasRoute(packet, hook)) return
  const { namespace } = packet.device
  const destination = bytes.slice(network + SOURCE_AT, network + SOURCE_AT + 16)
  const source = bytes.slice(network + DESTINATION_AT, network + DESTINATION_AT + 16)
  const mark = namespace.ipv6.settings.fwmark_reflect !== 0 ? packet.mark : 0
  const protocol = NextHeader.tcp
  const route = routeOutput6(namespace, { destination, source, mark, protocol })
  if (typeof route === 'string') return

  const reset = newPacket(HEADER_LENGTH + TCP_HEADER, packet.device, ETHERTYPE_IPV6)
  reset.transport = reset.network + HEADER_LENGTH
  writeReset(reset.bytes, reset.transport, packet, at)
  attach(reset, packet)
  setClosing(packet)
  reset.journey = packet.journey?.spawn('reply')
  if (packet.journey) note(packet, packet.device, 'rule', 'answered with a TCP reset', { kernel: 'nf_send_reset6' })
  sendIpv6(namespace, reset, {
    source,
    destination,
    protocol,
    flowLabel: 0,
    mark,
    route,
    checksumAt: TCP_CHECKSUM_AT,
    transmit: packet.bridged && ((made) => sendBack(made, packet)),
  })
}

/** nf_reject6_fill_skb_dst: before routing there is none yet; the way back serves. */
function hasRoute(packet: Packet, hook: HookNumber): boolean {
  if (hook !== Hook.prerouting || packet.route !== undefined) return packet.route !== undefined
  const at = packet.network + SOURCE_AT
  const route = routeOutput6(packet.device.namespace, { destination: packet.bytes.slice(at, at + 16) })
  if (typeof route === 'string') return false
  packet.route = route
  return true
}

/** reject6_csum_ok: not where no transport's header is there, as in a later fragment. */
function isIntact(packet: Packet): boolean {
  const { bytes, network, end } = packet
  if (packet.checksum === 'verified') return true
  const transport = findTransport(bytes, network, end)
  if (!transport || transport.at >= end || transport.fragmentOffset !== 0) return false
  const { protocol, at } = transport
  if (OTHERWISE_SUMMED.includes(protocol)) return true
  if (protocol === NextHeader.udp && at + 8 <= end && u16(bytes, at + UDP_CHECKSUM_AT) === 0) return true
  const pseudo = sumOf(bytes, network + SOURCE_AT, network + HEADER_LENGTH) + protocol + (end - at)
  return fold(sumOf(bytes, at, end, pseudo)) === 0xffff
}
