/** Elements of sets and maps as values of their types, in the order in which nft tells them: src/netlink.c, mergesort.c. */
import type { NftElement, NftSet } from '../../kernel/nftables.ts'
import type { Datatype } from './datatype.ts'
import { prefixMask } from './parse-rule.ts'
import type { Element, Value } from './syntax.ts'

const WORD = 4

export type ListedSet = NftSet & { readonly elements: readonly NftElement[] }

/** A set's elements in the order in which they are told. */
export function decodeElements(
  { interval, elements }: Pick<ListedSet, 'interval' | 'elements'>,
  keyTypes: readonly Datatype[],
  dataTypes: readonly Datatype[] | undefined,
): Element[] {
  // nft has no order for ranges in concatenations.
  const isOrdered = keyTypes.length === 1 || !interval
  const sorted = isOrdered ? elements.toSorted((a, b) => compareKeys(a.key, b.key, keyTypes)) : elements
  return sorted
    .filter(({ intervalEnd }) => !intervalEnd)
    .map((element) => {
      const { data: value, comment, timeout } = element
      return {
        key: decodeKey(element, keyTypes, interval === true),
        ...(value && { data: value instanceof Uint8Array ? decodeData(value, dataTypes ?? []) : value }),
        ...(comment !== undefined && { comment }),
        ...(timeout !== undefined && { timeout }),
      }
    })
}

function decodeData(value: Uint8Array, parts: readonly Datatype[]): Value {
  const values = split(value, parts).map((part, i): Value => ({ kind: 'value', type: parts[i]!, value: part }))
  return values.length === 1 ? values[0]! : { kind: 'concatenation', parts: values }
}

function decodeKey({ key, keyEnd }: NftElement, parts: readonly Datatype[], interval: boolean): Value {
  if (key.length === 0) return { kind: 'any' }
  if (parts.length > 1) {
    const [first, last] = [split(key, parts), split(keyEnd ?? key, parts)]
    return { kind: 'concatenation', parts: parts.map((type, i) => spanOf(first[i]!, last[i]!, type)) }
  }
  const type = parts[0]!
  if (!interval) return { kind: 'value', type, value: key }
  const last = keyEnd ? predecessor(keyEnd) : key.map(() => 0xff)
  return spanOf(key, last, type)
}

function split(bytes: Uint8Array, parts: readonly Datatype[]): Uint8Array[] {
  if (parts.length === 1) return [bytes]
  let at = 0
  return parts.map(({ length }) => {
    const part = bytes.slice(at, at + length)
    at += WORD * Math.ceil(length / WORD)
    return part
  })
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]))
}

/** One value, a prefix where addresses make one, else the range. */
function spanOf(from: Uint8Array, to: Uint8Array, type: Datatype): Value {
  if (sameBytes(from, to)) return { kind: 'value', type, value: from }
  if (isAddress(type)) {
    for (let length = 8 * from.length - 1; length >= 0; length--) {
      const mask = prefixMask(length, from.length)
      const isWhole = from.every((byte, i) => (byte & ~mask[i]! & 0xff) === 0 && (byte | (~mask[i]! & 0xff)) === to[i]!)
      if (isWhole) return { kind: 'prefix', type, value: from, length }
    }
  }
  return { kind: 'range', type, from, to }
}

function predecessor(value: Uint8Array): Uint8Array {
  const bytes = value.slice()
  for (let i = bytes.length - 1; i >= 0; i--) {
    bytes[i] = (bytes[i]! - 1) & 0xff
    if (bytes[i] !== 0xff) break
  }
  return bytes
}

/**
 * By their values; the element for all others is the last. A concatenation is compared as one number of the machine, its
 * last byte first.
 */
function compareKeys(a: Uint8Array, b: Uint8Array, parts: readonly Datatype[]): number {
  if (a.length === 0 || b.length === 0) return b.length - a.length
  const isOne = parts.length === 1
  const [left, right] = isOne ? [[a], [b]] : [[join(split(a, parts))], [join(split(b, parts))]]
  for (const [i, order] of (isOne ? [parts[0]!.order] : (['host'] as const)).entries()) {
    const [first, second] =
      order === 'network' ? [left[i]!, right[i]!] : [left[i]!.toReversed(), right[i]!.toReversed()]
    for (let at = 0; at < first.length; at++) if (first[at] !== second[at]) return first[at]! - second[at]!
  }
  return 0
}

export function isAddress({ name }: Datatype): boolean {
  return name === 'ipv4_addr' || name === 'ipv6_addr'
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}
