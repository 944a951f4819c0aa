/**
 * From paths to what peers are sent: RFC 4271 §5.1 and §9.2, RFC 4456 §8, RFC 1997, RFC 9494 §4.3.
 *
 * First the filter changes the route, as it would in a table, then the session makes of it what its kind demands.
 */
import { prepend } from '../attribute/as-path.ts'
import type { PathAttributes } from '../attribute/attributes.ts'
import { type Community, WellKnown } from '../attribute/communities.ts'
import { isNonTransitive } from '../attribute/extended-communities.ts'
import type { BgpId } from '../bgp-id.ts'
import type { Family } from '../family.ts'
import type { PrefixKey } from '../nlri.ts'
import type { Decide, Decision, Filter } from '../policy/filter.ts'
import type { Changed } from '../policy/operation.ts'
import { DEFAULT_LOCAL_PREF, type Path } from './path.ts'
import { RecentMap } from './recent-map.ts'

/** What peers that are sent the same have in common. */
export interface ExportRules {
  readonly kind: 'internal' | 'external'
  /** Of clients of ours (RFC 4456): the cluster that they are in. undefined: no clients. */
  readonly clusterId: BgpId | undefined
  /** Our AS as these peers know it. */
  readonly localAs: number
  /** `auto`: our own address towards eBGP, towards iBGP that of the route. Own routes always have our own. */
  readonly nextHop: 'auto' | 'self' | 'keep'
  readonly localAddress: LocalAddress
  /** IPv4 routes may have an IPv6 next hop: RFC 8950. */
  readonly extendedNextHop: boolean
  /** false: only routes that begin here. */
  readonly exportAll: boolean
  /** Added to every route. */
  readonly communities: readonly Community[]
  readonly filter: Filter | undefined
  /** They know long-lived stale routes: RFC 9494. */
  readonly longLived: boolean
  /** The session is about to end: what is sent over it says so, with GRACEFUL_SHUTDOWN and, to iBGP, LOCAL_PREF 0. RFC 8326 §4.1. */
  readonly drained: boolean
  /** As Calico has it: towards iBGP a route with a priority has LOCAL_PREF 2147483647 − priority. */
  readonly priorityAsLocalPref: boolean
}

/** Of our end of the session: its address, and the one of the other family on the same interface. */
export interface LocalAddress {
  readonly ipv4: string | undefined
  readonly ipv6: string | undefined
  /** Where the peer is on the same link. */
  readonly linkLocal: string | undefined
}

/** What peers have of a prefix. */
export interface Sent {
  readonly attributes: PathAttributes
  /** Address of the peer that it came from, which is not sent it; empty: from here. */
  readonly from: string
  /** RFC 7911. Without path identifiers there is one route of a prefix, and all have the same. */
  readonly pathId: number
}

/** The path identifier of the only route. */
export const ONLY_PATH_ID = 1

const MAX_PRIORITY = 2_147_483_647

/** Paths. */
const REMEMBERED = 4096

export class Exporter {
  readonly #family: Family
  readonly #rules: ExportRules
  readonly #pathIdOf: (path: Path) => number
  readonly #shared = new RecentMap<Path, SharedSent>(REMEMBERED)
  #recentPath: Path | undefined
  #recent: SharedSent | undefined

  constructor(family: Family, rules: ExportRules, pathIdOf: (path: Path) => number) {
    this.#family = family
    this.#rules = rules
    this.#pathIdOf = pathIdOf
  }

  /** undefined: it is not sent. The same object for all prefixes of a path that a filter does not tell apart. */
  of(path: Path, key: PrefixKey): Sent | undefined {
    if (path !== this.#recentPath) {
      this.#recentPath = path
      this.#recent = this.#shared.get(path)
      if (!this.#recent) {
        this.#recent = new SharedSent(path, this.#pathIdOf(path), this.#family, this.#rules)
        this.#shared.set(path, this.#recent)
      }
    }
    return this.#recent!.of(key)
  }
}

class SharedSent {
  readonly #path: Path
  readonly #pathId: number
  readonly #family: Family
  readonly #rules: ExportRules
  readonly #decide: Decide | undefined
  readonly #refused: boolean
  /** What no rule decides about; null: not worked out yet. */
  #undecided: Sent | undefined | null = null
  #byDecision: Map<Decision, Sent | undefined> | undefined

  constructor(path: Path, pathId: number, family: Family, rules: ExportRules) {
    this.#path = path
    this.#pathId = pathId
    this.#family = family
    this.#rules = rules
    this.#refused = whyNotSent(path, rules) !== undefined
    if (this.#refused) return
    this.#decide = rules.filter?.for({
      attributes: path.attributes,
      peerType: rules.kind === 'external' ? 'eBGP' : 'iBGP',
      learned: path.source.peer.kind !== 'local',
      interface: path.interface,
      priority: path.priority,
    })
  }

  of(key: PrefixKey): Sent | undefined {
    if (this.#refused) return undefined
    const decision = this.#decide?.(key)
    if (!decision) {
      if (this.#undecided === null) this.#undecided = this.#create(undefined)
      return this.#undecided
    }
    this.#byDecision ??= new Map()
    if (!this.#byDecision.has(decision)) this.#byDecision.set(decision, this.#create(decision))
    return this.#byDecision.get(decision)
  }

  #create(decision: Decision | undefined): Sent | undefined {
    const attributes = attributesToSend(this.#path, decision, this.#family, this.#rules)
    return attributes && { attributes, from: this.#path.source.peer.address, pathId: this.#pathId }
  }
}

/** Why no peer of this kind is sent the path, whatever the filter says; undefined: they are. */
export function whyNotSent(
  { source: { peer }, attributes, longLivedStale }: Path,
  rules: ExportRules,
): string | undefined {
  const { communities } = attributes
  const external = rules.kind === 'external'
  if (communities.includes(WellKnown['no-advertise'])) return 'NO_ADVERTISE'
  // Of a confederation of one AS all other AS are outside.
  if (external && communities.includes(WellKnown['no-export'])) return 'NO_EXPORT'
  if (external && communities.includes(WellKnown['no-export-subconfed'])) return 'NO_EXPORT_SUBCONFED'
  if (!rules.exportAll && peer.kind !== 'local') return 'only own routes are sent'
  const reflects = peer.clusterId !== undefined || rules.clusterId !== undefined
  if (!external && peer.kind === 'internal' && !reflects) return 'from iBGP to iBGP'
  if (longLivedStale && !rules.longLived) return 'long-lived stale'
  return undefined
}

/** undefined: a filter rejects it, or there is no next hop that could be said. */
function attributesToSend(
  path: Path,
  decision: Decision | undefined,
  family: Family,
  rules: ExportRules,
): PathAttributes | undefined {
  if (decision && !decision.accepts) return undefined
  const external = rules.kind === 'external'
  const { attributes, priority } = path
  // §5.1.4: MED "MUST NOT be propagated to other neighboring ASes" than the one it came to; it is ours where the route is.
  const med = external && attributes.asPath.length > 0 ? undefined : attributes.med
  const route: Changed = { attributes: { ...attributes, med }, priority, nextHopSet: false }
  const changed = decision ? decision.apply(route) : route
  const hop = nextHopToSend(path, changed, family, rules)
  if (!hop) return undefined
  const withHop = {
    ...changed.attributes,
    ...hop,
    communities: withOwn(changed.attributes.communities, ownCommunities(rules)),
  }
  return Object.freeze(external ? toExternal(withHop, rules) : toInternal(withHop, changed.priority, path, rules))
}

function toExternal(attributes: PathAttributes, { localAs }: ExportRules): PathAttributes {
  return {
    ...attributes,
    asPath: prepend(attributes.asPath, localAs),
    localPref: undefined,
    originatorId: undefined,
    clusterList: [],
    extendedCommunities: attributes.extendedCommunities.filter((community) => !isNonTransitive(community)),
  }
}

function toInternal(
  attributes: PathAttributes,
  priority: number | undefined,
  { source: { peer } }: Path,
  { clusterId, priorityAsLocalPref, drained }: ExportRules,
): PathAttributes {
  const encoded = priorityAsLocalPref && priority !== undefined ? MAX_PRIORITY - priority : undefined
  const localPref = drained ? 0 : (encoded ?? attributes.localPref ?? DEFAULT_LOCAL_PREF)
  if (peer.kind !== 'internal') return { ...attributes, localPref }
  // RFC 4456 §8: the identifier of who brought the route into the AS, and the clusters that it has passed.
  const clusters = [clusterId, peer.clusterId].filter((id, i, all) => id !== undefined && all.indexOf(id) === i)
  return {
    ...attributes,
    localPref,
    originatorId: attributes.originatorId ?? peer.routerId,
    clusterList: [...(clusters as BgpId[]), ...attributes.clusterList],
  }
}

type Hop = Pick<PathAttributes, 'nextHop' | 'linkLocal'>

/** §5.1.3, RFC 2545 §3. */
function nextHopToSend(
  path: Path,
  { attributes, nextHopSet }: Changed,
  family: Family,
  rules: ExportRules,
): Hop | undefined {
  const { nextHop, kind, extendedNextHop, localAddress } = rules
  const canSend = (address: string) => {
    const its = address.includes(':') ? 'ipv6' : 'ipv4'
    return its === family || (family === 'ipv4' && extendedNextHop)
  }
  if (nextHopSet && canSend(attributes.nextHop)) return { nextHop: attributes.nextHop, linkLocal: undefined }
  const isOwn = path.source.peer.kind === 'local'
  const keeps = !isOwn && (nextHop === 'keep' || (nextHop === 'auto' && kind === 'internal'))
  // The link-local address is one of the link that the route came over.
  if (keeps && canSend(attributes.nextHop)) return { nextHop: attributes.nextHop, linkLocal: undefined }
  if (family === 'ipv4' && localAddress.ipv4 !== undefined) return { nextHop: localAddress.ipv4, linkLocal: undefined }
  if (localAddress.ipv6 === undefined || !canSend(localAddress.ipv6)) return undefined
  return { nextHop: localAddress.ipv6, linkLocal: localAddress.linkLocal }
}

function ownCommunities({ communities, drained }: ExportRules): readonly Community[] {
  return drained ? [...communities, WellKnown['graceful-shutdown']] : communities
}

function withOwn(communities: readonly Community[], own: readonly Community[]): readonly Community[] {
  const added = own.filter((community) => !communities.includes(community))
  return added.length > 0 ? [...communities, ...added] : communities
}
