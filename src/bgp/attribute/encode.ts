/** Path attributes as octets: RFC 4271 §4.3. */
import { needsAs4Path } from './as4-path.ts'
import { Flag, OPTIONAL_TRANSITIVE } from './attribute.ts'
import { type AttributeValues, attributeRows, type PathAttributes } from './attributes.ts'

const SHORT_VALUE = 255
const MAX_VALUE = 65535

/**
 * All attributes but MP_REACH_NLRI, by type code. NEXT_HOP is left out where MP_REACH_NLRI has it. Throws RangeError for an
 * attribute of more than 65,535 octets.
 */
export function encodeAttributes(
  attributes: PathAttributes,
  session: { readonly as4: boolean },
  withNextHop: boolean,
): Uint8Array {
  const values = valuesToSend(attributes, session.as4, withNextHop)
  const parts: Part[] = []
  for (const { key, codec } of attributeRows) {
    const value = values[key]
    if (value === undefined) continue
    const { code } = codec
    const flags = attributes.partial.includes(code) ? codec.flags | Flag.partial : codec.flags
    parts.push({ flags, code, value: codec.encode(value, session) })
  }
  // "The Partial bit … MUST be set to 1" by who passes on what it does not know (§5): and nobody else has such attributes.
  const flags = OPTIONAL_TRANSITIVE | Flag.partial
  for (const { code, value } of attributes.unknown) parts.push({ flags, code, value })
  if (attributes.unknown.length > 0) parts.sort((a, b) => a.code - b.code)
  return written(parts)
}

function valuesToSend(attributes: PathAttributes, as4: boolean, withNextHop: boolean): AttributeValues {
  const { asPath, aggregator, communities, clusterList, extendedCommunities, largeCommunities } = attributes
  return {
    origin: attributes.origin,
    asPath,
    nextHop: withNextHop ? attributes.nextHop : undefined,
    med: attributes.med,
    localPref: attributes.localPref,
    atomicAggregate: attributes.atomicAggregate,
    aggregator,
    communities: filled(communities),
    originatorId: attributes.originatorId,
    clusterList: filled(clusterList),
    extendedCommunities: filled(extendedCommunities),
    // RFC 6793 §4.2.2: only where two octets have lost something.
    as4Path: !as4 && needsAs4Path(asPath) ? asPath : undefined,
    as4Aggregator: !as4 && aggregator && aggregator.as > 0xffff ? aggregator : undefined,
    largeCommunities: filled(largeCommunities),
  }
}

function filled<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length > 0 ? list : undefined
}

interface Part {
  readonly flags: number
  readonly code: number
  readonly value: Uint8Array
}

function written(parts: readonly Part[]): Uint8Array {
  let size = 0
  for (const { value } of parts) size += (value.length > SHORT_VALUE ? 4 : 3) + value.length
  const block = new Uint8Array(size)
  let at = 0
  for (const { flags, code, value } of parts) {
    const { length } = value
    if (length > MAX_VALUE) throw new RangeError(`Cannot encode attribute ${code}: its ${length} octets are too many`)
    const isLong = length > SHORT_VALUE
    block[at++] = isLong ? flags | Flag.extendedLength : flags
    block[at++] = code
    if (isLong) block[at++] = length >> 8
    block[at++] = length
    block.set(value, at)
    at += length
  }
  return block
}
