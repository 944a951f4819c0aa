/**
 * Routes as UPDATE messages, as many prefixes in each as fit.
 *
 * IPv4 prefixes with an IPv4 next hop go into the message's own fields, all others into MP_REACH_NLRI and MP_UNREACH_NLRI,
 * which "SHALL be encoded as the very first path attribute" (RFC 7606 §5.1); a message has one of these forms and no more.
 * What is announced and what is withdrawn are different messages.
 */
import { parseIp } from '../../address/ip.ts'
import { encodeAttributes } from '../attribute/encode.ts'
import { EXTENDED_HEADER, MP_REACH_NLRI, MP_UNREACH_NLRI, writeMpHeader } from '../attribute/mp-nlri.ts'
import { type Family, unicastOf } from '../family.ts'
import { encodeNlri, type Nlri } from '../nlri.ts'
import { joined, setU16 } from '../octets.ts'
import { HEADER_LENGTH, MessageType, writeHeader } from './header.ts'
import type { Announcement, Routes } from './update.ts'

/** How a session's messages are to be written. */
export interface Sending {
  readonly as4: boolean
  /** Octets of the longest message: MAX_EXTENDED_MESSAGE when the *peer* has offered extended messages. */
  readonly longest: number
}

const WITHDRAWN_AT = HEADER_LENGTH + 2

/**
 * Prefixes with path identifiers go out with them: whether the session has ADD-PATH is the caller's to know. undefined when
 * the attributes leave no room for a prefix: such routes cannot be sent to this peer, and what it has of them must be
 * withdrawn (RFC 8654 §4). Throws RangeError for IPv6 prefixes with an IPv4 next hop.
 */
export function encodeAnnouncement(announcement: Announcement, { as4, longest }: Sending): Uint8Array[] | undefined {
  const { family, attributes } = announcement
  const nextHop = parseIp(attributes.nextHop)
  if (family === 'ipv6' && nextHop.length === 4) {
    throw new RangeError(`Cannot encode IPv6 routes with the next hop "${attributes.nextHop}"`)
  }
  const classic = nextHop.length === 4
  const block = encodeAttributes(attributes, { as4 }, classic)
  const head = classic ? undefined : reachHead(family, nextHop, attributes.linkLocal)
  return packed(announcement, longest, block.length, (message, first) => {
    setU16(message, HEADER_LENGTH, 0)
    const attributesAt = WITHDRAWN_AT + 2
    if (!head) {
      if (attributesAt + block.length > message.length) return undefined
      setU16(message, WITHDRAWN_AT, block.length)
      message.set(block, attributesAt)
      return encodeNlri(announcement, first, message, attributesAt + block.length, message.length)
    }
    const valueAt = attributesAt + EXTENDED_HEADER
    const limit = message.length - block.length
    if (valueAt + head.length > limit) return undefined
    message.set(head, valueAt)
    const { next, end } = encodeNlri(announcement, first, message, valueAt + head.length, limit)
    const blockAt = writeMpHeader(message, MP_REACH_NLRI, attributesAt, end)
    message.set(block, blockAt)
    setU16(message, WITHDRAWN_AT, blockAt + block.length - attributesAt)
    return { next, end: blockAt + block.length }
  })
}

/** `asMp`: in MP_UNREACH_NLRI also for IPv4, as the routes of RFC 8950 were announced. Peers take either. */
export function encodeWithdrawal(
  routes: Routes,
  { longest }: { readonly longest: number },
  asMp = false,
): Uint8Array[] {
  const messages = packed(routes, longest, 0, (message, first) => {
    if (routes.family === 'ipv4' && !asMp) {
      const { next, end } = encodeNlri(routes, first, message, WITHDRAWN_AT, message.length - 2)
      setU16(message, HEADER_LENGTH, end - WITHDRAWN_AT)
      setU16(message, end, 0)
      return { next, end: end + 2 }
    }
    const attributesAt = WITHDRAWN_AT + 2
    const head = familyHead(routes.family)
    message.set(head, attributesAt + EXTENDED_HEADER)
    const from = attributesAt + EXTENDED_HEADER + head.length
    const { next, end } = encodeNlri(routes, first, message, from, message.length)
    const attributesEnd = writeMpHeader(message, MP_UNREACH_NLRI, attributesAt, end)
    setU16(message, HEADER_LENGTH, 0)
    setU16(message, WITHDRAWN_AT, attributesEnd - attributesAt)
    return { next, end: attributesEnd }
  })
  if (!messages) throw new RangeError(`Cannot encode a withdrawal in ${longest} octets`)
  return messages
}

/** RFC 4724 §2: an UPDATE without anything, or with an MP_UNREACH_NLRI without prefixes. */
export function encodeEndOfRib(family: Family): Uint8Array {
  if (family === 'ipv4') return writeHeader(new Uint8Array(HEADER_LENGTH + 4), MessageType.update)
  const message = new Uint8Array(WITHDRAWN_AT + 2 + EXTENDED_HEADER + 3)
  message.set(familyHead(family), WITHDRAWN_AT + 2 + EXTENDED_HEADER)
  const end = writeMpHeader(message, MP_UNREACH_NLRI, WITHDRAWN_AT + 2, message.length)
  setU16(message, WITHDRAWN_AT, end - WITHDRAWN_AT - 2)
  return writeHeader(message.slice(0, end), MessageType.update)
}

interface Written {
  /** The first prefix that is not in the message. */
  readonly next: number
  readonly end: number
}

/** Octets of the longest prefix, and of all that stands around prefixes but the block of attributes. */
const MAX_PREFIX = 4 + 17
const MAX_AROUND = WITHDRAWN_AT + 2 + EXTENDED_HEADER + 3 + 1 + 32 + 1

/** Calls `write` until all prefixes are written; undefined when it cannot, or a message has taken none. */
function packed(
  { prefixes }: Nlri,
  longest: number,
  blockLength: number,
  write: (message: Uint8Array, first: number) => Written | undefined,
): Uint8Array[] | undefined {
  const messages: Uint8Array[] = []
  for (let first = 0; first < prefixes.length; ) {
    const room = MAX_AROUND + blockLength + MAX_PREFIX * (prefixes.length - first)
    const message = new Uint8Array(Math.min(longest, room))
    const written = write(message, first)
    if (!written || written.next === first) return undefined
    messages.push(writeHeader(message.subarray(0, written.end), MessageType.update))
    first = written.next
  }
  return messages
}

function familyHead(family: Family): Uint8Array {
  const { afi, safi } = unicastOf[family]
  return Uint8Array.of(afi >> 8, afi, safi)
}

function reachHead(family: Family, nextHop: Uint8Array, linkLocal: string | undefined): Uint8Array {
  const hops = linkLocal === undefined ? [nextHop] : [nextHop, parseIp(linkLocal)]
  const length = Uint8Array.of(16 * hops.length)
  return joined([familyHead(family), length, ...hops, Uint8Array.of(0)])
}
