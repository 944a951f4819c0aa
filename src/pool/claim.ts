/**
 * A node makes a block of a pool its own. First it claims it below its own name, then it makes the block: of two that want the
 * same one the store lets one do so, and the other takes the next.
 *
 *   1  claim "pending"                            unless there is a claim or a block
 *   2  block, and claim "confirmed"               unless there is a block, the claim has changed, or the pool
 *
 * Both are transactions. Who dies between them finds the claim when it is back, and goes on (`finishClaim`); a claim alone
 * keeps nobody else from the block for longer than there are others to choose from.
 */
import { type Family, ipFromBigInt, ipToBigInt } from '../address/ip.ts'
import { formatPrefix, parsePrefix } from '../address/prefix.ts'
import type { Entry, Write } from '../store/store.ts'
import { formatClaim, parseClaim } from './affinity.ts'
import { addressAt, type Block, formatBlock, newBlock, ordinalsOf, parseBlock, withOwner } from './block.ts'
import { blockKey, borrowedKey, CLAIMS, claimKey, claimsPrefix, familyOfCidr, parseNodeKey, poolKey } from './keys.ts'
import { blocksIn, type Pool, parsePool } from './pool.ts'
import { absent, at, get, list, type Steps, transact } from './steps.ts'

/** The node's blocks of the family, those that are confirmed and those that are not yet, or no longer. */
export function* readClaims(node: string, family: Family): Steps<readonly Entry[]> {
  return yield* list(claimsPrefix(node, family))
}

export function blockOfClaim({ key }: Entry): string | undefined {
  const parsed = parseNodeKey(key)
  return parsed && 'block' in parsed ? parsed.block : undefined
}

/** Claims one more block of the pools, in their order. Its prefix, or undefined when none is left. */
export function* claimBlock(node: string, family: Family, pools: readonly Pool[]): Steps<string | undefined> {
  const [firm, loose] = yield* claimedByOthers(family)
  for (const isLast of [false, true]) {
    for (const pool of pools) {
      for (const cidr of candidates(pool, node)) {
        // Claims that are not confirmed may be of nodes that are gone: what they want is taken when there is nothing else.
        if (firm.has(cidr) || (!isLast && loose.has(cidr))) continue
        if (yield* claimThis(node, cidr, pool)) return cidr
      }
    }
    if (loose.size === 0) return undefined
  }
  return undefined
}

/** Claims this block of the pool. Undefined when it is another node's. */
export function* claimThis(node: string, cidr: string, pool: Pool): Steps<Block | undefined> {
  return (yield* beginClaim(node, cidr)) ? yield* finishClaim(node, cidr, pool) : undefined
}

/**
 * Makes a claim of the node's a confirmed one. Undefined when it has none, when the block is another's or the pool is not to be
 * used: then the claim is gone.
 */
export function* finishClaim(node: string, cidr: string, pool: Pool): Steps<Block | undefined> {
  for (;;) {
    const claim = yield* get(claimKey(node, cidr))
    if (!claim) return undefined
    const entry = yield* get(blockKey(cidr))
    const there = entry && parseBlock(entry)
    const isOurs = there?.node === node
    if (isOurs && parseClaim(claim) === 'confirmed') return there
    const poolEntry = yield* get(poolKey(pool.cidr))
    const isOthers = there !== undefined && there.node !== undefined && !isOurs
    if (isOthers || (!isOurs && (!poolEntry || parsePool(poolEntry).disabled))) {
      if (yield* transact([at(claim)], [{ delete: claim.key }])) return undefined
      continue
    }
    // No block of this prefix was ever written as often as the store was.
    const block = !there ? newBlock(cidr, node, Number(claim.revision)) : isOurs ? there : withOwner(there, node)
    const conditions = [
      at(claim),
      { key: blockKey(cidr), revision: entry?.revision },
      ...(poolEntry ? [at(poolEntry)] : []),
    ]
    const writes: Write[] = [
      { put: claim.key, value: formatClaim('confirmed') },
      ...(isOurs ? [] : [{ put: blockKey(cidr), value: formatBlock(block) }]),
      ...(there && !isOurs ? noLongerBorrowed(there, node) : []),
    ]
    if (yield* transact(conditions, writes)) return block
  }
}

/** Answers whether there is a claim of the node's now: not where the block is another's, or nobody's and full. */
function* beginClaim(node: string, cidr: string): Steps<boolean> {
  const claim = { put: claimKey(node, cidr), value: formatClaim('pending') }
  if (yield* transact([absent(claim.put), absent(blockKey(cidr))], [claim])) return true
  if (yield* get(claim.put)) return true
  const entry = yield* get(blockKey(cidr))
  const block = entry && parseBlock(entry)
  if (!entry || block?.node !== undefined || block?.unallocated.length === 0) return false
  return yield* transact([absent(claim.put), at(entry)], [claim])
}

/** The blocks that are claimed: for certain, and perhaps. */
function* claimedByOthers(family: Family): Steps<readonly [Set<string>, Set<string>]> {
  const [firm, loose] = [new Set<string>(), new Set<string>()]
  const claims = yield* list(CLAIMS)
  for (const entry of claims) {
    const cidr = blockOfClaim(entry)
    if (cidr === undefined || familyOfCidr(cidr) !== family) continue
    if (parseClaim(entry) === 'pending') loose.add(cidr)
    else firm.add(cidr)
  }
  return [firm, loose]
}

/** All blocks of the pool, from one on that the node's name decides: nodes that start together do not all want the first. */
function* candidates(pool: Pool, node: string): Generator<string> {
  const { address, length } = parsePrefix(pool.cidr)
  const family = familyOfCidr(pool.cidr)
  const count = blocksIn(pool)
  const step = BigInt(8 * address.length - pool.blockSize)
  const first = ipToBigInt(address)
  const start = hashOf(node) % count
  for (let n = 0n; n < count; n++) {
    const block = first + (((start + n) % count) << step)
    yield formatPrefix({ address: ipFromBigInt(block, family), length: Math.max(length, pool.blockSize) })
  }
}

/** FNV-1a of 64 bits. */
function hashOf(text: string): bigint {
  let hash = 0xcbf29ce484222325n
  for (let i = 0; i < text.length; i++) hash = BigInt.asUintN(64, (hash ^ BigInt(text.charCodeAt(i))) * 0x100000001b3n)
  return hash
}

/** What the node had borrowed of a block that is its own now. */
function noLongerBorrowed(block: Block, node: string): Write[] {
  const ordinals = ordinalsOf(block, ({ attributes }) => attributes.node === node)
  return ordinals.map((ordinal) => ({ delete: borrowedKey(node, addressAt(block, ordinal)) }))
}
