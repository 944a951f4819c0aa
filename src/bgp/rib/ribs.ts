/**
 * The tables of a speaker: RFC 4271 §3.2, for both families.
 *
 *   peers ──> adj-in.ts ──> import.ts ──> loc.ts ──> update-groups.ts, adj-out.ts ──> export.ts ──> batch.ts ──> peers
 *             own-routes.ts ─────────────>   │
 *             next-hops.ts ··············>   └──> the kernel
 *
 * Whatever changes is put into a table at once, and told in rounds (`settle`). A route that has changed ten times between two
 * rounds is told once, and many routes share their messages: how often there is a round is how often peers hear of us.
 */
import type { BgpId } from '../bgp-id.ts'
import { FAMILIES, type Family } from '../family.ts'
import { AdjIn } from './adj-in.ts'
import type { DecisionOptions } from './decision.ts'
import { type Changes, LocRib } from './loc.ts'
import { NextHops, type Resolve } from './next-hops.ts'
import { OwnRoutes } from './own-routes.ts'
import { UpdateGroups } from './update-groups.ts'

export interface RibsOptions extends DecisionOptions {
  readonly routerId: BgpId
  readonly as: number
  readonly resolve: Resolve
}

type PerFamily<T> = Readonly<Record<Family, T>>

/** Prefixes: some tens of milliseconds with the kernel's share, so that timers are not late. */
const SLICE = 8_192

export class Ribs {
  readonly tables: PerFamily<LocRib>
  readonly groups: PerFamily<UpdateGroups>
  readonly own: PerFamily<OwnRoutes>
  readonly #hops: NextHops

  constructor(options: RibsOptions) {
    this.tables = perFamily((family) => new LocRib(family, options))
    this.groups = perFamily((family) => new UpdateGroups(this.tables[family]))
    this.own = perFamily((family) => new OwnRoutes(this.tables[family], options))
    this.#hops = new NextHops(options.resolve)
  }

  /** For one neighbour, which keeps it over its sessions. */
  adjIn(family: Family): AdjIn {
    return new AdjIn(this.tables[family], this.#hops)
  }

  /** To be called when the kernel's routes have changed: next hops may be near, far, or out of reach. */
  resolveAgain(): void {
    this.#hops.refresh(Object.values(this.tables))
  }

  /**
   * A round: tells peers and `told` (the kernel) what has changed, of each family the first SLICE. Answers whether there is more
   * to tell: another round does that.
   */
  settle(told?: (family: Family, changes: Changes) => void): boolean {
    for (const family of FAMILIES) {
      const changes = this.tables[family].takeChanges(SLICE)
      if (changes.size === 0) continue
      this.groups[family].flush(changes)
      told?.(family, changes)
    }
    // Whole tables, and the End-of-RIB behind them, are sent when all is in them that is known.
    return FAMILIES.some((family) => this.tables[family].hasChanges) || this.pump()
  }

  /** Goes on with whole tables, and with peers that were not ready and are now. */
  pump(): boolean {
    let more = false
    for (const family of FAMILIES) more = this.groups[family].pump() || more
    return more
  }
}

function perFamily<T>(of: (family: Family) => T): PerFamily<T> {
  return { ipv4: of('ipv4'), ipv6: of('ipv6') }
}
