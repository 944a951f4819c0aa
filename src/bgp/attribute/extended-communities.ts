/**
 * EXTENDED_COMMUNITIES: RFC 4360. Eight octets each: | type (1) | subtype (1) | six octets whose form the type says |
 *
 * They are carried and shown; nothing here acts by them.
 */
import { formatIpv4 } from '../../address/ipv4.ts'
import { hex, ofU32, u16, u32 } from '../octets.ts'
import { type AttributeCodec, OPTIONAL_TRANSITIVE } from './attribute.ts'
import { requireMultiple } from './length.ts'

/** All 64 bits. */
export type ExtendedCommunity = bigint

const SIZE = 8
/** Of the type octet, "T": does not leave the AS. */
const NON_TRANSITIVE = 0x40

export const extendedCommunities: AttributeCodec<readonly ExtendedCommunity[]> = {
  code: 16,
  name: 'EXTENDED_COMMUNITIES',
  flags: OPTIONAL_TRANSITIVE,
  damaged: 'treat-as-withdraw',
  decode(value) {
    requireMultiple('EXTENDED_COMMUNITIES', value, SIZE)
    const list: ExtendedCommunity[] = []
    for (let at = 0; at < value.length; at += SIZE) {
      list.push((BigInt(u32(value, at)) << 32n) | BigInt(u32(value, at + 4)))
    }
    return list
  },
  encode: (list) => ofU32(...list.flatMap(halves)),
  show: (list) => list.map(formatExtendedCommunity).join(' '),
}

/** Whether it stays within the AS, so is taken off towards others: §6. */
export function isNonTransitive(community: ExtendedCommunity): boolean {
  return (Number(community >> 56n) & NON_TRANSITIVE) !== 0
}

const SUBTYPES: Readonly<Record<number, string>> = { 2: 'rt', 3: 'soo' }

/** `rt:65000:100` and `soo:10.0.0.1:7` (§4, §5, RFC 5668); all others as `0x` and sixteen digits. */
export function formatExtendedCommunity(community: ExtendedCommunity): string {
  const bytes = ofU32(...halves(community))
  const subtype = SUBTYPES[bytes[1]!]
  if (!subtype || bytes[0]! > 2) return `0x${hex(bytes)}`
  if (bytes[0] === 0) return `${subtype}:${u16(bytes, 2)}:${u32(bytes, 4)}`
  const administrator = bytes[0] === 1 ? formatIpv4(bytes.subarray(2, 6)) : u32(bytes, 2)
  return `${subtype}:${administrator}:${u16(bytes, 6)}`
}

function halves(community: ExtendedCommunity): [number, number] {
  return [Number(community >> 32n), Number(community & 0xffff_ffffn)]
}
