/**
 * Path attributes from the octets of an UPDATE: RFC 4271 §4.3 and §6.3 as RFC 7606 revises it.
 *
 * Damage is no exception but data: what was wrong, with which attribute, and how it is handled. Only what RFC 7606 still ends
 * the session for is thrown.
 */
import { BgpError, UpdateError, updateError } from '../errors.ts'
import { u16 } from '../octets.ts'
import { AS_TRANS, asPathLength, hasAsZero } from './as-path.ts'
import { mergedPath } from './as4-path.ts'
import { Flag, type Handling, OPTIONAL_TRANSITIVE, type SessionKind } from './attribute.ts'
import {
  type AttributeName,
  type AttributeRow,
  type AttributeValues,
  attributeName,
  attributeRow,
  attributeTable,
  NO_VALUES,
  type PathAttributes,
  type UnknownAttribute,
} from './attributes.ts'
import { decodeNextHop, MP_REACH_NLRI, MP_UNREACH_NLRI } from './mp-nlri.ts'

export interface Damage {
  /** Type code. */
  readonly attribute: number
  readonly handling: Handling
  /** The error as RFC 4271 §6.3 would have reported it, and what a reset must say if it comes to one. */
  readonly error: BgpError
}

/** Where an attribute stands: its header at `at`, its value in `[from, to)`. */
export interface AttributeSpan {
  readonly flags: number
  readonly code: number
  readonly at: number
  readonly from: number
  readonly to: number
}

/** The attribute at `at`; undefined when it does not end before `end`. */
export function readAttribute(bytes: Uint8Array, at: number, end: number): AttributeSpan | undefined {
  const flags = bytes[at]!
  const extended = (flags & Flag.extendedLength) !== 0
  const from = at + (extended ? 4 : 3)
  if (from > end) return undefined
  const to = from + (extended ? u16(bytes, at + 2) : bytes[at + 2]!)
  return to <= end ? { flags, code: bytes[at + 1]!, at, from, to } : undefined
}

/** What the attributes are those of. */
export type Announces =
  /** Nothing: they are checked and forgotten. */
  | 'nothing'
  /** Prefixes in the message's own field, whose next hop is the attribute NEXT_HOP. */
  | 'nlri'
  /** Prefixes in MP_REACH_NLRI; these are the octets of its next hop. */
  | Uint8Array

export interface DecodedAttributes {
  /** undefined when the routes count as withdrawn, or there are none. */
  readonly attributes: PathAttributes | undefined
  readonly damage: readonly Damage[]
}

/**
 * The attributes in `bytes[from, to)`, MP_REACH_NLRI and MP_UNREACH_NLRI passed over. Throws BgpError 3/2 with the attribute
 * for one that is unknown and says to be well-known.
 */
export function decodeAttributes(
  bytes: Uint8Array,
  from: number,
  to: number,
  announces: Announces,
  session: SessionKind,
): DecodedAttributes {
  const values: AttributeValues = { ...NO_VALUES }
  const unknown: UnknownAttribute[] = []
  const partial: number[] = []
  const damage: Damage[] = []
  const seen: number[] = []

  for (let at = from; at < to; ) {
    const span = readAttribute(bytes, at, to)
    if (!span) {
      damage.push(pastTheEnd(bytes, at, to))
      break
    }
    at = span.to
    const { code, flags } = span
    if (code === MP_REACH_NLRI || code === MP_UNREACH_NLRI) continue
    if (seen.includes(code)) {
      // RFC 7606 §3 g: "all the occurrences of the attribute other than the first one SHALL be discarded".
      damage.push(discard(code, UpdateError.malformedAttributeList, `${attributeName(code)} again`))
      continue
    }
    seen.push(code)
    const row = attributeRow(code)
    if (row) {
      const found = readKnown(row, span, bytes, session, values)
      if (found) damage.push(found)
      else if ((flags & PARTIAL) === PARTIAL && !isOfTheSession(row.key)) partial.push(code)
    } else if ((flags & Flag.optional) === 0) {
      const reason = `attribute ${code} is unknown here and well-known to the peer`
      throw updateError(UpdateError.unrecognizedWellKnownAttribute, reason, bytes.slice(span.at, span.to))
    } else if ((flags & OPTIONAL_TRANSITIVE) === OPTIONAL_TRANSITIVE) {
      unknown.push({ code, value: bytes.slice(span.from, span.to) })
    }
  }

  if (!session.as4) mergeFourOctetAs(values, damage)
  if (announces !== 'nothing') damage.push(...missing(seen, announces === 'nlri'))
  const withdrawn = damage.some(({ handling }) => handling === 'treat-as-withdraw')
  const attributes = withdrawn || announces === 'nothing' ? undefined : finished(values, unknown, partial, announces)
  return { attributes, damage: damage.length > 0 ? damage : NONE }
}

const NONE: readonly never[] = []
/** The bit means something where the attribute is optional and transitive. */
const PARTIAL = OPTIONAL_TRANSITIVE | Flag.partial

/** Speakers that do not know these two set the bit; who does merges them away. */
function isOfTheSession(key: AttributeName): boolean {
  return key === 'as4Path' || key === 'as4Aggregator'
}

/** Puts the value into `values`, or answers what is wrong with it. */
function readKnown(
  { key, codec }: AttributeRow,
  { code, flags, at, from, to }: AttributeSpan,
  bytes: Uint8Array,
  session: SessionKind,
  values: AttributeValues,
): Damage | undefined {
  if (codec.unwanted?.(session)) {
    return discard(code, UpdateError.optionalAttribute, `${codec.name} has no meaning on this session`)
  }
  if ((flags & OPTIONAL_TRANSITIVE) !== codec.flags) {
    // RFC 7606 §3 c, whatever the attribute.
    const error = updateError(
      UpdateError.attributeFlags,
      `${codec.name} with flags 0x${flags.toString(16)}`,
      bytes.slice(at, to),
    )
    return { attribute: code, handling: 'treat-as-withdraw', error }
  }
  try {
    const byKey: Record<AttributeName, unknown> = values
    byKey[key] = codec.decode(bytes.subarray(from, to), session)
    return undefined
  } catch (cause) {
    if (!(cause instanceof BgpError)) throw cause
    const error = new BgpError(cause.code, cause.subcode, cause.reason, bytes.slice(at, to))
    return { attribute: code, handling: codec.damaged, error }
  }
}

/** RFC 7606 §4: the attributes end where their total length says, so the prefixes behind them are still found. */
function pastTheEnd(bytes: Uint8Array, at: number, end: number): Damage {
  const hasCode = at + 1 < end
  const attribute = hasCode ? bytes[at + 1]! : 0
  const reason = hasCode ? `${attributeName(attribute)} runs past the attributes` : 'an octet is left over'
  return { attribute, handling: 'treat-as-withdraw', error: updateError(UpdateError.malformedAttributeList, reason) }
}

/** RFC 6793 §4.2.3: makes AS_PATH and AGGREGATOR what they were before AS numbers were cut to two octets. */
function mergeFourOctetAs(values: AttributeValues, damage: Damage[]): void {
  const { asPath, as4Path, aggregator, as4Aggregator } = values
  if (as4Path && hasAsZero(as4Path)) {
    const error = updateError(UpdateError.malformedAsPath, 'AS4_PATH: AS 0 is nobody (RFC 7607)')
    damage.push({ attribute: attributeTable.as4Path.code, handling: 'treat-as-withdraw', error })
    return
  }
  if (aggregator && as4Aggregator) {
    // Aggregated since by a speaker that knows two octets only: AS4_AGGREGATOR and AS4_PATH are both of an older route.
    if (aggregator.as !== AS_TRANS) return
    values.aggregator = as4Aggregator
  }
  if (asPath && as4Path && asPathLength(as4Path) > 0) values.asPath = mergedPath(asPath, as4Path)
}

/** RFC 7606 §3 d. */
function missing(seen: readonly number[], needsNextHop: boolean): Damage[] {
  const wanted = [attributeTable.origin, attributeTable.asPath, ...(needsNextHop ? [attributeTable.nextHop] : [])]
  return wanted
    .filter(({ code }) => !seen.includes(code))
    .map(({ code, name }) => {
      const error = updateError(UpdateError.missingWellKnownAttribute, `${name} is missing`, Uint8Array.of(code))
      return { attribute: code, handling: 'treat-as-withdraw', error }
    })
}

/** `values` has all that is mandatory, since none of it was missing or damaged. */
function finished(
  values: AttributeValues,
  unknown: UnknownAttribute[],
  partial: number[],
  announces: 'nlri' | Uint8Array,
): PathAttributes {
  const { nextHop, linkLocal } =
    announces === 'nlri' ? { nextHop: values.nextHop!, linkLocal: undefined } : decodeNextHop(announces)
  return Object.freeze({
    origin: values.origin!,
    asPath: values.asPath!,
    nextHop,
    linkLocal,
    med: values.med,
    localPref: values.localPref,
    atomicAggregate: values.atomicAggregate,
    aggregator: values.aggregator,
    communities: values.communities ?? NONE,
    originatorId: values.originatorId,
    clusterList: values.clusterList ?? NONE,
    extendedCommunities: values.extendedCommunities ?? NONE,
    largeCommunities: values.largeCommunities ?? NONE,
    unknown: unknown.length > 0 ? unknown.sort((a, b) => a.code - b.code) : NONE,
    partial: partial.length > 0 ? partial.sort((a, b) => a - b) : NONE,
  })
}

function discard(attribute: number, subcode: number, reason: string): Damage {
  return { attribute, handling: 'attribute discard', error: updateError(subcode, reason) }
}
