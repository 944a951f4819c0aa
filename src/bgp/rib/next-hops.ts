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

/** Next hops that nothing leads to any more are looked for when there are twice as many as after the last time. */
const FEWEST_TO_FORGET = 256

export class NextHops {
  readonly #resolve: Resolve
  #byAddress = new Map<string, NextHop>()
  #forgetAt = FEWEST_TO_FORGET

  constructor(resolve: Resolve) {
    this.#resolve = resolve
  }

  get(address: string, linkLocal: string | undefined): NextHop {
    const name = linkLocal === undefined ? address : `${address} ${linkLocal}`
    const known = this.#byAddress.get(name)
    if (known) return known
    const reason = unusableNextHop(address)
    const hop = { address, linkLocal, reason, metric: reason ? undefined : this.#resolve(address, linkLocal) }
    this.#byAddress.set(name, hop)
    return hop
  }

  /** Asks again for every next hop. Prefixes whose paths are concerned stand in the tables' changes then. */
  refresh(tables: readonly LocRib[]): void {
    if (this.#byAddress.size >= this.#forgetAt) this.#forget(tables)
    const metrics = new Map<NextHop, number | undefined>()
    for (const hop of this.#byAddress.values()) {
      if (hop.reason) continue
      const metric = this.#resolve(hop.address, hop.linkLocal)
      if (metric !== hop.metric) metrics.set(hop, metric)
    }
    if (metrics.size === 0) return
    const concerned = ({ hop }: Path) => metrics.has(hop)
    const redecisions = tables.map((table) => table.beforeChangeOf(concerned))
    for (const [hop, metric] of metrics) hop.metric = metric
    for (const redecide of redecisions) redecide()
  }

  #forget(tables: readonly LocRib[]): void {
    const used = new Set<NextHop>()
    for (const table of tables) for (const { paths } of table.all()) for (const { hop } of paths) used.add(hop)
    this.#byAddress = new Map([...this.#byAddress].filter(([, hop]) => used.has(hop)))
    this.#forgetAt = Math.max(FEWEST_TO_FORGET, 2 * this.#byAddress.size)
  }
}
