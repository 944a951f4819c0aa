/**
 * IPv6 addresses where they stand in packets and tables: 16 bytes. What kind an address is: net/ipv6/addrconf_core.c, RFC 4291 §2.
 */
import { formatIpv6 } from '../../address/ipv6.ts'
import type { Scope } from '../../kernel/address.ts'
import { sameBytes, u32 } from '../bytes.ts'

export const ANY = new Uint8Array(16)
export const LOOPBACK = wellKnown(0, 1)
export const NODE_LOCAL_ALL_NODES = wellKnown(0xff01, 1)
export const ALL_NODES = wellKnown(0xff02, 1)
export const ALL_ROUTERS = wellKnown(0xff02, 2)
/** Where MLDv2 reports go: RFC 3810 §5.2.14. */
export const ALL_MLD_ROUTERS = wellKnown(0xff02, 0x16)

/** IPV6_ADDR_SCOPE_*. */
export const AddressScope = { node: 1, link: 2, site: 5, global: 14 } as const

function wellKnown(first: number, last: number): Uint8Array {
  const address = new Uint8Array(16)
  address[0] = first >> 8
  address[1] = first
  address[15] = last
  return address
}

export const isMulticast = (bytes: Uint8Array, at = 0): boolean => bytes[at] === 0xff
export const isLinkLocal = (bytes: Uint8Array, at = 0): boolean =>
  bytes[at] === 0xfe && (bytes[at + 1]! & 0xc0) === 0x80
/** ff02::/16 */
export const isLinkLocalMulticast = (bytes: Uint8Array, at = 0): boolean =>
  bytes[at] === 0xff && (bytes[at + 1]! & 15) === AddressScope.link

function startsWithZeros(bytes: Uint8Array, at: number): boolean {
  return u32(bytes, at) === 0 && u32(bytes, at + 4) === 0 && u32(bytes, at + 8) === 0
}

export const isAny = (bytes: Uint8Array, at = 0): boolean =>
  bytes[at] === 0 && startsWithZeros(bytes, at) && u32(bytes, at + 12) === 0
export const isLoopback = (bytes: Uint8Array, at = 0): boolean =>
  bytes[at] === 0 && startsWithZeros(bytes, at) && u32(bytes, at + 12) === 1

/** rt6_need_strict: an address that means something on one link only. */
export const needsDevice = (bytes: Uint8Array, at = 0): boolean =>
  isMulticast(bytes, at) || isLinkLocal(bytes, at) || isLoopback(bytes, at)

export const sameAddress = (a: Uint8Array, b: Uint8Array): boolean => sameBytes(a, 0, b, 0, 16)

/** __ipv6_addr_src_scope, and of multicast addresses the scope that they name. */
export function scopeNumberOf(bytes: Uint8Array, at = 0): number {
  if (isMulticast(bytes, at)) return bytes[at + 1]! & 15
  if (isLoopback(bytes, at) || isLinkLocal(bytes, at)) return AddressScope.link
  if (bytes[at] === 0xfe && (bytes[at + 1]! & 0xc0) === 0xc0) return AddressScope.site
  return AddressScope.global
}

/** rt_scope, as `ip address` shows it. */
export function scopeOf(address: Uint8Array): Scope {
  if (isLoopback(address)) return 'host'
  const scope = scopeNumberOf(address)
  return scope === AddressScope.link ? 'link' : scope === AddressScope.site ? 'site' : 'global'
}

/** addrconf_addr_solict_mult: ff02::1:ff00:0/104, RFC 4291 §2.7.1. */
export function solicitedNode(address: Uint8Array): Uint8Array {
  const group = wellKnown(0xff02, 0)
  group.set([0x01, 0xff, address[13]!, address[14]!, address[15]!], 11)
  return group
}

export function isSolicitedNode(bytes: Uint8Array, at: number): boolean {
  return (
    u32(bytes, at) === 0xff020000 && u32(bytes, at + 4) === 0 && u32(bytes, at + 8) === 1 && bytes[at + 12] === 0xff
  )
}

/** ndisc_mc_map: RFC 2464 §7. */
export function multicastMac(address: Uint8Array): Uint8Array {
  return Uint8Array.of(0x33, 0x33, address[12]!, address[13]!, address[14]!, address[15]!)
}

/** Leading bits that both have: ipv6_addr_diff. */
export function commonBits(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < 16; i++) {
    const difference = a[i]! ^ b[i]!
    if (difference !== 0) return 8 * i + Math.clz32(difference) - 24
  }
  return 128
}

export function hasPrefix(bytes: Uint8Array, at: number, prefix: Uint8Array, length: number): boolean {
  const whole = length >> 3
  if (!sameBytes(bytes, at, prefix, 0, whole)) return false
  const rest = length & 7
  return rest === 0 || ((bytes[at + whole]! ^ prefix[whole]!) & (0xff00 >> rest) & 0xff) === 0
}

/** ipv6_addr_prefix: the host bits cleared. `into` is answered. */
export function networkOf(address: Uint8Array, at: number, length: number, into: Uint8Array): Uint8Array {
  const whole = length >> 3
  for (let i = 0; i < 16; i++) into[i] = i < whole ? address[at + i]! : 0
  if ((length & 7) !== 0) into[whole] = address[at + whole]! & (0xff00 >> (length & 7))
  return into
}

export const textOf = (bytes: Uint8Array, at = 0): string => formatIpv6(bytes.subarray(at, at + 16))

/** Keys that were asked for last, by a hash of the address: packets of one flow make no new string. */
const SLOTS = 4096
const words = new Uint32Array(SLOTS * 4)
const keys: (string | undefined)[] = new Array(SLOTS).fill(undefined)

/** The address as tables know it: 32 hexadecimal digits. */
export function keyAt(bytes: Uint8Array, at: number): string {
  const a = u32(bytes, at)
  const b = u32(bytes, at + 4)
  const c = u32(bytes, at + 8)
  const d = u32(bytes, at + 12)
  const mixed = Math.imul(a ^ Math.imul(b, 31) ^ Math.imul(c, 1009) ^ Math.imul(d, 0x9e3779b1), 0x85ebca6b)
  const slot = (mixed >>> 20) & (SLOTS - 1)
  const first = slot * 4
  const known = keys[slot]
  const hits = words[first] === a && words[first + 1] === b && words[first + 2] === c && words[first + 3] === d
  if (known !== undefined && hits) return known
  const key = hex(a) + hex(b) + hex(c) + hex(d)
  words[first] = a
  words[first + 1] = b
  words[first + 2] = c
  words[first + 3] = d
  keys[slot] = key
  return key
}

export const keyOf = (address: Uint8Array): string => keyAt(address, 0)

export function addressOfKey(key: string): Uint8Array {
  return Uint8Array.from({ length: 16 }, (_, i) => Number.parseInt(key.slice(2 * i, 2 * i + 2), 16))
}

const hex = (word: number) => word.toString(16).padStart(8, '0')
