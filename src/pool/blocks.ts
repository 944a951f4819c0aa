/** All blocks, and how much of each pool is in use: for people. */
import { type Block, parseBlock } from './block.ts'
import { blocksPrefix, FAMILIES } from './keys.ts'
import { type Pool, poolHolding } from './pool.ts'
import { readPools } from './pools.ts'
import { list, type Steps } from './steps.ts'

export interface PoolUsage {
  readonly pool: Pool
  readonly blocks: number
  /** Addresses. */
  readonly used: number
}

/** By key, IPv4 first. */
export function* readBlocks(): Steps<readonly Block[]> {
  const blocks: Block[] = []
  for (const family of FAMILIES) blocks.push(...(yield* list(blocksPrefix(family))).map(parseBlock))
  return blocks
}

export function* usageOf(): Steps<readonly PoolUsage[]> {
  const pools = yield* readPools()
  const blocks = yield* readBlocks()
  return pools.map((pool) => {
    const own = blocks.filter(({ cidr }) => poolHolding([pool], cidr))
    return { pool, blocks: own.length, used: own.reduce((sum, { allocations }) => sum + allocations.size, 0) }
  })
}
