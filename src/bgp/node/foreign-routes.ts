/**
 * The routes of a table that are not ours, by prefix: which of them a packet would take. What next hops are resolved by.
 *
 * Notifications tell of most changes all there is to know. Where they do not (two routes of one prefix and metric, next hops that
 * come and go one by one), the answer is that somebody has to list the table.
 */
import type { Ip } from '../../address/ip.ts'
import type { Route } from '../../kernel/route.ts'
import { keyOf, type PrefixKey, parsePrefixKey } from '../nlri.ts'

export class ForeignRoutes {
  /** Lowest metric first. */
  readonly #byPrefix = new Map<PrefixKey, readonly Route[]>()
  /** Prefix lengths that there are routes of, IPv4's and IPv6's together, and of how many prefixes. */
  readonly #lengths = new Map<number, number>()

  constructor(routes: readonly Route[] = []) {
    for (const route of routes) this.#insert(route)
  }

  /** Routes of the longest prefix that has the address in it, lowest metric first; none: []. */
  match(ip: Ip): readonly Route[] {
    for (let length = ip.length * 8; length >= 0; length--) {
      if (!this.#lengths.has(length)) continue
      const routes = this.#byPrefix.get(keyOf({ address: ip, length }))
      if (routes) return routes
    }
    return []
  }

  /** Answers whether that is all there is to it. */
  add(route: Route): boolean {
    if (this.#byPrefix.get(parsePrefixKey(route.destination))?.some((other) => isInSamePlace(other, route)))
      return false
    this.#insert(route)
    return route.nextHops === undefined
  }

  /** Answers whether that is all there is to it. */
  delete(route: Route): boolean {
    const key = parsePrefixKey(route.destination)
    const routes = this.#byPrefix.get(key) ?? []
    const rest = routes.filter((other) => !isInSamePlace(other, route))
    this.#set(key, rest)
    return routes.length - rest.length <= 1 && route.nextHops === undefined
  }

  /** IPv4's vanish without a word when their link is down or gone. */
  deleteIpv4By(link: string): void {
    for (const [key, routes] of this.#byPrefix) {
      if (typeof key !== 'number') continue
      const rest = routes.filter((route) => !(route.nextHops ?? [route]).every((hop) => hop.link === link))
      if (rest.length < routes.length) this.#set(key, rest)
    }
  }

  #insert(route: Route): void {
    const key = parsePrefixKey(route.destination)
    const routes = [...(this.#byPrefix.get(key) ?? []), route]
    this.#set(
      key,
      routes.sort((a, b) => (a.metric ?? 0) - (b.metric ?? 0)),
    )
  }

  #set(key: PrefixKey, routes: readonly Route[]): void {
    const length = typeof key === 'number' ? key % 64 : key.charCodeAt(0)
    const had = this.#byPrefix.has(key)
    if (routes.length > 0) this.#byPrefix.set(key, routes)
    else this.#byPrefix.delete(key)
    if (had === routes.length > 0) return
    const count = (this.#lengths.get(length) ?? 0) + (had ? -1 : 1)
    if (count > 0) this.#lengths.set(length, count)
    else this.#lengths.delete(length)
  }
}

function isInSamePlace(a: Route, b: Route): boolean {
  return (a.metric ?? 0) === (b.metric ?? 0) && (a.tos ?? 0) === (b.tos ?? 0)
}
