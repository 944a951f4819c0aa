/**
 * IPv4 addresses as text and as four bytes in network order.
 *
 * Only the four-part decimal form without leading zeros is read, as inet_pton(3) and Go's net.ParseIP do: `010.0.0.1`
 * means one thing to some programs and another to others, so it is refused.
 */

export const IPV4_LENGTH = 4

/** The four bytes, or undefined when the text is no IPv4 address. */
export function readIpv4(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(IPV4_LENGTH)
  let part = 0
  let value = 0
  let digits = 0
  for (let i = 0; i <= text.length; i++) {
    const code = i < text.length ? text.charCodeAt(i) : DOT
    if (code === DOT) {
      if (digits === 0 || part === IPV4_LENGTH) return undefined
      bytes[part++] = value
      value = digits = 0
      continue
    }
    if (code < ZERO || code > ZERO + 9) return undefined
    if (digits > 0 && value === 0) return undefined // a leading zero
    value = value * 10 + code - ZERO
    digits++
    if (value > 255) return undefined
  }
  return part === IPV4_LENGTH ? bytes : undefined
}

/** Throws RangeError when the text is no IPv4 address. */
export function parseIpv4(text: string): Uint8Array {
  const bytes = readIpv4(text)
  if (!bytes) throw new RangeError(`Cannot parse "${text}" as an IPv4 address`)
  return bytes
}

export function formatIpv4(bytes: Uint8Array): string {
  return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}`
}

const DOT = 46
const ZERO = 48
