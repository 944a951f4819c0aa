/**
 * Numbers in network order, read and written where bytes hold them. What every packet passes uses Packet.view instead: an
 * access of several bytes is checked once.
 */

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

/** The same, four bytes at a time: of what packets carry. */
export function sumOfView(view: DataView, from: number, to: number, initial = 0): number {
  let high = 0
  let low = 0
  let at = from
  for (; at + 4 <= to; at += 4) {
    const word = view.getInt32(at)
    // Of 64 KiB at most 2^30: no sum is too large for an integer.
    high = (high + (word >>> 16)) | 0
    low = (low + (word & 0xffff)) | 0
  }
  let total = initial + high + low
  if (at + 2 <= to) {
    total += view.getUint16(at)
    at += 2
  }
  return at < to ? total + (view.getUint8(at) << 8) : total
}

/** The same of the 20 bytes of an IPv4 header without options, which every hop sums up. */
export function sumOf20(view: DataView, at: number): number {
  const a = view.getInt32(at)
  const b = view.getInt32(at + 4)
  const c = view.getInt32(at + 8)
  return sumOfWords(a, b, c, view.getInt32(at + 12), view.getInt32(at + 16))
}

/** The same of five words of 32 bits. */
export function sumOfWords(a: number, b: number, c: number, d: number, e: number): number {
  const high = (a >>> 16) + (b >>> 16) + (c >>> 16) + (d >>> 16) + (e >>> 16)
  return high + (a & 0xffff) + (b & 0xffff) + (c & 0xffff) + (d & 0xffff) + (e & 0xffff)
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

/** Up to how many bytes a loop is faster than Uint8Array.slice. */
const FEW = 64

/** As Uint8Array.slice. */
export function copyOf(bytes: Uint8Array, from: number, to: number): Uint8Array {
  const length = to - from
  if (length > FEW) return bytes.slice(from, to)
  const copy = new Uint8Array(length)
  for (let i = 0; i < length; i++) copy[i] = bytes[from + i]!
  return copy
}
