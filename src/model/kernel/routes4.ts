/** IPv4 routes as text, and as the FIB keeps them: rtm_to_fib_config and fib_dump_info, net/ipv4/fib_frontend.c, fib_semantics.c. */
import { formatIp, parseIp } from '../../address/ip.ts'
import { IPV4_LENGTH } from '../../address/ipv4.ts'
import { type Prefix, parsePrefix } from '../../address/prefix.ts'
import type { Scope } from '../../kernel/address.ts'
import { KernelError } from '../../kernel/errors.ts'
import type { NextHop, Route, RouteFilter } from '../../kernel/route.ts'
import { RouteProtocol, RouteTable } from '../../kernel/route.ts'
import { u32 } from '../bytes.ts'
import { formatAddress } from '../ipv4/address-text.ts'
import {
  changeRoute,
  deleteRoute,
  type HopRequest,
  type Refusal,
  type RouteMatch,
  type RouteOperation,
  type RouteRequest,
} from '../ipv4/fib-change.ts'
import { type FibNextHop, type FibRoute, ignoresRoutesWithLinkDown, scopeName, scopeNumber } from '../ipv4/fib-route.ts'
import type { Namespace } from '../namespace.ts'
import { bytesOf, hexOf } from './neighbour-key.ts'
import { requireDevice } from './require.ts'

export function change4(
  namespace: Namespace,
  operation: RouteOperation | 'delete',
  route: Route,
  call: string,
): Refusal | undefined {
  const destination = parsePrefix(route.destination)
  return operation === 'delete'
    ? deleteRoute(namespace.fib, matchOf(namespace, route, destination, call))
    : changeRoute(namespace.fib, operation, requestOf(namespace, route, destination, call))
}

/** In the order of `ip route show table all`: by the place of their tables in fib_table_hash. */
export function list4({ fib }: Namespace, { table, protocol, exceptProtocol, link }: RouteFilter): Route[] {
  return fib
    .tables()
    .toReversed()
    .sort((a, b) => (a.id & 0xff) - (b.id & 0xff))
    .filter(({ id }) => table === undefined || id === table)
    .flatMap((each) => each.list())
    .filter((route) => protocol === undefined || route.protocol === protocol)
    .filter((route) => route.protocol !== exceptProtocol)
    .filter((route) => link === undefined || route.hops.some(({ device }) => device.name === link))
    .map(viewOf)
}

function requestOf(namespace: Namespace, route: Route, { address, length }: Prefix, call: string): RouteRequest {
  return {
    destination: u32(address, 0),
    length,
    table: route.table || RouteTable.main,
    type: route.type ?? 'unicast',
    scope: scopeNumber(route.scope ?? defaultScope(route)),
    tos: route.tos ?? 0,
    metric: route.metric ?? 0,
    protocol: route.protocol ?? RouteProtocol.boot,
    source: route.source === undefined ? 0 : addressOf(route.source, call),
    metrics: route.metrics,
    hops: hopsOf(namespace, route, call),
  }
}

function matchOf(namespace: Namespace, route: Route, { address, length }: Prefix, call: string): RouteMatch {
  return {
    destination: u32(address, 0),
    length,
    table: route.table || RouteTable.main,
    type: route.type,
    scope: route.scope === undefined ? undefined : scopeNumber(route.scope),
    tos: route.tos,
    metric: route.metric,
    protocol: route.protocol,
    source: route.source === undefined ? undefined : addressOf(route.source, call),
    metrics: route.metrics,
    hops: hopsOf(namespace, route, call),
  }
}

function hopsOf(namespace: Namespace, route: Route, call: string): HopRequest[] {
  const { gateway, link, nextHops } = route
  if (nextHops) return nextHops.map((hop) => hopOf(namespace, hop, call))
  return gateway === undefined && link === undefined ? [] : [hopOf(namespace, route, call)]
}

function hopOf(namespace: Namespace, { gateway, link, weight, onlink }: NextHop, call: string): HopRequest {
  const address = gateway === undefined ? undefined : parseIp(gateway)
  return {
    ...(address && (address.length === IPV4_LENGTH ? { gateway: u32(address, 0) } : { gateway6: hexOf(address) })),
    ...(link !== undefined && { device: requireDevice(namespace, link, call) }),
    ...(weight !== undefined && { weight }),
    ...(onlink && { onlink }),
  }
}

function addressOf(text: string, call: string): number {
  const address = parseIp(text)
  if (address.length !== IPV4_LENGTH) throw new KernelError('EINVAL', call, `"${text}" is no IPv4 address`)
  return u32(address, 0)
}

/** As `ip route`: as far as the destination is away. */
function defaultScope(route: Route): Scope {
  switch (route.type) {
    case 'local':
    case 'nat':
      return 'host'
    case 'broadcast':
    case 'multicast':
    case 'anycast':
      return 'link'
    case 'unicast':
    case undefined:
      return route.gateway === undefined && !route.nextHops ? 'link' : 'global'
    default:
      return 'global'
  }
}

function viewOf(route: FibRoute): Route {
  const { hops, metrics } = route
  const [only] = hops
  return {
    destination: `${formatAddress(route.destination)}/${route.length}`,
    type: route.type,
    table: route.table,
    protocol: route.protocol,
    scope: scopeName(route.scope),
    metric: route.metric,
    tos: route.tos,
    ...(route.source !== 0 && { source: formatAddress(route.source) }),
    ...(hops.length === 1 && only && viewOfHop(only)),
    ...(hops.length > 1 && route.linkdown && { linkDown: true }),
    ...(metrics && Object.keys(metrics).length > 0 && { metrics }),
    ...(hops.length > 1 && { nextHops: hops.map((hop) => ({ ...viewOfHop(hop), weight: hop.weight })) }),
  }
}

/** fib_nexthop_info */
function viewOfHop({ gateway, gateway6, device, onlink, dead, linkdown }: FibNextHop): NextHop {
  return {
    ...(gateway !== 0 && { gateway: formatAddress(gateway) }),
    ...(gateway6 !== undefined && { gateway: formatIp(bytesOf(gateway6)) }),
    link: device.name,
    ...(onlink && { onlink }),
    ...((dead || (linkdown && ignoresRoutesWithLinkDown(device))) && { dead: true }),
    ...(linkdown && { linkDown: true }),
  }
}
