/** On to somebody else: ip6_forward, net/ipv6/ip6_output.c. The order is the kernel's: hop limit, source, size, then the hook. */
import { Hook, runHook } from '../netfilter/hooks.ts'
import { drop, note } from '../observer.ts'
import { type Packet, PacketFor } from '../packet.ts'
import { isAny, isLinkLocal, isLoopback, isMulticast, keyAt } from './address.ts'
import { deliverLocal6 } from './deliver.ts'
import { DESTINATION_AT, findTransport, HOP_LIMIT_AT, MIN_MTU, NextHeader, SOURCE_AT } from './header.ts'
import { sendIcmpv6Error } from './icmp.ts'
import { NdType } from './ndp-send.ts'
import { ipOutput6 } from './output.ts'
import { sendRedirect6 } from './redirect.ts'
import type { Ipv6Route } from './route.ts'
import { describeRoute6 } from './route-text.ts'

const Icmp = { unreachable: 1, tooBig: 2, timeExceeded: 3 } as const
const BEYOND_SCOPE = 2
const ADDRESS_UNREACHABLE = 3

export function forward6(packet: Packet): void {
  const { bytes, network, device } = packet
  const { namespace } = device
  const route = packet.route as Ipv6Route
  if (namespace.ipv6.all.forwarding === 0 && device.ipv6.conf.force_forwarding === 0) {
    drop(packet, 'IP_INADDRERRORS', 'ip6_forward', {
      what: 'not for this host, which does not forward',
      ref: 'sysctl net/ipv6/conf/all/forwarding 0',
    })
    return
  }
  if (packet.for !== PacketFor.host) {
    drop(packet, 'NOT_SPECIFIED', 'ip6_forward', {
      own: 'OVL_NOT_FOR_HOST',
      what: 'came as a broadcast or multicast frame',
    })
    return
  }
  const hopLimit = bytes[network + HOP_LIMIT_AT]!
  if (hopLimit <= 1) {
    if (packet.journey)
      note(packet, device, 'ttl', `hop limit ${hopLimit} is used up`, { kernel: 'ip6_forward', verdict: 'drop' })
    sendIcmpv6Error(packet, Icmp.timeExceeded, 0, 0)
    drop(packet, 'IP_INHDR', 'ip6_forward', { what: 'hop limit exceeded' })
    return
  }
  if (namespace.ipv6.all.proxy_ndp !== 0 && isProxied(packet) && takeAsProxy(packet)) return
  if (!checkSource(packet, route)) return
  const mtu = Math.max(route.forwardMtu, MIN_MTU)
  const length = packet.end - network
  if (length > mtu && exceeds(packet, mtu)) {
    refuseSize(packet, route, length, mtu)
    return
  }
  bytes[network + HOP_LIMIT_AT] = hopLimit - 1
  if (packet.journey) {
    note(packet, device, 'ttl', `${hopLimit} → ${hopLimit - 1}`, {
      kernel: 'ip6_forward',
      set: { 'ipv6.hlim': [hopLimit, hopLimit - 1] },
    })
    note(packet, device, 'forward', `to ${route.device.name}`, { kernel: 'ip6_forward' })
  }
  if (namespace.hooks.ip6.has(Hook.forward) && !runHook(namespace, 'ip6', Hook.forward, packet, device, route.device))
    return
  ipOutput6(packet, device)
}

/** ip6_forward_proxy_check, for an address that is answered for. True: it has ended, or is for this host. */
function takeAsProxy(packet: Packet): boolean {
  const { bytes, network, end } = packet
  const transport = findTransport(bytes, network, end)
  if (transport?.protocol === NextHeader.icmp && transport.at < end) {
    const type = bytes[transport.at]!
    if (type >= NdType.routerSolicitation && type <= NdType.redirect) {
      deliverLocal6(packet)
      return true
    }
  }
  if (!isLinkLocal(bytes, network + DESTINATION_AT)) return false
  sendIcmpv6Error(packet, Icmp.unreachable, ADDRESS_UNREACHABLE, 0)
  drop(packet, 'NOT_SPECIFIED', 'ip6_forward', { own: 'OVL_PROXIED_LINK_LOCAL', what: 'a proxied link-local address' })
  return true
}

function isProxied({ bytes, network, device }: Packet): boolean {
  return device.namespace.nd.proxied.get(device, keyAt(bytes, network + DESTINATION_AT)) !== undefined
}

/** Back where it came from, the sender is told of the shorter way; else its address must mean something elsewhere. */
function checkSource(packet: Packet, route: Ipv6Route): boolean {
  const { bytes, network, device } = packet
  const at = network + SOURCE_AT
  if (device === route.device) {
    sendRedirect6(packet, route)
    return true
  }
  const isNobody = isAny(bytes, at) || isMulticast(bytes, at) || isLoopback(bytes, at)
  if (!isNobody && !isLinkLocal(bytes, at)) return true
  if (!isNobody) sendIcmpv6Error(packet, Icmp.unreachable, BEYOND_SCOPE, 0)
  drop(packet, 'IP_INADDRERRORS', 'ip6_forward', { what: 'its source means nothing beyond this link' })
  return false
}

/** ip6_pkt_too_big, of what is longer. */
function exceeds(packet: Packet, mtu: number): boolean {
  return packet.fragmentMaxSize === 0 || packet.fragmentMaxSize > mtu
}

function refuseSize(packet: Packet, route: Ipv6Route, length: number, mtu: number): void {
  const what = `${length} bytes, ${mtu} fit ${route.device.name}`
  let ref: string | undefined
  if (packet.journey) {
    const { fib, device } = route
    ref = fib?.metrics?.mtu === mtu ? `route ${describeRoute6(fib)}` : `link ${device.name} mtu ${mtu}`
    note(packet, packet.device, 'mtu', what, { kernel: 'ip6_forward', ref, verdict: 'drop' })
  }
  sendIcmpv6Error(packet, Icmp.tooBig, 0, mtu)
  drop(packet, 'PKT_TOO_BIG', 'ip6_forward', { what, ref })
}
