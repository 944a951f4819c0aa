/** ICMP errors that this host sends: __icmp_send, net/ipv4/icmp.c. Who gets none, from which address, and how much is quoted. */
import { setU32, u16, u32 } from '../bytes.ts'
import { attach } from '../netfilter/conntrack.ts'
import { note } from '../observer.ts'
import { newPacket, type Packet, PacketFor } from '../packet.ts'
import { formatAddress } from './address-text.ts'
import { RtScope } from './fib-route.ts'
import {
  DESTINATION_AT,
  ETHERTYPE_IPV4,
  FRAGMENT_AT,
  HEADER_LENGTH,
  headerLength,
  OFFSET_MASK,
  PROTOCOL_AT,
  SOURCE_AT,
  TOS_AT,
} from './header.ts'
import { sendIpv4 } from './output.ts'
import { Ipv4Route } from './route.ts'
import { routeOutput } from './route-output.ts'
import { selectAddress } from './select-address.ts'

const ICMP = 1
const ICMP_HEADER = 8
/** RFC 1812 §4.3.2.3 */
const LARGEST_ERROR = 576
/** INADDR_DUMMY, RFC 7600: from nowhere, where this host has no address. */
const DUMMY_ADDRESS = 0xc0000008
/** IPTOS_PREC_INTERNETCONTROL */
const INTERNET_CONTROL = 0xc0
const TOS_BITS = 0x1e

/** icmp_pointers[].error is 0: echo, timestamp, information and address mask, each with its reply. */
const QUESTIONS: readonly number[] = [0, 8, 13, 14, 15, 16, 17, 18]

/** What is unknown is taken for an error. */
const isIcmpError = (type: number) => !QUESTIONS.includes(type)

/** `info` is the header's last four bytes: the MTU of 3/4, the gateway of a redirect. */
export function sendIcmpError(packet: Packet, type: number, code: number, info: number): void {
  const route = packet.route
  if (!(route instanceof Ipv4Route) || !deserves(packet, route)) return
  const { bytes, network } = packet
  const { namespace } = packet.device
  const { icmpLimits, settings } = namespace.ipv4
  const isFree = icmpLimits.isFree(type, code)
  if (packet.device !== namespace.loopback && !isFree && !icmpLimits.allowGlobally()) {
    noteLimited(packet, type, code, 'icmp_msgs_per_sec')
    return
  }
  const sender = u32(bytes, network + SOURCE_AT)
  const source = route.isLocal ? u32(bytes, network + DESTINATION_AT) : sourceFor(packet, route, sender)
  const tos = (bytes[network + TOS_AT]! & TOS_BITS) | INTERNET_CONTROL
  const mark = settings.fwmark_reflect !== 0 ? packet.mark : 0
  const back = routeOutput(namespace, { destination: sender, source, tos, mark, protocol: ICMP, about: packet })
  if (typeof back === 'string') return
  if (!isFree && !mayTell(packet, back, sender)) {
    noteLimited(packet, type, code, 'icmp_ratelimit')
    return
  }
  const room = Math.min(back.mtu, LARGEST_ERROR) - HEADER_LENGTH - ICMP_HEADER
  if (room <= HEADER_LENGTH) return
  const quoted = Math.min(packet.end - network, room)
  const error = newIcmp(packet, ICMP_HEADER + quoted)
  const at = error.transport
  error.bytes[at] = type
  error.bytes[at + 1] = code
  setU32(error.bytes, at + 4, info)
  error.bytes.set(bytes.subarray(network, network + quoted), at + ICMP_HEADER)
  attach(error, packet)
  error.journey = packet.journey?.spawn('icmp')
  if (packet.journey)
    note(packet, packet.device, 'icmp', `${type}/${code} to ${formatAddress(sender)}`, { kernel: '__icmp_send' })
  sendIpv4(namespace, error, {
    source: source || back.source || DUMMY_ADDRESS,
    destination: sender,
    protocol: ICMP,
    tos,
    mark,
    route: back,
    checksumAt: 2,
  })
}

/** An empty ICMP packet of `length` bytes, on the way out. */
export function newIcmp({ device }: Packet, length: number): Packet {
  const made = newPacket(HEADER_LENGTH + length, device, ETHERTYPE_IPV4)
  made.transport = made.network + HEADER_LENGTH
  return made
}

/** RFC 1122 §3.2.2: no error about what was for many, about a later fragment, or about an error. */
function deserves(packet: Packet, route: Ipv4Route): boolean {
  const { bytes, network } = packet
  if (packet.for !== PacketFor.host || route.isForMany) return false
  if ((u16(bytes, network + FRAGMENT_AT) & OFFSET_MASK) !== 0) return false
  if (bytes[network + PROTOCOL_AT] !== ICMP) return true
  const at = network + headerLength(packet)
  return at < packet.end && !isIcmpError(bytes[at]!)
}

/** 0: the address that the way back speaks from. */
function sourceFor({ device, inputIndex }: Packet, route: Ipv4Route, sender: number): number {
  const { namespace } = device
  if (!route.isInput || namespace.ipv4.settings.icmp_errors_use_inbound_ifaddr === 0) return 0
  return selectAddress(namespace.devices.at(inputIndex), sender, RtScope.link)
}

/** icmpv4_xrlim_allow */
function mayTell({ device }: Packet, back: Ipv4Route, sender: number): boolean {
  const { namespace } = device
  const { icmpLimits } = namespace.ipv4
  if (back.device !== namespace.loopback) return icmpLimits.allow(sender)
  icmpLimits.consumeGlobally()
  return true
}

function noteLimited(packet: Packet, type: number, code: number, setting: string): void {
  if (packet.journey)
    note(packet, packet.device, 'icmp', `${type}/${code} is not sent: too many have been`, {
      kernel: '__icmp_send',
      ref: `sysctl net/ipv4/${setting}`,
    })
}

/** ip_rt_send_redirect: tells a neighbour that the next hop is its neighbour, too; fewer and fewer times. */
export function sendRedirect(packet: Packet): void {
  const route = packet.route as Ipv4Route
  const { bytes, network, device } = packet
  const { conf } = route.device.ipv4
  const { ipv4 } = device.namespace
  if (conf.send_redirects === 0 && ipv4.all.send_redirects === 0) return
  if (!ipv4.icmpLimits.allowRedirect(u32(bytes, network + SOURCE_AT))) return
  sendIcmpError(packet, 5, 1, route.gateway || u32(bytes, network + DESTINATION_AT))
}
