/**
 * A node's claim of a block:
 *
 *   (none) ──> pending ──> confirmed ──> pendingDeletion ──> (none)
 *              the node     the block is    about to go; not
 *              wants it     the node's      announced any more
 *
 * Whose block it is says the block itself. A claim comes before it and goes after it, so that a node that dies half-way
 * leaves a trace below its own name, where it looks first when it is back. Only confirmed blocks are announced, and only from
 * them a node gives out addresses.
 */
import type { Entry } from '../store/store.ts'
import { damaged, fieldsOf } from './stored.ts'

export type ClaimState = 'pending' | 'confirmed' | 'pendingDeletion'

export function formatClaim(state: ClaimState): string {
  return JSON.stringify({ state })
}

export function parseClaim(entry: Entry): ClaimState {
  const { state } = fieldsOf(entry)
  if (state === 'pending' || state === 'confirmed' || state === 'pendingDeletion') return state
  throw damaged(entry.key, 'its "state" is none that a claim can have')
}
