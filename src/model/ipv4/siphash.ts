/**
 * SipHash-2-4 of 48 or 72 bytes, without 64-bit numbers: each is two halves. Aumasson, Bernstein, "SipHash: a fast short-input PRF";
 * lib/siphash.c.
 */

/** v0 … v3 as high and low halves: one hash at a time. */
const v = new Uint32Array(8)
const HIGH = 0
const LOW = 1

/** v[a] += v[b] */
function add(a: number, b: number): void {
  const low = v[2 * a + LOW]! + v[2 * b + LOW]!
  v[2 * a + LOW] = low
  v[2 * a + HIGH] = v[2 * a + HIGH]! + v[2 * b + HIGH]! + (low > 0xffffffff ? 1 : 0)
}

/** v[a] = rotl64(v[a], bits) ^ v[b]; `bits` below 32. */
function rotateXor(a: number, bits: number, b: number): void {
  const high = v[2 * a + HIGH]!
  const low = v[2 * a + LOW]!
  v[2 * a + HIGH] = ((high << bits) | (low >>> (32 - bits))) ^ v[2 * b + HIGH]!
  v[2 * a + LOW] = ((low << bits) | (high >>> (32 - bits))) ^ v[2 * b + LOW]!
}

/** v[a] = rotl64(v[a], 32) */
function swap(a: number): void {
  const high = v[2 * a + HIGH]!
  v[2 * a + HIGH] = v[2 * a + LOW]!
  v[2 * a + LOW] = high
}

function round(): void {
  add(0, 1)
  rotateXor(1, 13, 0)
  swap(0)
  add(2, 3)
  rotateXor(3, 16, 2)
  add(0, 3)
  rotateXor(3, 21, 0)
  add(2, 1)
  rotateXor(1, 17, 2)
  swap(2)
}

/** The initial state: "somepseudorandomlygeneratedbytes". */
const INITIAL = [
  0x736f6d65, 0x70736575, 0x646f7261, 0x6e646f6d, 0x6c796765, 0x6e657261, 0x74656462, 0x79746573,
] as const

/** The low 32 bits of the hash of an even number of words in memory order; each half of the key is `seed` twice. */
export function siphash(words: Uint32Array, seed: number): number {
  for (let i = 0; i < 8; i++) v[i] = INITIAL[i]! ^ seed
  for (let i = 0; i <= words.length; i += 2) {
    const low = i < words.length ? words[i]! : 0
    const high = i < words.length ? words[i + 1]! : (words.length << 26) >>> 0
    v[6 + HIGH] = v[6 + HIGH]! ^ high
    v[6 + LOW] = v[6 + LOW]! ^ low
    round()
    round()
    v[HIGH] = v[HIGH]! ^ high
    v[LOW] = v[LOW]! ^ low
  }
  v[4 + LOW] = v[4 + LOW]! ^ 0xff
  for (let i = 0; i < 4; i++) round()
  return (v[LOW]! ^ v[2 + LOW]! ^ v[4 + LOW]! ^ v[6 + LOW]!) >>> 0
}
