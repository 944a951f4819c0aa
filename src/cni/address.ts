/**
 * Addresses and prefixes in configurations and results. They are read as Go's net package reads them, IPv4 addresses
 * written as IPv6 (`::ffff:10.0.0.1`) being IPv4, and written in the one form of src/address.
 */
import { type Ip, readIp } from '../address/ip.ts'
import { isIpv4Mapped } from '../address/ipv6.ts'
import { type Prefix, readPrefix } from '../address/prefix.ts'
import type { JsonObject } from '../json/json.ts'
import { invalid } from './errors.ts'

/** Bits of an IPv4-mapped IPv6 address before the IPv4 address in it. */
const MAPPED_BITS = 96

/** The address, or undefined when the text is none. */
export function readAnyIp(text: string): Ip | undefined {
  const ip = readIp(text)
  return ip && isMapped(ip) ? ip.slice(MAPPED_BITS / 8) : ip
}

/** The prefix with its host bits, or undefined when the text is none. Its length may have leading zeros. */
export function readAnyPrefix(text: string): Prefix | undefined {
  const prefix = readPrefix(text.replace(/\/0+(?=[0-9])/, '/'))
  if (!prefix || !isMapped(prefix.address)) return prefix
  return { address: prefix.address.slice(MAPPED_BITS / 8), length: Math.max(0, prefix.length - MAPPED_BITS) }
}

/** The key's address; undefined when the key is absent or its text empty. CniError for any other text. */
export function ipAt(json: JsonObject, key: string): Ip | undefined {
  const text = json.string(key)
  if (text === undefined || text === '') return undefined
  const ip = readAnyIp(text)
  if (!ip) throw invalid(`Cannot use "${json.pathOf(key)}": "${text}" is no IP address`)
  return ip
}

/** The key's prefix with its host bits; undefined when the key is absent. CniError for any other text. */
export function prefixAt(json: JsonObject, key: string): Prefix | undefined {
  const text = json.string(key)
  if (text === undefined) return undefined
  const prefix = readAnyPrefix(text)
  if (!prefix)
    throw invalid(`Cannot use "${json.pathOf(key)}": "${text}" is no address with a prefix length, such as 10.1.2.0/24`)
  return prefix
}

export function requirePrefixAt(json: JsonObject, key: string): Prefix {
  const prefix = prefixAt(json, key)
  if (!prefix)
    throw invalid(`Cannot find "${json.pathOf(key)}": give an address with a prefix length, such as 10.1.2.0/24`)
  return prefix
}

function isMapped(ip: Ip): boolean {
  return ip.length > 4 && isIpv4Mapped(ip)
}
