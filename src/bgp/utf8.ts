/** UTF-8 (RFC 3629) by the means of the language: this room has no TextDecoder. */

/** The text, or undefined when the bytes are no UTF-8. */
export function readUtf8(bytes: Uint8Array): string | undefined {
  let escaped = ''
  for (const byte of bytes) escaped += `%${byte.toString(16).padStart(2, '0')}`
  try {
    return decodeURIComponent(escaped)
  } catch (error) {
    if (error instanceof URIError) return undefined
    throw error
  }
}

/** A surrogate without its other half becomes U+FFFD. */
export function encodeUtf8(text: string): Uint8Array {
  const escaped = encodeURIComponent(text.toWellFormed())
  const bytes: number[] = []
  for (let i = 0; i < escaped.length; i++) {
    if (escaped[i] !== '%') bytes.push(escaped.charCodeAt(i))
    else {
      bytes.push(Number.parseInt(escaped.slice(i + 1, i + 3), 16))
      i += 2
    }
  }
  return Uint8Array.from(bytes)
}

/** The longest start of the text that has no more than `limit` bytes in UTF-8, no character cut in two. */
export function encodeUtf8UpTo(text: string, limit: number): Uint8Array {
  const bytes = encodeUtf8(text)
  let end = Math.min(limit, bytes.length)
  // 10xxxxxx goes on with the character before it.
  while (end < bytes.length && end > 0 && (bytes[end]! & 0xc0) === 0x80) end--
  return bytes.subarray(0, end)
}
