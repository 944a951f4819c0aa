/**
 * ROUTE-REFRESH: RFC 2918 §3; beginning and end of a refresh: RFC 7313 §3.2. | AFI (2) | subtype (1) | SAFI (1) |
 *
 * Behind it a peer may put filters (RFC 5291), which we do not offer and so need not read.
 */
import { BgpError, ErrorCode, RouteRefreshError } from '../errors.ts'
import type { AfiSafi } from '../family.ts'
import { u16 } from '../octets.ts'
import { encodeMessage, HEADER_LENGTH, MessageType } from './header.ts'

/** Asked for by RFC 2918, where the octet was reserved; a number is one that "MUST be ignored" (RFC 7313 §5). */
export type RefreshSubtype = 'request' | 'beginning' | 'end' | number

export interface RouteRefresh extends AfiSafi {
  readonly subtype: RefreshSubtype
}

const SUBTYPES = ['request', 'beginning', 'end'] as const
const BODY_LENGTH = 4

/** `message` has passed checkHeader. Throws BgpError 7/1 with the whole message for a marker that is not 4 octets long. */
export function decodeRouteRefresh(message: Uint8Array): RouteRefresh {
  const afi = u16(message, HEADER_LENGTH)
  const code = message[HEADER_LENGTH + 2]!
  const safi = message[HEADER_LENGTH + 3]!
  const subtype = SUBTYPES[code] ?? code
  const isMarker = subtype === 'beginning' || subtype === 'end'
  if (isMarker && message.length !== HEADER_LENGTH + BODY_LENGTH) {
    const reason = `the ${subtype} of a refresh has ${message.length - HEADER_LENGTH} octets`
    const { invalidMessageLength } = RouteRefreshError
    throw new BgpError(ErrorCode.routeRefreshMessage, invalidMessageLength, reason, message.slice())
  }
  return { afi, safi, subtype }
}

/** `type` is ciscoRouteRefresh for a peer that has capability 128 alone. */
export function encodeRouteRefresh(
  { afi, safi, subtype }: RouteRefresh,
  type: typeof MessageType.routeRefresh | typeof MessageType.ciscoRouteRefresh = MessageType.routeRefresh,
): Uint8Array {
  const code = typeof subtype === 'number' ? subtype : SUBTYPES.indexOf(subtype)
  return encodeMessage(type, Uint8Array.of(afi >> 8, afi, code, safi))
}
