/**
 * One routing table of IPv6: which routes cover an address, the longest prefix first. Within one prefix lower metrics come
 * first, of equal ones those that were there before.
 */
import { keyAt, keyOf, networkOf } from './address.ts'
import type { Fib6Route } from './fib-route.ts'

const scratch = new Uint8Array(16)
const NONE: readonly Fib6Route[] = []

export class Fib6Table {
  readonly id: number
  #byLength: (Map<string, Fib6Route[]> | undefined)[] | undefined = undefined
  /** Lengths with routes, longest first. */
  lengths: readonly number[] = []

  constructor(id: number) {
    this.id = id
  }

  /** The routes of exactly this prefix. */
  at(destination: Uint8Array, length: number): readonly Fib6Route[] {
    return this.#byLength?.[length]?.get(keyOf(destination)) ?? NONE
  }

  /** The routes of the prefix of this length that covers the address. */
  covering(bytes: Uint8Array, at: number, length: number): readonly Fib6Route[] | undefined {
    const key = length === 128 ? keyAt(bytes, at) : keyAt(networkOf(bytes, at, length, scratch), 0)
    return this.#byLength?.[length]?.get(key)
  }

  /** All routes of the prefix from now on. */
  set(destination: Uint8Array, length: number, same: Fib6Route[]): void {
    this.#byLength ??= new Array(129).fill(undefined)
    let routes = this.#byLength[length]
    if (!routes) {
      if (same.length === 0) return
      routes = this.#byLength[length] = new Map()
      this.lengths = [...this.lengths, length].sort((a, b) => b - a)
    }
    if (same.length > 0) {
      routes.set(keyOf(destination), same)
      return
    }
    routes.delete(keyOf(destination))
    if (routes.size > 0) return
    this.#byLength[length] = undefined
    this.lengths = this.lengths.filter((each) => each !== length)
  }

  /** In the order of a walk through the tree: what lies in a prefix before it, lower addresses first. */
  list(): Fib6Route[] {
    const prefixes = (this.#byLength ?? []).flatMap((routes) => (routes ? [...routes.values()] : []))
    return prefixes
      .map((routes) => ({ routes, end: lastOf(routes[0]!), length: routes[0]!.length }))
      .sort((a, b) => (a.end < b.end ? -1 : a.end > b.end ? 1 : b.length - a.length))
      .flatMap(({ routes }) => routes)
  }
}

/** The highest address of the prefix, as a key. */
function lastOf({ destination, length }: Fib6Route): string {
  const last = destination.slice()
  for (let bit = length; bit < 128; bit++) last[bit >> 3]! |= 0x80 >> (bit & 7)
  return keyOf(last)
}
