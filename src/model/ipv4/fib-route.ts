/**
 * A route as the model keeps it: struct fib_alias with its fib_info, and its next hops, struct fib_nh. Addresses are unsigned
 * 32-bit numbers. Sources: include/net/ip_fib.h, linux/rtnetlink.h.
 */
import type { Scope } from '../../kernel/address.ts'
import type { RouteMetrics, RouteType } from '../../kernel/route.ts'
import type { Device } from '../device/device.ts'
import type { PathException } from './path-mtu.ts'
import type { Ipv4Route } from './route.ts'

/** RT_SCOPE_*: how far away the destination is; higher is nearer. */
export const RtScope = { universe: 0, site: 200, link: 253, host: 254, nowhere: 255 } as const

const scopeNumbers: Readonly<Record<string, number>> = {
  global: RtScope.universe,
  site: RtScope.site,
  link: RtScope.link,
  host: RtScope.host,
  nowhere: RtScope.nowhere,
}

export function scopeNumber(scope: Scope): number {
  return typeof scope === 'number' ? scope : scopeNumbers[scope]!
}

/** The name, or the number where it has none. */
export function scopeName(scope: number): Scope {
  for (const name in scopeNumbers) if (scopeNumbers[name] === scope) return name as Scope
  return scope
}

/** Why no route was found, or why the one that was found lets nothing pass. */
export type RouteError = 'EINVAL' | 'EHOSTUNREACH' | 'EACCES' | 'ENETUNREACH' | 'EAGAIN'

/** fib_props: what a route of this type answers, and the widest scope it may have. */
export const routeProperties: {
  readonly [T in RouteType]: { readonly error: RouteError | undefined; readonly scope: number }
} = {
  unicast: { error: undefined, scope: RtScope.universe },
  local: { error: undefined, scope: RtScope.host },
  broadcast: { error: undefined, scope: RtScope.link },
  anycast: { error: undefined, scope: RtScope.link },
  multicast: { error: undefined, scope: RtScope.universe },
  blackhole: { error: 'EINVAL', scope: RtScope.universe },
  unreachable: { error: 'EHOSTUNREACH', scope: RtScope.universe },
  prohibit: { error: 'EACCES', scope: RtScope.universe },
  throw: { error: 'EAGAIN', scope: RtScope.universe },
  nat: { error: 'EINVAL', scope: RtScope.nowhere },
}

/** One way to go on. */
export interface FibNextHop {
  device: Device
  /** 0: the destination is on the link. */
  readonly gateway: number
  /** A gateway that is an IPv6 neighbour: 32 hexadecimal digits. */
  readonly gateway6: string | undefined
  /** 1 to 256. */
  readonly weight: number
  readonly onlink: boolean
  /** Scope of the way to the gateway; `host` where there is none, `nowhere` of a local route. */
  readonly scope: number
  /** RTNH_F_DEAD: the device is down, or gone. */
  dead: boolean
  /** RTNH_F_LINKDOWN: the device has no carrier. */
  linkdown: boolean
  /** The highest 31-bit hash that takes this way; -1: none does. */
  upperBound: number
  /** The source that inet_select_addr found, and the generation of addresses at which it did. */
  source: number
  sourceGeneration: number
  /** What a lookup that ends here answers. */
  result: FibResult
  /** What was learned of single destinations: fnhe. */
  exceptions: Map<number, PathException> | undefined
  /** The entries that packets share: nhc_rth_input, nhc_pcpu_rth_output. */
  inputRoute: Ipv4Route | undefined
  redirectRoute: Ipv4Route | undefined
}

export interface FibRoute {
  readonly destination: number
  readonly length: number
  readonly table: number
  readonly type: RouteType
  readonly scope: number
  readonly tos: number
  readonly metric: number
  /** RTPROT_*. */
  readonly protocol: number
  /** RTA_PREFSRC; 0: none. */
  readonly source: number
  readonly metrics: RouteMetrics | undefined
  readonly hops: readonly FibNextHop[]
  /** RTNH_F_DEAD of the whole. */
  dead: boolean
  /** RTNH_F_LINKDOWN of the whole: no hop had a carrier when it was made, or the last one lost it. */
  linkdown: boolean
  /** What a lookup that ends here answers, of a route that has no next hops. */
  result: FibResult
}

/** What a lookup found: struct fib_result. Made once for each route and hop, so that a lookup makes nothing. */
export interface FibResult {
  readonly route: FibRoute | undefined
  readonly hop: FibNextHop | undefined
  readonly error: RouteError | undefined
  /** The policy rule that refused, in words; undefined where a route decided. */
  readonly rule: string | undefined
}

/** What somebody says of a next hop. */
export interface HopParts {
  /** 0 or left out: the destination is on the link. */
  readonly gateway?: number
  /** 32 hexadecimal digits. */
  readonly gateway6?: string
  readonly weight?: number
  readonly onlink?: boolean
}

export function newHop(
  { gateway = 0, gateway6, weight = 1, onlink = false }: HopParts,
  device: Device,
  scope: number,
  linkdown: boolean,
): FibNextHop {
  return {
    device,
    gateway,
    gateway6,
    weight,
    onlink,
    scope,
    dead: false,
    linkdown,
    upperBound: 0,
    source: 0,
    sourceGeneration: 0,
    result: NOTHING,
    exceptions: undefined,
    inputRoute: undefined,
    redirectRoute: undefined,
  }
}

const NOTHING: FibResult = { route: undefined, hop: undefined, error: undefined, rule: undefined }

/** A route, with the answers that it and its hops give. */
export function newRoute(
  parts: Omit<FibRoute, 'hops' | 'dead' | 'linkdown' | 'result'>,
  hops: readonly FibNextHop[],
): FibRoute {
  const { error } = routeProperties[parts.type]
  const { destination, length, table, type, scope, tos, metric, protocol, source, metrics } = parts
  const common = { destination, length, table, type, scope, tos, metric, protocol, source, metrics, hops }
  const linkdown = hops.length > 0 && hops.every((hop) => hop.linkdown)
  const route: FibRoute = { ...common, dead: false, linkdown, result: NOTHING }
  route.result = { route, hop: undefined, error, rule: undefined }
  for (const hop of hops) hop.result = { route, hop, error: undefined, rule: undefined }
  return route
}

/** IN_DEV_IGNORE_ROUTES_WITH_LINKDOWN. */
export function ignoresRoutesWithLinkDown(device: Device): boolean {
  return (
    device.ipv4.conf.ignore_routes_with_linkdown !== 0 || device.namespace.ipv4.all.ignore_routes_with_linkdown !== 0
  )
}

/** The mask of a prefix length, unsigned. */
export function maskOf(length: number): number {
  return length === 0 ? 0 : (0xffffffff << (32 - length)) >>> 0
}
