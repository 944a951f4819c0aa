/**
 * MP_REACH_NLRI and MP_UNREACH_NLRI: RFC 4760 §3 and §4. They are a message's own, no attributes of its routes, and so not
 * rows of the table.
 *
 *   MP_REACH_NLRI:   | AFI (2) | SAFI (1) | length of next hop (1) | next hop | reserved (1) | NLRI |
 *   MP_UNREACH_NLRI: | AFI (2) | SAFI (1) | withdrawn routes |
 *
 * Next hops: of IPv6 routes one address, or a global and a link-local one (RFC 2545 §3); of IPv4 routes an IPv4 address or the
 * same as for IPv6 (RFC 8950 §3). They are read whether capability 5 was agreed upon or not: GoBGP sends them without.
 */
import { formatIp } from '../../address/ip.ts'
import { IPV4_LENGTH } from '../../address/ipv4.ts'
import { IPV6_LENGTH } from '../../address/ipv6.ts'
import { UpdateError, updateError } from '../errors.ts'
import { type AfiSafi, type Family, familyOf, formatAfiSafi } from '../family.ts'
import { u16 } from '../octets.ts'
import { Flag, OPTIONAL_NON_TRANSITIVE } from './attribute.ts'

export const MP_REACH_NLRI = 14
export const MP_UNREACH_NLRI = 15

/** Where in the message the parts of such an attribute stand. */
export interface MpNlri extends AfiSafi {
  /** undefined: routes of a family that is not kept here. Their form is unknown. */
  readonly family: Family | undefined
  /** Of MP_REACH_NLRI; empty for MP_UNREACH_NLRI. */
  readonly nextHop: Uint8Array
  readonly from: number
  readonly to: number
}

export interface NextHop {
  readonly nextHop: string
  readonly linkLocal: string | undefined
}

const NEXT_HOP_AT = 4
const NO_BYTES = new Uint8Array(0)

/**
 * The attribute that starts at `at`, with its value in `[from, to)`. Throws BgpError 3/9 with the attribute when its parts
 * do not fit: what it announces cannot be found then, so there is nothing to withdraw either (RFC 7606 §7.11, §7.12).
 */
export function decodeMpNlri(bytes: Uint8Array, at: number, from: number, to: number): MpNlri {
  const isReach = bytes[at + 1] === MP_REACH_NLRI
  const malformed = (reason: string) =>
    updateError(
      UpdateError.optionalAttribute,
      `MP_${isReach ? 'REACH' : 'UNREACH'}_NLRI: ${reason}`,
      bytes.slice(at, to),
    )

  if (to - from < (isReach ? NEXT_HOP_AT + 1 : NEXT_HOP_AT - 1)) throw malformed(`${to - from} octets`)
  const afi = u16(bytes, from)
  const safi = bytes[from + 2]!
  const family = familyOf(afi, safi)
  if (!isReach) return { afi, safi, family, nextHop: NO_BYTES, from: from + NEXT_HOP_AT - 1, to }

  const length = bytes[from + 3]!
  const nextHopEnd = from + NEXT_HOP_AT + length
  if (nextHopEnd + 1 > to) throw malformed(`a next hop of ${length} octets does not fit`)
  const nextHop = bytes.subarray(from + NEXT_HOP_AT, nextHopEnd)
  if (family && !isNextHopLength(family, length)) {
    throw malformed(`a next hop of ${length} octets for ${formatAfiSafi({ afi, safi })}`)
  }
  // The octet behind the next hop is reserved: "MUST be ignored upon receipt".
  return { afi, safi, family, nextHop, from: nextHopEnd + 1, to }
}

function isNextHopLength(family: Family, length: number): boolean {
  return length === IPV6_LENGTH || length === 2 * IPV6_LENGTH || (family === 'ipv4' && length === IPV4_LENGTH)
}

/** Reads what decodeMpNlri has found to be one. */
export function decodeNextHop(bytes: Uint8Array): NextHop {
  const isPair = bytes.length === 2 * IPV6_LENGTH
  return {
    nextHop: formatIp(bytes.subarray(0, isPair ? IPV6_LENGTH : bytes.length)),
    linkLocal: isPair ? formatIp(bytes.subarray(IPV6_LENGTH)) : undefined,
  }
}

/** Octets of the longest attribute header: flags, type, and two of length. */
export const EXTENDED_HEADER = 4
const SHORT_VALUE = 255

/**
 * Makes the header of an attribute whose value has been written to `bytes[at + EXTENDED_HEADER, end)`. A short one has a
 * header one octet shorter; the value is moved. Answers where the attribute ends.
 */
export function writeMpHeader(bytes: Uint8Array, type: number, at: number, end: number): number {
  const length = end - at - EXTENDED_HEADER
  bytes[at + 1] = type
  if (length > SHORT_VALUE) {
    bytes[at] = OPTIONAL_NON_TRANSITIVE | Flag.extendedLength
    bytes[at + 2] = length >> 8
    bytes[at + 3] = length
    return end
  }
  bytes[at] = OPTIONAL_NON_TRANSITIVE
  bytes[at + 2] = length
  bytes.copyWithin(at + EXTENDED_HEADER - 1, at + EXTENDED_HEADER, end)
  return end - 1
}
