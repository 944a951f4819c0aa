/**
 * NOTIFICATION: RFC 4271 §4.5. | error code (1) | error subcode (1) | data |
 *
 * The data of some Cease subcodes have a form of their own: a text (RFC 9003), the limit of prefixes (RFC 4486 §4), another
 * NOTIFICATION (RFC 8538 §3.1). Peers send less than the RFCs say, also nothing, so their readers answer undefined.
 */
import { type BgpError, CeaseError, ErrorCode, formatErrorCode } from '../errors.ts'
import { type AfiSafi, formatAfiSafi } from '../family.ts'
import { hex, joined, ofU16, ofU32, u16, u32 } from '../octets.ts'
import { encodeUtf8UpTo, readUtf8 } from '../utf8.ts'
import { encodeMessage, HEADER_LENGTH, MessageType } from './header.ts'

export interface Notification {
  readonly code: number
  readonly subcode: number
  readonly data: Uint8Array
}

/** `message` has passed checkHeader. */
export function decodeNotification(message: Uint8Array): Notification {
  return decodeBody(message.subarray(HEADER_LENGTH))
}

function decodeBody(body: Uint8Array): Notification {
  return { code: body[0]!, subcode: body[1]!, data: body.slice(2) }
}

export function encodeNotification({ code, subcode, data }: Notification): Uint8Array {
  return encodeMessage(MessageType.notification, joined([Uint8Array.of(code, subcode), data]))
}

export function notificationOf({ code, subcode, data }: BgpError): Notification {
  return { code, subcode, data }
}

/** Octets of a shutdown communication: RFC 9003 §2. */
const MAX_TEXT = 255

/** A Cease with a text for the people at the other end; what is above 255 octets is cut off. */
export function shutdown(
  subcode: typeof CeaseError.administrativeShutdown | typeof CeaseError.administrativeReset,
  text = '',
): Notification {
  const bytes = encodeUtf8UpTo(text, MAX_TEXT)
  const data = bytes.length > 0 ? joined([Uint8Array.of(bytes.length), bytes]) : bytes
  return { code: ErrorCode.cease, subcode, data }
}

/** The text of an administrative shutdown or reset. undefined when there is none, or it is malformed. */
export function shutdownText({ code, subcode, data }: Notification): string | undefined {
  const has = subcode === CeaseError.administrativeShutdown || subcode === CeaseError.administrativeReset
  if (code !== ErrorCode.cease || !has || data.length === 0) return undefined
  const end = 1 + data[0]!
  return end <= data.length && end > 1 ? readUtf8(data.subarray(1, end)) : undefined
}

export interface PrefixLimit extends AfiSafi {
  readonly limit: number
}

export function maximumPrefixesReached({ afi, safi, limit }: PrefixLimit): Notification {
  const data = joined([ofU16(afi), Uint8Array.of(safi), ofU32(limit)])
  return { code: ErrorCode.cease, subcode: CeaseError.maximumNumberOfPrefixesReached, data }
}

export function prefixLimit({ code, subcode, data }: Notification): PrefixLimit | undefined {
  if (code !== ErrorCode.cease || subcode !== CeaseError.maximumNumberOfPrefixesReached) return undefined
  return data.length === 7 ? { afi: u16(data, 0), safi: data[2]!, limit: u32(data, 3) } : undefined
}

/** Wraps the reason for an end that no graceful restart shall bridge. */
export function hardReset({ code, subcode, data }: Notification): Notification {
  return {
    code: ErrorCode.cease,
    subcode: CeaseError.hardReset,
    data: joined([Uint8Array.of(code, subcode), data]),
  }
}

/** The reason within a hard reset; undefined for every other NOTIFICATION, and for a hard reset that gives none. */
export function hardResetReason({ code, subcode, data }: Notification): Notification | undefined {
  if (code !== ErrorCode.cease || subcode !== CeaseError.hardReset || data.length < 2) return undefined
  return decodeBody(data)
}

/** `6/2 Cease: Administrative Shutdown: "text"`; data that mean nothing here in hexadecimal. */
export function formatNotification(notification: Notification): string {
  const { code, subcode, data } = notification
  const name = formatErrorCode(code, subcode)
  const text = shutdownText(notification)
  if (text !== undefined) return `${name}: ${JSON.stringify(text)}`
  const limit = prefixLimit(notification)
  if (limit) return `${name}: ${limit.limit} of ${formatAfiSafi(limit)}`
  const reason = hardResetReason(notification)
  // One within another says nothing, however deep.
  if (reason && hardResetReason(reason)) return `${name}: ${formatErrorCode(reason.code, reason.subcode)}`
  if (reason) return `${name}: ${formatNotification(reason)}`
  return data.length > 0 ? `${name}, data ${hex(data)}` : name
}
