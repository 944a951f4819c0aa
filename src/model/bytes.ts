/** Numbers in network order, read and written where a packet holds them. The data path's way: no view, no object. */

export function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!
}

/** Unsigned. */
export function u32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
}

export function setU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8
  bytes[at + 1] = value
}

export function setU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24
  bytes[at + 1] = value >>> 16
  bytes[at + 2] = value >>> 8
  bytes[at + 3] = value
}

/** The one's complement sum of 16-bit words in `bytes[from, to)`, not folded: RFC 1071. */
export function sumOf(bytes: Uint8Array, from: number, to: number, initial = 0): number {
  let total = initial
  const even = to - ((to - from) & 1)
  for (let at = from; at < even; at += 2) total += (bytes[at]! << 8) | bytes[at + 1]!
  if (even < to) total += bytes[even]! << 8
  return total
}

/** The same of the 20 bytes of an IPv4 header without options, which every hop sums twice. */
export function sumOf20(bytes: Uint8Array, at: number): number {
  // High and low bytes by themselves: one shift for all.
  const high = bytes[at]! + bytes[at + 2]! + bytes[at + 4]! + bytes[at + 6]! + bytes[at + 8]!
  const low = bytes[at + 1]! + bytes[at + 3]! + bytes[at + 5]! + bytes[at + 7]! + bytes[at + 9]!
  const moreHigh = bytes[at + 10]! + bytes[at + 12]! + bytes[at + 14]! + bytes[at + 16]! + bytes[at + 18]!
  const moreLow = bytes[at + 11]! + bytes[at + 13]! + bytes[at + 15]! + bytes[at + 17]! + bytes[at + 19]!
  return ((high + moreHigh) << 8) + low + moreLow
}

/** Folds a sum to 16 bits. It is less than 2^32, as that of a packet's bytes always is. */
export function fold(sum: number): number {
  const folded = (sum & 0xffff) + (sum >>> 16)
  return (folded & 0xffff) + (folded >>> 16)
}

/** The checksum at `at` after a 16-bit word that it covers became another: RFC 1624, equation 3. */
export function updateChecksum(bytes: Uint8Array, at: number, before: number, after: number): void {
  setU16(bytes, at, ~fold((~u16(bytes, at) & 0xffff) + (~before & 0xffff) + after) & 0xffff)
}

/** As updateChecksum, for a 32-bit word. */
export function updateChecksum32(bytes: Uint8Array, at: number, before: number, after: number): void {
  const change = (~(before >>> 16) & 0xffff) + (~before & 0xffff) + (after >>> 16) + (after & 0xffff)
  setU16(bytes, at, ~fold((~u16(bytes, at) & 0xffff) + change) & 0xffff)
}

/** Whether two runs of bytes are the same. */
export function sameBytes(a: Uint8Array, at: number, b: Uint8Array, bAt: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (a[at + i] !== b[bAt + i]) return false
  return true
}
