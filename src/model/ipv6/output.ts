/**
 * The way out: ip6_local_out, ip6_output and ip6_finish_output, net/ipv6/ip6_output.c.
 *
 *      sendIpv6 ─ OUTPUT ─┐
 *      forward6 ──────────┴─ ipOutput6 ─ POSTROUTING ─ fragments? ─ neighbour ─ device
 */
import { fold, sameBytes, setU16, sumOf } from '../bytes.ts'
import type { Device } from '../device/device.ts'
import type { Namespace } from '../namespace.ts'
import { Hook, type RouteError, runHook, takeRefusal } from '../netfilter/hooks.ts'
import { drop, note } from '../observer.ts'
import { clone, ensureHeadroom, type Packet, PacketFor } from '../packet.ts'
import { AddressScope, isMulticast, keyAt } from './address.ts'
import { flowLabelOf } from './flow-label.ts'
import { fragmentIpv6 } from './fragment.ts'
import {
  DESTINATION_AT,
  ETHERTYPE_IPV6,
  HEADER_LENGTH,
  HOP_LIMIT_AT,
  MIN_MTU,
  NEXT_HEADER_AT,
  NextHeader,
  SOURCE_AT,
  trafficClass,
  writeFlow,
  writePayloadLength,
} from './header.ts'
import { listensTo } from './multicast.ts'
import type { Ipv6Route, RouteError6 } from './route.ts'
import { routeOutput6, sourceFor } from './route-output.ts'
import { describeRoute6 } from './route-text.ts'

export interface Sending6 {
  /** Chosen where it is left out. */
  readonly source?: Uint8Array | undefined
  readonly destination: Uint8Array
  /** IpProtocol. */
  readonly protocol: number
  /** The route's, the device's, or 1 for multicast. */
  readonly hopLimit?: number | undefined
  readonly traffic?: number | undefined
  /** Made of the flow where it is left out. */
  readonly flowLabel?: number | undefined
  readonly dontFragment?: boolean | undefined
  readonly mark?: number | undefined
  readonly outputDevice?: Device | undefined
  /** One that routeOutput6 answered. */
  readonly route?: Ipv6Route | undefined
  /** Offset of the transport's checksum from `packet.transport`: it is filled in, pseudo-header included. */
  readonly checksumAt?: number | undefined
  /** Takes the finished packet in place of LOCAL_OUT. */
  readonly transmit?: ((packet: Packet) => void) | undefined
}

/**
 * Sends `packet.transport` to `packet.end`, with an IPv6 header before it. An errno where it does not even set out; what
 * happens behind that is the packet's own fate.
 */
export function sendIpv6(
  namespace: Namespace,
  packet: Packet,
  sending: Sending6,
): RouteError | 'EMSGSIZE' | 'EPERM' | 'EADDRNOTAVAIL' | undefined {
  const route = sending.route ?? routeOutput6(namespace, sending)
  if (typeof route === 'string') return route
  if (route.error !== undefined) return route.error
  const { destination, protocol, traffic = 0, checksumAt } = sending
  const source = sending.source ?? sourceFor(namespace, route, destination)
  if (!source) return 'EADDRNOTAVAIL'
  ensureHeadroom(packet, packet.transport, HEADER_LENGTH)
  const network = packet.transport - HEADER_LENGTH
  const length = packet.end - network
  if ((sending.dontFragment && length > route.mtu) || length - HEADER_LENGTH > 0xffff) return 'EMSGSIZE'
  packet.network = network
  packet.link = network
  packet.protocol = ETHERTYPE_IPV6
  packet.device = route.device
  packet.route = route
  packet.for = PacketFor.host
  if (sending.mark !== undefined) packet.mark = sending.mark
  const { bytes } = packet
  bytes[network + NEXT_HEADER_AT] = protocol
  bytes[network + HOP_LIMIT_AT] = sending.hopLimit ?? (isMulticast(destination) ? 1 : route.hopLimit)
  bytes.set(source, network + SOURCE_AT)
  bytes.set(destination, network + DESTINATION_AT)
  writePayloadLength(packet)
  writeFlow(bytes, network, traffic, sending.flowLabel ?? flowLabelOf(namespace, packet))
  if (checksumAt !== undefined) fillChecksum(packet, checksumAt, protocol)
  namespace.model.begin(packet, 'sent')
  if (packet.journey) noteRoute(packet, route)
  if (sending.transmit) {
    sending.transmit(packet)
    return undefined
  }
  return localOut6(packet)
}

function fillChecksum({ bytes, network, transport, end }: Packet, checksumAt: number, protocol: number): void {
  const at = transport + checksumAt
  setU16(bytes, at, 0)
  const pseudo = sumOf(bytes, network + SOURCE_AT, network + HEADER_LENGTH) + protocol + (end - transport)
  const sum = ~fold(sumOf(bytes, transport, end, pseudo)) & 0xffff
  setU16(bytes, at, protocol === NextHeader.udp && sum === 0 ? 0xffff : sum)
}

/** ip6_local_out: a finished packet of this host, with its route. An errno where a hook drops it: its sender is told. */
export function localOut6(packet: Packet): RouteError | 'EPERM' | undefined {
  const { device } = packet.route as Ipv6Route
  const { namespace } = device
  const refusal = namespace.hooks.ip6.has(Hook.output) ? output(packet, namespace, device) : undefined
  if (refusal !== undefined) return refusal
  return ipOutput6(packet, undefined) ? undefined : 'EPERM'
}

/** LOCAL_OUT. What was given another destination (nf_nat_ipv6_local_fn) is routed anew. */
function output(packet: Packet, namespace: Namespace, device: Device): RouteError | 'EPERM' | undefined {
  const at = packet.network + DESTINATION_AT
  const destination = packet.bytes.slice(at, at + 16)
  if (!runHook(namespace, 'ip6', Hook.output, packet, undefined, device)) return takeRefusal(namespace)
  if (sameBytes(packet.bytes, packet.network + DESTINATION_AT, destination, 0, 16)) return undefined
  const refused = routeAgain6(namespace, packet)
  if (refused !== undefined) drop(packet, 'NETFILTER_DROP', 'nf_hook_slow', { what: `no route any more: ${refused}` })
  return refused
}

/** ip6_route_me_harder: a new route for a packet of this host that was changed. An errno where there is none. */
export function routeAgain6(namespace: Namespace, packet: Packet): RouteError6 | undefined {
  const { bytes, network } = packet
  const route = routeOutput6(namespace, {
    destination: bytes.slice(network + DESTINATION_AT, network + DESTINATION_AT + 16),
    source: bytes.slice(network + SOURCE_AT, network + SOURCE_AT + 16),
    traffic: trafficClass(bytes, network),
    mark: packet.mark,
    protocol: bytes[network + NEXT_HEADER_AT]!,
  })
  if (typeof route === 'string') return route
  if (route.error !== undefined) return route.error
  packet.route = route
  packet.device = route.device
  if (packet.journey) noteRoute(packet, route)
  return undefined
}

/** ip6_output. `input` is the device that a forwarded packet came in by. False where a hook drops it. */
export function ipOutput6(packet: Packet, input: Device | undefined): boolean {
  const { device } = packet.route as Ipv6Route
  const { namespace } = device
  packet.device = device
  packet.protocol = ETHERTYPE_IPV6
  if (device.ipv6.conf.disable_ipv6 !== 0) {
    drop(packet, 'IPV6DISABLED', 'ip6_output', { ref: `sysctl net/ipv6/conf/${device.name}/disable_ipv6 1` })
    return true
  }
  if (namespace.hooks.ip6.has(Hook.postrouting) && !runHook(namespace, 'ip6', Hook.postrouting, packet, input, device))
    return false
  finish(packet, input !== undefined)
  return true
}

/** __ip6_finish_output */
function finish(packet: Packet, forwarded: boolean): void {
  const route = packet.route as Ipv6Route
  const mtu = Math.max(route.mtu, MIN_MTU)
  const length = packet.end - packet.network
  const gathered = packet.fragmentMaxSize
  if (length <= mtu && (gathered === 0 || length <= gathered)) {
    toNeighbour(packet)
    return
  }
  if (gathered > 0 ? gathered <= mtu : !forwarded) {
    fragmentIpv6(packet, gathered > 0 ? Math.max(gathered, MIN_MTU) : mtu, toNeighbour)
    return
  }
  route.device.namespace.model.ipv6Protocols[NextHeader.icmp]?.refuse?.(packet, 2, 0, mtu)
  drop(packet, 'NOT_SPECIFIED', 'ip6_fragment', { own: 'OVL_MTU', what: `${length} bytes do not fit ${mtu}` })
}

/** ip6_finish_output2 */
function toNeighbour(packet: Packet): void {
  const { device, gatewayKey } = packet.route as Ipv6Route
  const { bytes, network } = packet
  const { namespace } = device
  if (isMulticast(bytes, network + DESTINATION_AT)) {
    if (device !== namespace.loopback && listensTo(device, bytes, network + DESTINATION_AT)) {
      loopBack(packet, device)
      if (bytes[network + HOP_LIMIT_AT] === 0) {
        drop(packet, 'NOT_SPECIFIED', 'ip6_finish_output2', { own: 'OVL_NOT_BEYOND_HOST', what: 'hop limit 0' })
        return
      }
    }
    if ((bytes[network + DESTINATION_AT + 1]! & 15) <= AddressScope.node && device !== namespace.loopback) {
      drop(packet, 'NOT_SPECIFIED', 'ip6_finish_output2', { own: 'OVL_NOT_BEYOND_HOST', what: 'for this host alone' })
      return
    }
  }
  namespace.nd.output(packet, device, gatewayKey ?? keyAt(bytes, network + DESTINATION_AT))
}

/** dev_loopback_xmit: a copy of what goes to a group that this host is in. */
function loopBack(packet: Packet, device: Device): void {
  const copy = clone(packet)
  copy.journey = packet.journey?.spawn('clone')
  const { namespace } = device
  if (
    namespace.hooks.ip6.has(Hook.postrouting) &&
    !runHook(namespace, 'ip6', Hook.postrouting, copy, undefined, device)
  )
    return
  copy.for = PacketFor.loopback
  copy.link = copy.network
  copy.device = device
  copy.checksum = 'verified'
  namespace.model.enqueue(copy)
}

function noteRoute(packet: Packet, { device, fib, type }: Ipv6Route): void {
  const kernel = 'ip6_route_output_flags'
  if (!fib) {
    note(packet, device, 'route', `${type} by ${device.name}`, { kernel })
    return
  }
  const text = describeRoute6(fib)
  note(packet, device, 'route', text, { kernel, ref: `route ${text}` })
}
