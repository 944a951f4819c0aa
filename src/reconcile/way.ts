/**
 * Ways: how a prefix is reached. A hundred thousand routes go by a handful of them, so a route is a destination and a reference
 * to its way; and two routes are as good as one where the texts of their ways are the same.
 */
import type { NextHop, Route } from '../kernel/route.ts'

/** All of a route but where it leads to, its table and whose it is. */
export type WayRoute = Omit<Route, 'destination' | 'table' | 'protocol'>

export class Way {
  /** undefined: there is no such way just now, and routes by it wait. */
  readonly route: WayRoute | undefined
  /** Why it is not there; how it is told to people. */
  readonly text: string

  constructor(route: WayRoute)
  constructor(route: undefined, why: string)
  constructor(route: WayRoute | undefined, why = '') {
    this.route = route
    this.text = route ? wayText(route) : why
  }

  isLike(other: Way): boolean {
    return this === other || (this.text === other.text && this.route !== undefined && other.route !== undefined)
  }
}

/** The way of a route as it is listed. */
export function wayOf({ type, metric, gateway, link, source, nextHops }: Route): Way {
  return new Way({
    ...(type && { type }),
    ...(metric && { metric }),
    ...(gateway !== undefined && { gateway }),
    ...(link !== undefined && { link }),
    ...(source !== undefined && { source }),
    ...(nextHops && { nextHops }),
  })
}

/** 0 where the route does not say. */
export function metricOf(way: Way): number {
  return way.route?.metric ?? 0
}

/**
 * As `ip route` writes it. What the kernel adds by itself is not in it: flags, scopes, IPv6's device of a blackhole. Nor is
 * `onlink`, which says how a route got past the kernel's checks and not where it goes.
 */
export function wayText(route: WayRoute): string {
  const { type = 'unicast', metric = 0, source, nextHops } = route
  if (type !== 'unicast') return `${type} metric ${metric}`
  const hops = nextHops ? nextHops.map(hopText).sort().join(' ') : hopText(route)
  return source === undefined ? `${hops} metric ${metric}` : `${hops} metric ${metric} src ${source}`
}

function hopText({ gateway, link, weight = 1 }: NextHop): string {
  const via = gateway === undefined ? `dev ${link}` : `via ${gateway} dev ${link}`
  return weight === 1 ? via : `${via} weight ${weight}`
}
