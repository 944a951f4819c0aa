/**
 * IP addresses of either family: 4 or 16 bytes in network order. The length is the family.
 */
import { formatIpv4, IPV4_LENGTH, readIpv4 } from './ipv4.ts'
import { formatIpv6, IPV6_LENGTH, readIpv6 } from './ipv6.ts'

/** 4 bytes for IPv4, 16 for IPv6. */
export type Ip = Uint8Array

export type Family = 'ipv4' | 'ipv6'

/** The address, or undefined when the text is none. */
export function readIp(text: string): Ip | undefined {
  return text.includes(':') ? readIpv6(text) : readIpv4(text)
}

/** Throws RangeError when the text is no IP address. */
export function parseIp(text: string): Ip {
  const ip = readIp(text)
  if (!ip) throw new RangeError(`Cannot parse "${text}" as an IP address`)
  return ip
}

export function formatIp(ip: Ip): string {
  return ip.length === IPV4_LENGTH ? formatIpv4(ip) : formatIpv6(ip)
}

export function familyOf(ip: Ip): Family {
  return ip.length === IPV4_LENGTH ? 'ipv4' : 'ipv6'
}

/** Bits of an address of this family: 32 or 128. */
export function bitsOf(family: Family): 32 | 128 {
  return family === 'ipv4' ? 32 : 128
}

/** The address of this family whose bits are all zero: 0.0.0.0 or ::. */
export function unspecified(family: Family): Ip {
  return new Uint8Array(family === 'ipv4' ? IPV4_LENGTH : IPV6_LENGTH)
}

/** Whether it can be another host's: neither a group's, everybody's, a loopback nor none. RFC 1122 §3.2.1.3, RFC 4291 §2.4. */
export function isOfHost(ip: Ip): boolean {
  if (ip.length === IPV4_LENGTH) return ip[0] !== 0 && ip[0] !== 127 && ip[0]! < 224
  return ip[0] !== 0xff && !(ip[15]! <= 1 && ip.subarray(0, 15).every((byte) => byte === 0))
}

/** Negative, zero or positive, as addresses sort; every IPv4 address comes before every IPv6 address. */
export function compareIp(a: Ip, b: Ip): number {
  if (a.length !== b.length) return a.length - b.length
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!
  return 0
}

/** The next address; after the highest comes the lowest. */
export function nextIp(ip: Ip): Ip {
  const next = ip.slice()
  for (let i = next.length - 1; i >= 0; i--) {
    next[i] = next[i]! + 1
    if (next[i] !== 0) break
  }
  return next
}

/** The address before this one; before the lowest comes the highest. */
export function previousIp(ip: Ip): Ip {
  const previous = ip.slice()
  for (let i = previous.length - 1; i >= 0; i--) {
    previous[i] = previous[i]! - 1
    if (previous[i] !== 255) break
  }
  return previous
}

/** The address as a number, for arithmetic over ranges. */
export function ipToBigInt(ip: Ip): bigint {
  let value = 0n
  for (const byte of ip) value = (value << 8n) | BigInt(byte)
  return value
}

export function ipFromBigInt(value: bigint, family: Family): Ip {
  const ip = unspecified(family)
  for (let i = ip.length - 1; i >= 0; i--) {
    ip[i] = Number(value & 0xffn)
    value >>= 8n
  }
  return ip
}
