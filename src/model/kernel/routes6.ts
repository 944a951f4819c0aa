/** IPv6 routes as text, and as IPv6's tables keep them: rtm_to_fib6_config and rt6_fill_node, net/ipv6/route.c. */
import { formatIp, parseIp } from '../../address/ip.ts'
import { IPV6_LENGTH } from '../../address/ipv6.ts'
import { parsePrefix } from '../../address/prefix.ts'
import { KernelError } from '../../kernel/errors.ts'
import { type NextHop, type Route, type RouteFilter, RouteProtocol, RouteTable } from '../../kernel/route.ts'
import { SECOND } from '../clock.ts'
import type { Refusal, RouteOperation } from '../ipv4/fib-change.ts'
import { isAny } from '../ipv6/address.ts'
import { changeRoute6, deleteRoute6, type HopRequest6 } from '../ipv6/fib-change.ts'
import { type Fib6Route, ignoresRoutesWithLinkDown } from '../ipv6/fib-route.ts'
import type { Ipv6Route } from '../ipv6/route.ts'
import { routeInput6 } from '../ipv6/route-input.ts'
import { routeOutput6, sourceFor } from '../ipv6/route-output.ts'
import type { Namespace } from '../namespace.ts'
import { newPacket } from '../packet.ts'
import { requireDevice } from './require.ts'
import type { LookupKey } from './route-lookup.ts'

const ETHERTYPE_IPV6 = 0x86dd
const IPV6_HEADER = 40

export function change6(
  namespace: Namespace,
  operation: RouteOperation | 'delete',
  route: Route,
  call: string,
): Refusal | undefined {
  const { fib } = namespace.ipv6
  const { address: destination, length } = parsePrefix(route.destination)
  const { table, metric = 0, source, metrics, preference } = route
  const common = {
    destination,
    length,
    table: table || RouteTable.main,
    metric,
    hops: hopsOf(namespace, route, call),
  }
  if (operation === 'delete') return deleteRoute6(fib, { ...common, protocol: route.protocol ?? 0 })
  return changeRoute6(fib, operation, {
    ...common,
    type: route.type ?? 'unicast',
    protocol: route.protocol || RouteProtocol.boot,
    source: source === undefined ? undefined : addressOf(source, call),
    metrics,
    preference,
  })
}

function hopsOf(namespace: Namespace, route: Route, call: string): HopRequest6[] {
  const { gateway, link, nextHops } = route
  if (nextHops) return nextHops.map((hop) => hopOf(namespace, hop, call))
  return gateway === undefined && link === undefined ? [] : [hopOf(namespace, route, call)]
}

function hopOf(namespace: Namespace, { gateway, link, weight, onlink }: NextHop, call: string): HopRequest6 {
  return {
    gateway: gateway === undefined ? undefined : addressOf(gateway, call),
    device: link === undefined ? undefined : requireDevice(namespace, link, call),
    weight,
    onlink,
  }
}

function addressOf(text: string, call: string): Uint8Array {
  const address = parseIp(text)
  if (address.length !== IPV6_LENGTH) throw new KernelError('EINVAL', call, `"${text}" is no IPv6 address`)
  return address
}

/** inet6_dump_fib: by the place of their tables in fib_table_hash. */
export function list6({ ipv6 }: Namespace, { table, protocol, exceptProtocol, link }: RouteFilter): Route[] {
  return ipv6.fib
    .tables()
    .toReversed()
    .sort((a, b) => (a.id & 0xff) - (b.id & 0xff))
    .filter(({ id }) => table === undefined || id === table)
    .flatMap((each) => each.list())
    .filter((route) => route.siblings.length === 0 || route.siblings[0] === route)
    .filter((route) => protocol === undefined || route.protocol === protocol)
    .filter((route) => route.protocol !== exceptProtocol)
    .filter((route) => link === undefined || hopsOfRoute(route).some(({ device }) => device.name === link))
    .map(viewOf)
}

const hopsOfRoute = (route: Fib6Route) => (route.siblings.length > 0 ? route.siblings : [route])

function viewOf(route: Fib6Route): Route {
  const { expires } = route
  const { destination, length, type, table, protocol, metric, source, metrics, preference, siblings } = route
  return {
    destination: `${formatIp(destination)}/${length}`,
    type,
    table,
    protocol,
    scope: 'global',
    metric,
    tos: 0,
    ...(source && { source: formatIp(source) }),
    ...(siblings.length === 0 && viewOfHop(route)),
    ...(preference !== 'medium' && { preference }),
    ...(expires !== undefined && { expires: Math.floor((expires - route.device.namespace.model.clock.now) / SECOND) }),
    ...(metrics && { metrics }),
    ...(siblings.length > 0 && { nextHops: siblings.map((hop) => ({ ...viewOfHop(hop), weight: hop.weight })) }),
  }
}

function viewOfHop({ gateway, device, onlink, dead, linkdown }: Fib6Route): NextHop {
  return {
    ...(gateway && { gateway: formatIp(gateway) }),
    link: device.name,
    ...(onlink && { onlink }),
    ...((dead || (linkdown && ignoresRoutesWithLinkDown(device))) && { dead: true }),
    ...(linkdown && { linkDown: true }),
  }
}

/** inet6_rtm_getroute */
export function lookup6(namespace: Namespace, key: LookupKey): Route | string {
  const { destination, source, input, output, mark } = key
  let route: Ipv6Route | string
  if (input) {
    const packet = newPacket(IPV6_HEADER, input, ETHERTYPE_IPV6)
    packet.mark = mark
    packet.bytes[packet.network] = 0x60
    if (source) packet.bytes.set(source, packet.network + 8)
    packet.bytes.set(destination, packet.network + 24)
    routeInput6(packet)
    route = packet.route as Ipv6Route
  } else route = routeOutput6(namespace, { destination, source, outputDevice: output, mark })
  if (typeof route === 'string') return route
  if (route.error !== undefined) return route.error
  const chosen = input ? undefined : (route.fib?.source ?? sourceFor(namespace, route, destination))
  return viewOfFound(destination, route, chosen)
}

function viewOfFound(destination: Uint8Array, route: Ipv6Route, source: Uint8Array | undefined): Route {
  const { fib, device, gateway, type, expiresIn } = route
  const mtu = route.pathMtu ?? fib?.metrics?.mtu
  return {
    destination: `${formatIp(destination)}/128`,
    type,
    table: fib?.table ?? 0,
    protocol: fib?.protocol ?? 0,
    scope: 'global',
    metric: fib?.metric ?? 0,
    tos: 0,
    ...(source && !isAny(source) && { source: formatIp(source) }),
    ...(gateway && { gateway: formatIp(gateway) }),
    link: device.name,
    ...(fib && fib.preference !== 'medium' && { preference: fib.preference }),
    ...(expiresIn !== undefined && { expires: Math.floor(expiresIn / SECOND) }),
    ...((mtu !== undefined || fib?.metrics) && { metrics: { ...fib?.metrics, ...(mtu !== undefined && { mtu }) } }),
  }
}
