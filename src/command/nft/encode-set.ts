/** Sets and their elements as the kernel has them: src/netlink.c, segtree.c. */
import { joinTypes, type NftElement, type NftSet } from '../../kernel/nftables.ts'
import type { Datatype } from './datatype.ts'
import { NotModelledError } from './error.ts'
import { boundsOf, successor } from './parse-rule.ts'
import type { Element, Value } from './syntax.ts'

const WORD = 4

/** Whether a set of this key must be one of ranges. */
export function isInterval(key: Value): boolean {
  if (key.kind === 'concatenation') return key.parts.some(isInterval)
  return key.kind === 'range' || key.kind === 'prefix'
}

/** What a set of these types says of itself. */
export function declareSet(
  keyTypes: readonly Datatype[],
  data: readonly Datatype[] | 'verdict' | undefined,
): Pick<NftSet, 'keyType' | 'keyLength' | 'data'> {
  const key = { keyType: numberOf(keyTypes), keyLength: lengthOf(keyTypes) }
  if (data === undefined) return key
  if (data === 'verdict') return { ...key, data: { type: 'verdict' } }
  return { ...key, data: { type: numberOf(data), length: lengthOf(data) } }
}

function numberOf(parts: readonly Datatype[]): number {
  return joinTypes(...parts.map(({ number }) => number))
}

/** Parts of a concatenation are padded. */
function lengthOf(parts: readonly Datatype[]): number {
  if (parts.length === 1) return parts[0]!.length
  return parts.reduce((sum, { length }) => sum + WORD * wordsOf(length), 0)
}

export function encodeElements({ interval }: Pick<NftSet, 'interval'>, elements: readonly Element[]): NftElement[] {
  return elements.map(({ key, data, comment, timeout }) => ({
    ...encodeKey(key, interval === true),
    ...(data && { data: 'verdict' in data ? data : encodeData(data) }),
    ...(comment !== undefined && { comment }),
    ...(timeout !== undefined && { timeout }),
  }))
}

function encodeKey(key: Value, interval: boolean): Pick<NftElement, 'key' | 'keyEnd'> {
  if (key.kind === 'any') return { key: new Uint8Array() }
  if (key.kind === 'concatenation') {
    const bounds = key.parts.map((part) => boundsOf(single(part)))
    const from = pad(bounds.map(([first]) => first))
    return interval ? { key: from, keyEnd: pad(bounds.map(([, last]) => last)) } : { key: from }
  }
  const [from, to] = boundsOf(key)
  const full = key.type.name === 'ifname' && from.length < key.type.length ? padName(from, key.type.length) : from
  if (!interval) return { key: full }
  const end = successor(to, key.type)
  return { key: full, ...(end && { keyEnd: end }) }
}

function padName(name: Uint8Array, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  bytes.set(name)
  return bytes
}

function single(value: Value): Exclude<Value, { kind: 'concatenation' | 'any' }> {
  if (value.kind === 'concatenation' || value.kind === 'any')
    throw new NotModelledError('a concatenation of concatenations')
  return value
}

function encodeData(value: Value): Uint8Array {
  if (value.kind === 'concatenation') return pad(value.parts.map((part) => boundsOf(single(part))[0]))
  if (value.kind !== 'value') throw new NotModelledError('a range that a map leads to')
  return value.value
}

function pad(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + WORD * wordsOf(part.length), 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += WORD * wordsOf(part.length)
  }
  return bytes
}

export function wordsOf(length: number): number {
  return Math.ceil(length / WORD)
}
