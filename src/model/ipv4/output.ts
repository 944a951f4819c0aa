/**
 * The way out: ip_local_out, ip_output and ip_finish_output, net/ipv4/ip_output.c.
 *
 *      sendIpv4 ─ OUTPUT ─┐
 *      forward  ──────────┴─ ipOutput ─ POSTROUTING ─ fragments? ─ neighbour ─ device
 */

import { fold, setU16, sumOf, sumOfWords, u32 } from '../bytes.ts'
import type { Device } from '../device/device.ts'
import type { Namespace } from '../namespace.ts'
import { Hook, type RouteError, runHook, takeRefusal } from '../netfilter/hooks.ts'
import { drop, note } from '../observer.ts'
import { clone, ensureHeadroom, type Packet, PacketFor } from '../packet.ts'
import { fragmentIpv4 } from './fragment.ts'
import {
  DESTINATION_AT,
  DONT_FRAGMENT,
  ETHERTYPE_IPV4,
  HEADER_LENGTH,
  hasDontFragment,
  IDENTIFICATION_AT,
  PROTOCOL_AT,
  SOURCE_AT,
  TOS_AT,
  TTL_AT,
} from './header.ts'
import type { Ipv4Route } from './route.ts'
import { type OutputError, routeOutput } from './route-output.ts'
import { noteOf } from './route-text.ts'
import { addressType } from './select-address.ts'

export interface Sending {
  /** Chosen where it is 0 or left out. */
  source?: number | undefined
  destination: number
  /** IpProtocol. */
  protocol: number
  /** The route's, the namespace's default, or 1 for multicast. */
  ttl?: number | undefined
  tos?: number | undefined
  dontFragment?: boolean | undefined
  /** Drawn where it is left out. A connected socket counts its own; some send 0 with DF. */
  identification?: number | undefined
  mark?: number | undefined
  outputDevice?: Device | undefined
  /** One that routeOutput answered. */
  route?: Ipv4Route | undefined
  /** Offset of the transport's checksum from `packet.transport`: it is filled in, pseudo-header included. */
  checksumAt?: number | undefined
  /** iptunnel_xmit: whether it fits, its own way out finds, as for any packet that comes by. */
  isTunnelled?: boolean | undefined
  /** Takes the finished packet in place of LOCAL_OUT. */
  transmit?: ((packet: Packet) => void) | undefined
}

const ICMP = 1
const UDP = 17

/**
 * Sends `packet.transport` to `packet.end`, with an IPv4 header before it. An errno where it does not even set out; what
 * happens behind that is the packet's own fate.
 */
export function sendIpv4(
  namespace: Namespace,
  packet: Packet,
  sending: Sending,
): OutputError | 'EMSGSIZE' | 'EPERM' | undefined {
  const route = sending.route ?? routeOutput(namespace, sending)
  if (typeof route === 'string') return route
  const source = sending.source || route.source
  const { destination, protocol, tos = 0, dontFragment = false, checksumAt } = sending
  ensureHeadroom(packet, packet.transport, HEADER_LENGTH)
  const network = packet.transport - HEADER_LENGTH
  const length = packet.end - network
  if (dontFragment && length > route.mtu && sending.isTunnelled !== true) return 'EMSGSIZE'
  if (length > 0xffff) return 'EMSGSIZE'
  packet.network = network
  packet.link = network
  packet.protocol = ETHERTYPE_IPV4
  packet.device = route.device
  packet.route = route
  packet.for = PacketFor.host
  if (sending.mark !== undefined) packet.mark = sending.mark

  const { view } = packet
  const identification =
    sending.identification ?? namespace.ipv4.identifications.next(namespace.model.random, source, destination, protocol)
  const ttl =
    sending.ttl ??
    (route.type === 'multicast' ? 1 : (route.fib?.metrics?.hoplimit ?? namespace.ipv4.settings.ip_default_ttl))
  // The header in words; signed, so that V8 knows them to be integers.
  const first = ((0x4500 | tos) << 16) | length
  const second = (identification << 16) | (dontFragment ? DONT_FRAGMENT : 0)
  const third = (ttl << 24) | (protocol << 16)
  view.setInt32(network, first)
  view.setInt32(network + IDENTIFICATION_AT, second)
  view.setInt32(
    network + TTL_AT,
    third | (~fold(sumOfWords(first, second, third, source | 0, destination | 0)) & 0xffff),
  )
  view.setInt32(network + SOURCE_AT, source | 0)
  view.setInt32(network + DESTINATION_AT, destination | 0)
  if (checksumAt !== undefined) fillChecksum(packet, checksumAt, protocol)
  if (packet.journey) noteRoute(packet, route)
  if (sending.transmit) {
    sending.transmit(packet)
    return undefined
  }
  return localOut(packet)
}

function fillChecksum({ bytes, network, transport, end }: Packet, checksumAt: number, protocol: number): void {
  const at = transport + checksumAt
  setU16(bytes, at, 0)
  const pseudo =
    protocol === ICMP ? 0 : sumOf(bytes, network + SOURCE_AT, network + HEADER_LENGTH) + protocol + (end - transport)
  const sum = ~fold(sumOf(bytes, transport, end, pseudo)) & 0xffff
  // RFC 768: a checksum that comes out as 0 is sent as all ones; 0 means that there is none.
  setU16(bytes, at, protocol === UDP && sum === 0 ? 0xffff : sum)
}

/** ip_local_out: a finished packet of this host, with its route. An errno where a hook drops it: its sender is told. */
function localOut(packet: Packet): RouteError | 'EPERM' | undefined {
  const { device } = packet.route as Ipv4Route
  const { namespace } = device
  const refusal = namespace.hooks.ip.has(Hook.output) ? output(packet, namespace, device) : undefined
  if (refusal !== undefined) return refusal
  return ipOutput(packet, undefined) ? undefined : 'EPERM'
}

/**
 * LOCAL_OUT. What was given another destination (nf_nat_ipv4_local_fn) is routed anew; chains of type `route` see to it
 * themselves where they have changed more, and no others do.
 */
function output(packet: Packet, namespace: Namespace, device: Device): RouteError | 'EPERM' | undefined {
  const destination = u32(packet.bytes, packet.network + DESTINATION_AT)
  if (!runHook(namespace, 'ip', Hook.output, packet, undefined, device)) return takeRefusal(namespace)
  if (u32(packet.bytes, packet.network + DESTINATION_AT) === destination) return undefined
  const refused = routeAgain(namespace, packet)
  if (refused !== undefined) drop(packet, 'NETFILTER_DROP', 'nf_hook_slow', { what: `no route any more: ${refused}` })
  return refused
}

/** ip_route_me_harder: a new route for a packet of this host that was changed. An errno where there is none. */
export function routeAgain(namespace: Namespace, packet: Packet): OutputError | undefined {
  const { bytes, network } = packet
  const source = u32(bytes, network + SOURCE_AT)
  const type = addressType(namespace, source)
  const keeps = type === 'local' || type === 'unicast'
  const route = routeOutput(namespace, {
    destination: u32(bytes, network + DESTINATION_AT),
    source: keeps ? source : 0,
    anySource: keeps && type !== 'local',
    tos: bytes[network + TOS_AT]!,
    mark: packet.mark,
    protocol: bytes[network + PROTOCOL_AT]!,
  })
  if (typeof route === 'string') return route
  packet.route = route
  packet.device = route.device
  if (packet.journey) noteRoute(packet, route)
  return undefined
}

/**
 * ip_output, and ip_mc_output for what this host hears as well. `input` is the device that a forwarded packet came in by. False
 * where a hook drops it.
 */
export function ipOutput(packet: Packet, input: Device | undefined): boolean {
  const route = packet.route as Ipv4Route
  const { device } = route
  const { namespace } = device
  packet.device = device
  packet.protocol = ETHERTYPE_IPV4
  if (route.isForMany && !route.isInput && route.isLocal && device !== namespace.loopback) loopBack(packet, device)
  if (namespace.hooks.ip.has(Hook.postrouting) && !runHook(namespace, 'ip', Hook.postrouting, packet, input, device))
    return false
  finish(packet)
  return true
}

/** ip_dev_loopback_xmit: a copy of what goes to many is for this host. It keeps its route. */
function loopBack(packet: Packet, device: Device): void {
  const copy = clone(packet)
  copy.journey = packet.journey?.spawn('clone')
  const { namespace } = device
  if (namespace.hooks.ip.has(Hook.postrouting) && !runHook(namespace, 'ip', Hook.postrouting, copy, undefined, device))
    return
  copy.for = PacketFor.loopback
  copy.link = copy.network
  copy.device = device
  copy.checksum = 'verified'
  namespace.model.enqueue(copy)
}

/** __ip_finish_output */
function finish(packet: Packet): void {
  const route = packet.route as Ipv4Route
  const mtu = route.mtuFor(route.isInput)
  if (packet.end - packet.network <= mtu && packet.fragmentMaxSize === 0) {
    toNeighbour(packet)
    return
  }
  // DF is heeded, but for what came in fragments that all would fit.
  const mayFragment = !hasDontFragment(packet) || (packet.ignoreDontFragment && packet.fragmentMaxSize <= mtu)
  if (mayFragment) {
    fragmentIpv4(packet, mtu, pieceToNeighbour)
    return
  }
  const { namespace } = route.device
  namespace.model.ipv4Protocols[ICMP]?.refuse?.(packet, 3, 4, mtu)
  drop(packet, 'NOT_SPECIFIED', 'ip_fragment', {
    own: 'OVL_MTU',
    what: `${packet.end - packet.network} bytes with DF do not fit ${mtu}`,
  })
}

/** ip_finish_output2 */
function toNeighbour(packet: Packet): void {
  const route = packet.route as Ipv4Route
  const { device, gateway, gateway6, neighbour: last } = route
  if (gateway6 !== undefined) {
    device.namespace.nd.output(packet, device, gateway6)
    return
  }
  const next = gateway === 0 ? packet.view.getInt32(packet.network + DESTINATION_AT) : gateway | 0
  if (last !== undefined && route.neighbourAddress === next && !last.dead) {
    last.output(packet)
    return
  }
  const neighbour = device.namespace.arp.ensure(device, next)
  route.neighbour = neighbour
  route.neighbourAddress = next
  neighbour.output(packet)
}

/**
 * ip_finish_output2 of a fragment: whether its link took it. What a process sends comes to its end before the next fragment
 * sets out: local_bh_enable, in __dev_queue_xmit.
 */
function pieceToNeighbour(piece: Packet): boolean {
  const { device } = piece.route as Ipv4Route
  const { model } = device.namespace
  const { refusals } = model
  toNeighbour(piece)
  // A bridge and a tunnel say that they took it, whatever becomes of it.
  const taken = model.refusals === refusals || device.kind !== 'veth'
  model.settle()
  return taken
}

function noteRoute(packet: Packet, route: Ipv4Route): void {
  const { device, fib, type } = route
  const kernel = 'ip_route_output_key_hash'
  if (!fib) {
    note(packet, device, 'route', `${type} by ${device.name}`, { kernel })
    return
  }
  const { what, ref } = noteOf(route, fib)
  note(packet, device, 'route', what, { kernel, ref })
}
