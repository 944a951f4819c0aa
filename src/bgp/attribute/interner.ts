/**
 * The same octets of path attributes, decoded once.
 *
 * A peer sends hundreds of messages with the same attributes, and a reflector's peers send the same attributes all over again.
 * One object for all of them is what keeps a route small, and makes "the same attributes?" a comparison of references.
 *
 * Sets that nobody has asked for are forgotten: there are two generations, and when the young one is full it becomes the old
 * one. What is asked for in between moves on. A forgotten set that comes again is another object with the same content.
 */
import type { SessionKind } from './attribute.ts'
import { type Announces, type DecodedAttributes, decodeAttributes } from './decode.ts'

interface Entry {
  /** The octets, and behind them those of the next hop when MP_REACH_NLRI has it. */
  readonly octets: Uint8Array
  /** Where the next hop starts; beyond any octet: there is none. */
  readonly nextHopAt: number
  readonly decoded: DecodedAttributes
  /** Another entry with the same hash. */
  readonly next: Entry | undefined
}

type Generation = Map<number, Entry>

/** Sets of attributes in one generation. */
const GENERATION = 32_768
const NOTHING = 0x1_0000
const NLRI = 0x1_0001

export class AttributeInterner {
  readonly session: SessionKind
  readonly #limit: number
  #young: Generation = new Map()
  #old: Generation = new Map()
  #size = 0
  #scratch = new Uint8Array(4096)

  constructor(session: SessionKind, limit = GENERATION) {
    this.session = session
    this.#limit = limit
  }

  /**
   * As decodeAttributes of the octets before, between and behind `gaps`, which are MP_REACH_NLRI and MP_UNREACH_NLRI: two
   * messages that differ in their prefixes alone have the same attributes.
   */
  decode(
    bytes: Uint8Array,
    from: number,
    to: number,
    gaps: readonly { readonly at: number; readonly to: number }[],
    announces: Announces,
  ): DecodedAttributes {
    if (gaps.length === 0 && typeof announces === 'string') return this.#find(bytes, from, to, to, announces)
    const nextHop = typeof announces === 'string' ? undefined : announces
    const octets = this.#room(to - from + (nextHop?.length ?? 0))
    let length = 0
    let at = from
    for (const gap of gaps) {
      length = copy(bytes, at, gap.at, octets, length)
      at = gap.to
    }
    length = copy(bytes, at, to, octets, length)
    const end = nextHop ? copy(nextHop, 0, nextHop.length, octets, length) : length
    return this.#find(octets, 0, length, end, announces)
  }

  /** The attributes in `[from, to)` with a next hop in `[to, end)`. */
  #find(bytes: Uint8Array, from: number, to: number, end: number, announces: Announces): DecodedAttributes {
    const nextHopAt = announces === 'nothing' ? NOTHING : announces === 'nlri' ? NLRI : to - from
    const hash = hashOf(bytes, from, end, nextHopAt)
    const young = lookUp(this.#young.get(hash), bytes, from, end, nextHopAt)
    if (young) return young.decoded
    const old = lookUp(this.#old.get(hash), bytes, from, end, nextHopAt)
    const decoded = old?.decoded ?? decodeAttributes(bytes, from, to, announces, this.session)
    this.#keep(hash, old?.octets ?? bytes.slice(from, end), nextHopAt, decoded)
    return decoded
  }

  #keep(hash: number, octets: Uint8Array, nextHopAt: number, decoded: DecodedAttributes): void {
    if (this.#size >= this.#limit) {
      this.#old = this.#young
      this.#young = new Map()
      this.#size = 0
    }
    this.#young.set(hash, { octets, nextHopAt, decoded, next: this.#young.get(hash) })
    this.#size++
  }

  #room(length: number): Uint8Array {
    if (this.#scratch.length < length) this.#scratch = new Uint8Array(2 * length)
    return this.#scratch
  }
}

/** One for each kind of session. */
export class Interners {
  readonly #byKind = new Map<string, AttributeInterner>()

  get(kind: SessionKind): AttributeInterner {
    const name = JSON.stringify(kind)
    const known = this.#byKind.get(name) ?? new AttributeInterner(kind)
    this.#byKind.set(name, known)
    return known
  }
}

function lookUp(
  entry: Entry | undefined,
  bytes: Uint8Array,
  from: number,
  end: number,
  nextHopAt: number,
): Entry | undefined {
  for (let each = entry; each; each = each.next) {
    if (each.nextHopAt === nextHopAt && isSame(each.octets, bytes, from, end)) return each
  }
  return undefined
}

function isSame(octets: Uint8Array, bytes: Uint8Array, from: number, end: number): boolean {
  if (octets.length !== end - from) return false
  for (let i = 0; i < octets.length; i++) if (octets[i] !== bytes[from + i]) return false
  return true
}

/** FNV-1a, in the 31 bits of a small integer. */
function hashOf(bytes: Uint8Array, from: number, end: number, seed: number): number {
  let hash = 0x811c_9dc5 ^ seed
  for (let at = from; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, 0x0100_0193)
  return hash >>> 1
}

/** Short runs: a loop is quicker than a view. */
function copy(source: Uint8Array, from: number, to: number, target: Uint8Array, at: number): number {
  for (let i = from; i < to; i++) target[at++] = source[i]!
  return at
}
