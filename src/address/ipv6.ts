/**
 * IPv6 addresses as text (RFC 4291 §2.2 read, RFC 5952 written) and as sixteen bytes.
 *
 * Zones (`fe80::1%eth0`) are no part of an address here and are refused.
 */
import { IPV4_LENGTH, readIpv4 } from './ipv4.ts'

export const IPV6_LENGTH = 16
const GROUPS = 8

/** The sixteen bytes, or undefined when the text is no IPv6 address. */
export function readIpv6(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(IPV6_LENGTH)
  const gap = text.indexOf('::')
  if (gap < 0) return readGroups(text, bytes, 0) === IPV6_LENGTH ? bytes : undefined
  if (text.indexOf('::', gap + 1) >= 0) return undefined

  const head = text.slice(0, gap)
  const tail = text.slice(gap + 2)
  // A dotted quad may only be the last part of the whole address.
  if (head.includes('.')) return undefined
  const before = head === '' ? 0 : readGroups(head, bytes, 0)
  if (before === undefined) return undefined
  const end = new Uint8Array(IPV6_LENGTH)
  const after = tail === '' ? 0 : readGroups(tail, end, 0)
  // "::" stands for at least one group.
  if (after === undefined || before + after > IPV6_LENGTH - 2) return undefined
  bytes.set(end.subarray(0, after), IPV6_LENGTH - after)
  return bytes
}

/** Reads groups joined by single colons, the last of which may be a dotted quad; answers the offset behind them. */
function readGroups(text: string, bytes: Uint8Array, at: number): number | undefined {
  const groups = text.split(':')
  for (const [i, group] of groups.entries()) {
    if (i === groups.length - 1 && group.includes('.')) {
      const quad = readIpv4(group)
      if (!quad || at + IPV4_LENGTH > IPV6_LENGTH) return undefined
      bytes.set(quad, at)
      at += IPV4_LENGTH
      continue
    }
    if (!/^[0-9a-f]{1,4}$/i.test(group) || at + 2 > IPV6_LENGTH) return undefined
    const value = Number.parseInt(group, 16)
    bytes[at++] = value >> 8
    bytes[at++] = value & 0xff
  }
  return at
}

/** Throws RangeError when the text is no IPv6 address. */
export function parseIpv6(text: string): Uint8Array {
  const bytes = readIpv6(text)
  if (!bytes) throw new RangeError(`Cannot parse "${text}" as an IPv6 address`)
  return bytes
}

/**
 * RFC 5952 §4: lower case, no leading zeros, the first longest run of two or more zero groups as `::`. IPv4-mapped
 * addresses are written with their dotted quad (§5), as inet_ntop(3) does.
 */
export function formatIpv6(bytes: Uint8Array): string {
  if (isIpv4Mapped(bytes)) return `::ffff:${bytes[12]}.${bytes[13]}.${bytes[14]}.${bytes[15]}`
  const groups: number[] = []
  for (let i = 0; i < GROUPS; i++) groups.push((bytes[2 * i]! << 8) | bytes[2 * i + 1]!)

  let start = -1
  let length = 1
  for (let i = 0; i < GROUPS; i++) {
    let end = i
    while (end < GROUPS && groups[end] === 0) end++
    if (end - i > length) {
      start = i
      length = end - i
    }
    if (end > i) i = end
  }
  const hex = (part: number[]) => part.map((group) => group.toString(16)).join(':')
  return start < 0 ? hex(groups) : `${hex(groups.slice(0, start))}::${hex(groups.slice(start + length))}`
}

/** ::ffff:a.b.c.d, RFC 4291 §2.5.5.2. */
export function isIpv4Mapped(bytes: Uint8Array): boolean {
  for (let i = 0; i < 10; i++) if (bytes[i] !== 0) return false
  return bytes[10] === 0xff && bytes[11] === 0xff
}
