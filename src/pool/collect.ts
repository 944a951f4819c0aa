/** What nobody needs any more: addresses of containers that are gone, empty blocks, nodes that are removed. */
import type { Entry } from '../store/store.ts'
import { parseClaim } from './affinity.ts'
import { type Allocation, addressAt, isEmpty, parseBlock } from './block.ts'
import { blockOfClaim, finishClaim, readClaims } from './claim.ts'
import { blockKey, borrowedPrefix, FAMILIES } from './keys.ts'
import { isUsable, poolHolding } from './pool.ts'
import { readPools } from './pools.ts'
import { blockOf, releaseAddress, releaseBlock } from './release.ts'
import type { Labels } from './selector.ts'
import { get, list, type Steps } from './steps.ts'

/** An address that is used on a node. */
export interface Used {
  readonly address: string
  readonly allocation: Allocation
}

/** All addresses that the node uses, its own blocks' and borrowed ones. */
export function* usedOn(node: string): Steps<Used[]> {
  const used: Used[] = []
  for (const family of FAMILIES) {
    const claims = yield* readClaims(node, family)
    for (const claim of claims) {
      const cidr = blockOfClaim(claim)
      const entry = cidr === undefined ? undefined : yield* get(blockKey(cidr))
      const block = entry && parseBlock(entry)
      if (block?.node !== node) continue
      for (const [ordinal, allocation] of block.allocations) {
        if (allocation.attributes.node === node) used.push({ address: addressAt(block, ordinal), allocation })
      }
    }
    const prefix = borrowedPrefix(node, family)
    const entries = yield* list(prefix)
    for (const { key } of entries) {
      const borrowed = yield* usedAt(key.slice(prefix.length), node)
      if (borrowed) used.push(borrowed)
    }
  }
  return used
}

/** Releases the addresses on the node that `isStale` says; answers them. */
export function* releaseStale(node: string, isStale: (allocation: Allocation) => boolean): Steps<string[]> {
  const released: string[] = []
  const used = yield* usedOn(node)
  for (const { address, allocation } of used) {
    const { handle, sequence } = allocation
    if (isStale(allocation) && (yield* releaseAddress(address, { handle, sequence }))) released.push(address)
  }
  return released
}

/**
 * Gives back the node's blocks that no address is used of. It keeps one of each family, and all that are of no pool that it may
 * not use keep nothing. Claims that were left half-way are finished. Answers the blocks that went.
 */
export function* releaseEmptyBlocks(node: string, labels: Labels): Steps<string[]> {
  const released: string[] = []
  const pools = yield* readPools()
  for (const family of FAMILIES) {
    const [empty, used]: [string[], string[]] = [[], []]
    const claims = yield* readClaims(node, family)
    for (const claim of claims) {
      const cidr = blockOfClaim(claim)
      if (cidr === undefined) continue
      const pool = poolHolding(pools, cidr)
      const block = pool ? yield* confirmed(node, claim, cidr, pool) : undefined
      if (block && !isEmpty(block)) used.push(cidr)
      else if (block && isUsable(pool!, labels)) empty.push(cidr)
      else if (yield* releaseBlock(node, cidr)) released.push(cidr)
    }
    for (const cidr of used.length > 0 ? empty : empty.slice(1)) {
      if (yield* releaseBlock(node, cidr)) released.push(cidr)
    }
  }
  return released
}

/**
 * Everything of a node that does not come back. Blocks of which other nodes have borrowed are nobody's until those release them.
 * A node that is still at work keeps what it takes meanwhile.
 */
export function* removeNode(node: string): Steps<{ readonly addresses: string[]; readonly blocks: string[] }> {
  const addresses = yield* releaseStale(node, () => true)
  const blocks: string[] = []
  for (const family of FAMILIES) {
    const claims = yield* readClaims(node, family)
    for (const claim of claims) {
      const cidr = blockOfClaim(claim)
      if (cidr !== undefined && (yield* releaseBlock(node, cidr, 'does not'))) blocks.push(cidr)
    }
  }
  return { addresses, blocks }
}

function* confirmed(node: string, claim: Entry, cidr: string, pool: Parameters<typeof finishClaim>[2]) {
  if (parseClaim(claim) !== 'confirmed') return yield* finishClaim(node, cidr, pool)
  const entry = yield* get(blockKey(cidr))
  const block = entry && parseBlock(entry)
  return block?.node === node ? block : undefined
}

function* usedAt(address: string, node: string): Steps<Used | undefined> {
  const cidr = yield* blockOf(address)
  const entry = cidr === undefined ? undefined : yield* get(blockKey(cidr))
  const block = entry && parseBlock(entry)
  for (const [ordinal, allocation] of block?.allocations ?? []) {
    if (addressAt(block!, ordinal) === address && allocation.attributes.node === node) return { address, allocation }
  }
  return undefined
}
