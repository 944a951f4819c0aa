/** From what is set for a neighbour to the rules that its routes come in and go out by. */
import type { BgpId } from './bgp-id.ts'
import type { Negotiated } from './capability/negotiation.ts'
import type { Family } from './family.ts'
import { Filter, type FilterRule } from './policy/filter.ts'
import type { ExportRules, LocalAddress } from './rib/export.ts'
import type { ImportRules } from './rib/import.ts'
import type { NeighbourFilters, NeighbourSettings, SpeakerSettings } from './speaker-settings.ts'

/** What all neighbours of a speaker share. */
export interface SpeakerIdentity {
  readonly as: number
  readonly routerId: BgpId
  /** Clusters that this speaker reflects for: RFC 4456 §8. */
  readonly clusterIds: readonly BgpId[]
  readonly filters: Filters
}

/** Filters by what they say: groups of peers are told apart by the object. */
export class Filters {
  readonly #known = new Map<string, Filter>()

  /** undefined: without rules. Throws RangeError for a rule that means nothing. */
  get(rules: readonly FilterRule[]): Filter | undefined {
    if (rules.length === 0) return undefined
    const name = JSON.stringify(rules)
    const filter = this.#known.get(name) ?? new Filter(rules)
    this.#known.set(name, filter)
    return filter
  }
}

const IMPORT = { ipv4: 'importV4', ipv6: 'importV6' } as const satisfies Record<Family, keyof NeighbourFilters>
const EXPORT = { ipv4: 'exportV4', ipv6: 'exportV6' } as const satisfies Record<Family, keyof NeighbourFilters>

export function importRules(
  { as, routerId, clusterIds, filters }: SpeakerIdentity,
  { session, allowAsIn, importAll, filters: own }: NeighbourSettings,
  family: Family,
  drained: boolean,
): ImportRules {
  const ownAs = [...new Set([as, session.localAs])]
  return { ownAs, allowAsIn, routerId, clusterIds, importAll, drained, filter: filters.get(own[IMPORT[family]]) }
}

/** Over an IPv6 session with RFC 8950 our own next hop is our end of the session for IPv4 routes, too: IPv4 need not be on the link. */
export function exportRules(
  { routerId, filters }: SpeakerIdentity,
  settings: NeighbourSettings,
  family: Family,
  { internal, extendedNextHop, longLived }: Negotiated,
  localAddress: LocalAddress,
  drained: boolean,
): ExportRules {
  const { session, nextHop, exportAll, communities, priorityAsLocalPref, filters: own } = settings
  return {
    kind: internal ? 'internal' : 'external',
    clusterId: internal ? clusterOf(settings, routerId) : undefined,
    localAs: session.localAs,
    nextHop,
    localAddress:
      extendedNextHop && session.address.includes(':') ? { ...localAddress, ipv4: undefined } : localAddress,
    extendedNextHop,
    exportAll,
    communities,
    filter: filters.get(own[EXPORT[family]]),
    longLived: longLived.length > 0,
    drained,
    priorityAsLocalPref,
  }
}

/** The cluster that a client and this speaker are in; undefined: it is no client. */
export function clusterOf({ isClient, clusterId }: NeighbourSettings, routerId: BgpId): BgpId | undefined {
  return isClient ? (clusterId ?? routerId) : undefined
}

/** Who reflects for nobody still must not take back what another reflector of its cluster has sent: its own identifier. */
export function clustersOf({ neighbours, routerId }: SpeakerSettings): readonly BgpId[] {
  return [...new Set([routerId, ...neighbours.flatMap((each) => clusterOf(each, routerId) ?? [])])]
}
