/**
 * One routing table: which routes cover an address, the longest prefix first. Instead of the kernel's trie there is a map for
 * each prefix length; a lookup asks those that have entries. Within one prefix the order is the kernel's (fib_alias): greater
 * tos first, then lower metric, then as they were inserted.
 */
import { type FibRoute, maskOf } from './fib-route.ts'

export class FibTable {
  readonly id: number
  readonly #byLength: (Map<number, FibRoute[]> | undefined)[] = new Array(33).fill(undefined)
  /** Lengths with routes, longest first. */
  lengths: readonly number[] = []
  size = 0

  constructor(id: number) {
    this.id = id
  }

  /** The routes of exactly this prefix, in order. */
  at(destination: number, length: number): readonly FibRoute[] {
    return this.#byLength[length]?.get(destination) ?? []
  }

  /** The routes of the prefix of this length that covers the address. */
  covering(address: number, length: number): readonly FibRoute[] | undefined {
    return this.#byLength[length]?.get((address & maskOf(length)) >>> 0)
  }

  /** Puts the route at the place `at` among those of its prefix. */
  insert(route: FibRoute, at: number): void {
    let routes = this.#byLength[route.length]
    if (!routes) {
      routes = this.#byLength[route.length] = new Map()
      this.lengths = [...this.lengths, route.length].sort((a, b) => b - a)
    }
    const same = routes.get(route.destination)
    if (same) same.splice(at, 0, route)
    else routes.set(route.destination, [route])
    this.size++
  }

  remove(route: FibRoute): void {
    const routes = this.#byLength[route.length]
    const same = routes?.get(route.destination)
    if (!routes || !same) return
    const at = same.indexOf(route)
    if (at < 0) return
    this.size--
    if (same.length > 1) {
      same.splice(at, 1)
      return
    }
    routes.delete(route.destination)
    if (routes.size > 0) return
    this.#byLength[route.length] = undefined
    this.lengths = this.lengths.filter((length) => length !== route.length)
  }

  /** In the order of `ip route`: by address, of equal ones the longer prefix first. */
  list(): FibRoute[] {
    const all: FibRoute[] = []
    for (const routes of this.#byLength) if (routes) for (const same of routes.values()) all.push(...same)
    // A stable sort: those of one prefix keep their order.
    return all.sort((a, b) => a.destination - b.destination || b.length - a.length)
  }
}
