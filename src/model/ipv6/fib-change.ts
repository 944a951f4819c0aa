/**
 * IPv6 routes added and deleted, with what the kernel checks and answers. Sources: ip6_route_add, ip6_route_multipath_add,
 * ip6_route_del, fib6_nh_init, net/ipv6/route.c; fib6_add_rt2node, ip6_fib.c.
 */
import type { RouteMetrics, RouteType } from '../../kernel/route.ts'
import { RouteTable } from '../../kernel/route.ts'
import { SECOND } from '../clock.ts'
import type { Device } from '../device/device.ts'
import type { Refusal, RouteOperation } from '../ipv4/fib-change.ts'
import { isAny, isLinkLocal, isMulticast, networkOf, sameAddress } from './address.ts'
import type { Fib6, Flow6 } from './fib.ts'
import { type Fib6Route, mayHaveSiblings, type Preference, rebalance, routeErrors } from './fib-route.ts'
import type { Fib6Table } from './fib-table.ts'

export interface HopRequest6 {
  readonly gateway?: Uint8Array | undefined
  readonly device?: Device | undefined
  readonly weight?: number | undefined
  readonly onlink?: boolean | undefined
}

/** struct fib6_config. */
export interface RouteRequest6 {
  readonly destination: Uint8Array
  readonly length: number
  readonly table: number
  readonly type: RouteType
  /** 0: IP6_RT_PRIO_USER. */
  readonly metric: number
  readonly protocol: number
  readonly source?: Uint8Array | undefined
  readonly metrics?: RouteMetrics | undefined
  readonly preference?: Preference | undefined
  /** The kernel's own: it is no one of several, may be there for a device that is down, and its metric may be 0. */
  readonly own?: boolean
  readonly hops: readonly HopRequest6[]
}

/** What is left out of it, or is 0, is not compared. */
export interface RouteMatch6 {
  readonly destination: Uint8Array
  readonly length: number
  readonly table: number
  readonly metric: number
  readonly protocol: number
  readonly hops: readonly HopRequest6[]
}

/** IP6_RT_PRIO_USER */
const USER_METRIC = 1024

const refuse = (errno: string, explanation?: string): Refusal => ({ errno, explanation })

/** RTM_NEWROUTE. Undefined: it was done. The table is there also when the route is refused: ip6_route_info_create. */
export function changeRoute6(fib: Fib6, operation: RouteOperation, request: RouteRequest6): Refusal | undefined {
  fib.table(request.table)
  if (request.hops.length < 2) {
    const route = createRoute(fib, request, request.hops[0] ?? {})
    return 'errno' in route ? route : insert(fib, operation, route)
  }
  const routes: Fib6Route[] = []
  for (const hop of request.hops) {
    const route = createRoute(fib, request, hop)
    if ('errno' in route) return route
    if (routes.some((other) => isSameHop(other, route))) return refuse('EEXIST')
    routes.push(route)
  }
  const done: Fib6Route[] = []
  for (const [i, route] of routes.entries()) {
    // Only the first may be refused for what is there, or take its place: the others join it.
    const refusal = insert(fib, i === 0 ? operation : 'append', route)
    if (refusal) {
      for (const each of done) removeRoute6(fib, each)
      return refusal
    }
    done.push(route)
  }
  return undefined
}

/** The kernel's own routes. */
export function insertOwnRoute(
  fib: Fib6,
  request: Omit<RouteRequest6, 'own' | 'protocol'> & { readonly protocol?: number },
): Fib6Route | undefined {
  const route = createRoute(fib, { protocol: 2, ...request, own: true }, request.hops[0] ?? {})
  if ('errno' in route || insert(fib, 'append', route)) return undefined
  return route
}

/** fib6_set_expires, fib6_clean_expires: seconds from now on; Infinity: it stays. */
export function expireRoute(fib: Fib6, route: Fib6Route, seconds: number): void {
  const { clock } = fib.namespace.model
  clock.cancel(route.expiry)
  const isEndless = seconds === Number.POSITIVE_INFINITY
  route.expires = isEndless ? undefined : clock.now + seconds * SECOND
  route.expiry = isEndless ? undefined : clock.after(seconds * SECOND, () => removeRoute6(fib, route))
}

/** fib6_add_rt2node */
function insert(fib: Fib6, operation: RouteOperation, route: Fib6Route): Refusal | undefined {
  const table = fib.table(route.table)
  const same = [...table.at(route.destination, route.length)]
  const rivals = same.filter(({ metric }) => metric === route.metric)
  if (rivals.length > 0 && operation === 'add') return refuse('EEXIST')
  const canJoin = mayHaveSiblings(route)
  const end = same.findIndex(({ metric }) => metric > route.metric)
  const at = end < 0 ? same.length : end
  if (operation === 'replace' && rivals.length > 0) {
    const replaced = rivals.find((other) => mayHaveSiblings(other) === canJoin) ?? rivals[0]!
    const going = [replaced, ...replaced.siblings.filter((each) => each !== replaced)]
    const place = same.indexOf(replaced)
    const rest = same.filter((each) => !going.includes(each))
    rest.splice(place, 0, route)
    table.set(route.destination, route.length, rest)
    for (const each of going) each.siblings = []
    fib.changed('new', route)
    return undefined
  }
  if (rivals.some((other) => isSameHop(other, route))) return refuse('EEXIST')
  same.splice(at, 0, route)
  table.set(route.destination, route.length, same)
  if (canJoin) group(same.filter((each) => each.metric === route.metric && mayHaveSiblings(each)))
  fib.changed('new', route)
  return undefined
}

function group(routes: readonly Fib6Route[]): void {
  const siblings = routes.length > 1 ? routes : []
  for (const route of routes) route.siblings = siblings
  if (siblings.length > 1) rebalance(siblings)
}

/** RTM_DELROUTE */
export function deleteRoute6(fib: Fib6, match: RouteMatch6): Refusal | undefined {
  const table = fib.tableIfAny(match.table)
  if (!table) return refuse('ESRCH', 'FIB table does not exist')
  let refusal: Refusal | undefined
  for (const hop of match.hops.length === 0 ? [{}] : match.hops) {
    if (!deleteOne(fib, table, match, hop)) refusal = refuse('ESRCH')
  }
  return refusal
}

/** ip6_route_del: where a gateway is named, that hop alone. */
function deleteOne(fib: Fib6, table: Fib6Table, match: RouteMatch6, { gateway, device }: HopRequest6): boolean {
  const destination = networkOf(match.destination, 0, match.length, new Uint8Array(16))
  const found = table.at(destination, match.length).find((route) => {
    if (device && route.device !== device) return false
    if (gateway && !(route.gateway && sameAddress(route.gateway, gateway))) return false
    if (match.metric !== 0 && route.metric !== match.metric) return false
    return match.protocol === 0 || route.protocol === match.protocol
  })
  if (!found) return false
  if (gateway || found.siblings.length === 0) removeRoute6(fib, found)
  else for (const each of [...found.siblings]) removeRoute6(fib, each)
  return true
}

export function removeRoute6(fib: Fib6, route: Fib6Route): void {
  fib.namespace.model.clock.cancel(route.expiry)
  const table = fib.tableIfAny(route.table)
  const same = table?.at(route.destination, route.length) ?? []
  if (!table || !same.includes(route)) return
  table.set(
    route.destination,
    route.length,
    same.filter((each) => each !== route),
  )
  const rest = route.siblings.filter((each) => each !== route)
  group(rest)
  route.siblings = []
  fib.changed('delete', route)
}

/** rt6_duplicate_nexthop */
function isSameHop(a: Fib6Route, b: Fib6Route): boolean {
  if (a.device !== b.device) return false
  return a.gateway === undefined || b.gateway === undefined
    ? a.gateway === b.gateway
    : sameAddress(a.gateway, b.gateway)
}

/** ip6_route_info_create, fib6_nh_init. */
function createRoute(fib: Fib6, request: RouteRequest6, hop: HopRequest6): Fib6Route | Refusal {
  const { type, table, own = false } = request
  const { namespace } = fib
  const { gateway } = hop
  let { device } = hop
  const isReject = routeErrors[type] !== undefined
  if (isReject) device = namespace.loopback
  else {
    if (gateway) {
      const found = checkGateway(fib, table, gateway, hop)
      if ('errno' in found) return found
      device = found
    }
    if (!device) return refuse('ENODEV')
    if (device.ipv6.conf.disable_ipv6 !== 0) return refuse('EACCES', 'IPv6 is disabled on nexthop device')
    if (!device.up && !own) return refuse('ENETDOWN', 'Nexthop device is not up')
  }
  const { source } = request
  if (source && !isOwnAddress(device, source)) return refuse('EINVAL', 'Invalid source address')
  return {
    destination: networkOf(request.destination, 0, request.length, new Uint8Array(16)),
    length: request.length,
    table,
    type,
    metric: own ? request.metric : request.metric || USER_METRIC,
    protocol: request.protocol,
    source,
    metrics: request.metrics && Object.keys(request.metrics).length > 0 ? request.metrics : undefined,
    preference: request.preference ?? 'medium',
    own,
    device,
    gateway: isReject ? undefined : gateway,
    weight: hop.weight ?? 1,
    onlink: hop.onlink ?? false,
    dead: false,
    linkdown: !isReject && device.up && !device.carrier && device !== namespace.loopback,
    siblings: [],
    upperBound: 0,
    exceptions: undefined,
    expires: undefined,
    expiry: undefined,
    entry: undefined,
  }
}

/** ipv6_chk_addr with a device: a link-local address must be its own, others may be any device's. */
function isOwnAddress(device: Device, address: Uint8Array): boolean {
  const devices = isLinkLocal(address) ? [device] : device.namespace.devices.list()
  return devices.some(({ ipv6 }) =>
    ipv6.addresses.some((each) => !each.tentative && sameAddress(each.address, address)),
  )
}

/** ip6_validate_gw: the device that the gateway is reached by. */
function checkGateway(
  fib: Fib6,
  table: number,
  gateway: Uint8Array,
  { device, onlink }: HopRequest6,
): Device | Refusal {
  const linkLocal = isLinkLocal(gateway)
  if (onlink && !device) return refuse('ENODEV', 'Nexthop device required for onlink')
  const candidates = linkLocal ? (device ? [device] : []) : fib.namespace.devices.list()
  const isOurs = candidates.some(({ ipv6 }) => ipv6.addresses.some((each) => sameAddress(each.address, gateway)))
  if (isOurs) return refuse('EINVAL', 'Gateway can not be a local address')
  if (isMulticast(gateway) || isAny(gateway)) return refuse('EINVAL', 'Invalid gateway address')
  let found = device
  if (onlink) {
    if (!device?.up) return refuse('ENETDOWN', 'Nexthop device is not up')
  } else if (!linkLocal) {
    const reached = reachedBy(fib, table, gateway, device)
    if (!reached) return refuse('EHOSTUNREACH')
    found = reached
  }
  if (!found) return refuse('EINVAL', 'Egress device not specified')
  if (found === fib.namespace.loopback)
    return refuse('EINVAL', 'Egress device can not be loopback device for this route')
  return found
}

/** ip6_route_check_nh: the way to a gateway needs no other. */
function reachedBy(fib: Fib6, table: number, gateway: Uint8Array, device: Device | undefined): Device | undefined {
  const flow: Flow6 = {
    destination: gateway,
    destinationAt: 0,
    source: undefined,
    sourceAt: 0,
    traffic: 0,
    mark: 0,
    input: fib.namespace.loopback.index,
    device: device?.index ?? 0,
    strict: device !== undefined,
    hash: () => 0,
  }
  const will = (route: Fib6Route | undefined) =>
    route !== undefined && route.gateway === undefined && routeErrors[route.type] === undefined
  const own = table && table !== RouteTable.main ? fib.search(table, flow)?.route : undefined
  if (own && will(own) && (!device || own.device === device)) return own.device
  const { route } = fib.lookup(flow)
  return route && will(route) && (!device || route.device === device) ? route.device : undefined
}
