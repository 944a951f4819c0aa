/**
 * From paths to ways in the kernel. Prefixes whose paths have the same next hops share a set, and a set has one way, which becomes
 * another when links, addresses or others' routes change.
 */
import type { NextHop as KernelHop } from '../../kernel/route.ts'
import { Way } from '../../reconcile/way.ts'
import type { NextHop } from '../rib/next-hops.ts'
import type { Path } from '../rib/path.ts'
import type { KernelSettings } from '../speaker-settings.ts'
import type { WayTo } from './way-to.ts'

type Resolve = (address: string, linkLocal: string | undefined) => WayTo

interface HopSet {
  /** The best path's first. */
  readonly hops: readonly NextHop[]
  /** Of the path; undefined: that of all routes. */
  readonly priority: number | undefined
  way: Way
}

export class HopSets {
  readonly #resolve: Resolve
  readonly #sets = new Map<string, HopSet>()
  #settings: Pick<KernelSettings, 'metric' | 'ecmp'>
  /** The last that was asked for: the next prefix often has the same. */
  #recent: { readonly paths: readonly Path[]; readonly way: Way } | undefined

  constructor(resolve: Resolve, settings: Pick<KernelSettings, 'metric' | 'ecmp'>) {
    this.#resolve = resolve
    this.#settings = settings
  }

  /** By what a route goes that has these paths, best first. */
  wayOf(paths: readonly [Path, ...Path[]]): Way {
    const recent = this.#recent
    if (
      recent &&
      (recent.paths === paths || (paths.length === 1 && recent.paths.length === 1 && recent.paths[0] === paths[0]))
    )
      return recent.way
    const [best, ...others] = paths
    const { way } = this.#setOf(best, others)
    this.#recent = { paths, way }
    return way
  }

  /** Works all of them out again; answers what has become of those that are others now. */
  refresh(settings = this.#settings): Map<Way, Way> {
    this.#settings = settings
    this.#recent = undefined
    const changes = new Map<Way, Way>()
    for (const set of this.#sets.values()) {
      const way = this.#work(set)
      if (way.isLike(set.way) || (!way.route && !set.way.route && way.text === set.way.text)) continue
      changes.set(set.way, way)
      set.way = way
    }
    return changes
  }

  /** Forgets those whose way is in use nowhere. */
  forgetBut(used: ReadonlySet<Way>): void {
    for (const [name, { way }] of this.#sets) if (!used.has(way)) this.#sets.delete(name)
    this.#recent = undefined
  }

  get size(): number {
    return this.#sets.size
  }

  #setOf({ hop, priority }: Path, others: readonly Path[]): HopSet {
    const names = new Map(others.map((path) => [nameOf(path.hop), path.hop]))
    names.delete(nameOf(hop))
    const rest = [...names].sort(([a], [b]) => (a < b ? -1 : 1))
    const name = `${priority ?? ''} ${[nameOf(hop), ...rest.map(([each]) => each)].join(' ')}`
    let set = this.#sets.get(name)
    if (!set) {
      const created = { hops: [hop, ...rest.map(([, each]) => each)], priority }
      set = { ...created, way: this.#work(created) }
      this.#sets.set(name, set)
    }
    return set
  }

  /** The best path's next hops first, no more than may be; then in an order of their own: the same hops are the same route. */
  #work({ hops, priority }: Pick<HopSet, 'hops' | 'priority'>): Way {
    const { metric, ecmp } = this.#settings
    const found = new Map<string, KernelHop>()
    const troubles: string[] = []
    for (const { address, linkLocal } of hops) {
      const { hops: ways, why } = this.#resolve(address, linkLocal)
      if (why !== undefined) troubles.push(why)
      for (const way of ways) if (found.size < ecmp) found.set(`${way.gateway} ${way.link}`, way)
    }
    const chosen = [...found].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, hop]) => hop)
    const [only] = chosen
    if (!only) return new Way(undefined, troubles.join(', '))
    return new Way({ metric: priority ?? metric, ...(chosen.length === 1 ? only : { nextHops: chosen }) })
  }
}

const nameOf = ({ address, linkLocal }: NextHop) => (linkLocal === undefined ? address : `${address}%${linkLocal}`)
