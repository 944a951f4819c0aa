/** MD5: RFC 1321. Here for the signatures of TCP alone, RFC 2385. */

/** Left rotations of the four operations in each round. */
const ROTATIONS = [
  [7, 12, 17, 22],
  [5, 9, 14, 20],
  [4, 11, 16, 23],
  [6, 10, 15, 21],
] as const

/** T: the integer part of 2³² times abs(sin(i)), i from 1 on. */
const SINES = Array.from({ length: 64 }, (_, i) => Math.floor(2 ** 32 * Math.abs(Math.sin(i + 1))) | 0)

const BLOCK = 64
const LENGTH_AT = 56

/** The digest of the parts, one behind the other: 16 bytes. */
export function md5(...parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  const message = new Uint8Array((Math.floor((length + 8) / BLOCK) + 1) * BLOCK)
  let end = 0
  for (const part of parts) {
    message.set(part, end)
    end += part.length
  }
  message[end] = 0x80
  const view = new DataView(message.buffer)
  view.setUint32(message.length - BLOCK + LENGTH_AT, length * 8, true)

  const state = Int32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476)
  for (let block = 0; block < message.length; block += BLOCK) work(state, view, block)
  const digest = new DataView(new ArrayBuffer(16))
  for (let i = 0; i < 4; i++) digest.setInt32(4 * i, state[i]!, true)
  return new Uint8Array(digest.buffer)
}

function work(state: Int32Array, view: DataView, block: number): void {
  let [a, b, c, d] = [state[0]!, state[1]!, state[2]!, state[3]!]
  for (let i = 0; i < 64; i++) {
    const round = i >> 4
    const [mixed, word] = mix(round, i, b, c, d)
    const sum = (a + mixed + SINES[i]! + view.getInt32(block + 4 * word, true)) | 0
    const rotation = ROTATIONS[round]![i & 3]!
    a = d
    d = c
    c = b
    b = (b + ((sum << rotation) | (sum >>> (32 - rotation)))) | 0
  }
  state[0]! += a
  state[1]! += b
  state[2]! += c
  state[3]! += d
}

/** F, G, H and I of RFC 1321 §3.4, and which word of the block goes with them. */
function mix(round: number, i: number, b: number, c: number, d: number): readonly [mixed: number, word: number] {
  if (round === 0) return [(b & c) | (~b & d), i]
  if (round === 1) return [(b & d) | (c & ~d), (5 * i + 1) & 15]
  if (round === 2) return [b ^ c ^ d, (3 * i + 5) & 15]
  return [c ^ (b | ~d), (7 * i) & 15]
}
