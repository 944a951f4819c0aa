/**
 * The header of every message: RFC 4271 §4.1, RFC 8654.
 *
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                                                               |
 *   +                                                               +
 *   |                       Marker: all ones                        |
 *   +                                                               +
 *   |                                                               |
 *   +                                                               +
 *   |                                                               |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |          Length               |      Type     |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */
import { BgpError, ErrorCode, HeaderError } from '../errors.ts'
import { ofU16, setU16, u16 } from '../octets.ts'

export const MessageType = {
  open: 1,
  update: 2,
  notification: 3,
  keepalive: 4,
  routeRefresh: 5,
  /** ROUTE-REFRESH as Cisco sent it before RFC 2918, to peers with capability 128. */
  ciscoRouteRefresh: 128,
} as const

export const MARKER_LENGTH = 16
export const HEADER_LENGTH = 19
/** Octets of the longest message: RFC 4271. */
export const MAX_MESSAGE = 4096
/** The same between speakers that have offered extended messages: RFC 8654 §4. OPEN and KEEPALIVE stay as short as ever. */
export const MAX_EXTENDED_MESSAGE = 65535

const LENGTH_AT = MARKER_LENGTH
const TYPE_AT = MARKER_LENGTH + 2

/** The shortest message of each type, header included: §6.1. */
const MIN_LENGTH: Readonly<Record<number, number>> = {
  [MessageType.open]: 29,
  [MessageType.update]: 23,
  [MessageType.notification]: 21,
  [MessageType.keepalive]: HEADER_LENGTH,
  [MessageType.routeRefresh]: 23,
  [MessageType.ciscoRouteRefresh]: 23,
}

/**
 * The length of the message that starts at `at`, header included. Throws BgpError 1/1, 1/2 with the length and 1/3 with the
 * type as data. `longest` is what may come in an UPDATE, NOTIFICATION or ROUTE-REFRESH.
 */
export function checkHeader(bytes: Uint8Array, at: number, longest: number): number {
  for (let i = at; i < at + MARKER_LENGTH; i++) {
    if (bytes[i] !== 0xff) throw headerError(HeaderError.connectionNotSynchronized, 'the marker is not all ones')
  }
  const length = u16(bytes, at + LENGTH_AT)
  if (length < HEADER_LENGTH || length > longest) throw badLength(length, 'a message')
  const type = bytes[at + TYPE_AT]!
  const shortest = MIN_LENGTH[type]
  if (shortest === undefined) {
    throw headerError(HeaderError.badMessageType, `type ${type}`, Uint8Array.of(type))
  }
  const unextended = type === MessageType.open || type === MessageType.keepalive
  const most = type === MessageType.keepalive ? HEADER_LENGTH : unextended ? MAX_MESSAGE : longest
  if (length < shortest || length > most) throw badLength(length, `a message of type ${type}`)
  return length
}

export function messageType(message: Uint8Array): number {
  return message[TYPE_AT]!
}

/** Makes the header of a message whose body stands behind it. Throws RangeError when it is too long for any peer. */
export function writeHeader(message: Uint8Array, type: number): Uint8Array {
  if (message.length > MAX_EXTENDED_MESSAGE) {
    throw new RangeError(`Cannot encode a message of ${message.length} octets: ${MAX_EXTENDED_MESSAGE} is the most`)
  }
  message.fill(0xff, 0, MARKER_LENGTH)
  setU16(message, LENGTH_AT, message.length)
  message[TYPE_AT] = type
  return message
}

/** A message of this body. */
export function encodeMessage(type: number, body: Uint8Array): Uint8Array {
  const message = new Uint8Array(HEADER_LENGTH + body.length)
  message.set(body, HEADER_LENGTH)
  return writeHeader(message, type)
}

function badLength(length: number, what: string): BgpError {
  return headerError(HeaderError.badMessageLength, `length ${length} of ${what}`, ofU16(length))
}

function headerError(subcode: number, reason: string, data?: Uint8Array): BgpError {
  return new BgpError(ErrorCode.messageHeader, subcode, reason, data)
}
