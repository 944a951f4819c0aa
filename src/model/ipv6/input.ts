/** The way in: ipv6_rcv to ip6_rcv_finish, net/ipv6/ip6_input.c; ip6_pkt_drop, route.c. */
import { u16 } from '../bytes.ts'
import { Hook, runHook } from '../netfilter/hooks.ts'
import { drop } from '../observer.ts'
import { type Packet, PacketFor } from '../packet.ts'
import { pullForEarlyDemux } from '../pieces.ts'
import { AddressScope, isLoopback, isMulticast } from './address.ts'
import { deliverLocal6 } from './deliver.ts'
import { acceptHopByHop } from './extension.ts'
import { forward6 } from './forward.ts'
import { DESTINATION_AT, HEADER_LENGTH, NEXT_HEADER_AT, NextHeader, PAYLOAD_AT, SOURCE_AT } from './header.ts'
import { sendIcmpv6Error } from './icmp.ts'
import { listensTo } from './multicast.ts'
import type { Ipv6Route } from './route.ts'
import { routeInput6 } from './route-input.ts'
import { describeRoute6 } from './route-text.ts'

const UNREACHABLE = 1

export function receiveIpv6(packet: Packet): void {
  const { bytes, network, device, end } = packet
  if (packet.for === PacketFor.otherhost) {
    drop(packet, 'OTHERHOST', 'ip6_rcv_core', { what: 'the frame is for another MAC address' })
    return
  }
  if (device.ipv6.conf.disable_ipv6 !== 0) {
    drop(packet, 'IPV6DISABLED', 'ip6_rcv_core', { ref: `sysctl net/ipv6/conf/${device.name}/disable_ipv6 1` })
    return
  }
  if (end - network < HEADER_LENGTH) {
    drop(packet, 'IP_INHDR', 'ip6_rcv_core', { what: 'no IPv6 header' })
    return
  }
  if (bytes[network]! >> 4 !== 6) {
    drop(packet, 'UNHANDLED_PROTO', 'ip6_rcv_core', { what: `version ${bytes[network]! >> 4}` })
    return
  }
  const wrong = badAddress(packet)
  if (wrong !== undefined) {
    drop(packet, wrong, 'ip6_rcv_core', { what: 'an address that no packet may have' })
    return
  }
  const length = u16(bytes, network + PAYLOAD_AT)
  const isHopByHop = bytes[network + NEXT_HEADER_AT] === NextHeader.hopByHop
  if (length > 0 || !isHopByHop) {
    if (length + HEADER_LENGTH > end - network) {
      drop(packet, 'PKT_TOO_SMALL', 'ip6_rcv_core', { what: `${end - network} of ${length + HEADER_LENGTH} bytes` })
      return
    }
    // Ethernet pads what is short.
    packet.end = network + HEADER_LENGTH + length
  }
  packet.transport = network + HEADER_LENGTH
  packet.fragmentMaxSize = 0
  if (isHopByHop && !acceptHopByHop(packet)) return
  const { hooks } = device.namespace
  if (hooks.ip6.has(Hook.prerouting)) {
    if (!runHook(device.namespace, 'ip6', Hook.prerouting, packet, device, undefined)) return
  }
  finishIpv6(packet)
}

/** RFC 4291 §2.5.3 and §2.7: what may not come by a link. The drop's reason; undefined: all is well. */
function badAddress({ bytes, network, device, for: whom }: Packet): string | undefined {
  const source = network + SOURCE_AT
  const destination = network + DESTINATION_AT
  const isLoopbackDevice = device === device.namespace.loopback
  if (!isLoopbackDevice && (isLoopback(bytes, source) || isLoopback(bytes, destination))) return 'IP_INHDR'
  if (isMulticast(bytes, source)) return 'IP_INHDR'
  if (isMulticast(bytes, destination)) {
    const scope = bytes[destination + 1]! & 15
    const isOwn = whom === PacketFor.loopback || isLoopbackDevice
    return scope === 0 || (scope === AddressScope.node && !isOwn) ? 'IP_INHDR' : undefined
  }
  const isGroupFrame = whom === PacketFor.broadcast || whom === PacketFor.multicast
  const refuses = isGroupFrame && device.ipv6.conf.drop_unicast_in_l2_multicast !== 0
  return refuses ? 'UNICAST_IN_L2_MULTICAST' : undefined
}

/** ip6_rcv_finish: behind PREROUTING. What came back from this host (loopback) has its route already. */
export function finishIpv6(packet: Packet): void {
  if (packet.route === undefined) {
    if (packet.fragmentSizes !== undefined && isForEarlyDemux(packet)) pullForEarlyDemux(packet)
    routeInput6(packet)
  }
  const route = packet.route as Ipv6Route
  if (route.error !== undefined) refuse(packet, route)
  else if (route.isLocal) deliverLocal6(packet)
  else if (isMulticast(packet.bytes, packet.network + DESTINATION_AT)) receiveMulticast(packet)
  else forward6(packet)
}

function isForEarlyDemux({ bytes, network, device, for: whom }: Packet): boolean {
  const { ip_early_demux, tcp_early_demux } = device.namespace.ipv4.settings
  const isAsked = ip_early_demux !== 0 && tcp_early_demux !== 0
  return isAsked && whom === PacketFor.host && bytes[network + NEXT_HEADER_AT] === NextHeader.tcp
}

/** ip6_mc_input */
function receiveMulticast(packet: Packet): void {
  const { bytes, network, device } = packet
  if (listensTo(device, bytes, network + DESTINATION_AT)) deliverLocal6(packet)
  else
    drop(packet, 'NOT_SPECIFIED', 'ip6_mc_input', { own: 'OVL_NOT_JOINED', what: `${device.name} is not in the group` })
}

/** What a route's error is to the packet's sender, and to who looks for the packet. */
const refusals = {
  ENETUNREACH: { code: 0, reason: 'IP_INNOROUTES', kernel: 'ip6_pkt_discard', own: undefined, what: 'no route' },
  EHOSTUNREACH: {
    code: 0,
    reason: 'IP_INNOROUTES',
    kernel: 'ip6_pkt_discard',
    own: undefined,
    what: 'an unreachable route',
  },
  EACCES: { code: 1, reason: 'IP_INNOROUTES', kernel: 'ip6_pkt_prohibit', own: undefined, what: 'a prohibit route' },
  EINVAL: {
    code: undefined,
    reason: 'NOT_SPECIFIED',
    kernel: 'dst_discard_out',
    own: 'OVL_ROUTE_BLACKHOLE',
    what: 'a blackhole route',
  },
} as const

function refuse(packet: Packet, { error, fib, rule }: Ipv6Route): void {
  const { code, reason, kernel, own, what } = refusals[error!]
  const ref = packet.journey && (fib ? `route ${describeRoute6(fib)}` : rule && `rule ${rule}`)
  if (code !== undefined) sendIcmpv6Error(packet, UNREACHABLE, code, 0)
  drop(packet, reason, kernel, { own, ref, what })
}
