/**
 * A route as IPv6's tables keep it: struct fib6_info with its next hop. Routes by several next hops are as many entries of one
 * prefix and metric, siblings of each other. Source: include/net/ip6_fib.h.
 */
import type { RouteMetrics, RouteType } from '../../kernel/route.ts'
import type { Microseconds, Timer } from '../clock.ts'
import type { Device } from '../device/device.ts'
import type { Ipv6Route, PathException6, RouteError6 } from './route.ts'

/** What a route of this type answers: fib6_prop. `EAGAIN`: the next rule is asked. */
export const routeErrors: { readonly [T in RouteType]?: RouteError6 | 'EAGAIN' } = {
  blackhole: 'EINVAL',
  unreachable: 'EHOSTUNREACH',
  prohibit: 'EACCES',
  throw: 'EAGAIN',
  nat: 'EINVAL',
}

export type Preference = 'low' | 'medium' | 'high'

export interface Fib6Route {
  readonly destination: Uint8Array
  readonly length: number
  readonly table: number
  readonly type: RouteType
  readonly metric: number
  /** RTPROT_*. */
  readonly protocol: number
  /** RTA_PREFSRC. */
  readonly source: Uint8Array | undefined
  metrics: RouteMetrics | undefined
  preference: Preference
  /** RTF_ADDRCONF, RTF_DYNAMIC and the kernel's own: not to be one of several. */
  readonly own: boolean
  readonly device: Device
  /** Undefined: the destination is on the link. */
  readonly gateway: Uint8Array | undefined
  readonly weight: number
  readonly onlink: boolean
  /** RTNH_F_DEAD, RTNH_F_LINKDOWN of the next hop. */
  dead: boolean
  linkdown: boolean
  /** The others of one route by several next hops, in their order; itself is one of them. Empty where it is alone. */
  siblings: readonly Fib6Route[]
  /** The highest 31-bit hash that takes this way. */
  upperBound: number
  /** What was learned of single destinations, by key. */
  exceptions: Map<string, PathException6> | undefined
  /** RTF_EXPIRES: when it goes by itself; undefined: it stays. */
  expires: Microseconds | undefined
  expiry: Timer | undefined
  /** The entry that packets share. */
  entry: Ipv6Route | undefined
}

/** rt6_qualify_for_ecmp */
export const mayHaveSiblings = ({ gateway, own }: Fib6Route): boolean => gateway !== undefined && !own

/** ip6_ignore_linkdown */
export function ignoresRoutesWithLinkDown(device: Device): boolean {
  return (
    device.ipv6.conf.ignore_routes_with_linkdown !== 0 || device.namespace.ipv6.all.ignore_routes_with_linkdown !== 0
  )
}

/** rt6_multipath_rebalance: gives each its share of the hashes. */
export function rebalance(siblings: readonly Fib6Route[]): void {
  const takesPart = ({ dead, linkdown, device }: Fib6Route) => !dead && !(linkdown && ignoresRoutesWithLinkDown(device))
  const total = siblings.reduce((sum, route) => sum + (takesPart(route) ? route.weight : 0), 0)
  let sum = 0
  for (const route of siblings) {
    if (!takesPart(route)) {
      route.upperBound = -1
      continue
    }
    sum += route.weight
    route.upperBound = Math.floor((sum * 0x8000_0000 + Math.floor(total / 2)) / total) - 1
  }
}
