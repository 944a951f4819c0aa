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

/**
 * §6.4.2. The letters are the standard's, with h and l for their halves; `w` is the message schedule. Written out, without
 * a function or an object per word: it runs where every call counts.
 */
function addBlock(state: Uint32Array, block: Uint8Array): void {
  const K = words(ROUNDS)
  const w = schedule(block)
  let [ah, al, bh, bl, ch, cl, dh, dl, eh, el, fh, fl, gh, gl, hh, hl] = state as unknown as Halves
  for (let t = 0; t < 160; t += 2) {
    const Sigma1h = ((eh >>> 14) | (el << 18)) ^ ((eh >>> 18) | (el << 14)) ^ ((el >>> 9) | (eh << 23))
    const Sigma1l = ((el >>> 14) | (eh << 18)) ^ ((el >>> 18) | (eh << 14)) ^ ((eh >>> 9) | (el << 23))
    const t1l = hl + (Sigma1l >>> 0) + (((el & fl) ^ (~el & gl)) >>> 0) + K[t + 1]! + w[t + 1]!
    const t1h = hh + Sigma1h + ((eh & fh) ^ (~eh & gh)) + K[t]! + w[t]! + carry(t1l)
    const Sigma0h = ((ah >>> 28) | (al << 4)) ^ ((al >>> 2) | (ah << 30)) ^ ((al >>> 7) | (ah << 25))
    const Sigma0l = ((al >>> 28) | (ah << 4)) ^ ((ah >>> 2) | (al << 30)) ^ ((ah >>> 7) | (al << 25))
    const sumL = (t1l >>> 0) + (Sigma0l >>> 0) + (((al & bl) ^ (al & cl) ^ (bl & cl)) >>> 0)
    const sumH = t1h + Sigma0h + ((ah & bh) ^ (ah & ch) ^ (bh & ch)) + carry(sumL)
    const nextL = dl + (t1l >>> 0)
    const nextH = dh + t1h + carry(nextL)
    hh = gh
    hl = gl
    gh = fh
    gl = fl
    fh = eh
    fl = el
    eh = nextH >>> 0
    el = nextL >>> 0
    dh = ch
    dl = cl
    ch = bh
    cl = bl
    bh = ah
    bl = al
    ah = sumH >>> 0
    al = sumL >>> 0
  }
  const halves = [ah, al, bh, bl, ch, cl, dh, dl, eh, el, fh, fl, gh, gl, hh, hl]
  for (let i = 0; i < 16; i += 2) {
    const low = state[i + 1]! + halves[i + 1]!
    state[i] = state[i]! + halves[i]! + carry(low)
    state[i + 1] = low
  }
}

/** The 16 words of the block and 64 more made from them. */
function schedule(block: Uint8Array): Uint32Array {
  const w = new Uint32Array(160)
  const view = new DataView(block.buffer, block.byteOffset, BLOCK)
  for (let i = 0; i < 32; i++) w[i] = view.getUint32(4 * i)
  for (let t = 32; t < 160; t += 2) {
    const [xh, xl, yh, yl] = [w[t - 30]!, w[t - 29]!, w[t - 4]!, w[t - 3]!]
    const sigma0h = ((xh >>> 1) | (xl << 31)) ^ ((xh >>> 8) | (xl << 24)) ^ (xh >>> 7)
    const sigma0l = ((xl >>> 1) | (xh << 31)) ^ ((xl >>> 8) | (xh << 24)) ^ ((xl >>> 7) | (xh << 25))
    const sigma1h = ((yh >>> 19) | (yl << 13)) ^ ((yl >>> 29) | (yh << 3)) ^ (yh >>> 6)
    const sigma1l = ((yl >>> 19) | (yh << 13)) ^ ((yh >>> 29) | (yl << 3)) ^ ((yl >>> 6) | (yh << 26))
    const low = (sigma0l >>> 0) + (sigma1l >>> 0) + w[t - 13]! + w[t - 31]!
    w[t] = sigma0h + sigma1h + w[t - 14]! + w[t - 32]! + carry(low)
    w[t + 1] = low
  }
  return w
}

type Halves = readonly [
  ...[number, number, number, number, number, number, number, number],
  ...[number, number, number, number, number, number, number, number],
]

/** What a sum of lower halves adds to the higher ones. */
function carry(sum: number): number {
  return Math.floor(sum / 2 ** 32)
}
