/**
 * The Internet checksum: RFC 1071, and the pseudo-headers of RFC 768, RFC 9293 §3.1 and RFC 8200 §8.1.
 */
import { type Ip, parseIp } from '../address/ip.ts'

/** Source and destination of the packet around, as a transport's checksum covers them. Both of one family. */
export interface Endpoints {
  readonly source: string
  readonly destination: string
}

/** The one's complement sum of 16-bit words, folded to 16 bits. An odd last byte counts as if a zero followed. */
export function sum(bytes: Uint8Array, initial = 0): number {
  let total = initial
  const even = bytes.length & ~1
  for (let i = 0; i < even; i += 2) total += (bytes[i]! << 8) | bytes[i + 1]!
  if (even < bytes.length) total += bytes[even]! << 8
  while (total > 0xffff) total = (total & 0xffff) + Math.floor(total / 0x10000)
  return total
}

/** The checksum to write where the field itself was zero; over bytes with a right checksum in them it is 0. */
export function checksum(bytes: Uint8Array, initial = 0): number {
  return ~sum(bytes, initial) & 0xffff
}

/** Sum of the pseudo-header that goes before a transport header. `length` is that header's and its payload's, in bytes. */
export function pseudoHeader({ source, destination }: Endpoints, protocol: number, length: number): number {
  const from: Ip = parseIp(source)
  const to: Ip = parseIp(destination)
  if (from.length !== to.length) throw new RangeError(`Cannot sum ${source} and ${destination}: two families`)
  return sum(from, sum(to, protocol + (length >>> 16) + (length & 0xffff)))
}
