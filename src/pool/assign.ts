/**
 * Addresses given out. A node takes them from its own blocks, the first that has one free; when all are full it claims another
 * block; when there is none to be had it borrows an address of another node's block, unless that is forbidden.
 *
 * Asked again with the same handle it answers what the handle has already: whoever did not hear the answer asks again.
 */
import type { Family } from '../address/ip.ts'
import { formatIp, readIp } from '../address/ip.ts'
import { parsePrefix, samePrefix } from '../address/prefix.ts'
import type { Condition, Entry, Write } from '../store/store.ts'
import { parseClaim } from './affinity.ts'
import {
  type Allocation,
  type Attributes,
  addressAt,
  allocate,
  type Block,
  formatBlock,
  ordinalOf,
  parseBlock,
} from './block.ts'
import { blockOfClaim, claimBlock, claimThis, finishClaim, readClaims } from './claim.ts'
import { PoolError } from './errors.ts'
import { formatHandle, parseHandle, withMore } from './handle.ts'
import { blockKey, blocksPrefix, borrowedKey, claimKey, familyOfAddress, handleKey, poolKey } from './keys.ts'
import { blocksIn, byFamily, isUsable, type Pool, parsePool, poolHolding } from './pool.ts'
import { readPools } from './pools.ts'
import { blockOf, releaseHandle } from './release.ts'
import type { Labels } from './selector.ts'
import { type IpamSettings, readSettings } from './settings.ts'
import { at, get, list, type Steps, transact } from './steps.ts'

export interface AssignRequest {
  /** Whose they are: handle.ts. */
  readonly handle: string
  readonly attributes: Attributes
  /** Of the node, which pools select it by. */
  readonly labels: Labels
  /** An address of each. */
  readonly families: readonly Family[]
  /** From these pools alone, in this order; undefined: all that may be used. */
  readonly pools: readonly string[] | undefined
  /** These very addresses, of the families that they have. */
  readonly addresses: readonly string[]
}

export interface Assigned {
  readonly address: string
  /** The prefix of the block that it is in. */
  readonly block: string
  /** The block is another node's. */
  readonly borrowed: boolean
  readonly sequence: number
}

/** One address of each family that is asked for, in that order. PoolError; then none is given out. */
export function* assign(request: AssignRequest): Steps<Assigned[]> {
  const before = yield* assignedTo(request.handle)
  const assigned: Assigned[] = []
  try {
    for (const family of request.families) {
      const there = before.find(({ address }) => familyOfAddress(address) === family)
      assigned.push(there ?? (yield* assignOne(family, request)))
    }
  } catch (error) {
    if (!(error instanceof PoolError)) throw error
    if (before.length === 0 && assigned.length > 0) yield* releaseHandle(request.handle)
    throw error
  }
  return assigned
}

/** What the handle has. */
export function* assignedTo(handle: string): Steps<Assigned[]> {
  const entry = yield* get(handleKey(handle))
  const assigned: Assigned[] = []
  for (const cidr of entry ? parseHandle(entry).keys() : []) {
    const there = yield* get(blockKey(cidr))
    const block = there && parseBlock(there)
    for (const [ordinal, allocation] of block?.allocations ?? []) {
      if (allocation.handle === handle) assigned.push(assignedOf(block!, ordinal, allocation))
    }
  }
  return assigned
}

/** PoolError when an address of one of the families could not be given out now. */
export function* requireRoom({
  node,
  labels,
  families,
  pools: wanted,
}: Pick<AssignRequest, 'labels' | 'families' | 'pools'> & { readonly node: string }): Steps<void> {
  const settings = yield* readSettings()
  const all = yield* readPools()
  for (const family of families) {
    const pools = usablePools(all, family, { labels, pools: wanted })
    if (pools.length === 0) throw noPool(family, { attributes: { node }, pools: wanted })
    const claims = yield* readClaims(node, family)
    const blocks = (yield* list(blocksPrefix(family))).map(parseBlock).filter(({ cidr }) => poolHolding(pools, cidr))
    const mayTake = (block: Block) => block.node === node || block.node === undefined || !settings.strictAffinity
    if (blocks.some((block) => mayTake(block) && block.unallocated.length > 0)) continue
    const mayClaim = settings.autoAllocateBlocks && claims.length < settings.maxBlocksPerHost
    const isLeft = pools.some(
      (pool) => BigInt(blocks.filter(({ cidr }) => poolHolding([pool], cidr)).length) < blocksIn(pool),
    )
    if (!mayClaim || !isLeft) throw exhausted(family, pools, claims.length, settings)
  }
}

function* assignOne(family: Family, request: AssignRequest): Steps<Assigned> {
  const wanted = request.addresses.find((address) => familyOfAddress(address) === family)
  const settings = yield* readSettings()
  const pools = usablePools(yield* readPools(), family, request)
  if (wanted !== undefined) return yield* assignWanted(canonical(wanted), pools, settings, request)
  if (pools.length === 0) throw noPool(family, request)
  for (;;) {
    const claims = yield* readClaims(request.attributes.node, family)
    const own = yield* takeOwn(claims, pools, request)
    if (own) return own
    const mayClaim = settings.autoAllocateBlocks && claims.length < settings.maxBlocksPerHost
    if (mayClaim && (yield* claimBlock(request.attributes.node, family, pools)) !== undefined) continue
    const borrowed = settings.strictAffinity ? undefined : yield* borrow(family, pools, request)
    if (borrowed) return borrowed
    throw exhausted(family, pools, claims.length, settings)
  }
}

/** From a block of the node's own, by the pools' order. What was claimed half-way is claimed first. */
function* takeOwn(
  claims: readonly Entry[],
  pools: readonly Pool[],
  request: AssignRequest,
): Steps<Assigned | undefined> {
  for (const pool of pools) {
    for (const claim of claims) {
      const cidr = blockOfClaim(claim)
      if (cidr === undefined || !poolHolding([pool], cidr)) continue
      const isOurs = parseClaim(claim) === 'confirmed' || (yield* finishClaim(request.attributes.node, cidr, pool))
      const taken = isOurs ? yield* take(cidr, firstFree, request) : undefined
      if (taken) return taken
    }
  }
  return undefined
}

/** From any other block, those first that nobody is likely to fill. */
function* borrow(family: Family, pools: readonly Pool[], request: AssignRequest): Steps<Assigned | undefined> {
  const blocks = (yield* list(blocksPrefix(family))).map(parseBlock)
  const withRoom = blocks.filter(({ cidr, unallocated }) => unallocated.length > 0 && poolHolding(pools, cidr))
  for (const { cidr } of withRoom.sort((a, b) => b.unallocated.length - a.unallocated.length)) {
    const taken = yield* take(cidr, firstFree, request)
    if (taken) return taken
  }
  return undefined
}

/** The very address. The block that it is in is claimed where it is nobody's. */
function* assignWanted(
  address: string,
  pools: readonly Pool[],
  settings: IpamSettings,
  request: AssignRequest,
): Steps<Assigned> {
  const { node } = request.attributes
  const bad = (why: string) => new PoolError('conflict', `Cannot give out ${address}: ${why}`)
  const cidr = yield* blockOf(address)
  const pool = cidr === undefined ? undefined : poolHolding(pools, cidr)
  if (cidr === undefined || !pool) throw bad('it is in no pool that this node may use')
  for (;;) {
    const entry = yield* get(blockKey(cidr))
    const block = entry && parseBlock(entry)
    if (block && (block.node === node || (block.node !== undefined && !settings.strictAffinity))) {
      if (block.node === node) yield* finishClaim(node, cidr, pool) // it may have been about to go
      const taken = yield* take(cidr, (block) => freeOrdinal(block, address), request)
      if (taken) return taken
      const now = yield* get(blockKey(cidr))
      if (now && freeOrdinal(parseBlock(now), address) !== undefined) continue
      throw bad('it is in use')
    }
    if (block?.node !== undefined) throw bad(`it is of a block of node "${block.node}", and affinity is strict`)
    if (block && freeOrdinal(block, address) === undefined) throw bad('it is in use')
    const claims = yield* readClaims(node, familyOfAddress(address))
    const mine = claims.some((claim) => blockOfClaim(claim) === cidr)
    if (!mine && (!settings.autoAllocateBlocks || claims.length >= settings.maxBlocksPerHost)) {
      throw bad(`its block ${cidr} is nobody's, and this node may not have more than ${claims.length}`)
    }
    const claimed = yield* claimThis(node, cidr, pool)
    const now = claimed ? undefined : yield* get(poolKey(pool.cidr))
    if (!claimed && (!now || parsePool(now).disabled)) throw bad(`pool ${pool.cidr} is not used any more`)
  }
}

/** Takes the address that `choose` says out of a block, whosever it is. Undefined when it says none. */
function* take(
  cidr: string,
  choose: (block: Block) => number | undefined,
  { handle, attributes }: AssignRequest,
): Steps<Assigned | undefined> {
  for (;;) {
    const entry = yield* get(blockKey(cidr))
    const block = entry && parseBlock(entry)
    const ordinal = block && choose(block)
    if (!entry || !block || ordinal === undefined) return undefined
    const isOwn = block.node === attributes.node
    // A block of ours that is about to go, or not ours for certain, gives nothing: nobody would know the way.
    const claim = isOwn ? yield* get(claimKey(attributes.node, cidr)) : undefined
    if (isOwn && (!claim || parseClaim(claim) !== 'confirmed')) return undefined
    const held = yield* get(handleKey(handle))
    const holdings = withMore(held ? parseHandle(held) : new Map(), cidr, 1)
    const taken = allocate(block, ordinal, handle, attributes)
    const address = addressAt(block, ordinal)
    const conditions: Condition[] = [at(entry), { key: handleKey(handle), revision: held?.revision }]
    if (claim) conditions.push(at(claim))
    const writes: Write[] = [
      { put: entry.key, value: formatBlock(taken) },
      { put: handleKey(handle), value: formatHandle(handle, holdings) },
    ]
    if (!isOwn)
      writes.push({ put: borrowedKey(attributes.node, address), value: JSON.stringify({ handle, block: cidr }) })
    if (yield* transact(conditions, writes)) return assignedOf(taken, ordinal, taken.allocations.get(ordinal)!)
  }
}

function firstFree({ unallocated }: Block): number | undefined {
  return unallocated[0]
}

function freeOrdinal(block: Block, address: string): number | undefined {
  const ordinal = ordinalOf(block, address)
  return ordinal !== undefined && !block.allocations.has(ordinal) ? ordinal : undefined
}

function assignedOf(block: Block, ordinal: number, { attributes, sequence }: Allocation): Assigned {
  return { address: addressAt(block, ordinal), block: block.cidr, borrowed: attributes.node !== block.node, sequence }
}

function usablePools(
  pools: readonly Pool[],
  family: Family,
  { pools: wanted, labels }: Pick<AssignRequest, 'pools' | 'labels'>,
): readonly Pool[] {
  const usable = byFamily(pools)[family].filter((pool) => isUsable(pool, labels))
  if (!wanted) return usable
  return wanted.flatMap((cidr) => usable.filter((pool) => samePrefix(parsePrefix(pool.cidr), parsePrefix(cidr))))
}

function canonical(address: string): string {
  const ip = readIp(address)
  if (!ip) throw new PoolError('invalid', `Cannot give out "${address}": it is no IP address`)
  return formatIp(ip)
}

const NAMES: Readonly<Record<Family, string>> = { ipv4: 'IPv4', ipv6: 'IPv6' }

function noPool(family: Family, { pools, attributes }: Pick<AssignRequest, 'pools' | 'attributes'>): PoolError {
  const asked = pools ? ` of ${pools.join(', ')}` : ''
  const problem = `no ${NAMES[family]} pool${asked} is enabled and selects node "${attributes.node}"`
  return new PoolError('exhausted', `Cannot give out an ${NAMES[family]} address: ${problem}`)
}

function exhausted(family: Family, pools: readonly Pool[], blocks: number, settings: IpamSettings): PoolError {
  const limit =
    blocks >= settings.maxBlocksPerHost
      ? `the node has all ${blocks} blocks that it may have`
      : `no block of ${pools.map(({ cidr }) => cidr).join(', ')} is left`
  const others = settings.strictAffinity ? 'affinity is strict' : 'other nodes have none to lend'
  return new PoolError(
    'exhausted',
    `Cannot give out an ${NAMES[family]} address: the node's blocks are full, ${limit}, ${others}`,
  )
}
