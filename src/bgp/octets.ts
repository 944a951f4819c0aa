/** Integers in network order where bytes hold them, and bytes put one behind the other. */

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

export function ofU16(value: number): Uint8Array {
  return Uint8Array.of(value >>> 8, value)
}

export function ofU32(...values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(4 * values.length)
  for (let i = 0; i < values.length; i++) setU32(bytes, 4 * i, values[i]!)
  return bytes
}

export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return bytes
}

/** The parts in their order, as many of them joined as make no more than `most` octets; a longer part is alone. */
export function inPieces(parts: readonly Uint8Array[], most: number): readonly Uint8Array[] {
  if (parts.length <= 1) return parts
  const pieces: Uint8Array[] = []
  let first = 0
  let length = 0
  for (const [i, part] of parts.entries()) {
    if (i > first && length + part.length > most) {
      pieces.push(joined(parts.slice(first, i)))
      first = i
      length = 0
    }
    length += part.length
  }
  pieces.push(joined(parts.slice(first)))
  return pieces
}

/** Two hexadecimal digits a byte. */
export function hex(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0')
  return text
}
