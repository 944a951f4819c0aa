/**
 * Internet checksums over the arena, RFC 1071.
 *
 * A one's complement sum is the same in either byte order, only its own bytes are swapped (§2.B): here everything is in the
 * machine's order, lowest byte first, and written back so.
 */
import type { Arena } from './arena.ts'

/** The sum of the bytes, folded to 16 bits; an odd last byte counts as if a zero followed. */
export type Sum = (at: number, length: number) => number

/** 32 bits to 16. */
export function fold(sum: number): number {
  const once = (sum >>> 16) + (sum & 0xffff)
  return (once >>> 16) + (once & 0xffff)
}

/**
 * The field's value for a sum. 0 would mean that there is none: RFC 768 writes all ones then, as the kernel does for
 * every protocol.
 */
export function complement(sum: number): number {
  return ~sum & 0xffff || 0xffff
}

/** The machine's order from the network's, and back. */
export function swap16(word: number): number {
  return ((word & 0xff) << 8) | ((word >>> 8) & 0xff)
}

export function swap32(long: number): number {
  return (long << 24) | ((long & 0xff00) << 8) | ((long >>> 8) & 0xff00) | (long >>> 24)
}

/**
 * For a runtime without WebAssembly SIMD, and to compare that with: two to ten times slower than checksum-module.ts. Up to
 * 128 KiB at once.
 */
export function plainSum({ bytes, words }: Pick<Arena, 'bytes' | 'words'>): Sum {
  return (at, length) => {
    let sum = 0
    if (at & 1) {
      for (let i = 0; i + 1 < length; i += 2) sum += bytes[at + i]! | (bytes[at + i + 1]! << 8)
    } else {
      const end = (at + length) >> 1
      for (let i = at >> 1; i < end; i++) sum += words[i]!
    }
    if (length & 1) sum += bytes[at + length - 1]!
    return fold(sum)
  }
}
