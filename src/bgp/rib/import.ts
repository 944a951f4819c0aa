/**
 * From what a peer has announced to paths: RFC 4271 §9.1.1 and §9.1.2 (loops), RFC 4456 §8, and the filters of this speaker.
 *
 * A path that must not be used is kept with the reason: it takes the place of the peer's older path in any case.
 */
import { countAs } from '../attribute/as-path.ts'
import type { PathAttributes } from '../attribute/attributes.ts'
import { WellKnown } from '../attribute/communities.ts'
import type { BgpId } from '../bgp-id.ts'
import type { PrefixKey } from '../nlri.ts'
import type { Decide, Decision, Filter } from '../policy/filter.ts'
import type { NextHops } from './next-hops.ts'
import { createPath, type Exclusion, type Path, type Source } from './path.ts'
import { RecentMap } from './recent-map.ts'

export interface ImportRules {
  /** AS numbers that this speaker goes by: its own, and the one that it shows this peer. */
  readonly ownAs: readonly number[]
  /** How often one of them may stand in an AS_PATH. */
  readonly allowAsIn: number
  readonly routerId: BgpId
  /** Clusters that this speaker reflects for: its own identifier where nothing else is configured. */
  readonly clusterIds: readonly BgpId[]
  /** false: nothing is taken. */
  readonly importAll: boolean
  /** The session is about to end: its routes are used where there are no others. RFC 8326 §4.1. */
  readonly drained: boolean
  readonly filter: Filter | undefined
}

/** Sets of attributes. */
const REMEMBERED = 4096

/** The paths of one source. */
export class Importer {
  readonly #source: Source
  readonly #rules: ImportRules
  readonly #hops: NextHops
  readonly #shared = new RecentMap<PathAttributes, SharedPaths>(REMEMBERED)

  constructor(source: Source, rules: ImportRules, hops: NextHops) {
    this.#source = source
    this.#rules = rules
    this.#hops = hops
  }

  /** The paths of routes with these attributes. */
  of(received: PathAttributes): SharedPaths {
    const known = this.#shared.get(received)
    if (known) return known
    const shared = new SharedPaths(received, this.#source, this.#rules, this.#hops)
    this.#shared.set(received, shared)
    return shared
  }
}

/** Paths with the same attributes as received: one for each path identifier and each rule of the filter. */
export class SharedPaths {
  readonly #received: PathAttributes
  readonly #source: Source
  readonly #hops: NextHops
  readonly #exclusion: Exclusion | undefined
  /** Before the filter. */
  readonly #attributes: PathAttributes
  readonly #decide: Decide | undefined
  /** When there are several. */
  #paths: Map<Decision | undefined, Map<number, Path>> | undefined
  #recent: Path | undefined
  #recentDecision: Decision | undefined

  constructor(received: PathAttributes, source: Source, rules: ImportRules, hops: NextHops) {
    this.#received = received
    this.#source = source
    this.#hops = hops
    this.#exclusion = exclusion(received, source, rules)
    this.#attributes = rules.drained || isAboutToGo(received, source) ? { ...received, localPref: 0 } : received
    if (rules.filter && !this.#exclusion) {
      this.#decide = rules.filter.for({
        attributes: this.#attributes,
        peerType: source.peer.kind === 'external' ? 'eBGP' : 'iBGP',
        learned: true,
        interface: undefined,
        priority: undefined,
      })
    }
  }

  path(key: PrefixKey, pathId: number): Path {
    const decision = this.#decide?.(key)
    const recent = this.#recent
    if (recent && decision === this.#recentDecision && recent.pathId === pathId) return recent
    const path = this.#paths?.get(decision)?.get(pathId) ?? this.#create(decision, pathId)
    if (recent) {
      this.#keep(this.#recentDecision, recent)
      this.#keep(decision, path)
    }
    this.#recent = path
    this.#recentDecision = decision
    return path
  }

  #keep(decision: Decision | undefined, path: Path): void {
    this.#paths ??= new Map()
    const byPathId = this.#paths.get(decision)
    if (byPathId) byPathId.set(path.pathId, path)
    else this.#paths.set(decision, new Map([[path.pathId, path]]))
  }

  #create(decision: Decision | undefined, pathId: number): Path {
    const route = { attributes: this.#attributes, priority: undefined, nextHopSet: false }
    const rejected = decision && !decision.accepts
    const { attributes, priority } = decision && !rejected ? decision.apply(route) : route
    return createPath({
      source: this.#source,
      pathId,
      received: this.#received,
      attributes,
      priority,
      interface: undefined,
      hop: this.#hops.get(attributes.nextHop, attributes.linkLocal),
      excluded: rejected ? 'rejected by a filter' : this.#exclusion,
    })
  }
}

function exclusion(attributes: PathAttributes, { peer }: Source, rules: ImportRules): Exclusion | undefined {
  const { ownAs, allowAsIn, routerId, clusterIds, importAll } = rules
  if (!importAll) return 'import is off'
  if (ownAs.some((as) => countAs(attributes.asPath, as) > allowAsIn)) return 'AS loop'
  if (peer.kind === 'external') return undefined
  if (attributes.originatorId === routerId) return 'ORIGINATOR_ID is ours'
  return attributes.clusterList.some((id) => clusterIds.includes(id)) ? 'CLUSTER_LIST loop' : undefined
}

/** RFC 8326 §4.2: who is about to go down says so, and is used only where there is nobody else. */
function isAboutToGo({ communities }: PathAttributes, { peer }: Source): boolean {
  return peer.kind === 'external' && communities.includes(WellKnown['graceful-shutdown'])
}
