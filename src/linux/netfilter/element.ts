/**
 * Elements of sets and maps: NFTA_SET_ELEM_*, linux/netfilter/nf_tables.h.
 *
 * A range is one element with us. In a set of simple keys it is two in the kernel, the second marked as an end; a range
 * that reaches to the last key has no second one. In a concatenation it is one there too, with a second key.
 *
 *   10.0.0.0/24            10.0.0.0          10.0.1.0 INTERVAL_END
 *   10.0.0.0/24 . 80-90    10.0.0.0 . 80     KEY_END 10.0.0.255 . 90
 */
import type { NftElement } from '../../kernel/nftables.ts'
import { Attributes } from '../netlink/attribute.ts'
import type { MessageWriter } from '../netlink/message.ts'
import { value, verdict } from './codec.ts'
import { COMMENT, decodeComment, writeComment } from './comment.ts'

const NFTA_SET_ELEM_LIST_TABLE = 1
const NFTA_SET_ELEM_LIST_SET = 2
const NFTA_SET_ELEM_LIST_ELEMENTS = 3
const NFTA_LIST_ELEM = 1
const NFTA_SET_ELEM_KEY = 1
const NFTA_SET_ELEM_DATA = 2
const NFTA_SET_ELEM_FLAGS = 3
const NFTA_SET_ELEM_TIMEOUT = 4
const NFTA_SET_ELEM_USERDATA = 6
const NFTA_SET_ELEM_KEY_END = 10

const NFT_SET_ELEM_INTERVAL_END = 1
const NFT_SET_ELEM_CATCHALL = 2

/** The elements of one message; without any it is for all that the set has. They are the kernel's: see splitRanges. */
export function encodeElements(
  to: MessageWriter,
  set: { readonly table: string; readonly name: string },
  elements: readonly NftElement[],
): void {
  to.attributeText(NFTA_SET_ELEM_LIST_TABLE, set.table).attributeText(NFTA_SET_ELEM_LIST_SET, set.name)
  if (elements.length === 0) return
  to.nested(NFTA_SET_ELEM_LIST_ELEMENTS, () => {
    for (const element of elements) to.nested(NFTA_LIST_ELEM, () => encodeElement(to, element))
  })
}

/** Those of one message of the kernel's, in its order. */
export function decodeElements(from: Attributes): NftElement[] {
  return from.list(NFTA_SET_ELEM_LIST_ELEMENTS).map((element) => decodeElement(new Attributes(element.value)))
}

/** Bytes that it takes in a message, or some more. */
export function elementSize({ key, keyEnd, data, comment }: NftElement): number {
  const dataLength = data instanceof Uint8Array ? data.length : data && 'chain' in data ? 3 * data.chain.length : 0
  return 96 + key.length + (keyEnd?.length ?? 0) + dataLength + 3 * (comment?.length ?? 0)
}

/** As much as says which element is meant. */
export function nameElement({ key, keyEnd, intervalEnd }: NftElement): NftElement {
  return { key, ...(keyEnd && { keyEnd }), ...(intervalEnd && { intervalEnd }) }
}

/** Ranges of simple keys as the kernel has them. */
export function splitRanges(elements: readonly NftElement[]): NftElement[] {
  return elements.flatMap(({ keyEnd, ...start }) => (keyEnd ? [start, { key: keyEnd, intervalEnd: true }] : [start]))
}

/**
 * Ranges of simple keys as we have them, in order; from the kernel they come in any. The end without a start at key 0,
 * which `nft` puts there, says nothing and is left out.
 */
export function joinRanges(elements: readonly NftElement[]): NftElement[] {
  if (!elements.some(({ intervalEnd }) => intervalEnd)) return [...elements]
  const sorted = elements.toSorted(
    (a, b) => compareKeys(a.key, b.key) || Number(!a.intervalEnd) - Number(!b.intervalEnd),
  )
  const ranges: NftElement[] = []
  for (const element of sorted) {
    const before = ranges.at(-1)
    if (!element.intervalEnd) ranges.push(element)
    else if (before && !before.keyEnd && before.key.length > 0) {
      ranges[ranges.length - 1] = { ...before, keyEnd: element.key }
    } else if (element.key.some((byte) => byte !== 0)) ranges.push(element)
  }
  return ranges
}

function encodeElement(to: MessageWriter, { key, keyEnd, intervalEnd, data, comment, timeout }: NftElement): void {
  const flags = (intervalEnd ? NFT_SET_ELEM_INTERVAL_END : 0) | (key.length === 0 ? NFT_SET_ELEM_CATCHALL : 0)
  if (flags) to.attributeU32be(NFTA_SET_ELEM_FLAGS, flags)
  if (key.length > 0) value.write(to, NFTA_SET_ELEM_KEY, key)
  if (keyEnd) value.write(to, NFTA_SET_ELEM_KEY_END, keyEnd)
  if (data instanceof Uint8Array) value.write(to, NFTA_SET_ELEM_DATA, data)
  else if (data) verdict.write(to, NFTA_SET_ELEM_DATA, data)
  if (timeout !== undefined) to.attributeU64be(NFTA_SET_ELEM_TIMEOUT, BigInt(timeout))
  writeComment(to, NFTA_SET_ELEM_USERDATA, COMMENT.element, comment)
}

function decodeElement(from: Attributes): NftElement {
  const keyEnd = value.read(from, NFTA_SET_ELEM_KEY_END)
  const data = value.read(from, NFTA_SET_ELEM_DATA) ?? verdict.read(from, NFTA_SET_ELEM_DATA)
  const timeout = from.u64be(NFTA_SET_ELEM_TIMEOUT)
  return {
    key: value.read(from, NFTA_SET_ELEM_KEY) ?? new Uint8Array(),
    ...(keyEnd && { keyEnd }),
    ...((from.u32be(NFTA_SET_ELEM_FLAGS) ?? 0) & NFT_SET_ELEM_INTERVAL_END && { intervalEnd: true }),
    ...(data && { data }),
    ...(timeout && { timeout: Number(timeout) }),
    ...decodeComment(from.bytes(NFTA_SET_ELEM_USERDATA), COMMENT.element),
  }
}

function compareKeys(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length && i < b.length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!
  return a.length - b.length
}
