/**
 * Comments, which the kernel keeps for `nft` without looking at them: NFTA_*_USERDATA, a row of
 *
 *   +---------------+---------------+---------------
 *   |     type      |    length     |  value …
 *   +---------------+---------------+---------------
 *
 * The types are nft's own: libnftnl, include/libnftnl/udata.h. A comment is text with a NUL.
 */
import { sys } from '#sys'
import type { MessageWriter } from '../netlink/message.ts'

/** Type of the comment in the user data of a table, chain, rule or element … */
export const COMMENT = { table: 0, chain: 0, rule: 0, element: 0, set: 7 } as const

/** Bytes that nft takes: NFTNL_UDATA_COMMENT_MAXLEN. */
const MAX_COMMENT = 128

export function writeComment(to: MessageWriter, attribute: number, type: number, comment: string | undefined): void {
  if (comment !== undefined) to.attributeOf(attribute, () => appendComment(to, type, comment))
}

export function appendComment(to: MessageWriter, type: number, comment: string): void {
  const text = sys.encode(comment)
  if (text.length > MAX_COMMENT || text.includes(0)) {
    throw new RangeError(`Cannot encode the comment "${comment}": it has more than ${MAX_COMMENT} bytes or a NUL`)
  }
  to.u8(type)
    .u8(text.length + 1)
    .bytes(text)
    .u8(0)
}

/** The comment as a property to spread, since most have none. What is not nft's form counts as no comment. */
export function decodeComment(userdata: Uint8Array | undefined, type: number): { comment?: string } {
  for (let at = 0; userdata && at + 2 <= userdata.length; at += 2 + userdata[at + 1]!) {
    const value = userdata.subarray(at + 2, at + 2 + userdata[at + 1]!)
    const end = value.indexOf(0)
    if (userdata[at] === type) return { comment: sys.decode(end < 0 ? value : value.subarray(0, end)) }
  }
  return {}
}
