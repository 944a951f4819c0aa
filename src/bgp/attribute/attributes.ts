/**
 * The table of path attributes, and what a route has of them. IANA "BGP Path Attributes".
 *
 * Attributes that are not in the table are kept when they are optional and transitive, and forgotten when they are optional
 * and not (RFC 4271 §5). AIGP (RFC 7311) and OTC (RFC 9234) are among them.
 */

import type { BgpId } from '../bgp-id.ts'
import { hex } from '../octets.ts'
import type { Aggregator } from './aggregator.ts'
import { aggregator, as4Aggregator } from './aggregator.ts'
import { type AsPath, asPath } from './as-path.ts'
import { as4Path } from './as4-path.ts'
import { atomicAggregate } from './atomic-aggregate.ts'
import type { AttributeCodec } from './attribute.ts'
import { clusterList } from './cluster-list.ts'
import { type Community, communities } from './communities.ts'
import { type ExtendedCommunity, extendedCommunities } from './extended-communities.ts'
import { type LargeCommunity, largeCommunities } from './large-communities.ts'
import { localPref } from './local-pref.ts'
import { multiExitDisc } from './multi-exit-disc.ts'
import { nextHop } from './next-hop.ts'
import { type Origin, origin } from './origin.ts'
import { originatorId } from './originator-id.ts'

/** An attribute that is unknown here: optional and transitive. */
export interface UnknownAttribute {
  readonly code: number
  readonly value: Uint8Array
}

/**
 * What a set of routes has in common. Every member is always there, so that all sets have one shape; sets that came in the
 * same octets on sessions of the same kind are one object.
 */
export interface PathAttributes {
  readonly origin: Origin
  readonly asPath: AsPath
  /** Of IPv4 or IPv6, whatever the family of the routes. */
  readonly nextHop: string
  /** Beside a global next hop of IPv6. */
  readonly linkLocal: string | undefined
  readonly med: number | undefined
  readonly localPref: number | undefined
  readonly atomicAggregate: true | undefined
  readonly aggregator: Aggregator | undefined
  readonly communities: readonly Community[]
  readonly originatorId: BgpId | undefined
  readonly clusterList: readonly BgpId[]
  readonly extendedCommunities: readonly ExtendedCommunity[]
  readonly largeCommunities: readonly LargeCommunity[]
  /** By type code. */
  readonly unknown: readonly UnknownAttribute[]
  /**
   * Type codes of those above that a speaker on the way did not know. Once the Partial bit is 1, it "MUST NOT be set back to
   * 0" (RFC 4271 §5).
   */
  readonly partial: readonly number[]
}

/** By the names of PathAttributes. as4Path and as4Aggregator are on the wire only. */
export const attributeTable = {
  origin,
  asPath,
  nextHop,
  med: multiExitDisc,
  localPref,
  atomicAggregate,
  aggregator,
  communities,
  originatorId,
  clusterList,
  extendedCommunities,
  as4Path,
  as4Aggregator,
  largeCommunities,
} as const

type Table = typeof attributeTable
export type AttributeName = keyof Table

/** The values of an UPDATE, before it is known whether they make a route. */
export type AttributeValues = {
  [N in AttributeName]: (Table[N] extends AttributeCodec<infer T> ? T : never) | undefined
}

/** All members at once: objects that grow by and by have many shapes, and are slow. */
export const NO_VALUES: Readonly<AttributeValues> = {
  origin: undefined,
  asPath: undefined,
  nextHop: undefined,
  med: undefined,
  localPref: undefined,
  atomicAggregate: undefined,
  aggregator: undefined,
  communities: undefined,
  originatorId: undefined,
  clusterList: undefined,
  extendedCommunities: undefined,
  as4Path: undefined,
  as4Aggregator: undefined,
  largeCommunities: undefined,
}

export interface AttributeRow {
  readonly key: AttributeName
  readonly codec: AttributeCodec<unknown>
}

const rows: readonly AttributeRow[] = (Object.keys(attributeTable) as AttributeName[])
  .map((key) => ({ key, codec: attributeTable[key] as AttributeCodec<unknown> }))
  .sort((a, b) => a.codec.code - b.codec.code)

/** In the order of their codes, which is the order that they are sent in (RFC 4271 §5, "SHOULD"). */
export const attributeRows = rows

const rowOfCode: ReadonlyMap<number, AttributeRow> = new Map(rows.map((row) => [row.codec.code, row]))

export function attributeRow(code: number): AttributeRow | undefined {
  return rowOfCode.get(code)
}

const MP_NAMES: Readonly<Record<number, string>> = { 14: 'MP_REACH_NLRI', 15: 'MP_UNREACH_NLRI' }

/** `COMMUNITIES`; `attribute 213` where there is no name. */
export function attributeName(code: number): string {
  return rowOfCode.get(code)?.codec.name ?? MP_NAMES[code] ?? `attribute ${code}`
}

/** One line per attribute that is there, as `NAME value`. */
export function formatAttributes(attributes: PathAttributes): string[] {
  const values = attributes as Partial<AttributeValues>
  const known = rows.flatMap(({ key, codec }) => {
    const value = values[key]
    if (value === undefined || (Array.isArray(value) && value.length === 0 && key !== 'asPath')) return []
    const beside = key === 'nextHop' && attributes.linkLocal !== undefined ? ` ${attributes.linkLocal}` : ''
    return [`${codec.name} ${codec.show(value)}${beside}`.trimEnd()]
  })
  return [...known, ...attributes.unknown.map(({ code, value }) => `${attributeName(code)} ${hex(value)}`.trimEnd())]
}
