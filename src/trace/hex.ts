/** Bytes as hexadecimal digits, and back. */

export function toHex(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += (byte >> 4).toString(16) + (byte & 15).toString(16)
  return text
}

/** `text` has an even number of digits. */
export function fromHex(text: string): Uint8Array {
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16))
}
