/** ICMPv6 errors that this host sends: icmp6_send, net/ipv6/icmp.c; RFC 4443 §2.4. Who gets none, from which address, how much is quoted. */
import { setU32, u16 } from '../bytes.ts'
import { attach } from '../netfilter/conntrack.ts'
import { note } from '../observer.ts'
import { newPacket, type Packet, PacketFor } from '../packet.ts'
import { isAny, isLinkLocal, isMulticast, keyOf, textOf } from './address.ts'
import {
  DESTINATION_AT,
  ETHERTYPE_IPV6,
  findTransport,
  HEADER_LENGTH,
  MIN_MTU,
  MORE_FRAGMENTS,
  NextHeader,
  SOURCE_AT,
} from './header.ts'
import { sendIpv6 } from './output.ts'
import { Ipv6Route } from './route.ts'
import { routeOutput6 } from './route-output.ts'
import { isOurs, selectAddress6 } from './select-address.ts'

const ICMP_HEADER = 8
/** Of this host's ICMPv6: where the checksum stands. */
export const CHECKSUM_AT = 2
const TOO_BIG = 2
const PARAMETER_PROBLEM = 4
const UNKNOWN_OPTION = 2
/** RFC 4443 §2.1: errors are below. */
export const FIRST_INFORMATIONAL = 128

/** `info` is the header's last four bytes: the MTU of 2/0, the pointer of a parameter problem. */
export function sendIcmpv6Error(packet: Packet, type: number, code: number, info: number): void {
  const { bytes, network, device } = packet
  const { namespace } = device
  const sender = bytes.slice(network + SOURCE_AT, network + SOURCE_AT + 16)
  const toMany = isMulticast(bytes, network + DESTINATION_AT) || packet.for !== PacketFor.host
  const isOption = type === PARAMETER_PROBLEM && code === UNKNOWN_OPTION
  // opt_unrec: of an option that wants it told to whom it was for alone, nothing is said.
  if (toMany && type !== TOO_BIG && !(isOption && (bytes[network + info]! & 0xc0) === 0x80)) return
  if (isAny(sender) || isMulticast(sender) || isIneligible(packet)) return
  const { icmpLimits } = namespace.ipv6
  const isFree = icmpLimits.isFree(type)
  if (device !== namespace.loopback && !isFree && !icmpLimits.allowGlobally()) {
    noteLimited(packet, type, code, 'ipv4/icmp_msgs_per_sec')
    return
  }
  const chosen = toMany ? undefined : ownDestination(packet)
  const mark = namespace.ipv6.settings.fwmark_reflect !== 0 ? packet.mark : 0
  const key = { destination: sender, mark, protocol: NextHeader.icmp, about: packet }
  const outputDevice = isLinkLocal(sender) ? interfaceOf(packet) : undefined
  const back = routeOutput6(namespace, { ...key, source: chosen, outputDevice })
  if (typeof back === 'string' || back.error !== undefined) return
  // The address that the packet's sender knows this router by.
  const input = namespace.devices.at(packet.inputIndex)
  const source = chosen ?? back.fib?.source ?? (input && selectAddress6(namespace, input, sender))
  if (!isFree && !icmpLimits.allow(back, keyOf(sender))) {
    noteLimited(packet, type, code, 'ipv6/icmp/ratelimit')
    return
  }
  const quoted = Math.min(packet.end - network, MIN_MTU - HEADER_LENGTH - ICMP_HEADER)
  const error = newIcmpv6(packet, ICMP_HEADER + quoted)
  const at = error.transport
  error.bytes[at] = type
  error.bytes[at + 1] = code
  setU32(error.bytes, at + 4, info)
  error.bytes.set(bytes.subarray(network, network + quoted), at + ICMP_HEADER)
  attach(error, packet)
  error.journey = packet.journey?.spawn('icmp')
  if (packet.journey) note(packet, device, 'icmp', `${type}/${code} to ${textOf(sender)}`, { kernel: 'icmp6_send' })
  const protocol = NextHeader.icmp
  sendIpv6(namespace, error, { source, destination: sender, protocol, mark, route: back, checksumAt: CHECKSUM_AT })
}

/** An empty ICMPv6 packet of `length` bytes, on the way out. */
export function newIcmpv6({ device }: Packet, length: number): Packet {
  const made = newPacket(HEADER_LENGTH + length, device, ETHERTYPE_IPV6)
  made.transport = made.network + HEADER_LENGTH
  return made
}

/** icmp6_iif: of what this host sent to itself, the device that has the address. */
export function interfaceOf({ device, route }: Packet) {
  if (device !== device.namespace.loopback) return device
  return route instanceof Ipv6Route ? (route.fib?.device ?? device) : device
}

function ownDestination({ bytes, network, device }: Packet): Uint8Array | undefined {
  const at = network + DESTINATION_AT
  const { namespace } = device
  const anycast = namespace.devices
    .list()
    .some(({ ipv6 }) => ipv6.anycast.some(({ address }) => address.every((byte, i) => byte === bytes[at + i])))
  return anycast || isOurs(namespace, bytes, at, device) ? bytes.slice(at, at + 16) : undefined
}

/** is_ineligible: no error about an error. Of a later fragment nobody can tell, nor of one that ends before its ICMP header. */
function isIneligible({ bytes, network, end }: Packet): boolean {
  const transport = findTransport(bytes, network, end)
  if (transport?.fragmentOffset !== 0 || transport.protocol !== NextHeader.icmp) return false
  if (transport.at < end) return bytes[transport.at]! < FIRST_INFORMATIONAL
  const { fragmentAt } = transport
  return fragmentAt < 0 || (u16(bytes, fragmentAt + 2) & MORE_FRAGMENTS) === 0
}

function noteLimited(packet: Packet, type: number, code: number, setting: string): void {
  if (packet.journey)
    note(packet, packet.device, 'icmp', `${type}/${code} is not sent: too many have been`, {
      kernel: 'icmp6_send',
      ref: `sysctl net/${setting}`,
    })
}
