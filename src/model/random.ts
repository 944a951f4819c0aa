/**
 * Chance, by name. Every use of it in the model draws from a source of its own, which the seed and the name decide: that
 * one more packet draws a port does not change which MAC the next link gets. A test can pin a source.
 */

/** Where Linux draws random numbers on the paths that are modelled. */
export type Source =
  | 'mac'
  | 'ipId'
  | 'flowHash'
  | 'ephemeralPort'
  | 'natPort'
  | 'isn'
  | 'tcpTimestamp'
  | 'neighbourReachable'
  | 'proxyDelay'
  | 'dadDelay'
  | 'dadNonce'
  | 'mldReport'
  | 'routerSolicitation'
  | 'flowLabel'
  | 'statistic'
  | 'echoId'
  | 'icmpBurst'
  | 'host'
  | 'daemon'
  | 'bgp'
  | 'impairment'
  | 'ipset'

export class Random {
  readonly #seed: number
  readonly #states = new Map<Source, number>()
  readonly #pinned = new Map<Source, number[]>()

  constructor(seed: number) {
    this.#seed = seed
  }

  /** 32 random bits, unsigned. */
  bits(source: Source): number {
    const pinned = this.#pinned.get(source)
    if (pinned && pinned.length > 0) return pinned.shift()! >>> 0
    // mulberry32
    const state = ((this.#states.get(source) ?? this.#start(source)) + 0x6d2b79f5) >>> 0
    this.#states.set(source, state)
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return (mixed ^ (mixed >>> 14)) >>> 0
  }

  /** A whole number, 0 … bound − 1. */
  below(source: Source, bound: number): number {
    return Math.floor((this.bits(source) / 0x1_0000_0000) * bound)
  }

  /** The next draws of `bits` from this source are these, in their order. */
  pin(source: Source, values: readonly number[]): void {
    this.#pinned.set(source, [...values])
  }

  /** FNV-1a over the name, from the seed. */
  #start(source: Source): number {
    let hash = (0x811c9dc5 ^ this.#seed) >>> 0
    for (let i = 0; i < source.length; i++) hash = Math.imul(hash ^ source.charCodeAt(i), 0x01000193) >>> 0
    return hash
  }
}
