/** The pools that there are: made, changed and deleted in the store. */
import { overlaps, parsePrefix } from '../address/prefix.ts'
import { parseBlock } from './block.ts'
import { PoolError } from './errors.ts'
import { blocksPrefix, POOLS, POOLS_GUARD, poolKey } from './keys.ts'
import {
  addressesIn,
  familyOfPool,
  formatPool,
  type NewPool,
  type Pool,
  parsePool,
  poolHolding,
  poolOf,
} from './pool.ts'
import { releaseBlock } from './release.ts'
import { at, get, list, type Steps, transact } from './steps.ts'

/** By prefix, IPv4 first. */
export function* readPools(): Steps<readonly Pool[]> {
  return (yield* list(POOLS)).map(parsePool)
}

/** PoolError `conflict` when it overlaps another one. */
export function* createPool(given: NewPool): Steps<Pool> {
  const pool = poolOf(given)
  for (;;) {
    const guard = yield* get(POOLS_GUARD)
    const other = (yield* readPools()).find(({ cidr }) => overlaps(parsePrefix(cidr), parsePrefix(pool.cidr)))
    if (other) throw new PoolError('conflict', `Cannot make pool ${pool.cidr}: it overlaps pool ${other.cidr}`)
    const conditions = [{ key: POOLS_GUARD, revision: guard?.revision }]
    const writes = [
      { put: POOLS_GUARD, value: pool.cidr },
      { put: poolKey(pool.cidr), value: formatPool(pool) },
    ]
    if (yield* transact(conditions, writes)) return pool
  }
}

/** PoolError `invalid` for what cannot be changed, or when there is no such pool. */
export function* changePool(cidr: string, changes: Partial<Pool>): Steps<Pool> {
  for (;;) {
    const entry = yield* get(poolKey(cidr))
    if (!entry) throw new PoolError('invalid', `Cannot change pool ${cidr}: there is none`)
    const before = parsePool(entry)
    const pool = poolOf({ ...before, ...changes })
    if (pool.cidr !== before.cidr || pool.blockSize !== before.blockSize) {
      throw new PoolError(
        'invalid',
        `Cannot change pool ${cidr}: its prefix and block size stay as they are, make another one`,
      )
    }
    if (yield* transact([at(entry)], [{ put: entry.key, value: formatPool(pool) }])) return pool
  }
}

/**
 * Gives out none of its addresses any more, takes its empty blocks back, and deletes it. PoolError `conflict` while addresses
 * are in use: it stays disabled.
 */
export function* deletePool(cidr: string): Steps<void> {
  const pool = yield* changePool(cidr, { disabled: true })
  for (;;) {
    const entry = yield* get(poolKey(cidr))
    if (!entry) return
    const blocks = yield* blocksOf(pool)
    const used = blocks.reduce((sum, { allocations }) => sum + allocations.size, 0)
    if (used > 0) {
      const problem = `${used} of its ${addressesIn(cidr)} addresses are in use; it is disabled until they are released`
      throw new PoolError('conflict', `Cannot delete pool ${cidr}: ${problem}`)
    }
    if (blocks.length === 0) {
      if (yield* transact([at(entry)], [{ delete: entry.key }])) return
    }
    for (const block of blocks) if (block.node !== undefined) yield* releaseBlock(block.node, block.cidr)
  }
}

function* blocksOf(pool: Pool) {
  const blocks = (yield* list(blocksPrefix(familyOfPool(pool)))).map(parseBlock)
  return blocks.filter(({ cidr }) => poolHolding([pool], cidr))
}
