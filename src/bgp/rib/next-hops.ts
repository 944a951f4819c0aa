/**
 * Next hops and how far they are: RFC 4271 §9.1.2.1 and §5.1.3.
 *
 * Whoever knows the kernel's routes answers the question; here is who asks it, once for all paths with the same next hop, and
 * again when the kernel's routes have changed.
 */
import { unusableNextHop } from '../attribute/next-hop.ts'
import type { LocRib } from './loc.ts'
import type { Path } from './path.ts'

export interface NextHop {
  readonly address: string
  /** Of an IPv6 next hop, the address on the link that it shares with the peer. */
  readonly linkLocal: string | undefined
  /** Why it can never be one. */
  readonly reason: string | undefined
  /** Interior cost of the way there; undefined: there is none. */
  metric: number | undefined
}

/** The metric of the way to a next hop; undefined when there is none, or it is an address of our own. */
export type Resolve = (address: string, linkLocal: string | undefined) => number | undefined

/** Of routes that begin here. */
export const OWN_NEXT_HOP: NextHop = { address: '', linkLocal: undefined, reason: undefined, metric: 0 }

export class NextHops {
  readonly #resolve: Resolve
  /** As long as a path refers to them. */
  readonly #byAddress = new Map<string, WeakRef<NextHop>>()

  constructor(resolve: Resolve) {
    this.#resolve = resolve
  }

  get(address: string, linkLocal: string | undefined): NextHop {
    const name = linkLocal === undefined ? address : `${address} ${linkLocal}`
    const known = this.#byAddress.get(name)?.deref()
    if (known) return known
    const reason = unusableNextHop(address)
    const hop = { address, linkLocal, reason, metric: reason ? undefined : this.#resolve(address, linkLocal) }
    this.#byAddress.set(name, new WeakRef(hop))
    return hop
  }

  /** Asks again for every next hop. Prefixes whose paths are concerned stand in the tables' changes then. */
  refresh(tables: readonly LocRib[]): void {
    const metrics = new Map<NextHop, number | undefined>()
    for (const [name, reference] of this.#byAddress) {
      const hop = reference.deref()
      if (!hop) this.#byAddress.delete(name)
      if (!hop || hop.reason) continue
      const metric = this.#resolve(hop.address, hop.linkLocal)
      if (metric !== hop.metric) metrics.set(hop, metric)
    }
    if (metrics.size === 0) return
    const concerned = ({ hop }: Path) => metrics.has(hop)
    const redecisions = tables.map((table) => table.beforeChangeOf(concerned))
    for (const [hop, metric] of metrics) hop.metric = metric
    for (const redecide of redecisions) redecide()
  }
}
