/**
 * Addresses and blocks given back. What of an address stands in several places (its block, its holder's handle, what a node
 * has borrowed) changes in one transaction, so nothing is left over, whenever whoever does it dies.
 */
import { parseIp } from '../address/ip.ts'
import { contains, formatPrefix, networkOf, parsePrefix } from '../address/prefix.ts'
import type { Condition, Entry, Write } from '../store/store.ts'
import { formatClaim, parseClaim } from './affinity.ts'
import {
  type Allocation,
  addressAt,
  type Block,
  formatBlock,
  isEmpty,
  ordinalOf,
  ordinalsOf,
  parseBlock,
  release,
  withOwner,
} from './block.ts'
import { formatHandle, parseHandle, withMore } from './handle.ts'
import { blockKey, borrowedKey, claimKey, familyOfAddress, handleKey, POOLS } from './keys.ts'
import { familyOfPool, parsePool } from './pool.ts'
import { at, get, list, type Steps, transact } from './steps.ts'

/** All addresses of the handle; answers them. Of one that has none it answers none. */
export function* releaseHandle(handle: string): Steps<string[]> {
  const released: string[] = []
  for (;;) {
    const held = yield* get(handleKey(handle))
    const [cidr] = held ? parseHandle(held).keys() : []
    if (!held || cidr === undefined) return released
    const entry = yield* get(blockKey(cidr))
    const block = entry && parseBlock(entry)
    const ordinals = block ? ordinalsOf(block, (allocation) => allocation.handle === handle) : []
    const done =
      entry && block && ordinals.length > 0
        ? yield* giveBack(entry, block, ordinals, handle)
        : yield* transact([at(held)], [holdingLess(held, handle, cidr, Number.POSITIVE_INFINITY)]) // it has none there
    if (done) released.push(...ordinals.map((ordinal) => addressAt({ cidr }, ordinal)))
  }
}

/**
 * One address, if it is still what is meant: given out to this handle, and with this sequence number, as far as they are given.
 * False when it is free, or another's by now.
 */
export function* releaseAddress(address: string, meant: { handle?: string; sequence?: number } = {}): Steps<boolean> {
  const cidr = yield* blockOf(address)
  if (cidr === undefined) return false
  const ordinal = ordinalOf({ cidr }, address)
  const isMeant = (allocation: Allocation, at: number) =>
    at === ordinal &&
    (meant.handle === undefined || allocation.handle === meant.handle) &&
    (meant.sequence === undefined || allocation.sequence === meant.sequence)
  for (;;) {
    const entry = yield* get(blockKey(cidr))
    const block = entry && parseBlock(entry)
    const allocation = block?.allocations.get(ordinal!)
    if (!allocation || !isMeant(allocation, ordinal!)) return false
    if (yield* giveBack(entry!, block!, [ordinal!], allocation.handle)) return true
  }
}

/** The prefix of the block that the address is in, whether there is such a block or not; undefined when it is in no pool. */
export function* blockOf(address: string): Steps<string | undefined> {
  const ip = parseIp(address)
  const pools = (yield* list(POOLS)).map(parsePool).filter((pool) => familyOfPool(pool) === familyOfAddress(address))
  const pool = pools.find(({ cidr }) => contains(parsePrefix(cidr), ip))
  return pool && formatPrefix(networkOf({ address: ip, length: pool.blockSize }))
}

/**
 * Gives a node's claim of a block up. False when addresses of it are in use: it stays. `borrowed`: what other nodes have
 * borrowed of it keeps it, or does not; then the block is nobody's until they release it.
 */
export function* releaseBlock(
  node: string,
  cidr: string,
  borrowed: 'keeps it' | 'does not' = 'keeps it',
): Steps<boolean> {
  for (;;) {
    const claim = yield* get(claimKey(node, cidr))
    const entry = yield* get(blockKey(cidr))
    const block = entry && parseBlock(entry)
    const own = block?.node === node ? block : undefined
    if (!claim && !own) return true
    if (own && isUsed(own, borrowed === 'keeps it')) {
      if (!claim || parseClaim(claim) === 'confirmed') return false
      // An address was given out when the block was about to go.
      const confirmed = { put: claim.key, value: formatClaim('confirmed') }
      if (yield* transact([at(claim), at(entry!)], [confirmed])) return false
      continue
    }
    if (claim && own && parseClaim(claim) === 'confirmed') {
      yield* transact([at(claim), at(entry!)], [{ put: claim.key, value: formatClaim('pendingDeletion') }])
      continue // who announces it is told, before it can become another's
    }
    const writes: Write[] = [...(claim ? [{ delete: claim.key }] : []), ...(own ? disown(entry!, own) : [])]
    const conditions: Condition[] = [
      { key: claimKey(node, cidr), revision: claim?.revision },
      ...(entry ? [at(entry)] : []),
    ]
    if (yield* transact(conditions, writes)) return true
  }
}

function isUsed(block: Block, borrowedToo: boolean): boolean {
  if (borrowedToo) return !isEmpty(block)
  return ordinalsOf(block, ({ attributes }) => attributes.node === block.node).length > 0
}

function disown({ key }: Entry, block: Block): Write[] {
  if (isEmpty(block)) return [{ delete: key }]
  return [{ put: key, value: formatBlock(withOwner(block, undefined)) }]
}

/** Takes these addresses of the handle's out of the block. False when somebody came between. */
function* giveBack(entry: Entry, block: Block, ordinals: readonly number[], handle: string): Steps<boolean> {
  const held = yield* get(handleKey(handle))
  const rest = release(block, ordinals)
  const isOver = isEmpty(rest) && rest.node === undefined
  const borrowed = ordinals.flatMap((ordinal): Write[] => {
    const { node } = block.allocations.get(ordinal)!.attributes
    return node === block.node || node === '' ? [] : [{ delete: borrowedKey(node, addressAt(block, ordinal)) }]
  })
  const conditions = [at(entry), { key: handleKey(handle), revision: held?.revision }]
  return yield* transact(conditions, [
    isOver ? { delete: entry.key } : { put: entry.key, value: formatBlock(rest) },
    ...(held ? [holdingLess(held, handle, block.cidr, ordinals.length)] : []),
    ...borrowed,
  ])
}

function holdingLess(held: Entry, handle: string, cidr: string, count: number): Write {
  const holdings = withMore(parseHandle(held), cidr, -count)
  return holdings.size === 0 ? { delete: held.key } : { put: held.key, value: formatHandle(handle, holdings) }
}
