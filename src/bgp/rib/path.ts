/**
 * A path: one way to reach prefixes, as a peer has announced it and the import rules have left it.
 *
 * All prefixes that a peer has announced with the same attributes share one path, and a table refers to it: a route is a
 * key and a reference. So a path never changes, but for the metric of its next hop.
 */
import { asPathLength, neighbourAs } from '../attribute/as-path.ts'
import type { PathAttributes } from '../attribute/attributes.ts'
import { WellKnown } from '../attribute/communities.ts'
import { ORIGINS } from '../attribute/origin.ts'
import type { BgpId } from '../bgp-id.ts'
import type { NextHop } from './next-hops.ts'

/** Who routes come from: a session as the tables see it, or this speaker itself. */
export interface RibPeer {
  /** Tells peers apart: two with the same address are one peer, now and before its restart. Empty: this speaker. */
  readonly address: string
  readonly routerId: BgpId
  readonly as: number
  readonly kind: 'internal' | 'external' | 'local'
  /** Of a client of ours (RFC 4456): the cluster that it and we are in. undefined: no client. */
  readonly clusterId: BgpId | undefined
}

/** What a peer has sent since it last began to send all: with its session, or with a refresh. */
export interface Source {
  readonly peer: RibPeer
  /** Its session is down, or it has begun to send all again: it may or may not announce the routes of this source again. */
  stale: boolean
}

/** Why a path is kept, and not used. */
export type Exclusion =
  /** RFC 4271 §9.1.2: our own AS in the AS_PATH. */
  | 'AS loop'
  /** RFC 4456 §8. */
  | 'ORIGINATOR_ID is ours'
  | 'CLUSTER_LIST loop'
  | 'rejected by a filter'
  /** The peer is one that nothing is taken from. */
  | 'import is off'

export interface Path {
  readonly source: Source
  /** RFC 7911; 0 on sessions without path identifiers. */
  readonly pathId: number
  /** As they came. */
  readonly received: PathAttributes
  readonly attributes: PathAttributes
  /** Metric of the route in the kernel; undefined: as all routes. */
  readonly priority: number | undefined
  /** Of routes that do not come from peers: the interface that they lead to. */
  readonly interface: string | undefined
  readonly hop: NextHop
  readonly excluded: Exclusion | undefined

  // What the decision process compares.
  readonly localPref: number
  readonly asPathLength: number
  readonly origin: number
  readonly med: number
  readonly neighbourAs: number
  readonly routerId: BgpId
  readonly clusterListLength: number
  readonly longLivedStale: boolean
}

/** RFC 4271 §9.1.1: what an iBGP peer that sends none would have sent. Every vendor's default. */
export const DEFAULT_LOCAL_PREF = 100

export function createPath(
  path: Pick<Path, 'source' | 'pathId' | 'received' | 'attributes' | 'priority' | 'interface' | 'hop' | 'excluded'>,
): Path {
  const { source, attributes } = path
  const { peer } = source
  return {
    source,
    pathId: path.pathId,
    received: path.received,
    attributes,
    priority: path.priority,
    interface: path.interface,
    hop: path.hop,
    excluded: path.excluded,
    localPref: attributes.localPref ?? DEFAULT_LOCAL_PREF,
    asPathLength: asPathLength(attributes.asPath),
    origin: ORIGINS.indexOf(attributes.origin),
    // "If the MULTI_EXIT_DISC attribute is not present … assigned the lowest possible value": §9.1.2.2 c.
    med: attributes.med ?? 0,
    // "the neighbor AS from which the route was received"; from within our AS it is ours. The filters' AS do not count.
    neighbourAs: neighbourAs(path.received.asPath) ?? peer.as,
    // RFC 4456 §9: "ORIGINATOR_ID SHALL be treated as the BGP Identifier".
    routerId: attributes.originatorId ?? peer.routerId,
    clusterListLength: attributes.clusterList.length,
    longLivedStale: attributes.communities.includes(WellKnown['llgr-stale']),
  }
}

/** Whether the decision process may choose it. */
export function isUsable({ excluded, hop }: Path): boolean {
  return excluded === undefined && hop.metric !== undefined
}

/** Why it may not; undefined: it may. */
export function whyUnusable({ excluded, hop }: Path): string | undefined {
  if (excluded) return excluded
  return hop.metric === undefined ? `next hop ${hop.address} is ${hop.reason ?? 'not reachable'}` : undefined
}

/** Whether one replaces the other in a table: RFC 7911 §2 for several of a peer. */
export function isSameRoute(path: Path, peer: RibPeer, pathId: number): boolean {
  return path.pathId === pathId && (path.source.peer === peer || path.source.peer.address === peer.address)
}

export function isFrom(path: Path, peer: RibPeer): boolean {
  return path.source.peer === peer || path.source.peer.address === peer.address
}
