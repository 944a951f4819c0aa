/**
 * Routes added and deleted, with what the kernel checks and answers. Sources: fib_create_info, fib_check_nh, fib_nh_match,
 * net/ipv4/fib_semantics.c; fib_table_insert, fib_table_delete, fib_trie.c.
 */
import type { RouteMetrics, RouteType } from '../../kernel/route.ts'
import { RouteTable } from '../../kernel/route.ts'
import type { Device } from '../device/device.ts'
import { rebalance } from './ecmp.ts'
import type { Fib } from './fib.ts'
import type { FibNextHop, FibRoute, HopParts } from './fib-route.ts'
import { maskOf, newHop, newRoute, RtScope, routeProperties } from './fib-route.ts'
import { clearFlow } from './fib-rule.ts'
import { addressType } from './select-address.ts'

export interface HopRequest extends HopParts {
  readonly device?: Device
}

/** struct fib_config. */
export interface RouteRequest {
  /** Host bits clear. */
  readonly destination: number
  readonly length: number
  readonly table: number
  readonly type: RouteType
  /** RT_SCOPE_*. */
  readonly scope: number
  readonly tos: number
  readonly metric: number
  readonly protocol: number
  /** 0: none. */
  readonly source: number
  readonly metrics: RouteMetrics | undefined
  readonly hops: readonly HopRequest[]
}

/** What is left out of it is not compared. */
export type RouteMatch = Pick<RouteRequest, 'destination' | 'length' | 'table'> & {
  readonly [K in 'type' | 'scope' | 'tos' | 'metric' | 'protocol' | 'source' | 'metrics' | 'hops']?:
    | RouteRequest[K]
    | undefined
}

/** errno, and the kernel's own words where it has any. */
export interface Refusal {
  readonly errno: string
  readonly explanation: string | undefined
}

export type RouteOperation = 'add' | 'append' | 'prepend' | 'replace'

const refuse = (errno: string, explanation?: string): Refusal => ({ errno, explanation })

/** RTM_NEWROUTE. Undefined: it was done. */
export function changeRoute(fib: Fib, operation: RouteOperation, request: RouteRequest): Refusal | undefined {
  const refusal = insertRoute(fib, operation, request)
  if (!refusal && request.type === 'local') fib.customLocalRoutes = true
  return refusal
}

/** fib_table_insert, for the kernel's own routes as well. The table is made before: it is there also when the route is refused. */
export function insertRoute(fib: Fib, operation: RouteOperation, request: RouteRequest): Refusal | undefined {
  const table = fib.table(request.table)
  if (((request.destination & ~maskOf(request.length)) | 0) !== 0)
    return refuse('EINVAL', 'Invalid prefix for given prefix length')
  const route = createRoute(fib, request)
  if ('errno' in route) return route
  if (table.isFree(route.destination, route.length)) {
    table.insert(route, 0)
    fib.changed({ subject: 'route', operation: 'new', route })
    return undefined
  }
  const sleeper = table.sleeper(route.destination, route.length)
  if (sleeper?.metric === route.metric && isSame(sleeper, route) && route.tos === 0)
    return operation === 'replace' ? undefined : refuse('EEXIST')
  const same = table.at(route.destination, route.length)
  const first = same.findIndex(
    (other) => other.tos < route.tos || (other.tos === route.tos && other.metric >= route.metric),
  )
  const rival = first < 0 ? undefined : same[first]
  if (rival && rival.tos === route.tos && rival.metric === route.metric) {
    if (operation === 'add') return refuse('EEXIST')
    let end = first
    while (end < same.length && same[end]!.tos === route.tos && same[end]!.metric === route.metric) end++
    const twin = same.slice(first, end).findIndex((other) => isSame(other, route))
    if (operation === 'replace') {
      if (twin >= 0) return twin === 0 ? undefined : refuse('EEXIST')
      table.insert(route, first)
      table.remove(rival)
      fib.changed({ subject: 'route', operation: 'new', route })
      return undefined
    }
    if (twin >= 0) return refuse('EEXIST')
    table.insert(route, operation === 'append' ? end : first)
  } else table.insert(route, first < 0 ? same.length : first)
  fib.changed({ subject: 'route', operation: 'new', route })
  return undefined
}

/** RTM_DELROUTE: the first that matches. */
export function deleteRoute(fib: Fib, match: RouteMatch): Refusal | undefined {
  if (((match.destination & ~maskOf(match.length)) | 0) !== 0)
    return refuse('EINVAL', 'Invalid prefix for given prefix length')
  const table = fib.tableIfAny(match.table)
  if (!table) return refuse('ESRCH', 'FIB table does not exist')
  const route = table.at(match.destination, match.length).find((other) => matches(other, match))
  if (!route) return refuse('ESRCH')
  removeRoute(fib, route)
  return undefined
}

export function removeRoute(fib: Fib, route: FibRoute): void {
  fib.table(route.table).remove(route)
  fib.changed({ subject: 'route', operation: 'delete', route })
}

function matches(route: FibRoute, match: RouteMatch): boolean {
  if (route.tos !== (match.tos ?? 0)) return false
  if (match.type !== undefined && match.type !== route.type) return false
  if (match.scope !== undefined && match.scope !== RtScope.nowhere && match.scope !== route.scope) return false
  if (match.source && match.source !== route.source) return false
  if (match.protocol && match.protocol !== route.protocol) return false
  if (match.metric && match.metric !== route.metric) return false
  const { metrics } = match
  if (metrics) {
    for (const name of Object.keys(metrics) as (keyof RouteMetrics)[])
      if (metrics[name] !== undefined && metrics[name] !== route.metrics?.[name]) return false
  }
  const hops = match.hops ?? []
  if (hops.length === 0) return true
  if (hops.length > 1 && hops.length !== route.hops.length) return false
  return hops.every((hop, i) => isHop(hop, route.hops[i]))
}

/** Weights are not compared. */
const isHop = (wanted: HopRequest, hop: FibNextHop | undefined) =>
  hop !== undefined &&
  (wanted.device === undefined || wanted.device === hop.device) &&
  (!wanted.gateway || wanted.gateway === hop.gateway) &&
  (!wanted.gateway6 || wanted.gateway6 === hop.gateway6)

/** Whether both are the same route: fa_type and fib_info. */
function isSame(a: FibRoute, b: FibRoute): boolean {
  return (
    a.type === b.type &&
    a.scope === b.scope &&
    a.protocol === b.protocol &&
    a.source === b.source &&
    sameMetrics(a.metrics, b.metrics) &&
    a.hops.length === b.hops.length &&
    a.hops.every((hop, i) => {
      const other = b.hops[i]!
      return (
        hop.device === other.device &&
        hop.gateway === other.gateway &&
        hop.gateway6 === other.gateway6 &&
        hop.weight === other.weight &&
        hop.onlink === other.onlink &&
        hop.scope === other.scope
      )
    })
  )
}

function sameMetrics(a: RouteMetrics = {}, b: RouteMetrics = {}): boolean {
  const names = new Set([...Object.keys(a), ...Object.keys(b)]) as Set<keyof RouteMetrics>
  for (const name of names) if (a[name] !== b[name]) return false
  return true
}

/** fib_create_info. */
function createRoute(fib: Fib, request: RouteRequest): FibRoute | Refusal {
  const { type, scope, hops: wanted } = request
  const property = routeProperties[type]
  if (property.scope > scope) return refuse('EINVAL', 'Invalid scope')
  if (property.error !== undefined) {
    if (wanted.some(({ gateway, gateway6, device }) => gateway || gateway6 || device))
      return refuse('EINVAL', 'Gateway, device and multipath can not be specified for this route type')
    return assemble(request, [])
  }
  if (scope > RtScope.host) return refuse('EINVAL', 'Invalid scope')
  const hops: FibNextHop[] = []
  if (scope === RtScope.host) {
    if (wanted.length > 1) return refuse('EINVAL', 'Route with host scope can not have multiple nexthops')
    const [only = {}] = wanted
    if (only.gateway || only.gateway6) return refuse('EINVAL', 'Route with host scope can not have a gateway')
    if (!only.device) return refuse('ENODEV')
    hops.push(createHop(only, only.device, RtScope.nowhere))
  } else {
    if (wanted.length === 0) return refuse('ENODEV')
    for (const each of wanted) {
      const hop = checkHop(fib, each, request.table, scope)
      if ('errno' in hop) return hop
      hops.push(hop)
    }
  }
  if (request.source && !isValidSource(fib, request)) return refuse('EINVAL', 'Invalid prefsrc address')
  return assemble(request, hops)
}

/** fib_valid_prefsrc: a local address, or, of a local route, the address that it makes local. */
function isValidSource(fib: Fib, { type, source, destination }: RouteRequest): boolean {
  if (type === 'local' && source === destination) return true
  // Otherwise the answer would be the same, and the route awake.
  const isUnicast = source >>> 28 !== 0xe && source !== 0xffffffff
  if (isUnicast && !fib.hasCustomRules && fib.local.sleeper(source, 32)?.type === 'local') return true
  return addressType(fib.namespace, source) === 'local'
}

/** fib_check_nh. */
function checkHop(fib: Fib, wanted: HopRequest, table: number, scope: number): FibNextHop | Refusal {
  const { gateway = 0, gateway6, device, onlink = false } = wanted
  if (gateway6) {
    if (!device) return refuse('EINVAL', 'IPv6 nexthop requires a device')
    if (device.ipv6.conf.disable_ipv6 !== 0) return refuse('EACCES', 'IPv6 is disabled on nexthop device')
    return device.up ? createHop(wanted, device, RtScope.link) : refuse('ENETDOWN', 'Nexthop device is not up')
  }
  if (gateway === 0) {
    if (onlink) return refuse('EINVAL', 'Invalid flags for nexthop - PERVASIVE and ONLINK can not be set')
    if (!device) return refuse('ENODEV')
    if (!device.up) return refuse('ENETDOWN', 'Device for nexthop is not up')
    return createHop(wanted, device, RtScope.host)
  }
  if (onlink) {
    if (scope >= RtScope.link) return refuse('EINVAL', 'Nexthop has invalid scope')
    if (!device) return refuse('ENODEV', 'Nexthop device required for onlink')
    if (!device.up) return refuse('ENETDOWN', 'Nexthop device is not up')
    if (addressType(fib.namespace, gateway) !== 'unicast') return refuse('EINVAL', 'Nexthop has invalid gateway')
    return createHop(wanted, device, RtScope.link)
  }
  const flow = clearFlow(fib.flow, gateway)
  flow.input = fib.namespace.loopback.index
  flow.output = device?.index ?? 0
  flow.scope = Math.max(scope + 1, RtScope.link)
  // First in the route's own table; the next hop may as well be known by another.
  let found = table && table !== RouteTable.main ? fib.searchTable(table, flow, true) : undefined
  if (!found || found.error !== undefined) found = fib.search(flow, true)
  if (found.error !== undefined) return refuse(found.error, 'Nexthop has invalid gateway')
  const { route, hop } = found
  if (!route || !hop || (route.type !== 'unicast' && route.type !== 'local'))
    return refuse('EINVAL', 'Nexthop has invalid gateway')
  return hop.device.up ? createHop(wanted, hop.device, route.scope) : refuse('ENETDOWN')
}

/** It has no carrier where its device has none. */
function createHop(wanted: HopRequest, device: Device, scope: number): FibNextHop {
  return newHop(wanted, device, scope, scope !== RtScope.nowhere && !device.carrier)
}

/** The route, with the answers that its hops give. */
function assemble(request: RouteRequest, hops: readonly FibNextHop[]): FibRoute {
  const route = newRoute(request, hops)
  rebalance(route)
  return route
}
