/** Routes of a namespace: `ip route`. Text and values are told apart by family in routes4.ts and routes6.ts. */
import { type Family, familyOf } from '../../address/ip.ts'
import { parsePrefix } from '../../address/prefix.ts'
import { KernelError } from '../../kernel/errors.ts'
import type { Route, RouteFilter, Routes } from '../../kernel/route.ts'
import type { RouteOperation } from '../ipv4/fib-change.ts'
import type { Namespace } from '../namespace.ts'
import { requireDevice } from './require.ts'
import { type LookupOptions, lookup } from './route-lookup.ts'
import { change4, list4 } from './routes4.ts'
import { change6, list6 } from './routes6.ts'

/** As many as fit the datagram of a dump. */
const PART = 256

export class ModelRoutes implements Routes {
  readonly #namespace: Namespace

  constructor(namespace: Namespace) {
    this.#namespace = namespace
  }

  list(filter: RouteFilter = {}): Route[] {
    if (filter.link !== undefined) requireDevice(this.#namespace, filter.link, `list routes of "${filter.link}"`)
    return [
      ...(filter.family === 'ipv6' ? [] : list4(this.#namespace, filter)),
      ...(filter.family === 'ipv4' ? [] : list6(this.#namespace, filter)),
    ]
  }

  *parts(filter: RouteFilter = {}): Generator<readonly Route[]> {
    const routes = this.list(filter)
    for (let at = 0; at < routes.length; at += PART) yield routes.slice(at, at + PART)
  }

  hasTable(table: number, family: Family): boolean {
    const { fib, ipv6 } = this.#namespace
    return (family === 'ipv4' ? fib : ipv6.fib).tableIfAny(table) !== undefined
  }

  lookup(destination: string, options: LookupOptions = {}): Route | undefined {
    const found = lookup(this.#namespace, destination, options, `look up the route to "${destination}"`)
    this.#namespace.model.settle()
    return found
  }

  add(route: Route): void {
    this.#change('add', route)
  }

  append(route: Route): void {
    this.#change('append', route)
  }

  prepend(route: Route): void {
    this.#change('prepend', route)
  }

  replace(route: Route): void {
    this.#change('replace', route)
  }

  delete(route: Route): void {
    this.#change('delete', route)
  }

  batch(
    changes: readonly { readonly operation: RouteOperation | 'delete'; readonly route: Route }[],
  ): { readonly index: number; readonly errno: string }[] {
    const refusals: { index: number; errno: string }[] = []
    for (const [index, { operation, route }] of changes.entries()) {
      try {
        this.#change(operation, route)
      } catch (error) {
        if (!(error instanceof KernelError)) throw error
        refusals.push({ index, errno: error.errno })
      }
    }
    return refusals
  }

  #change(operation: RouteOperation | 'delete', route: Route): void {
    const call = `${operation} route "${route.destination}"`
    const change = familyOf(parsePrefix(route.destination).address) === 'ipv4' ? change4 : change6
    const refusal = this.#asOurs(() => change(this.#namespace, operation, route, call))
    if (refusal) throw new KernelError(refusal.errno, call, refusal.explanation)
    this.#namespace.model.settle()
  }

  #asOurs<T>(call: () => T): T {
    this.#namespace.routesChangedBy = this
    try {
      return call()
    } finally {
      this.#namespace.routesChangedBy = undefined
    }
  }
}
