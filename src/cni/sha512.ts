/**
 * SHA-512, FIPS 180-4: the reference plugins name iptables chains by it.
 *
 * Words of 64 bits are two numbers of 32, high and low: BigInt.asUintN and BigInt's toString(16) of QuickJS 2025-04-26 are
 * wrong for numbers that fill 64 bits.
 */

/** Bytes, §5.2.2. */
const BLOCK = 128

/** §5.3.5: fractional parts of the square roots of the first 8 primes. */
const INITIAL = [
  '6a09e667f3bcc908bb67ae8584caa73b3c6ef372fe94f82ba54ff53a5f1d36f1',
  '510e527fade682d19b05688c2b3e6c1f1f83d9abfb41bd6b5be0cd19137e2179',
].join('')

/** §4.2.3: fractional parts of the cube roots of the first 80 primes. */
const ROUNDS = [
  '428a2f98d728ae227137449123ef65cdb5c0fbcfec4d3b2fe9b5dba58189dbbc3956c25bf348b53859f111f1b605d019',
  '923f82a4af194f9bab1c5ed5da6d8118d807aa98a303024212835b0145706fbe243185be4ee4b28c550c7dc3d5ffb4e2',
  '72be5d74f27b896f80deb1fe3b1696b19bdc06a725c71235c19bf174cf692694e49b69c19ef14ad2efbe4786384f25e3',
  '0fc19dc68b8cd5b5240ca1cc77ac9c652de92c6f592b02754a7484aa6ea6e4835cb0a9dcbd41fbd476f988da831153b5',
  '983e5152ee66dfaba831c66d2db43210b00327c898fb213fbf597fc7beef0ee4c6e00bf33da88fc2d5a79147930aa725',
  '06ca6351e003826f142929670a0e6e7027b70a8546d22ffc2e1b21385c26c9264d2c6dfc5ac42aed53380d139d95b3df',
  '650a73548baf63de766a0abb3c77b2a881c2c92e47edaee692722c851482353ba2bfe8a14cf10364a81a664bbc423001',
  'c24b8b70d0f89791c76c51a30654be30d192e819d6ef5218d69906245565a910f40e35855771202a106aa07032bbd1b8',
  '19a4c116b8d2d0c81e376c085141ab532748774cdf8eeb9934b0bcb5e19b48a8391c0cb3c5c95a634ed8aa4ae3418acb',
  '5b9cca4f7763e373682e6ff3d6b2b8a3748f82ee5defb2fc78a5636f43172f6084c87814a1f0ab728cc702081a6439ec',
  '90befffa23631e28a4506cebde82bde9bef9a3f7b2c67915c67178f2e372532bca273eceea26619cd186b8c721c0c207',
  'eada7dd6cde0eb1ef57d4f7fee6ed17806f067aa72176fba0a637dc5a2c898a6113f9804bef90dae1b710b35131c471b',
  '28db77f523047d8432caab7b40c724933c9ebe0a15c9bebc431d67c49c100d4c4cc5d4becb3e42b6597f299cfc657e2a',
  '5fcb6fab3ad6faec6c44198c4a475817',
].join('')

/** As hex, §6.4. */
export function sha512(bytes: Uint8Array): string {
  const message = pad(bytes)
  const state = words(INITIAL)
  for (let at = 0; at < message.length; at += BLOCK) addBlock(state, message.subarray(at, at + BLOCK))
  return Array.from(state, (word) => word.toString(16).padStart(8, '0')).join('')
}

/** §5.1.2: a one bit, zeros, and the length in bits as the last 128 of them. */
function pad(bytes: Uint8Array): Uint8Array {
  const padded = new Uint8Array(Math.ceil((bytes.length + 17) / BLOCK) * BLOCK)
  padded.set(bytes)
  padded[bytes.length] = 0x80
  new DataView(padded.buffer).setUint32(padded.length - 4, bytes.length * 8)
  return padded
}

function words(hex: string): Uint32Array {
  return Uint32Array.from({ length: hex.length / 8 }, (_, i) => Number.parseInt(hex.slice(8 * i, 8 * i + 8), 16))
}

/** §6.4.2. `w` is the message schedule, `v` the eight working variables a to h. */
function addBlock(state: Uint32Array, block: Uint8Array): void {
  const constants = words(ROUNDS)
  const w = new Uint32Array(160)
  const view = new DataView(block.buffer, block.byteOffset, BLOCK)
  for (let i = 0; i < 32; i++) w[i] = view.getUint32(4 * i)
  for (let t = 32; t < 160; t += 2) {
    set(w, t, [sigma(pair(w, t - 4), 19, 61, 6), pair(w, t - 14), sigma(pair(w, t - 30), 1, 8, 7), pair(w, t - 32)])
  }
  const v = state.slice()
  for (let t = 0; t < 160; t += 2) {
    const [a, b, c, e, f, g] = [0, 2, 4, 8, 10, 12].map((i) => pair(v, i)) as [Word, Word, Word, Word, Word, Word]
    const choice: Word = [(e[0] & f[0]) ^ (~e[0] & g[0]), (e[1] & f[1]) ^ (~e[1] & g[1])]
    const majority: Word = [
      (a[0] & b[0]) ^ (a[0] & c[0]) ^ (b[0] & c[0]),
      (a[1] & b[1]) ^ (a[1] & c[1]) ^ (b[1] & c[1]),
    ]
    const first = sum([pair(v, 14), sums(e, 14, 18, 41), choice, pair(constants, t), pair(w, t)])
    v.copyWithin(2, 0, 14) // h = g, g = f … b = a
    set(v, 8, [pair(v, 8), first])
    set(v, 0, [first, sums(a, 28, 34, 39), majority])
  }
  for (let i = 0; i < 16; i += 2) set(state, i, [pair(state, i), pair(v, i)])
}

type Word = readonly [high: number, low: number]

function pair(from: Uint32Array, at: number): Word {
  return [from[at]!, from[at + 1]!]
}

function set(to: Uint32Array, at: number, terms: readonly Word[]): void {
  const [high, low] = sum(terms)
  to[at] = high
  to[at + 1] = low
}

function sum(terms: readonly Word[]): Word {
  let high = 0
  let low = 0
  for (const [h, l] of terms) {
    high += h >>> 0
    low += l >>> 0
  }
  return [(high + Math.floor(low / 2 ** 32)) >>> 0, low >>> 0]
}

/** ROTR, §3.2. */
function rotate([high, low]: Word, by: number): Word {
  if (by > 32) return rotate([low, high], by - 32)
  return [(high >>> by) | (low << (32 - by)), (low >>> by) | (high << (32 - by))]
}

/** §4.1.3: Σ0 and Σ1. */
function sums(word: Word, x: number, y: number, z: number): Word {
  const [a, b, c] = [rotate(word, x), rotate(word, y), rotate(word, z)]
  return [a[0] ^ b[0] ^ c[0], a[1] ^ b[1] ^ c[1]]
}

/** §4.1.3: σ0 and σ1. */
function sigma([high, low]: Word, x: number, y: number, shift: number): Word {
  const [a, b] = [rotate([high, low], x), rotate([high, low], y)]
  return [a[0] ^ b[0] ^ (high >>> shift), a[1] ^ b[1] ^ ((low >>> shift) | (high << (32 - shift)))]
}
