/**
 * Where a set keeps its elements, in three ways as the kernel's: by hash, as ranges in order, as ranges of each part of a
 * concatenation. Source: net/netfilter/nft_set_hash.c, nft_set_rbtree.c, nft_set_pipapo.c.
 */
import { sameBytes, u32 } from '../../bytes.ts'
import type { Microseconds } from '../../clock.ts'
import type { Chain } from './ruleset.ts'

/** What an element of a verdict map leads to. */
export interface ElementVerdict {
  readonly code: number
  /** Of a jump or goto. */
  readonly chain: Chain | undefined
}

export interface Element {
  /** Empty: for all keys that no other has. */
  readonly key: Uint8Array
  /** Ranges: the first key behind it; of concatenations the last key of each part. Undefined: up to the last key, this key alone. */
  readonly keyEnd: Uint8Array | undefined
  readonly data: Uint8Array | undefined
  readonly verdict: ElementVerdict | undefined
  readonly comment: string | undefined
  /** Milliseconds; 0: it stays. */
  timeout: number
  /** When it goes; infinite where it stays. */
  expires: Microseconds
}

/** What stands in the way of a new element: itself, or one that overlaps it. */
export interface Obstacle {
  readonly element: Element
  readonly same: boolean
}

export interface ElementStore {
  readonly size: number
  /** The element for the key that stands in `bytes` at `at`, which may be a register's place. Costs no object. */
  find(bytes: Uint8Array, at: number): Element | undefined
  obstacle(element: Pick<Element, 'key' | 'keyEnd'>): Obstacle | undefined
  /** There is no obstacle. */
  insert(element: Element): void
  remove(element: Element): void
  list(): Element[]
  replace(elements: readonly Element[]): void
}

export class HashStore implements ElementStore {
  readonly #length: number
  readonly #buckets = new Map<number, Element[]>()
  #size = 0

  constructor(length: number) {
    this.#length = length
  }

  get size(): number {
    return this.#size
  }

  find(bytes: Uint8Array, at: number): Element | undefined {
    const bucket = this.#buckets.get(this.#hash(bytes, at))
    if (bucket === undefined) return undefined
    for (let i = 0; i < bucket.length; i++) {
      if (sameBytes(bucket[i]!.key, 0, bytes, at, this.#length)) return bucket[i]
    }
    return undefined
  }

  obstacle({ key }: Pick<Element, 'key'>): Obstacle | undefined {
    const element = this.find(key, 0)
    return element && { element, same: true }
  }

  insert(element: Element): void {
    const hash = this.#hash(element.key, 0)
    const bucket = this.#buckets.get(hash)
    if (bucket) bucket.push(element)
    else this.#buckets.set(hash, [element])
    this.#size++
  }

  remove(element: Element): void {
    const hash = this.#hash(element.key, 0)
    const bucket = this.#buckets.get(hash)
    const at = bucket?.indexOf(element) ?? -1
    if (at < 0) return
    if (bucket!.length === 1) this.#buckets.delete(hash)
    else bucket!.splice(at, 1)
    this.#size--
  }

  list(): Element[] {
    return [...this.#buckets.values()].flat()
  }

  replace(elements: readonly Element[]): void {
    this.#buckets.clear()
    this.#size = 0
    for (const element of elements) this.insert(element)
  }

  /** A key of four bytes is its own hash, others have FNV-1a's. */
  #hash(bytes: Uint8Array, at: number): number {
    if (this.#length === 4) return u32(bytes, at)
    let hash = 0x811c9dc5
    for (let i = 0; i < this.#length; i++) hash = Math.imul(hash ^ bytes[at + i]!, 0x01000193)
    return hash >>> 0
  }
}

/** Ranges that do not overlap, by their first keys. */
export class RangeStore implements ElementStore {
  readonly #length: number
  #ranges: Element[] = []

  constructor(length: number) {
    this.#length = length
  }

  get size(): number {
    return this.#ranges.length
  }

  find(bytes: Uint8Array, at: number): Element | undefined {
    const range = this.#ranges[this.#behind(bytes, at) - 1]
    if (range === undefined) return undefined
    return range.keyEnd === undefined || compare(range.keyEnd, 0, bytes, at, this.#length) > 0 ? range : undefined
  }

  obstacle({ key, keyEnd }: Pick<Element, 'key' | 'keyEnd'>): Obstacle | undefined {
    const covers = this.find(key, 0)
    const element = covers ?? this.#ranges[this.#behind(key, 0)]
    if (element === undefined) return undefined
    // One without an end reaches to the next.
    if (!covers && (!keyEnd || compare(element.key, 0, keyEnd, 0, this.#length) >= 0)) return undefined
    // The kernel has ends of their own: without one, the range is the one that begins there.
    return { element, same: sameKey(element.key, key) && (!keyEnd || sameKey(element.keyEnd, keyEnd)) }
  }

  insert(element: Element): void {
    this.#ranges.splice(this.#behind(element.key, 0), 0, element)
  }

  remove(element: Element): void {
    const at = this.#behind(element.key, 0) - 1
    if (this.#ranges[at] === element) this.#ranges.splice(at, 1)
  }

  list(): Element[] {
    return [...this.#ranges]
  }

  replace(elements: readonly Element[]): void {
    this.#ranges = elements.toSorted((a, b) => compare(a.key, 0, b.key, 0, this.#length))
  }

  /** How many ranges begin at the key or before it. */
  #behind(bytes: Uint8Array, at: number): number {
    let low = 0
    let high = this.#ranges.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (compare(this.#ranges[middle]!.key, 0, bytes, at, this.#length) <= 0) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** Ranges in each part of a concatenation; of several that hold a key, the eldest counts. */
export class ConcatenationStore implements ElementStore {
  readonly #parts: readonly number[]
  #elements: Element[] = []

  /** Lengths of the parts in bytes, not padded. */
  constructor(parts: readonly number[]) {
    this.#parts = parts
  }

  get size(): number {
    return this.#elements.length
  }

  find(bytes: Uint8Array, at: number): Element | undefined {
    for (let i = 0; i < this.#elements.length; i++) {
      if (this.#holds(this.#elements[i]!, bytes, at)) return this.#elements[i]
    }
    return undefined
  }

  /** pipapo_insert: one that holds the first keys, or the last ones. */
  obstacle({ key, keyEnd = key }: Pick<Element, 'key' | 'keyEnd'>): Obstacle | undefined {
    const element = this.find(key, 0)
    if (element) return { element, same: sameKey(element.key, key) && sameKey(element.keyEnd ?? element.key, keyEnd) }
    const other = this.find(keyEnd, 0)
    return other && { element: other, same: false }
  }

  insert(element: Element): void {
    this.#elements.push(element)
  }

  remove(element: Element): void {
    const at = this.#elements.indexOf(element)
    if (at >= 0) this.#elements.splice(at, 1)
  }

  list(): Element[] {
    return [...this.#elements]
  }

  replace(elements: readonly Element[]): void {
    this.#elements = [...elements]
  }

  #holds({ key, keyEnd = key }: Element, bytes: Uint8Array, at: number): boolean {
    let offset = 0
    for (let i = 0; i < this.#parts.length; i++) {
      const length = this.#parts[i]!
      if (compare(bytes, at + offset, key, offset, length) < 0) return false
      if (compare(bytes, at + offset, keyEnd, offset, length) > 0) return false
      offset += (length + 3) & ~3
    }
    return true
  }
}

/** memcmp. */
export function compare(a: Uint8Array, at: number, b: Uint8Array, bAt: number, length: number): number {
  for (let i = 0; i < length; i++) {
    const difference = a[at + i]! - b[bAt + i]!
    if (difference !== 0) return difference
  }
  return 0
}

export function sameKey(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  return a.length === b.length && sameBytes(a, 0, b, 0, a.length)
}
