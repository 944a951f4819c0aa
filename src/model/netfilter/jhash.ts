/** Bob Jenkins' hash as the kernel has it for words: jhash2, linux/jhash.h. Words are unsigned 32-bit numbers. */

const JHASH_INITVAL = 0xdeadbeef

const rotate = (word: number, bits: number) => (word << bits) | (word >>> (32 - bits))

/** Unsigned. */
export function jhash2(words: readonly number[], initial: number): number {
  let a = (JHASH_INITVAL + (words.length << 2) + initial) | 0
  let b = a
  let c = a
  let at = 0
  for (; words.length - at > 3; at += 3) {
    a = (a + words[at]!) | 0
    b = (b + words[at + 1]!) | 0
    c = (c + words[at + 2]!) | 0
    // __jhash_mix
    a = ((a - c) ^ rotate(c, 4)) | 0
    c = (c + b) | 0
    b = ((b - a) ^ rotate(a, 6)) | 0
    a = (a + c) | 0
    c = ((c - b) ^ rotate(b, 8)) | 0
    b = (b + a) | 0
    a = ((a - c) ^ rotate(c, 16)) | 0
    c = (c + b) | 0
    b = ((b - a) ^ rotate(a, 19)) | 0
    a = (a + c) | 0
    c = ((c - b) ^ rotate(b, 4)) | 0
    b = (b + a) | 0
  }
  const left = words.length - at
  if (left === 0) return c >>> 0
  if (left > 2) c = (c + words[at + 2]!) | 0
  if (left > 1) b = (b + words[at + 1]!) | 0
  a = (a + words[at]!) | 0
  // __jhash_final
  c = ((c ^ b) - rotate(b, 14)) | 0
  a = ((a ^ c) - rotate(c, 11)) | 0
  b = ((b ^ a) - rotate(a, 25)) | 0
  c = ((c ^ b) - rotate(b, 16)) | 0
  a = ((a ^ c) - rotate(c, 4)) | 0
  b = ((b ^ a) - rotate(a, 14)) | 0
  c = ((c ^ b) - rotate(b, 24)) | 0
  return c >>> 0
}

/** reciprocal_scale: `value` of 2³² mapped to 0 … `range` − 1. */
export function reciprocalScale(value: number, range: number): number {
  const low = Math.floor((value * (range & 0xffff)) / 0x1_0000)
  return Math.floor((value * (range >>> 16) + low) / 0x1_0000)
}
