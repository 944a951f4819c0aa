/** Where a packet that came in goes: ip_route_input_slow and __mkroute_input, net/ipv4/route.c. */
import type { Device } from '../device/device.ts'
import { note } from '../observer.ts'
import type { Packet } from '../packet.ts'
import { multipathHash, selectHop } from './ecmp.ts'
import type { FibNextHop, FibResult, FibRoute, RouteError } from './fib-route.ts'
import { clearFlow } from './fib-rule.ts'
import type { PathException } from './path-mtu.ts'
import { Ipv4Route } from './route.ts'
import { noteOf } from './route-text.ts'
import { isOnLink } from './select-address.ts'
import { SOURCE_ON_LINK, validateSource } from './source-validation.ts'

/** 224.0.0.1, of which every host is a member. */
const ALL_HOSTS = 0xe0000001
const IGMP = 2

const isMulticast = (address: number) => address >>> 28 === 0xe
/** ipv4_is_zeronet: the rest of 0.0.0.0/8 is as good as any address. */
const isZero = (address: number) => address === 0
const isLoopback = (address: number) => address >>> 24 === 127
const LIMITED_BROADCAST = 0xffffffff

/** Sets `packet.route`, or answers the reason for which the packet is to be dropped. */
export function routeInput(packet: Packet): string | undefined {
  const { view, network, device } = packet
  const { fib } = device.namespace
  const source = view.getInt32(network + 12)
  const destination = view.getInt32(network + 16)
  const tos = view.getUint8(network + 1)
  const known = fib.inputRoutes.find(device, source, destination, tos, fib.generation)
  const found = known ?? findInputRoute(device, destination >>> 0, source >>> 0, tos, packet)
  if (typeof found === 'string') {
    if (packet.journey) noteRefusal(packet, device, found)
    return found
  }
  if (known === undefined && isSameForAll(device, found))
    fib.inputRoutes.set(device, source, destination, tos, fib.generation, found)
  packet.route = found
  if (packet.journey) noteRoute(packet, device, found)
  return undefined
}

/** Whether every packet from and to these addresses is given this route. What was learned of a path ends by the clock. */
function isSameForAll(device: Device, { fib: route, hop, isForMany }: Ipv4Route): boolean {
  const { fib, ipv4 } = device.namespace
  if (route === undefined || hop === undefined || isForMany || !fib.onlyDestinationMatters) return false
  const marked = device.ipv4.conf.src_valid_mark !== 0 || ipv4.all.src_valid_mark !== 0
  return route.hops.length === 1 && hop.exceptions === undefined && !marked
}

/**
 * The same for what has no IPv4 header: ARP asks where a request's target would go. `packet` gives the mark and the flow, and
 * is absent where there is none of IPv4.
 */
export function findInputRoute(
  device: Device,
  destination: number,
  source: number,
  tos: number,
  packet: Packet | undefined,
): Ipv4Route | string {
  const { namespace } = device
  if (isMulticast(destination)) return multicast(device, destination, source, tos, packet)
  if (isMulticast(source) || source === LIMITED_BROADCAST) return 'IP_INVALID_SOURCE'
  if (destination === LIMITED_BROADCAST || (source === 0 && destination === 0))
    return broadcast(device, source, tos, packet, undefined)
  if (isZero(source)) return 'IP_INVALID_SOURCE'
  if (isZero(destination)) return 'IP_INVALID_DEST'
  if (isLoopback(destination) || isLoopback(source)) {
    if (device.ipv4.conf.route_localnet === 0 && namespace.ipv4.all.route_localnet === 0) return 'IP_LOCALNET'
  }

  const found = namespace.fib.remembered(destination) ?? find(device, destination, source, tos, packet)
  const forwards = device.ipv4.conf.forwarding !== 0
  if (found.error !== undefined) return unreachable(device, forwards ? found.error : 'EHOSTUNREACH', found)
  const route = found.route!
  if (route.type === 'broadcast') {
    const both = device.ipv4.conf.bc_forwarding !== 0 && namespace.ipv4.all.bc_forwarding !== 0
    return both
      ? forward(device, found, destination, source, tos, packet)
      : broadcast(device, source, tos, packet, found)
  }
  if (route.type === 'local') {
    const verdict = validateSource(packet, device, undefined, source, destination, tos)
    return typeof verdict === 'string' ? verdict : local(found.hop!, route)
  }
  if (!forwards) return unreachable(device, 'EHOSTUNREACH', found)
  if (route.type !== 'unicast') return 'IP_INVALID_DEST'
  return forward(device, found, destination, source, tos, packet)
}

function find(device: Device, destination: number, source: number, tos: number, packet: Packet | undefined): FibResult {
  const { fib } = device.namespace
  const flow = clearFlow(fib.flow, destination)
  flow.source = source
  flow.tos = tos
  flow.input = device.index
  if (packet !== undefined && !fib.onlyDestinationMatters) {
    flow.mark = packet.mark
    dissect(packet)
  }
  return fib.lookup(flow)
}

/** __mkroute_input, behind fib_select_path. */
function forward(
  device: Device,
  { route, hop: first }: FibResult,
  destination: number,
  source: number,
  tos: number,
  packet: Packet | undefined,
): Ipv4Route | string {
  const { namespace } = device
  const hop = route!.hops.length > 1 ? chooseHop(route!, source, destination, packet, device) : first!
  const out = hop.device
  const verdict = validateSource(packet, device, out, source, destination, tos)
  if (typeof verdict === 'string') return verdict
  // Not IP: no route is made for what proxy ARP must not answer.
  if (out === device && packet === undefined && device.ipv4.conf.proxy_arp_pvlan === 0) return 'NOT_SPECIFIED'
  const redirects =
    out === device && packet !== undefined && verdict === SOURCE_ON_LINK && mayRedirect(device, source, hop)
  const exception = hop.exceptions && namespace.ipv4.pathMtus.find(hop, destination)
  if (exception === undefined) {
    const known = redirects ? hop.redirectRoute : hop.inputRoute
    if (known !== undefined) return known
  }
  return makeRoute(route!, hop, redirects, exception)
}

function mayRedirect(device: Device, source: number, { gateway }: FibNextHop): boolean {
  const { conf } = device.ipv4
  const { all } = device.namespace.ipv4
  if (conf.send_redirects === 0 && all.send_redirects === 0) return false
  return conf.shared_media !== 0 || all.shared_media !== 0 || isOnLink(device, source, gateway)
}

function makeRoute(fib: FibRoute, hop: FibNextHop, redirects: boolean, exception: PathException | undefined) {
  const { device, gateway } = hop
  const parts = { type: 'unicast', device, gateway, source: 0, isInput: true, isLocal: false } as const
  const made = new Ipv4Route({ ...parts, fib, hop, redirects, exception })
  if (exception === undefined) {
    if (redirects) hop.redirectRoute = made
    else hop.inputRoute = made
  }
  return made
}

function chooseHop(route: FibRoute, source: number, destination: number, packet: Packet | undefined, device: Device) {
  const { settings } = device.namespace.ipv4
  const flow = { source, destination, protocol: 0, sourcePort: 0, destinationPort: 0 }
  const hash = multipathHash(
    settings.fib_multipath_hash_policy,
    settings.fib_multipath_hash_seed,
    settings.fib_multipath_hash_fields,
    flow,
    packet,
  )
  if (packet?.journey)
    note(packet, device, 'route', `hash ${hash} of ${route.hops.length} next hops`, { kernel: 'fib_multipath_hash' })
  return selectHop(route.hops, hash, 0, () => 0)
}

function local(hop: FibNextHop, route: FibRoute): Ipv4Route {
  hop.inputRoute ??= new Ipv4Route({
    type: 'local',
    device: hop.device.namespace.loopback,
    gateway: 0,
    source: 0,
    isInput: true,
    isLocal: true,
    fib: route,
    hop,
  })
  return hop.inputRoute
}

function broadcast(
  device: Device,
  source: number,
  tos: number,
  packet: Packet | undefined,
  found: FibResult | undefined,
): Ipv4Route | string {
  if (packet === undefined) return 'INVALID_PROTO'
  if (!isZero(source)) {
    const verdict = validateSource(packet, device, undefined, source, 0, tos)
    if (typeof verdict === 'string') return verdict
  }
  return new Ipv4Route({
    type: 'broadcast',
    device: device.namespace.loopback,
    gateway: 0,
    source: 0,
    isInput: true,
    isLocal: true,
    fib: found?.route,
    hop: found?.hop,
  })
}

/** ip_route_input_mc: for this host if it is a member, and to nobody else: multicast is not routed. */
function multicast(
  device: Device,
  destination: number,
  source: number,
  tos: number,
  packet: Packet | undefined,
): Ipv4Route | string {
  const isIgmp = packet?.bytes[packet.network + 9] === IGMP
  if (packet === undefined || !(destination === ALL_HOSTS || isIgmp)) return 'NOT_SPECIFIED'
  if (isMulticast(source) || source === LIMITED_BROADCAST) return 'IP_INVALID_SOURCE'
  if (isLoopback(source) && device.ipv4.conf.route_localnet === 0 && device.namespace.ipv4.all.route_localnet === 0)
    return 'IP_LOCALNET'
  // 0.0.0.0 may send to 224.0.0.0/24, and IGMP anywhere; no other group has members here.
  if (!isZero(source)) {
    const verdict = validateSource(packet, device, undefined, source, 0, tos)
    if (typeof verdict === 'string') return verdict
  }
  const { loopback } = device.namespace
  return new Ipv4Route({ type: 'multicast', device: loopback, gateway: 0, source: 0, isInput: true, isLocal: true })
}

function unreachable(device: Device, error: RouteError, { route, rule }: FibResult): Ipv4Route {
  return new Ipv4Route({
    type: 'unreachable',
    device: device.namespace.loopback,
    gateway: 0,
    source: 0,
    isInput: true,
    isLocal: false,
    error,
    fib: route,
    rule,
  })
}

/** fib4_rules_early_flow_dissect: ports for rules that ask for them. */
function dissect({ bytes, network, end, device }: Packet): void {
  const { flow } = device.namespace.fib
  flow.protocol = bytes[network + 9]!
  const isFragment = (((bytes[network + 6]! & 0x1f) << 8) | bytes[network + 7]!) !== 0
  const at = network + (bytes[network]! & 15) * 4
  const hasPorts = (flow.protocol === 6 || flow.protocol === 17) && !isFragment && at + 4 <= end
  flow.sourcePort = hasPorts ? (bytes[at]! << 8) | bytes[at + 1]! : 0
  flow.destinationPort = hasPorts ? (bytes[at + 2]! << 8) | bytes[at + 3]! : 0
}

function noteRoute(packet: Packet, device: Device, route: Ipv4Route): void {
  const { type, fib, rule, error } = route
  const kernel = 'ip_route_input_slow'
  if (fib) {
    const { what, ref } = noteOf(route, fib)
    note(packet, device, 'route', what, { kernel, ref })
  } else if (rule) note(packet, device, 'route', `rule ${rule}`, { kernel, ref: `rule ${rule}` })
  else note(packet, device, 'route', error ? whyNot(device) : `${type}, for this host`, { kernel })
}

const whyNot = ({ name, ipv4 }: Device) =>
  ipv4.conf.forwarding === 0 ? `not for this host, and ${name} does not forward` : 'no route'

function noteRefusal(packet: Packet, device: Device, reason: string): void {
  note(packet, device, 'route', `refused: ${reason}`, { kernel: 'ip_route_input_slow', reason })
}
