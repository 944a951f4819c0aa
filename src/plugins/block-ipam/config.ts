/** The options of block-ipam, where Calico's IPAM plugin has them too by its names. */
import { type Family, formatIp, type Ip } from '../../address/ip.ts'
import { readAnyPrefix } from '../../cni/address.ts'
import { pathAt } from '../../cni/config.ts'
import { invalid } from '../../cni/errors.ts'
import type { CniRoute, NetworkConfig } from '../../cni/plugin.ts'
import { parseRoutes } from '../../cni/result.ts'
import { requestsIn } from '../../ipam/requests.ts'
import type { JsonObject } from '../../json/json.ts'

export interface BlockIpamConfig extends NetworkConfig {
  /** Path of a directory, or of a daemon's socket. */
  readonly place: { readonly directory: string } | { readonly socket: string }
  /** Undefined: the machine's name. */
  readonly node: string | undefined
  readonly families: readonly Family[]
  /** Prefixes of both families; undefined: all pools that may be used. */
  readonly pools: readonly string[] | undefined
  readonly requests: readonly Ip[]
  readonly routes: readonly CniRoute[]
  readonly resolvConf: string | undefined
}

const DIRECTORY = '/var/lib/overlab/store'

export function parseBlockIpamConfig(config: NetworkConfig): BlockIpamConfig {
  const { json } = config
  const ipam = json.object('ipam')
  if (!ipam) throw invalid(`IPAM config missing 'ipam' key`)
  const families: Family[] = []
  if (flagAt(ipam, 'assign_ipv4', true)) families.push('ipv4')
  if (flagAt(ipam, 'assign_ipv6', false)) families.push('ipv6')
  if (families.length === 0) throw invalid('Cannot give out no address: set "assign_ipv4" or "assign_ipv6"')
  const pools = [...poolsAt(ipam, 'ipv4_pools'), ...poolsAt(ipam, 'ipv6_pools')]
  return {
    ...config,
    place: placeIn(ipam),
    node: ipam.string('node') || json.string('nodename') || undefined,
    families,
    pools: pools.length > 0 ? pools : undefined,
    requests: requestsIn(json),
    routes: parseRoutes(ipam),
    resolvConf: ipam.string('resolvConf') || undefined,
  }
}

function placeIn(ipam: JsonObject): BlockIpamConfig['place'] {
  if (!ipam.string('socket')) return { directory: pathAt(ipam, 'store', DIRECTORY) }
  if (ipam.string('store')) throw invalid('Cannot use both "store" and "socket": the daemon knows its store')
  return { socket: pathAt(ipam, 'socket', '') }
}

function poolsAt(ipam: JsonObject, key: string): readonly string[] {
  const pools = ipam.strings(key) ?? []
  for (const text of pools) {
    if (!readAnyPrefix(text))
      throw invalid(`Cannot use "${ipam.pathOf(key)}": "${text}" is no prefix, such as 10.244.0.0/16`)
  }
  return pools
}

/** A boolean, or, as Calico's configurations have it, "true" or "false". */
function flagAt(ipam: JsonObject, key: string, otherwise: boolean): boolean {
  const value = ipam.value(key)
  if (value === 'true' || value === 'false') return value === 'true'
  return ipam.boolean(key) ?? otherwise
}

export function textOf(ips: readonly Ip[]): string[] {
  return ips.map(formatIp)
}
