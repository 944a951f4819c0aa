/** Values that configurations are made of: addresses, prefixes, AS numbers, communities. */
import { formatIp, isOfHost, readIp } from '../../address/ip.ts'
import { formatPrefix, networkOf, readPrefix } from '../../address/prefix.ts'
import { parseCommunity } from '../attribute/communities.ts'
import { type BgpId, parseBgpId } from '../bgp-id.ts'
import type { Family } from '../family.ts'
import { choice, formatted, listOf, number, refuse, type Shape, wrong } from './shape.ts'

export const asNumber = number(1, 0xffff_ffff)
export const port = number(1, 0xffff)
export const seconds = (min: number, max: number) => number(min, max)

const ADDRESS = 'an IPv4 or IPv6 address'

/** Of a host. IPv6 link-local addresses come without a zone, and so cannot be meant. */
export const address: Shape<string> = {
  expected: ADDRESS,
  schema: { type: 'string', format: 'ip-address' },
  read(value, path) {
    const ip = typeof value === 'string' ? readIp(value) : undefined
    if (!ip) throw wrong(path, value, ADDRESS)
    if (!isOfHost(ip) && !isLoopback(ip)) throw refuse(path, `is ${JSON.stringify(value)}, which is no host's address`)
    return formatIp(ip)
  },
}

/** Sessions to another program on the same host are made there. */
function isLoopback(ip: Uint8Array): boolean {
  return ip.length === 4 ? ip[0] === 127 : ip[15] === 1 && ip.subarray(0, 15).every((octet) => octet === 0)
}

/** Host bits are refused, as Calico refuses them: who writes 10.244.1.5/26 may have meant /32. */
export const prefix: Shape<string> = {
  expected: 'a prefix as "10.244.1.0/26" or "fd44:1::/122"',
  schema: { type: 'string', format: 'ip-prefix' },
  read(value, path) {
    const given = typeof value === 'string' ? readPrefix(value) : undefined
    if (!given) throw wrong(path, value, this.expected)
    const [text, network] = [formatPrefix(given), formatPrefix(networkOf(given))]
    if (text !== network) throw refuse(path, `is "${text}", which has host bits set; the prefix is "${network}"`)
    return text
  },
}

export const bgpId: Shape<BgpId> = formatted('ipv4', 'an identifier as "10.0.0.1", not "0.0.0.0"', (text) =>
  valid(() => parseBgpId(text) || undefined),
)

export const community = formatted('bgp-community', 'a community as "65000:100" or "no-export"', (text) =>
  valid(() => parseCommunity(text)),
)

const FAMILIES = 'a list of "ipv4" and "ipv6"'

export const families: Shape<readonly Family[]> = {
  ...listOf(choice('ipv4', 'ipv6'), FAMILIES, { min: 1, max: 2 }),
  read(value, path) {
    const list = listOf(choice('ipv4', 'ipv6'), FAMILIES, { min: 1, max: 2 }).read(value, path)
    if (new Set(list).size < list.length) throw refuse(path, `has "${list[0]}" twice`)
    return list
  },
}

/** undefined where `call` throws RangeError. */
function valid<T>(call: () => T): T | undefined {
  try {
    return call()
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}
