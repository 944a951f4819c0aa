/** Routes and policy rules: `ip route`, `ip rule`. Sources: rtnetlink(7), linux/rtnetlink.h, linux/fib_rules.h. */
import type { Family } from '../address/ip.ts'
import type { Scope } from './address.ts'

export type RouteType =
  | 'unicast'
  | 'local'
  | 'broadcast'
  | 'anycast'
  | 'multicast'
  | 'blackhole'
  | 'unreachable'
  | 'prohibit'
  | 'throw'
  | 'nat'

/** RT_TABLE_*, linux/rtnetlink.h. */
export const RouteTable = { default: 253, main: 254, local: 255 } as const

/** RTPROT_*, linux/rtnetlink.h: who made a route. */
export const RouteProtocol = {
  redirect: 1,
  kernel: 2,
  boot: 3,
  static: 4,
  ra: 9,
  bird: 12,
  dhcp: 16,
  bgp: 186,
} as const

export interface NextHop {
  readonly gateway?: string
  readonly link?: string
  /** 1 to 256; 1 where left out. */
  readonly weight?: number
  readonly onlink?: boolean
  /** The kernel's word, in answers: RTNH_F_DEAD, RTNH_F_LINKDOWN. */
  readonly dead?: boolean
  readonly linkDown?: boolean
}

/** RTAX_*: what the kernel keeps beside a route. */
export interface RouteMetrics {
  /** Bytes. */
  readonly mtu?: number
  readonly mtuLocked?: boolean
  readonly advmss?: number
  readonly window?: number
  readonly initcwnd?: number
  readonly initrwnd?: number
  readonly hoplimit?: number
  /** Milliseconds. */
  readonly rtoMin?: number
  readonly quickack?: boolean
}

export interface Route extends NextHop {
  /** Prefix with its host bits clear; `0.0.0.0/0` and `::/0` are the default routes. */
  readonly destination: string
  /** `unicast` where left out. */
  readonly type?: RouteType
  /** RouteTable.main where left out. */
  readonly table?: number
  /** RTPROT_*; RouteProtocol.boot where left out, as `ip route` does. */
  readonly protocol?: number
  /** Left out: `link` for a route without gateway, `host` for a local one, else `global`, as `ip route` does. IPv6 has none but `global`. */
  readonly scope?: Scope
  /** RTA_PRIORITY, the metric; lower wins. 0 where left out; IPv6 turns 0 into 1024. */
  readonly metric?: number
  /** RTA_PREFSRC. */
  readonly source?: string
  readonly tos?: number
  readonly metrics?: RouteMetrics
  /** RTA_PREF of IPv6, RFC 4191 §2.1; `medium` where left out. */
  readonly preference?: 'low' | 'medium' | 'high'
  /** Seconds after which it goes by itself: a learnt path MTU, a router's advertisement. In answers only. */
  readonly expires?: number
  /** Two or more next hops; then `gateway`, `link` and `onlink` are absent. */
  readonly nextHops?: readonly NextHop[]
}

/** What a listing is narrowed to. */
export interface RouteFilter {
  readonly family?: Family
  /** All tables where left out. */
  readonly table?: number
  readonly link?: string
  readonly protocol?: number
  /** All but those of this one. */
  readonly exceptProtocol?: number
}

export interface Routes {
  /** Every field filled in but those a route does not have. Cached clones are left out. */
  list(filter?: RouteFilter): Route[]
  /**
   * As list, part by part: between two parts the caller may do something else, and what changes meanwhile is in it or is not.
   * KernelError EINTR at its end when something else may be missing, too.
   */
  parts(filter?: RouteFilter): Iterable<readonly Route[]>
  /** Whether there is such a table, empty or not: the first route that was to go into it made it, or a rule of IPv6 that names it. */
  hasTable(table: number, family: Family): boolean
  /**
   * The route a packet to `destination` would take: `ip route get`. Undefined when there is none (ENETUNREACH).
   * The answer's destination is the address itself, as a host prefix.
   */
  lookup(
    destination: string,
    options?: {
      readonly source?: string
      readonly inputLink?: string
      readonly outputLink?: string
      readonly mark?: number
    },
  ): Route | undefined
  /** KernelError EEXIST when there is one with the same destination, table, tos and metric. */
  add(route: Route): void
  /** `ip route append`: IPv6 with another gateway makes a multipath route, IPv4 goes behind those of the same metric. */
  append(route: Route): void
  /** `ip route prepend`: as append, but IPv4 goes before those of the same metric. KernelError EEXIST for the very same route. */
  prepend(route: Route): void
  replace(route: Route): void
  /** What is left out of `route` is not compared. KernelError ESRCH when there is none. */
  delete(route: Route): void
  /** Makes many changes with few system calls; stops at none of them and answers the refusals. */
  batch(
    changes: readonly {
      readonly operation: 'add' | 'append' | 'prepend' | 'replace' | 'delete'
      readonly route: Route
    }[],
  ): { readonly index: number; readonly errno: string }[]
}

export type RuleAction = 'table' | 'goto' | 'nop' | 'blackhole' | 'unreachable' | 'prohibit'

export interface Rule {
  readonly family: Family
  /** Lower is asked first. Left out, the kernel puts it before all but `0: lookup local`. */
  readonly priority?: number
  /** `table` where left out. */
  readonly action?: RuleAction
  readonly table?: number
  /** Prefixes; left out means any. */
  readonly source?: string
  readonly destination?: string
  readonly inputLink?: string
  readonly outputLink?: string
  readonly mark?: number
  readonly mask?: number
  readonly tos?: number
  readonly invert?: boolean
  /** Target priority of `goto`. */
  readonly goto?: number
  readonly protocol?: number
  readonly suppressPrefixLength?: number
}

export interface Rules {
  list(family?: Family): Rule[]
  /** KernelError EEXIST when there is the very same. */
  add(rule: Rule): void
  /** KernelError ENOENT when there is none. */
  delete(rule: Rule): void
}
