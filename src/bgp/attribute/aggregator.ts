/** AGGREGATOR: RFC 4271 §5.1.7. | AS (2, or 4 by RFC 6793) | address (4) |. AS4_AGGREGATOR: RFC 6793 §3. */
import { formatIpv4, IPV4_LENGTH, parseIpv4 } from '../../address/ipv4.ts'
import { UpdateError, updateError } from '../errors.ts'
import { joined, ofU16, ofU32, u16, u32 } from '../octets.ts'
import { AS_TRANS } from './as-path.ts'
import { type AttributeCodec, OPTIONAL_TRANSITIVE } from './attribute.ts'
import { requireLength } from './length.ts'

/** Who made one route of several. */
export interface Aggregator {
  readonly as: number
  readonly address: string
}

export const aggregator: AttributeCodec<Aggregator> = {
  code: 7,
  name: 'AGGREGATOR',
  flags: OPTIONAL_TRANSITIVE,
  damaged: 'attribute discard',
  decode: (value, { as4 }) => decode('AGGREGATOR', value, as4 ? 4 : 2),
  encode: ({ as, address }, { as4 }) =>
    joined([as4 ? ofU32(as) : ofU16(as > 0xffff ? AS_TRANS : as), parseIpv4(address)]),
  show: ({ as, address }) => `${as} ${address}`,
}

/** The true AS number beside an AGGREGATOR of AS_TRANS, on sessions with two-octet numbers only. */
export const as4Aggregator: AttributeCodec<Aggregator> = {
  code: 18,
  name: 'AS4_AGGREGATOR',
  flags: OPTIONAL_TRANSITIVE,
  damaged: 'attribute discard',
  unwanted: ({ as4 }) => as4,
  decode: (value) => decode('AS4_AGGREGATOR', value, 4),
  encode: ({ as, address }) => joined([ofU32(as), parseIpv4(address)]),
  show: aggregator.show,
}

function decode(name: string, value: Uint8Array, width: 2 | 4): Aggregator {
  requireLength(name, value, width + IPV4_LENGTH)
  const as = width === 4 ? u32(value, 0) : u16(value, 0)
  if (as === 0) throw updateError(UpdateError.optionalAttribute, `${name} of AS 0 (RFC 7607)`)
  return { as, address: formatIpv4(value.subarray(width)) }
}
