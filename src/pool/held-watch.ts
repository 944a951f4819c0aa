/** What every node of the cluster holds: for those who tunnel to blocks, and must know whose each is. Others need not watch it. */
import type { Entry, Store, Watch } from '../store/store.ts'
import { parseClaim } from './affinity.ts'
import { CLAIMS, familyOfAddress, parseNodeKey } from './keys.ts'
import { Mirror } from './mirror.ts'
import type { Held } from './tunnels.ts'

export interface HeldWatchEvents {
  /** It has been read, or has changed. */
  changed(held: readonly Held[]): void
  /** For people. */
  problem(text: string): void
}

/** Until `close`. While the store is away the last answer counts. */
export function watchHeld(store: Store, events: HeldWatchEvents): Watch {
  const claims: Mirror = new Mirror(
    store,
    CLAIMS,
    () => events.changed(claims.entries.flatMap((entry) => heldBy(entry, events))),
    events.problem,
  )
  return claims
}

/** One or none. */
function heldBy(entry: Entry, { problem }: HeldWatchEvents): readonly Held[] {
  const key = parseNodeKey(entry.key)
  if (!key) return []
  const { node } = key
  if ('borrowed' in key) {
    return [{ node, prefix: `${key.borrowed}/${familyOfAddress(key.borrowed) === 'ipv4' ? 32 : 128}` }]
  }
  try {
    return parseClaim(entry) === 'confirmed' ? [{ node, prefix: key.block }] : []
  } catch (error) {
    problem((error as Error).message)
    return []
  }
}
