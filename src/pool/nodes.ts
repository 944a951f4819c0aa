/**
 * Nodes, as each tells the others that it is there: `/overlab/bgp/v1/host/<node>`, bound to a lease, so that one that is gone is
 * gone for all. mesh.ts says who speaks to whom.
 */
import { type Family, readIp } from '../address/ip.ts'
import { readPrefix } from '../address/prefix.ts'
import type { Entry } from '../store/store.ts'
import { PoolError } from './errors.ts'
import { FAMILIES, NODES, nodeKey } from './keys.ts'
import type { Labels } from './selector.ts'
import { get, list, type Steps } from './steps.ts'
import { damaged, fieldsOf, isCount, isTexts } from './stored.ts'

export interface Node {
  readonly name: string
  /** With prefix lengths, which say what is in the same subnet: `192.168.77.1/24`. At least one of the two. */
  readonly ipv4: string | undefined
  readonly ipv6: string | undefined
  readonly as: number
  /** An IPv4 address: this node reflects, for the cluster of this number. */
  readonly routeReflectorClusterId: string | undefined
  /** Of its VXLAN device, for pools that need one; and the number of that network. */
  readonly vtep: { readonly mac: string; readonly vni: number } | undefined
  readonly labels: Labels
}

/** PoolError `invalid` when the others could not speak to it. */
export function formatNode(node: Node): string {
  nodeKey(node.name)
  const bad = (why: string) => new PoolError('invalid', `Cannot tell others of node "${node.name}": ${why}`)
  if (node.ipv4 === undefined && node.ipv6 === undefined) throw bad('it has no address')
  for (const family of FAMILIES) {
    const address = node[family]
    if (address !== undefined && !isAddress(address, family))
      throw bad(`"${address}" is no address with a prefix length`)
  }
  return JSON.stringify(node)
}

/** PoolError `damaged` for what is none. */
export function parseNode(entry: Entry): Node {
  const fields = fieldsOf(entry)
  const { ipv4, ipv6, as, routeReflectorClusterId, vtep, labels = {} } = fields
  const bad = (why: string) => damaged(entry.key, why)
  for (const [family, address] of [
    ['ipv4', ipv4],
    ['ipv6', ipv6],
  ] as const) {
    if (address !== undefined && !isAddress(address, family))
      throw bad(`its "${family}" is no address with a prefix length`)
  }
  if (ipv4 === undefined && ipv6 === undefined) throw bad('it has no address')
  if (!isCount(as) || as === 0 || as > 0xffff_ffff) throw bad('its "as" is no AS number')
  const cluster = routeReflectorClusterId
  if (cluster !== undefined && !(typeof cluster === 'string' && readIp(cluster)?.length === 4)) {
    throw bad('its "routeReflectorClusterId" is no IPv4 address')
  }
  const { mac, vni } = (vtep ?? {}) as { mac?: unknown; vni?: unknown }
  if (vtep !== undefined && (typeof mac !== 'string' || !isCount(vni))) throw bad('its "vtep" has no MAC or no VNI')
  if (!isTexts(labels)) throw bad('its "labels" are no texts')
  return {
    name: entry.key.slice(NODES.length),
    ipv4: ipv4 as string | undefined,
    ipv6: ipv6 as string | undefined,
    as,
    routeReflectorClusterId: cluster as string | undefined,
    vtep: vtep === undefined ? undefined : { mac: mac as string, vni: vni as number },
    labels,
  }
}

/** By name. */
export function* readNodes(): Steps<readonly Node[]> {
  return (yield* list(NODES)).map(parseNode)
}

/** Of a node that has not told of itself there are none. */
export function* labelsOf(node: string): Steps<Labels> {
  const entry = yield* get(nodeKey(node))
  return entry ? parseNode(entry).labels : {}
}

function isAddress(value: unknown, family: Family): value is string {
  const prefix = typeof value === 'string' ? readPrefix(value) : undefined
  return prefix?.address.length === (family === 'ipv4' ? 4 : 16)
}
