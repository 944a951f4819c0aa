/** Pools: the prefixes that containers' addresses come from, with Calico's IPPool names. */
import type { Family } from '../address/ip.ts'
import { contains, formatPrefix, hostBits, networkOf, parsePrefix, samePrefix } from '../address/prefix.ts'
import type { Entry } from '../store/store.ts'
import { PoolError } from './errors.ts'
import { FAMILIES, familyOfCidr } from './keys.ts'
import { type Labels, parseSelector } from './selector.ts'
import { damaged, fieldsOf } from './stored.ts'

export type VxlanMode = 'Never' | 'Always' | 'CrossSubnet'

export interface Pool {
  /** As address/prefix.ts formats it. It cannot be changed, nor can the block size: blocks are cut by them. */
  readonly cidr: string
  /** Prefix length of its blocks. */
  readonly blockSize: number
  /** How packets go to other nodes' blocks: by the routes of the network below, in VXLAN, or in VXLAN to other subnets alone. */
  readonly vxlanMode: VxlanMode
  /** Packets to outside of all pools leave with the node's address. */
  readonly natOutgoing: boolean
  /** No addresses are given out; those that are keep on working, but are not announced. */
  readonly disabled: boolean
  readonly disableBGPExport: boolean
  /** Nodes that use it: selector.ts. */
  readonly nodeSelector: string
}

/** What must be given; the rest has defaults. */
export type NewPool = Partial<Pool> & Pick<Pool, 'cidr'>

/** Of block sizes: Calico's limits. */
export const BLOCK_SIZES: Readonly<
  Record<Family, { readonly default: number; readonly min: number; readonly max: number }>
> = { ipv4: { default: 26, min: 20, max: 32 }, ipv6: { default: 122, min: 116, max: 128 } }

const VXLAN_MODES: readonly VxlanMode[] = ['Never', 'Always', 'CrossSubnet']

/** The pool with defaults for what is not given. PoolError `invalid` when it can be none. */
export function poolOf(given: NewPool): Pool {
  const family = familyOfCidr(given.cidr)
  const sizes = BLOCK_SIZES[family]
  const pool: Pool = {
    blockSize: sizes.default,
    vxlanMode: 'Never',
    natOutgoing: false,
    disabled: false,
    disableBGPExport: false,
    nodeSelector: 'all()',
    ...given,
  }
  const bad = (why: string) => new PoolError('invalid', `Cannot make pool ${pool.cidr}: ${why}`)
  const prefix = parsePrefix(pool.cidr)
  if (!samePrefix(prefix, networkOf(prefix)))
    throw bad(`it has host bits set, the network is ${formatPrefix(networkOf(prefix))}`)
  const { blockSize, vxlanMode } = pool
  if (!Number.isInteger(blockSize) || blockSize < sizes.min || blockSize > sizes.max) {
    throw bad(`its block size is /${blockSize}, give /${sizes.min} to /${sizes.max}`)
  }
  if (blockSize < prefix.length) throw bad(`it is smaller than one of its blocks, /${blockSize}`)
  if (!VXLAN_MODES.includes(vxlanMode)) throw bad(`"${vxlanMode}" is no VXLAN mode, give ${VXLAN_MODES.join(', ')}`)
  parseSelector(pool.nodeSelector)
  const { cidr: _, ...rest } = pool
  return { cidr: formatPrefix(prefix), ...rest }
}

export function formatPool(pool: Pool): string {
  return JSON.stringify(pool)
}

export function parsePool(entry: Entry): Pool {
  const fields = fieldsOf(entry)
  const flags = ['natOutgoing', 'disabled', 'disableBGPExport']
  const isRight = flags.every((key) => ['undefined', 'boolean'].includes(typeof fields[key]))
  const texts = ['vxlanMode', 'nodeSelector'].every((key) => ['undefined', 'string'].includes(typeof fields[key]))
  if (typeof fields.cidr !== 'string' || !isRight || !texts)
    throw damaged(entry.key, 'a value in it has the wrong type')
  try {
    return poolOf(fields as unknown as NewPool)
  } catch (error) {
    throw damaged(entry.key, (error as Error).message)
  }
}

export function familyOfPool({ cidr }: Pool): Family {
  return familyOfCidr(cidr)
}

/** Whether a node of these labels may take addresses of it. */
export function isUsable({ disabled, nodeSelector }: Pool, labels: Labels): boolean {
  return !disabled && parseSelector(nodeSelector)(labels)
}

/** The pool that a block or an address is of. */
export function poolHolding(pools: readonly Pool[], cidr: string): Pool | undefined {
  const { address } = parsePrefix(cidr)
  return pools.find((pool) => contains(parsePrefix(pool.cidr), address))
}

/** Number of blocks that it is cut into. */
export function blocksIn({ cidr, blockSize }: Pool): bigint {
  return 1n << BigInt(blockSize - parsePrefix(cidr).length)
}

/** Number of addresses. */
export function addressesIn(cidr: string): bigint {
  return 1n << BigInt(hostBits(parsePrefix(cidr)))
}

export function byFamily(pools: readonly Pool[]): Readonly<Record<Family, readonly Pool[]>> {
  const [ipv4, ipv6] = FAMILIES.map((family) => pools.filter((pool) => familyOfPool(pool) === family))
  return { ipv4: ipv4!, ipv6: ipv6! }
}
