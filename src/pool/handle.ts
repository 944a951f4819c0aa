/**
 * Handles: whose addresses are. An attachment's is made of its network, container and interface, so that DEL finds what ADD
 * was given, in whatever blocks. A handle says how many addresses it has in which block; it is written together with them.
 */
import type { Entry } from '../store/store.ts'
import { damaged, fieldsOf, isCount, isObject } from './stored.ts'

/** Addresses by block. */
export type Holdings = ReadonlyMap<string, number>

export interface Attachment {
  readonly containerId: string
  readonly ifName: string
}

/** None of the three can have a ":" in it. */
export function handleOf(network: string, { containerId, ifName }: Attachment): string {
  return `${network}:${containerId}:${ifName}`
}

export function formatHandle(handle: string, holdings: Holdings): string {
  return JSON.stringify({ handleID: handle, block: Object.fromEntries(holdings), deleted: false })
}

export function parseHandle(entry: Entry): Holdings {
  const { block } = fieldsOf(entry)
  if (!isObject(block)) throw damaged(entry.key, 'its "block" is no object')
  const holdings = Object.entries(block)
  if (!holdings.every((each): each is [string, number] => isCount(each[1]))) {
    throw damaged(entry.key, 'its "block" has what is no number')
  }
  return new Map(holdings)
}

export function withMore(holdings: Holdings, block: string, more: number): Holdings {
  const changed = new Map(holdings)
  const count = (holdings.get(block) ?? 0) + more
  if (count > 0) changed.set(block, count)
  else changed.delete(block)
  return changed
}
