/**
 * Sets and maps: struct nft_set. Source: net/netfilter/nf_tables_api.c.
 *
 * Elements whose time is over are as good as gone; they are taken out when the set is changed or listed.
 */
import { KernelError } from '../../../kernel/errors.ts'
import type { NftElement, NftSet, NftVerdict } from '../../../kernel/nftables.ts'
import { type Clock, MILLISECOND } from '../../clock.ts'
import {
  ConcatenationStore,
  compare,
  type Element,
  type ElementStore,
  HashStore,
  RangeStore,
  sameKey,
} from './element.ts'
import { GOTO, JUMP } from './verdict.ts'

/** Bits of a type in a concatenation: TYPE_BITS of nft. */
const TYPE_BITS = 6
/** Bytes of nft's datatypes by number (nftables, include/datatype.h); 0 where the type does not tell. */
const TYPE_LENGTHS = [
  0, 16, 1, 0, 0, 0, 0, 4, 16, 6, 2, 2, 1, 2, 1, 1, 1, 1, 8, 4, 4, 2, 4, 4, 4, 4, 4, 1, 4, 1, 16, 1, 1, 1, 1, 4, 1, 1,
  4, 1, 4, 16, 1, 8, 0, 1, 8,
]

export class NftSetState {
  readonly definition: NftSet
  readonly handle: bigint
  readonly #clock: Clock
  readonly #store: ElementStore
  /** Bytes of a key's parts, not padded. */
  readonly #parts: readonly number[]
  /** For all keys that no other element has. */
  #rest: Element | undefined = undefined
  /** Rules that look here. */
  references = 0
  timeout: number | undefined
  size: number | undefined

  constructor(definition: NftSet, handle: bigint, clock: Clock) {
    this.definition = definition
    this.handle = handle
    this.#clock = clock
    this.timeout = definition.timeout
    this.size = definition.size
    this.#parts = isConcatenation(definition) ? partLengths(definition) : [definition.keyLength]
    this.#store = storeFor(definition, this.#parts)
  }

  /** nft_set_lookup, the element for all other keys included. */
  lookup(bytes: Uint8Array, at: number): Element | undefined {
    const element = this.#store.find(bytes, at)
    if (element !== undefined && this.#lives(element)) return element
    return this.#rest !== undefined && this.#lives(this.#rest) ? this.#rest : undefined
  }

  /** What `nft get element` finds. */
  get(key: Uint8Array): Element | undefined {
    if (key.length === 0) return this.#rest
    if (key.length !== this.definition.keyLength) return undefined
    const element = this.#store.find(key, 0)
    return element && this.#lives(element) ? element : undefined
  }

  /** The very element, by its key or its range. */
  named({ key, keyEnd }: Pick<NftElement, 'key' | 'keyEnd'>): Element | undefined {
    if (key.length === 0) return this.#rest && this.#lives(this.#rest) ? this.#rest : undefined
    const element = this.get(key)
    const isThis = element && sameKey(element.key, key) && sameKey(this.#end(element), this.#end({ key, keyEnd }))
    return isThis ? element : undefined
  }

  /** What a new element meets: nft_setelem_insert. */
  obstacle(element: Element): { readonly element: Element; readonly same: boolean } | undefined {
    if (element.key.length === 0) return this.#rest && { element: this.#rest, same: true }
    return this.#store.obstacle(element)
  }

  get isFull(): boolean {
    return this.size !== undefined && this.size > 0 && this.#store.size >= this.size
  }

  insert(element: Element): void {
    if (element.key.length === 0) this.#rest = element
    else this.#store.insert(element)
  }

  remove(element: Element): void {
    if (this.#rest === element) this.#rest = undefined
    else this.#store.remove(element)
  }

  /** All there are, expired ones too. */
  all(): Element[] {
    return this.#rest ? [...this.#store.list(), this.#rest] : this.#store.list()
  }

  replace(elements: readonly Element[]): void {
    this.#rest = elements.find(({ key }) => key.length === 0)
    this.#store.replace(elements.filter(({ key }) => key.length > 0))
  }

  /** Takes out what is over; answers it. */
  expire(): Element[] {
    if (this.timeout === undefined) return []
    const over = this.all().filter((element) => !this.#lives(element))
    for (const element of over) this.remove(element)
    return over
  }

  list(): NftElement[] {
    return this.all()
      .filter((element) => this.#lives(element))
      .map((element) => this.describe(element))
  }

  /** As the kernel lists it: the set's own timeout is left unsaid. */
  describe({ key, keyEnd, data, verdict, comment, timeout }: Element): NftElement {
    const leads = verdict && verdictOf(verdict.code, verdict.chain?.name)
    return {
      key: key.slice(),
      ...(keyEnd && { keyEnd: keyEnd.slice() }),
      ...(data && { data: data.slice() }),
      ...(leads && { data: leads }),
      ...(timeout !== 0 && timeout !== this.timeout && { timeout }),
      ...(comment !== undefined && { comment }),
    }
  }

  /** Whether no first key stands behind its last one: of a concatenation, in any of its parts. */
  isRange(key: Uint8Array, keyEnd: Uint8Array): boolean {
    let at = 0
    for (const length of this.#parts) {
      if (compare(key, at, keyEnd, at, length) > 0) return false
      at += (length + 3) & ~3
    }
    return true
  }

  /** When an element with this life goes. */
  expiry(timeout: number): number {
    return timeout === 0 ? Number.POSITIVE_INFINITY : this.#clock.now + timeout * MILLISECOND
  }

  /** Of a concatenation's range the last key, which may be the first one too. */
  #end({
    key,
    keyEnd,
  }: {
    readonly key: Uint8Array
    readonly keyEnd?: Uint8Array | undefined
  }): Uint8Array | undefined {
    return keyEnd ?? (isConcatenation(this.definition) ? key : undefined)
  }

  #lives(element: Element): boolean {
    return element.expires > this.#clock.now
  }
}

export function isConcatenation({ keyType, interval }: Pick<NftSet, 'keyType' | 'interval'>): boolean {
  return interval === true && keyType >> TYPE_BITS !== 0
}

/** nft_set_is_same: whether a set that is added again may stay as it is. */
export function isSameSet(a: NftSet, b: NftSet): boolean {
  const data = (set: NftSet) => [set.data?.type, set.data && 'length' in set.data ? set.data.length : 0].join()
  const flags = (set: NftSet) =>
    [set.interval, set.constant, set.anonymous, set.dynamic, set.timeout !== undefined].map(Boolean).join()
  return a.keyType === b.keyType && a.keyLength === b.keyLength && data(a) === data(b) && flags(a) === flags(b)
}

export function verdictOf(code: number, chain: string | undefined): NftVerdict {
  if (chain !== undefined && (code === JUMP || code === GOTO))
    return { verdict: code === JUMP ? 'jump' : 'goto', chain }
  const name = ({ 0: 'drop', 1: 'accept', [-1]: 'continue', [-5]: 'return' } as const)[code]
  return name ? { verdict: name } : { verdict: 'other', code }
}

function storeFor(set: NftSet, parts: readonly number[]): ElementStore {
  if (!set.interval) return new HashStore(set.keyLength)
  return isConcatenation(set) ? new ConcatenationStore(parts) : new RangeStore(set.keyLength)
}

/** Lengths of a concatenation's parts, not padded. The key's length tells that of the one part whose type does not. */
function partLengths({ name, keyType, keyLength }: NftSet): number[] {
  const lengths: number[] = []
  for (let types = keyType; types !== 0; types >>>= TYPE_BITS) {
    lengths.unshift(TYPE_LENGTHS[types & ((1 << TYPE_BITS) - 1)] ?? 0)
  }
  const rest = keyLength - lengths.reduce((sum, length) => sum + ((length + 3) & ~3), 0)
  const unknown = lengths.indexOf(0)
  if (unknown >= 0) lengths[unknown] = rest
  if (unknown >= 0 ? rest <= 0 : rest !== 0) {
    throw new KernelError(
      'EINVAL',
      `divide the keys of set "${name}"`,
      `${keyLength} bytes do not fit key type ${keyType}`,
    )
  }
  return lengths
}
