/**
 * The tables as rows for people and programs: plain values, in the words of `show`.
 *
 * Whole tables are generators: a hundred thousand rows are for whoever asks, and in his time. What changes meanwhile may or may
 * not be seen.
 */
import type { AsPath } from './attribute/as-path.ts'
import type { PathAttributes } from './attribute/attributes.ts'
import { formatCommunity } from './attribute/communities.ts'
import { formatExtendedCommunity } from './attribute/extended-communities.ts'
import { formatLargeCommunity } from './attribute/large-communities.ts'
import { formatBgpId } from './bgp-id.ts'
import type { Family } from './family.ts'
import { familyOfKey, formatPrefixKey, type PrefixKey, parsePrefixKey } from './nlri.ts'
import type { Verdict } from './rib/decision.ts'
import { type Path, whyUnusable } from './rib/path.ts'
import type { Ribs } from './rib/ribs.ts'

export interface AttributesRow {
  /** Of routes that begin here there is none. */
  readonly nextHop: string | undefined
  readonly linkLocal: string | undefined
  readonly origin: PathAttributes['origin']
  /** A set of AS numbers is a list within the list. */
  readonly asPath: readonly (number | readonly number[])[]
  readonly localPref: number | undefined
  readonly med: number | undefined
  readonly communities: readonly string[]
  readonly extendedCommunities: readonly string[]
  readonly largeCommunities: readonly string[]
  readonly originatorId: string | undefined
  readonly clusterList: readonly string[]
  readonly atomicAggregate: boolean
  /** `65001 10.0.0.1`. */
  readonly aggregator: string | undefined
}

/** A path of a prefix. */
export interface RouteRow extends AttributesRow {
  readonly prefix: string
  /** Address of the neighbour; undefined: it begins here. */
  readonly from: string | undefined
  readonly pathId: number
  readonly best: boolean
  /** Used beside the best one. */
  readonly multipath: boolean
  /** Why it cannot be used; undefined: it can. */
  readonly unusable: string | undefined
  /** Its neighbour is away, or is sending all again. */
  readonly stale: boolean
}

/** A path with what was decided about it. */
export interface WhyRow extends RouteRow {
  /** The step of the decision process that it has lost at; undefined: it is the best, or cannot be used. */
  readonly lostAt: string | undefined
  /** Where that step is written. */
  readonly source: string | undefined
}

export interface SentRow extends AttributesRow {
  readonly prefix: string
  /** Address of the neighbour that it came from; undefined: it begins here. */
  readonly from: string | undefined
  readonly pathId: number
}

/** Every path of a family; of a prefix the best first. */
export function* routeRows(ribs: Ribs, family: Family): Generator<RouteRow> {
  for (const key of ribs.tables[family].keys()) yield* rowsOf(ribs, key)
}

/** All paths of a prefix, the best first, with what decided against the others. Throws RangeError for a text that is no prefix. */
export function why(ribs: Ribs, prefix: string): readonly WhyRow[] {
  return rowsOf(ribs, parsePrefixKey(prefix))
}

/** What a neighbour has announced, as it came. */
export function* adjInRows(routes: Iterable<{ readonly key: PrefixKey; readonly path: Path }>): Generator<RouteRow> {
  for (const { key, path } of routes) {
    yield { ...routeRow(key, path), ...attributesRow(path.received) }
  }
}

/** What a neighbour has been sent, or is about to be. */
export function* adjOutRows(ribs: Ribs, address: string, family: Family): Generator<SentRow> {
  for (const { key, sent } of ribs.groups[family].of(address)?.routes(address) ?? []) {
    const { attributes, from, pathId } = sent
    yield { prefix: formatPrefixKey(key), from: from || undefined, pathId, ...attributesRow(attributes) }
  }
}

function rowsOf(ribs: Ribs, key: PrefixKey): readonly WhyRow[] {
  return ribs.tables[familyOfKey(key)].explain(key).map((verdict) => whyRow(key, verdict))
}

function whyRow(key: PrefixKey, { path, lost, multipath }: Verdict): WhyRow {
  const step = lost && 'name' in lost ? lost : undefined
  return {
    ...routeRow(key, path),
    best: lost === undefined,
    multipath,
    lostAt: step?.name,
    source: step?.source,
  }
}

function routeRow(key: PrefixKey, path: Path): RouteRow {
  const { source, pathId, attributes } = path
  const isOwn = source.peer.kind === 'local'
  return {
    prefix: formatPrefixKey(key),
    from: isOwn ? undefined : source.peer.address,
    pathId,
    best: false,
    multipath: false,
    unusable: whyUnusable(path),
    stale: source.stale,
    ...attributesRow(attributes),
    ...(isOwn ? { nextHop: undefined } : {}),
  }
}

function attributesRow(attributes: PathAttributes): AttributesRow {
  const { aggregator, originatorId } = attributes
  return {
    nextHop: attributes.nextHop,
    linkLocal: attributes.linkLocal,
    origin: attributes.origin,
    asPath: asPathRow(attributes.asPath),
    localPref: attributes.localPref,
    med: attributes.med,
    communities: attributes.communities.map(formatCommunity),
    extendedCommunities: attributes.extendedCommunities.map(formatExtendedCommunity),
    largeCommunities: attributes.largeCommunities.map(formatLargeCommunity),
    originatorId: originatorId === undefined ? undefined : formatBgpId(originatorId),
    clusterList: attributes.clusterList.map(formatBgpId),
    atomicAggregate: attributes.atomicAggregate ?? false,
    aggregator: aggregator && `${aggregator.as} ${aggregator.address}`,
  }
}

function asPathRow(path: AsPath): AttributesRow['asPath'] {
  return path.flatMap(({ type, numbers }): readonly (number | readonly number[])[] =>
    type === 'set' ? [numbers] : numbers,
  )
}
