/**
 * Where everything stands in the store. Names and values are those of Calico's etcd layout (libcalico-go/lib/backend/model),
 * below a prefix of our own, since a Calico that found its own names would take the data for its own:
 *
 *   /overlab/v1/ipam/v4/pool/10.244.0.0-16                          a pool: pool.ts
 *   /overlab/ipam/v2/config                                         what holds for all pools: settings.ts
 *   /overlab/ipam/v2/assignment/ipv4/block/10.244.1.0-26            a block and its addresses: block.ts
 *   /overlab/ipam/v2/host/n1/ipv4/block/10.244.1.0-26               a node's claim of a block: affinity.ts
 *   /overlab/ipam/v2/host/n1/ipv4/borrowed/10.244.3.7               an address of another node's block, used here
 *   /overlab/ipam/v2/handle/blue:4f2a…:eth0                         which blocks an attachment has addresses in: handle.ts
 *   /overlab/bgp/v1/host/n1                                         a node that is there: nodes.ts
 *
 * Calico has no `borrowed`: its nodes read these from the kernel. Here a node reads what lies below its own name, and never
 * all blocks of the cluster.
 */
import { type Family, familyOf, readIp } from '../address/ip.ts'
import { readPrefix } from '../address/prefix.ts'
import { PoolError } from './errors.ts'

const ROOT = '/overlab'

export const FAMILIES: readonly Family[] = ['ipv4', 'ipv6']
export const POOLS = `${ROOT}/v1/ipam/`
/** Written with every pool that is made: of two that come at once, one sees the other. */
export const POOLS_GUARD = `${ROOT}/v1/pools`
export const SETTINGS = `${ROOT}/ipam/v2/config`
export const CLAIMS = `${ROOT}/ipam/v2/host/`
export const NODES = `${ROOT}/bgp/v1/host/`
const BLOCKS = `${ROOT}/ipam/v2/assignment/`
const HANDLES = `${ROOT}/ipam/v2/handle/`

/** As a host is called: RFC 1123 §2.1, and "_", which people use. */
const NODE_NAME = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,252}$/

export function poolKey(cidr: string): string {
  return `${POOLS}${familyOfCidr(cidr) === 'ipv4' ? 'v4' : 'v6'}/pool/${dashed(cidr)}`
}

export function blockKey(cidr: string): string {
  return `${blocksPrefix(familyOfCidr(cidr))}${dashed(cidr)}`
}

export function blocksPrefix(family: Family): string {
  return `${BLOCKS}${family}/block/`
}

/** Everything of a node's own: its claims and what it has borrowed, of both families. */
export function nodePrefix(node: string): string {
  if (!NODE_NAME.test(node)) throw new PoolError('invalid', `Cannot use "${node}" as a node's name`)
  return `${CLAIMS}${node}/`
}

export function claimsPrefix(node: string, family: Family): string {
  return `${nodePrefix(node)}${family}/block/`
}

export function claimKey(node: string, cidr: string): string {
  return `${claimsPrefix(node, familyOfCidr(cidr))}${dashed(cidr)}`
}

export function borrowedPrefix(node: string, family: Family): string {
  return `${nodePrefix(node)}${family}/borrowed/`
}

export function borrowedKey(node: string, address: string): string {
  return `${borrowedPrefix(node, familyOfAddress(address))}${address}`
}

export function handleKey(handle: string): string {
  return `${HANDLES}${handle}`
}

export function nodeKey(node: string): string {
  nodePrefix(node) // checks the name
  return `${NODES}${node}`
}

/** Whose claim of which block a key is, or which address somebody has borrowed; undefined when it is neither. */
export function parseNodeKey(
  key: string,
):
  | { readonly node: string; readonly block: string }
  | { readonly node: string; readonly borrowed: string }
  | undefined {
  if (!key.startsWith(CLAIMS)) return undefined
  const [node, family, kind, name, ...more] = key.slice(CLAIMS.length).split('/')
  if (!node || !name || more.length > 0 || (family !== 'ipv4' && family !== 'ipv6')) return undefined
  if (kind === 'borrowed') return readIp(name) && { node, borrowed: name }
  const block = name.replace('-', '/')
  return kind === 'block' && readPrefix(block) ? { node, block } : undefined
}

export function familyOfAddress(address: string): Family {
  return address.includes(':') ? 'ipv6' : 'ipv4'
}

export function familyOfCidr(cidr: string): Family {
  const prefix = readPrefix(cidr)
  if (!prefix) throw new PoolError('invalid', `Cannot use "${cidr}": it is no prefix, such as 10.244.0.0/16`)
  return familyOf(prefix.address)
}

function dashed(cidr: string): string {
  return cidr.replace('/', '-')
}
