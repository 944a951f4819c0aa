/**
 * What a node says to others of its addresses, and what becomes of those that nobody has:
 *
 *   own confirmed block           announced whole; what is in it is not announced besides    blackhole
 *   borrowed address, used here   announced alone, unless it is in a block of our own        –
 *   block of one address          announced                                                  –, it is the workload's route
 *
 * Nothing of a pool that is disabled, or whose export is, or that is gone, is announced. The blackhole stays: packets to an
 * address of the block that nobody has must not go round in circles between the node and whoever it has a default route by.
 */
import { contains, hostBits, hostOf, parsePrefix } from '../address/prefix.ts'
import { familyOfAddress } from './keys.ts'
import { type Pool, poolHolding } from './pool.ts'

export interface NodeHoldings {
  /** The node's own, confirmed ones. */
  readonly blocks: readonly string[]
  /** Addresses of other nodes' blocks that are used here. */
  readonly borrowed: readonly string[]
}

export interface NodeRoutes {
  /** Prefixes in order. `blackhole`: what of it has no longer route goes nowhere. */
  readonly announced: readonly { readonly prefix: string; readonly blackhole: boolean }[]
  /** Not announced, but nowhere else to go either. */
  readonly blackholes: readonly string[]
  /** What is not announced, and why: for people. */
  readonly withheld: readonly { readonly prefix: string; readonly reason: string }[]
}

export function nodeRoutes({ blocks, borrowed }: NodeHoldings, pools: readonly Pool[]): NodeRoutes {
  const own = blocks.map(parsePrefix)
  const alone = borrowed
    .map((address) => `${address}/${familyOfAddress(address) === 'ipv4' ? 32 : 128}`)
    .filter((prefix) => !own.some((block) => contains(block, parsePrefix(prefix).address)))
  const announced: { prefix: string; blackhole: boolean }[] = []
  const blackholes: string[] = []
  const withheld: { prefix: string; reason: string }[] = []
  for (const prefix of [...blocks, ...alone]) {
    const reason = obstacle(poolHolding(pools, prefix))
    const blackhole = hostBits(parsePrefix(prefix)) > 0
    if (reason === undefined) announced.push({ prefix, blackhole })
    else {
      withheld.push({ prefix, reason })
      if (blackhole) blackholes.push(prefix)
    }
  }
  return { announced, blackholes, withheld }
}

/** Why nothing of the pool is announced; undefined when it is. */
function obstacle(pool: Pool | undefined): string | undefined {
  if (!pool) return 'it is of no pool'
  if (pool.disabled) return `pool ${pool.cidr} is disabled`
  if (pool.disableBGPExport) return `pool ${pool.cidr} has "disableBGPExport"`
  return undefined
}

/** Whether two nodes' addresses are in one subnet, by the prefix lengths that both tell. */
export function isSameSubnet(one: string, other: string): boolean {
  const [first, second] = [parsePrefix(one), parsePrefix(other)]
  return contains(first, parsePrefix(`${hostOf(other)}/${second.length}`).address) && contains(second, first.address)
}
