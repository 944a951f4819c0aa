/**
 * Prefixes: an address and how many of its leading bits count, written `10.1.2.3/24` (CIDR, RFC 4632).
 *
 * The address keeps its host bits, since `ip address` needs them; `networkOf` clears them.
 */
import { bitsOf, compareIp, familyOf, formatIp, type Ip, readIp } from './ip.ts'

/** Its character code. */
const ZERO = 48

export interface Prefix {
  readonly address: Ip
  /** Leading bits that count: 0 to 32 or 128. */
  readonly length: number
}

/** The prefix, or undefined when the text is none. A bare address is none. */
export function readPrefix(text: string): Prefix | undefined {
  const slash = text.indexOf('/')
  if (slash < 0) return undefined
  const address = readIp(text.slice(0, slash))
  const length = readLength(text, slash + 1)
  return address && length !== undefined && length <= address.length * 8 ? { address, length } : undefined
}

/** One to three digits, without a zero in front. */
function readLength(text: string, from: number): number | undefined {
  const digits = text.length - from
  if (digits < 1 || digits > 3 || (digits > 1 && text.charCodeAt(from) === ZERO)) return undefined
  let length = 0
  for (let i = from; i < text.length; i++) {
    const digit = text.charCodeAt(i) - ZERO
    if (digit < 0 || digit > 9) return undefined
    length = 10 * length + digit
  }
  return length
}

/** Throws RangeError when the text is no prefix. */
export function parsePrefix(text: string): Prefix {
  const prefix = readPrefix(text)
  if (!prefix) throw new RangeError(`Cannot parse "${text}" as an address with a prefix length`)
  return prefix
}

export function formatPrefix({ address, length }: Prefix): string {
  return `${formatIp(address)}/${length}`
}

/** `192.168.77.1/24` without its length; an address alone as it is. */
export function hostOf(prefix: string): string {
  const slash = prefix.indexOf('/')
  return slash < 0 ? prefix : prefix.slice(0, slash)
}

/** The whole address as a prefix: /32 or /128. */
export function hostPrefix(address: Ip): Prefix {
  return { address, length: address.length * 8 }
}

/** The mask of `length` leading ones, as long as an address of the family. */
export function maskOf({ address, length }: Prefix): Ip {
  const mask = new Uint8Array(address.length)
  for (let i = 0; i < mask.length; i++) mask[i] = 0xff00 >> Math.min(8, Math.max(0, length - 8 * i))
  return mask
}

/** The same prefix with its host bits cleared. */
export function networkOf(prefix: Prefix): Prefix {
  const mask = maskOf(prefix)
  return { address: prefix.address.map((byte, i) => byte & mask[i]!), length: prefix.length }
}

/** The highest address of the prefix; for IPv4 subnets up to /30 the broadcast address. */
export function lastOf(prefix: Prefix): Ip {
  const mask = maskOf(prefix)
  return prefix.address.map((byte, i) => byte | (~mask[i]! & 0xff))
}

export function contains(prefix: Prefix, ip: Ip): boolean {
  if (ip.length !== prefix.address.length) return false
  const mask = maskOf(prefix)
  for (let i = 0; i < ip.length; i++) if ((ip[i]! & mask[i]!) !== (prefix.address[i]! & mask[i]!)) return false
  return true
}

export function overlaps(a: Prefix, b: Prefix): boolean {
  return a.length <= b.length ? contains(a, b.address) : contains(b, a.address)
}

/** Whether both name the same address and length. */
export function samePrefix(a: Prefix, b: Prefix): boolean {
  return a.length === b.length && compareIp(a.address, b.address) === 0
}

/** Whether the prefix holds every address of its family: 0.0.0.0/0 or ::/0. */
export function isDefault({ length }: Prefix): boolean {
  return length === 0
}

/** Number of host bits, 0 to 128. */
export function hostBits({ address, length }: Prefix): number {
  return bitsOf(familyOf(address)) - length
}
