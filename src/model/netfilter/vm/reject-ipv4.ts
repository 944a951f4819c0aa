/** What the sender of a rejected IPv4 packet is told: net/ipv4/netfilter/nf_reject_ipv4.c. */
import { fold, sumOf, u16, u32 } from '../../bytes.ts'
import {
  DESTINATION_AT,
  ETHERTYPE_IPV4,
  FRAGMENT_AT,
  HEADER_LENGTH,
  headerLength,
  OFFSET_MASK,
  PROTOCOL_AT,
  SOURCE_AT,
} from '../../ipv4/header.ts'
import { sendIcmpError } from '../../ipv4/icmp.ts'
import { sendIpv4 } from '../../ipv4/output.ts'
import type { Ipv4Route } from '../../ipv4/route.ts'
import { routeOutput } from '../../ipv4/route-output.ts'
import { addressType } from '../../ipv4/select-address.ts'
import { note } from '../../observer.ts'
import { newPacket, type Packet } from '../../packet.ts'
import { sendBack } from '../bridge/send-back.ts'
import { attach, setClosing } from '../conntrack.ts'
import { Hook, type HookNumber } from '../hooks.ts'
import { FLAGS_AT, RST, TCP_CHECKSUM_AT, TCP_HEADER, writeReset } from './tcp-reset.ts'

const UNREACHABLE = 3
const TCP = 6
const UDP = 17
export const UDP_CHECKSUM_AT = 6
/** GRE, ESP, AH, SCTP, UDP-Lite, DCCP: not by one sum of all that they carry. */
export const OTHERWISE_SUMMED: readonly number[] = [47, 50, 51, 132, 136, 33]

/** nf_send_unreach. Nothing is said about later fragments, and about what was damaged. */
export function rejectIpv4(packet: Packet, code: number, hook: HookNumber): void {
  if (isLaterFragment(packet) || !hasRoute(packet, hook)) return
  if (packet.checksum === 'none' && !isIntact(packet)) return
  sendIcmpError(packet, UNREACHABLE, code, 0)
}

/** nf_send_reset. Resets are not answered. */
export function resetIpv4(packet: Packet, hook: HookNumber): void {
  const { bytes, network, end } = packet
  if (isLaterFragment(packet) || bytes[network + PROTOCOL_AT] !== TCP) return
  const at = network + headerLength(packet)
  if (at + TCP_HEADER > end || bytes[at + FLAGS_AT]! & RST) return
  if (!isIntact(packet) || !hasRoute(packet, hook) || (packet.route as Ipv4Route).isForMany) return
  const { namespace } = packet.device
  const destination = u32(bytes, network + SOURCE_AT)
  const source = u32(bytes, network + DESTINATION_AT)
  const mark = namespace.ipv4.settings.fwmark_reflect !== 0 ? packet.mark : 0
  const isOurs = addressType(namespace, source) === 'local'
  const route = routeOutput(namespace, { destination, source: isOurs ? source : 0, anySource: !isOurs, mark })
  if (typeof route === 'string') return

  const reset = newPacket(HEADER_LENGTH + TCP_HEADER, packet.device, ETHERTYPE_IPV4)
  reset.transport = reset.network + HEADER_LENGTH
  writeReset(reset.bytes, reset.transport, packet, at)
  attach(reset, packet)
  setClosing(packet)
  reset.journey = packet.journey?.spawn('reply')
  if (packet.journey) note(packet, packet.device, 'rule', 'answered with a TCP reset', { kernel: 'nf_send_reset' })
  sendIpv4(namespace, reset, {
    source,
    destination,
    protocol: TCP,
    dontFragment: true,
    identification: 0,
    mark,
    route,
    checksumAt: TCP_CHECKSUM_AT,
    transmit: packet.bridged && ((made) => sendBack(made, packet)),
  })
}

/** nf_reject_fill_skb_dst: before routing there is none yet; the way back serves. */
function hasRoute(packet: Packet, hook: HookNumber): boolean {
  if (hook !== Hook.prerouting || packet.route !== undefined) return packet.route !== undefined
  const destination = u32(packet.bytes, packet.network + SOURCE_AT)
  const route = routeOutput(packet.device.namespace, { destination })
  if (typeof route === 'string') return false
  packet.route = route
  return true
}

function isLaterFragment({ bytes, network }: Packet): boolean {
  return (u16(bytes, network + FRAGMENT_AT) & OFFSET_MASK) !== 0
}

/** nf_reject_verify_csum and nf_ip_checksum. */
function isIntact(packet: Packet): boolean {
  const { bytes, network, end } = packet
  if (packet.checksum === 'verified') return true
  const protocol = bytes[network + PROTOCOL_AT]!
  const at = network + headerLength(packet)
  if (OTHERWISE_SUMMED.includes(protocol)) return true
  if (protocol === UDP && at + 8 <= end && u16(bytes, at + UDP_CHECKSUM_AT) === 0) return true
  // Of whatever else it is. The IPv4 header is summed as well, which adds nothing.
  const isPseudo = protocol === TCP || protocol === UDP
  const pseudo = isPseudo ? sumOf(bytes, network + SOURCE_AT, network + HEADER_LENGTH) + protocol + (end - at) : 0
  return fold(sumOf(bytes, network, end, pseudo)) === 0xffff
}
