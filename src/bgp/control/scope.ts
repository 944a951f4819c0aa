/** Which routes are meant: those inside a prefix, or those that an address is inside of. */
import { bitsOf, familyOf, formatIp, type Ip, readIp } from '../../address/ip.ts'
import { formatPrefix, networkOf, parsePrefix, readPrefix } from '../../address/prefix.ts'
import { refuse, type Shape, wrong } from '../config/shape.ts'
import type { Family } from '../family.ts'
import { keyOf, type PrefixKey } from '../nlri.ts'
import { insidePrefix } from '../policy/prefix-range.ts'
import type { LocRib } from '../rib/loc.ts'

const EXPECTED = 'a prefix as "10.244.0.0/16", or an address'

/** As text. */
export const prefixOrAddress: Shape<string> = {
  expected: EXPECTED,
  schema: { type: 'string' },
  read(value, path) {
    const ip = typeof value === 'string' ? readIp(value) : undefined
    if (ip) return formatIp(ip)
    const given = typeof value === 'string' ? readPrefix(value) : undefined
    if (!given) throw wrong(path, value, EXPECTED)
    const network = formatPrefix(networkOf(given))
    if (network !== formatPrefix(given))
      throw refuse(path, `is "${value}", which has host bits set; the prefix is "${network}"`)
    return network
  },
}

export function familyOfScope(scope: string): Family {
  return scope.includes(':') ? 'ipv6' : 'ipv4'
}

/** Of an address the longest prefix first. */
export function keysIn(table: LocRib, scope: string): readonly PrefixKey[] {
  const ip = readIp(scope)
  if (!ip) {
    const isInside = insidePrefix(scope, {})
    return table.keys().filter(isInside)
  }
  return coveringKeys(ip).filter((key) => table.paths(key).length > 0)
}

/** The prefix itself, or the longest that the address is inside of; undefined: there is none. */
export function keyIn(table: LocRib, scope: string): PrefixKey | undefined {
  const ip = readIp(scope)
  const keys = ip ? coveringKeys(ip) : [keyOf(parsePrefix(scope))]
  return keys.find((key) => table.paths(key).length > 0)
}

function coveringKeys(address: Ip): PrefixKey[] {
  const bits = bitsOf(familyOf(address))
  return Array.from({ length: bits + 1 }, (_, i) => keyOf(networkOf({ address, length: bits - i })))
}
