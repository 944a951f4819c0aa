/**
 * From what a kernel has of routes to what it should have: each in one step, many in one call.
 *
 *   kernel      wanted
 *   –           a way                add, refused where somebody else has a route of this prefix and metric
 *   a way       another              replace: packets find the one or the other
 *   a way       another metric       add, then delete: for the kernel they are two routes
 *   a way       nothing              delete, with metric and protocol, so that it cannot hit another's
 *   a way       another, beside      delete, then add: the kernel's replace takes the first of a prefix and metric, whose it may be
 *               somebody else's
 */
import type { Kernel } from '../kernel/kernel.ts'
import type { Route } from '../kernel/route.ts'
import { isGoneAlready, type RouteChange } from './apply.ts'
import type { RouteStates } from './route-states.ts'
import { metricOf, type Way, type WayRoute } from './way.ts'

/** What tells routes of ours from all others. */
export interface RouteOwner<K> {
  readonly protocol: number
  readonly table: number
  readonly keyOf: (destination: string) => K
  readonly destinationOf: (key: K) => string
}

export interface RefusedRoute<K> {
  readonly key: K
  readonly change: RouteChange
  readonly errno: string
}

interface Step<K> {
  readonly key: K
  readonly way: Way
  /** One of another metric, which goes when this is there. */
  readonly leaves: Way | undefined
  readonly change: RouteChange
}

/** The gateway is on the link, and the kernel does not see it: a route to the gateway itself goes by a gateway. */
const NOT_ON_LINK = ['ENETUNREACH', 'EHOSTUNREACH', 'EINVAL']

export class RouteWriter<K> {
  readonly #kernel: Kernel
  readonly #owner: RouteOwner<K>
  readonly #states: RouteStates<K>

  constructor(kernel: Kernel, owner: RouteOwner<K>, states: RouteStates<K>) {
    this.#kernel = kernel
    this.#owner = owner
    this.#states = states
  }

  /** `foreign`: where others have a route in the same place. Those `again` have another step to go. */
  write(
    keys: readonly K[],
    foreign: ReadonlySet<K>,
  ): { readonly refused: readonly RefusedRoute<K>[]; readonly again: readonly K[] } {
    const refused: RefusedRoute<K>[] = []
    const again: K[] = []
    const leftovers: Step<K>[] = []
    const steps: Step<K>[] = []
    for (const key of keys) {
      const step = this.#step(key, foreign)
      if (step) steps.push(step)
    }
    const onLink = this.#carryOut(steps, leftovers, again, refused).map(asOnLink)
    if (onLink.length > 0) {
      const more = this.#carryOut(onLink, leftovers, again, refused)
      refused.push(...more.map(({ key, change }) => ({ key, change, errno: 'EHOSTUNREACH' })))
    }
    if (leftovers.length > 0) this.#kernel.routes.batch(leftovers.map(({ change }) => change))
    return { refused, again }
  }

  /** Deletes one that is beside the wanted one. */
  delete(key: K, way: Way): void {
    this.#kernel.routes.batch([this.#change('delete', key, way)])
  }

  #step(key: K, foreign: ReadonlySet<K>): Step<K> | undefined {
    const difference = this.#states.difference(key)
    if (!difference) return undefined
    const { there, wanted } = difference
    if (!wanted) return there && this.#stepTo('delete', key, there)
    if (!wanted.route) return undefined
    if (!there || metricOf(there) !== metricOf(wanted)) return this.#stepTo('add', key, wanted, there)
    return foreign.has(key) ? this.#stepTo('delete', key, there) : this.#stepTo('replace', key, wanted)
  }

  #stepTo(operation: RouteChange['operation'], key: K, way: Way, leaves?: Way): Step<K> {
    return { key, way, leaves, change: this.#change(operation, key, way) }
  }

  #change(operation: RouteChange['operation'], key: K, way: Way): RouteChange {
    const { protocol, table, destinationOf } = this.#owner
    const destination = destinationOf(key)
    if (operation !== 'delete') return { operation, route: { ...way.route, destination, table, protocol } }
    return { operation, route: { destination, table, protocol, metric: metricOf(way) } }
  }

  /** Answers the steps that are worth another attempt. */
  #carryOut(steps: readonly Step<K>[], leftovers: Step<K>[], again: K[], refused: RefusedRoute<K>[]): Step<K>[] {
    const errnos = new Map<number, string>()
    const changes = steps.map(({ change }) => change)
    for (const { index, errno } of this.#kernel.routes.batch(changes)) {
      if (!isGoneAlready(changes[index]!, errno)) errnos.set(index, errno)
    }
    const onLink: Step<K>[] = []
    for (let i = 0; i < steps.length; i++) {
      const step = steps[i]!
      const errno = errnos.get(i)
      if (errno === undefined) this.#done(step, leftovers, again)
      else if (NOT_ON_LINK.includes(errno) && mayBeOnLink(step.change)) onLink.push(step)
      else refused.push({ key: step.key, change: step.change, errno })
    }
    return onLink
  }

  #done({ key, way, leaves, change: { operation } }: Step<K>, leftovers: Step<K>[], again: K[]): void {
    if (leaves) leftovers.push(this.#stepTo('delete', key, leaves))
    if (this.#states.note(key, operation === 'delete' ? undefined : way)) again.push(key)
  }
}

function mayBeOnLink({ operation, route }: RouteChange): boolean {
  return operation !== 'delete' && hopsOf(route).some(({ gateway, link, onlink }) => gateway && link && !onlink)
}

function asOnLink<K>({ key, way, leaves, change: { operation, route } }: Step<K>): Step<K> {
  const { nextHops } = route
  const onLink = nextHops
    ? { nextHops: nextHops.map((hop) => (hop.gateway ? { ...hop, onlink: true } : hop)) }
    : { onlink: true }
  return { key, way, leaves, change: { operation, route: { ...route, ...onLink } } }
}

const hopsOf = (route: Route | WayRoute) => route.nextHops ?? [route]
