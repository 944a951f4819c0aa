/**
 * One routing table: which routes cover an address, the longest prefix first. Instead of the kernel's trie there is a map for
 * each prefix length; a lookup asks those that have entries. Within one prefix the order is the kernel's (fib_alias): greater
 * tos first, then lower metric, then as they were inserted.
 *
 * A route that is alone in its prefix, has one next hop and nothing unusual sleeps, as a few numbers, until somebody asks for it:
 * a node of a large cluster has one for each other node, and few of them are ever used.
 */
import type { Device } from '../device/device.ts'
import type { Namespace } from '../namespace.ts'
import { type FibRoute, maskOf } from './fib-route.ts'
import { SleepingRoutes } from './sleeping-routes.ts'

const NONE: readonly FibRoute[] = []

export class FibTable {
  readonly id: number
  readonly #sleeping: SleepingRoutes
  #byLength: (Map<number, FibRoute[]> | undefined)[] | undefined = undefined
  /** Lengths with routes, longest first; how many each has. */
  lengths: readonly number[] = []
  #counts: number[] = []

  constructor(id: number, { devices }: Namespace) {
    this.id = id
    this.#sleeping = new SleepingRoutes(id, devices)
  }

  /** The routes of exactly this prefix, in order. */
  at(destination: number, length: number): readonly FibRoute[] {
    this.#wake(destination, length)
    return this.#byLength?.[length]?.get(destination) ?? NONE
  }

  /** The routes of the prefix of this length that covers the address. `onlyLooks`: nobody keeps what is answered. */
  covering(address: number, length: number, onlyLooks = false): readonly FibRoute[] | undefined {
    const destination = (address & maskOf(length)) >>> 0
    if (onlyLooks) {
      const sleeping = this.#sleeping.find(destination, length)
      if (sleeping !== undefined) return [sleeping]
    } else this.#wake(destination, length)
    return this.#byLength?.[length]?.get(destination)
  }

  /** The route of exactly this prefix where it sleeps, and sleeps on. */
  sleeper(destination: number, length: number): FibRoute | undefined {
    return this.#sleeping.find(destination, length)
  }

  /** Whether there is no route of exactly this prefix. */
  isFree(destination: number, length: number): boolean {
    return !this.#sleeping.has(destination, length) && this.#byLength?.[length]?.get(destination) === undefined
  }

  /** Puts the route at the place `at` among those of its prefix. */
  insert(route: FibRoute, at: number): void {
    this.#count(route.length, 1)
    if (this.isFree(route.destination, route.length) && this.#sleeping.take(route)) return
    this.#put(route, at)
  }

  #put(route: FibRoute, at: number): void {
    this.#byLength ??= new Array(33).fill(undefined)
    let routes = this.#byLength[route.length]
    if (!routes) routes = this.#byLength[route.length] = new Map()
    const same = routes.get(route.destination)
    if (same) same.splice(at, 0, route)
    else routes.set(route.destination, [route])
  }

  #wake(destination: number, length: number): void {
    const route = this.#sleeping.wake(destination, length)
    if (route) this.#put(route, 0)
  }

  remove(route: FibRoute): void {
    const routes = this.#byLength?.[route.length]
    const same = routes?.get(route.destination)
    const at = same?.indexOf(route) ?? -1
    if (!routes || !same || at < 0) return
    this.#count(route.length, -1)
    if (same.length > 1) same.splice(at, 1)
    else routes.delete(route.destination)
  }

  #count(length: number, more: 1 | -1): void {
    const at = this.lengths.indexOf(length)
    if (at >= 0) {
      this.#counts[at]! += more
      if (this.#counts[at]! > 0) return
      this.#counts.splice(at, 1)
      this.lengths = this.lengths.filter((each) => each !== length)
      return
    }
    const place = this.lengths.filter((each) => each > length).length
    this.#counts.splice(place, 0, 1)
    this.lengths = [...this.lengths.slice(0, place), length, ...this.lengths.slice(place)]
  }

  /** In the order of `ip route`: by address, of equal ones the longer prefix first. */
  list(): FibRoute[] {
    for (const route of this.#sleeping.wakeAll()) this.#put(route, 0)
    // A stable sort: those of one prefix keep their order.
    return this.awake().sort((a, b) => a.destination - b.destination || b.length - a.length)
  }

  /** Those by a device; `sleeping`: also those of whom nobody knows yet, which all are neither dead nor without carrier. */
  by(device: Device, sleeping: boolean): FibRoute[] {
    if (sleeping) for (const route of this.#sleeping.wakeAll(device)) this.#put(route, 0)
    return this.awake().filter(({ hops }) => hops.some((hop) => hop.device === device))
  }

  /** Those that somebody has asked for, in no particular order but within one prefix. */
  awake(): FibRoute[] {
    const all: FibRoute[] = []
    for (const routes of this.#byLength ?? []) if (routes) for (const same of routes.values()) all.push(...same)
    return all
  }
}
