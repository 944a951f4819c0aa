/**
 * Network layer reachability information: prefixes as UPDATE messages carry them. RFC 4271 §4.3, RFC 7911 §3.
 *
 *   [ path identifier (4) | ] length in bits (1) | as many octets of the prefix as hold them
 *
 * Tables have a hundred thousand of them, so a prefix is no object but a key that a Map takes: for IPv4 the number
 * address × 64 + length, for IPv6 a string of one character (0 to 255) per octet, the length and then the prefix. Bits behind
 * the length are zero: "the value of trailing bits is irrelevant".
 */
import { formatIp } from '../address/ip.ts'
import { type Prefix, parsePrefix } from '../address/prefix.ts'
import { UpdateError, updateError } from './errors.ts'
import type { Family } from './family.ts'
import { setU32, u32 } from './octets.ts'

export type PrefixKey = number | string

/** Prefixes of one family. With ADD-PATH `pathIds` has the path identifier of each. */
export interface Nlri {
  readonly prefixes: readonly PrefixKey[]
  readonly pathIds: readonly number[] | undefined
}

const LENGTHS = 64
const IPV4_BITS = 32
const IPV6_BITS = 128

export function keyOf({ address, length }: Prefix): PrefixKey {
  if (address.length === 4) return ipv4Key(u32(address, 0), length)
  return ipv6Key(address, 0, length)
}

export function prefixOf(key: PrefixKey): Prefix {
  const address = new Uint8Array(typeof key === 'number' ? 4 : 16)
  if (typeof key === 'number') {
    const length = key % LENGTHS
    setU32(address, 0, (key - length) / LENGTHS)
    return { address, length }
  }
  for (let i = 1; i < key.length; i++) address[i - 1] = key.charCodeAt(i)
  return { address, length: key.charCodeAt(0) }
}

export function familyOfKey(key: PrefixKey): Family {
  return typeof key === 'number' ? 'ipv4' : 'ipv6'
}

/** `10.1.0.0/16`. */
export function formatPrefixKey(key: PrefixKey): string {
  const { address, length } = prefixOf(key)
  return `${formatIp(address)}/${length}`
}

/** Host bits are cleared. Throws RangeError when the text is no prefix. */
export function parsePrefixKey(text: string): PrefixKey {
  return keyOf(parsePrefix(text))
}

/** What stands in `bytes[from, to)`. Throws BgpError 3/10 for a prefix longer than an address, or cut off. */
export function decodeNlri(family: Family, bytes: Uint8Array, from: number, to: number, addPath: boolean): Nlri {
  const pathIds: number[] | undefined = addPath ? [] : undefined
  const prefixes = family === 'ipv4' ? decodeIpv4(bytes, from, to, pathIds) : decodeIpv6(bytes, from, to, pathIds)
  return { prefixes, pathIds }
}

function decodeIpv4(bytes: Uint8Array, from: number, to: number, pathIds: number[] | undefined): number[] {
  const prefixes: number[] = []
  for (let at = from; at < to; ) {
    if (pathIds) at = readPathId(bytes, at, to, pathIds)
    const length = bytes[at]!
    const octets = (length + 7) >> 3
    if (length > IPV4_BITS || at + octets >= to) throw badPrefix(length, to - at, IPV4_BITS)
    let address = 0
    if (octets > 0) address = bytes[at + 1]! << 24
    if (octets > 1) address |= bytes[at + 2]! << 16
    if (octets > 2) address |= bytes[at + 3]! << 8
    if (octets > 3) address |= bytes[at + 4]!
    prefixes.push(ipv4Key(address, length))
    at += 1 + octets
  }
  return prefixes
}

function decodeIpv6(bytes: Uint8Array, from: number, to: number, pathIds: number[] | undefined): string[] {
  const prefixes: string[] = []
  for (let at = from; at < to; ) {
    if (pathIds) at = readPathId(bytes, at, to, pathIds)
    const length = bytes[at]!
    const octets = (length + 7) >> 3
    if (length > IPV6_BITS || at + octets >= to) throw badPrefix(length, to - at, IPV6_BITS)
    prefixes.push(ipv6Key(bytes, at + 1, length))
    at += 1 + octets
  }
  return prefixes
}

function readPathId(bytes: Uint8Array, at: number, to: number, pathIds: number[]): number {
  // A length must follow, if only that of the default route.
  if (at + 4 >= to) throw updateError(UpdateError.invalidNetworkField, `${to - at} octets hold no path identifier`)
  pathIds.push(u32(bytes, at))
  return at + 4
}

function badPrefix(length: number, left: number, bits: number): Error {
  const reason = length > bits ? `prefix length ${length}` : `a prefix of ${length} bits in ${left - 1} octets`
  return updateError(UpdateError.invalidNetworkField, reason)
}

/** `address` as a 32-bit integer, signed or not. */
function ipv4Key(address: number, length: number): number {
  const network = length === 0 ? 0 : address & (-1 << (IPV4_BITS - length))
  return (network >>> 0) * LENGTHS + length
}

function ipv6Key(bytes: Uint8Array, at: number, length: number): string {
  const octets = (length + 7) >> 3
  const unused = octets * 8 - length
  const codes = new Array<number>(octets + 1)
  codes[0] = length
  for (let i = 0; i < octets; i++) codes[i + 1] = bytes[at + i]!
  if (unused > 0) codes[octets]! &= 0xff << unused
  return String.fromCharCode.apply(undefined, codes)
}

/** Octets that a prefix takes in a message, without its path identifier. */
export function nlriSize(key: PrefixKey): number {
  return typeof key === 'number' ? 1 + (((key & (LENGTHS - 1)) + 7) >> 3) : key.length
}

/**
 * Writes prefixes from index `first` on into `bytes[at, limit)`, as many as there is room for. Answers the index of the first
 * that is not written, and where writing stopped.
 */
export function encodeNlri(
  { prefixes, pathIds }: Nlri,
  first: number,
  bytes: Uint8Array,
  at: number,
  limit: number,
): { readonly next: number; readonly end: number } {
  const pathIdSize = pathIds ? 4 : 0
  let next = first
  for (; next < prefixes.length; next++) {
    const key = prefixes[next]!
    if (at + pathIdSize + nlriSize(key) > limit) break
    if (pathIds) {
      setU32(bytes, at, pathIds[next]!)
      at += 4
    }
    at = typeof key === 'number' ? encodeIpv4(key, bytes, at) : encodeIpv6(key, bytes, at)
  }
  return { next, end: at }
}

function encodeIpv4(key: number, bytes: Uint8Array, at: number): number {
  const length = key & (LENGTHS - 1)
  const address = (key - length) / LENGTHS
  bytes[at++] = length
  if (length > 0) bytes[at++] = address >>> 24
  if (length > 8) bytes[at++] = address >>> 16
  if (length > 16) bytes[at++] = address >>> 8
  if (length > 24) bytes[at++] = address
  return at
}

function encodeIpv6(key: string, bytes: Uint8Array, at: number): number {
  for (let i = 0; i < key.length; i++) bytes[at++] = key.charCodeAt(i)
  return at
}
