/**
 * MAC addresses: 48 bits, as six bytes or as text.
 *
 * Text is written as iproute2 writes it, `02:42:0a:00:00:01`; read are also the forms of Go's net.ParseMAC that CNI
 * configurations use: `02-42-0a-00-00-01`, `0242.0a00.0001` and `02420a000001`, in either case.
 */

export const MAC_LENGTH = 6

const COLONS = /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/i
const HYPHENS = /^[0-9a-f]{2}(?:-[0-9a-f]{2}){5}$/i
const DOTS = /^[0-9a-f]{4}(?:\.[0-9a-f]{4}){2}$/i
const DIGITS = /^[0-9a-f]{12}$/i

/** Throws RangeError when the text is no MAC address. */
export function parseMac(text: string): Uint8Array {
  if (![COLONS, HYPHENS, DOTS, DIGITS].some((form) => form.test(text))) {
    throw new RangeError(`Cannot parse "${text}" as a MAC address`)
  }
  const digits = text.replace(/[^0-9a-f]/gi, '')
  const bytes = new Uint8Array(MAC_LENGTH)
  for (let i = 0; i < MAC_LENGTH; i++) bytes[i] = Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16)
  return bytes
}

/** Every byte as two digits: traces write many addresses. */
const PAIRS = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** Also formats link-layer addresses of other lengths, such as a tunnel's 4 bytes, in the same way. */
export function formatMac(bytes: Uint8Array): string {
  let text = ''
  for (let i = 0; i < bytes.length; i++) {
    if (i > 0) text += ':'
    text += PAIRS[bytes[i]!]
  }
  return text
}

/** Group addresses have the lowest bit of the first byte set: IEEE 802, "I/G address bit". Broadcast is one of them. */
export function isMulticastMac(bytes: Uint8Array): boolean {
  return (bytes[0]! & 1) === 1
}
