/**
 * Where flannel keeps its network in etcd: `<prefix>/config`, and a key per lease that says which subnets it is of.
 *
 *   <prefix>/subnets/10.5.7.0-24                          IPv4
 *   <prefix>/subnets/10.5.7.0-24&fd00:0:0:5::-64          both
 *   <prefix>/subnets/0.0.0.0-0&fd00:0:0:5::-64            IPv6 alone
 *
 * Source: pkg/subnet/subnet.go. flannel cannot read prefix lengths of 32 and 128, which have one bit too many for it.
 */
import { formatPrefix, networkOf, parsePrefix, readPrefix, samePrefix } from '../address/prefix.ts'

/** Of a lease: at least one. Prefixes are text. */
export interface Subnets {
  readonly ipv4?: string
  readonly ipv6?: string
}

export interface NetworkKeys {
  readonly config: string
  /** What the keys of leases begin with. */
  readonly subnets: string
}

/** What stands for IPv4 where a lease has none. */
const NO_IPV4 = '0.0.0.0-0'

/** The prefix as Go's path.Join has it: without doubled slashes, and without one at its end. */
export function networkKeys(prefix: string): NetworkKeys {
  const path = prefix.replace(/\/+/g, '/').replace(/\/$/, '')
  return { config: `${path}/config`, subnets: `${path}/subnets/` }
}

/** The last part of a lease's key. */
export function formatLeaseKey({ ipv4, ipv6 }: Subnets): string {
  const part = (subnet: string) => formatPrefix(parsePrefix(subnet)).replace('/', '-')
  const first = ipv4 === undefined ? NO_IPV4 : part(ipv4)
  return ipv6 === undefined ? first : `${first}&${part(ipv6)}`
}

/** Undefined when the last part of a key names no subnets. */
export function parseLeaseKey(key: string): Subnets | undefined {
  const [first, second, ...more] = key.split('&')
  if (first === undefined || more.length > 0) return undefined
  const ipv4 = first === NO_IPV4 ? undefined : readSubnet(first, 4)
  const ipv6 = second === undefined ? undefined : readSubnet(second, 16)
  if (first !== NO_IPV4 && !ipv4) return undefined
  if (second === undefined ? !ipv4 : !ipv6) return undefined
  return { ...(ipv4 && { ipv4 }), ...(ipv6 && { ipv6 }) }
}

/** `10.5.7.0-24`, without host bits. */
function readSubnet(text: string, bytes: number): string | undefined {
  if (text.includes('/')) return undefined
  const prefix = readPrefix(text.replace('-', '/'))
  if (!prefix || prefix.address.length !== bytes || !samePrefix(prefix, networkOf(prefix))) return undefined
  return formatPrefix(prefix)
}
