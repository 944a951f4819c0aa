/**
 * What ICMP errors teach about the way to a destination, once it is sure that they answer a packet of ours: a smaller MTU
 * (ipv4_update_pmtu), a better gateway (ipv4_redirect). net/ipv4/route.c.
 */
import { u32 } from '../bytes.ts'
import type { Namespace } from '../namespace.ts'
import type { Packet } from '../packet.ts'
import { DESTINATION_AT, PROTOCOL_AT, SOURCE_AT, TOS_AT } from './header.ts'
import type { Ipv4Route } from './route.ts'
import { routeOutput } from './route-output.ts'
import { addressType, isOnLink } from './select-address.ts'

const UNREACHABLE = 3
const FRAGMENTATION_NEEDED = 4
const REDIRECT = 5
const NUD_VALID = 0xde

/** Both, of a quoted packet that the kernel sent by itself: no socket need be there. */
export function learnFromIcmp(packet: Packet, type: number, code: number, info: number, quoted: number): void {
  if (type === UNREACHABLE && code === FRAGMENTATION_NEEDED) learnPathMtu(packet, info, quoted)
  else if (type === REDIRECT) acceptRedirect(packet, quoted)
}

/** ipv4_update_pmtu: the packet quoted at `quoted` was too big for a router, which passes no more than `mtu` bytes. */
function learnPathMtu({ bytes, device }: Packet, mtu: number, quoted: number): void {
  const { namespace } = device
  const route = routeOfQuoted(namespace, bytes, quoted)
  if (route) namespace.ipv4.pathMtus.update(route, u32(bytes, quoted + DESTINATION_AT), mtu)
}

/** ipv4_redirect, __ip_do_redirect: believed of the gateway that is used now, and if the new one is a neighbour. */
function acceptRedirect(packet: Packet, quoted: number): void {
  const { bytes, transport, network, device } = packet
  const { namespace } = device
  const { conf } = device.ipv4
  const { all } = namespace.ipv4
  const gateway = u32(bytes, transport + 4)
  const sender = u32(bytes, network + SOURCE_AT)
  const route = routeOfQuoted(namespace, bytes, quoted)
  if ((bytes[transport + 1]! & 7) > 3 || !route?.hop || route.gateway !== sender || gateway === sender) return
  // IN_DEV_RX_REDIRECTS: a router needs both settings, a host one.
  const accepts =
    conf.forwarding !== 0
      ? conf.accept_redirects !== 0 && all.accept_redirects !== 0
      : conf.accept_redirects !== 0 || all.accept_redirects !== 0
  const isAddress = gateway >>> 28 !== 0xe && gateway !== 0xffffffff && gateway !== 0
  if (!accepts || !isAddress) return
  if (conf.shared_media === 0 && all.shared_media === 0) {
    if (!isOnLink(device, gateway, sender)) return
    if ((conf.secure_redirects !== 0 || all.secure_redirects !== 0) && !isDefaultGateway(namespace, gateway)) return
  } else if (addressType(namespace, gateway) !== 'unicast') return
  const neighbour = namespace.arp.ensure(route.device, gateway)
  if ((neighbour.state & NUD_VALID) === 0) {
    neighbour.ask()
    return
  }
  namespace.ipv4.pathMtus.redirect(route.hop, u32(bytes, quoted + DESTINATION_AT), gateway)
}

function routeOfQuoted(namespace: Namespace, bytes: Uint8Array, quoted: number): Ipv4Route | undefined {
  const route = routeOutput(namespace, {
    destination: u32(bytes, quoted + DESTINATION_AT),
    source: u32(bytes, quoted + SOURCE_AT),
    tos: bytes[quoted + TOS_AT]!,
    protocol: bytes[quoted + PROTOCOL_AT]!,
  })
  return typeof route === 'string' ? undefined : route
}

/** ip_fib_check_default */
function isDefaultGateway({ fib }: Namespace, gateway: number): boolean {
  return fib.main.at(0, 0).some(({ hops }) => hops.some((hop) => hop.gateway === gateway))
}
