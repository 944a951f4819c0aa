/** What a neighbour needs of whoever owns it, and what it tells. */
import type { Clock } from '../store/clock.ts'
import type { SessionKind } from './attribute/attribute.ts'
import type { AttributeInterner } from './attribute/interner.ts'
import type { BgpId } from './bgp-id.ts'
import type { Negotiated } from './capability/negotiation.ts'
import type { Family } from './family.ts'
import type { Update } from './message/update.ts'
import type { Observers } from './observer.ts'
import type { RestartState } from './peer-settings.ts'
import type { ReadingTurns } from './reading-turns.ts'
import type { Transport } from './transport.ts'

/** What a neighbour tells whoever owns it. */
export interface PeerEvents {
  established(negotiated: Negotiated): void
  /** Withdrawn first, then announced. */
  update(update: Update): void
  endOfRib(family: Family): void
  /** The peer asks for our routes again. */
  refresh(family: Family): void
  /** The peer sends its routes again: all that are there are stale until they have come, or sweep() tells. RFC 7313 §4. */
  refreshing(family: Family): void
  /** The session is gone. */
  down(reason: DownReason): void
  /** Routes of this family that are still stale are to be deleted. */
  sweep(family: Family): void
  /** Stale routes of this family are to be kept for long, as LLGR_STALE: RFC 9494. */
  longLived(family: Family): void
  /** There is room for messages, where send() has answered that there was none. */
  writable(): void
  /** The state, or the last error, is another. */
  changed(): void
  log(text: string): void
}

export interface DownReason {
  /** For people. */
  readonly why: string
  /** Families whose routes are kept as stale; those of all others go now. */
  readonly keepRoutes: readonly Family[]
  /** Seconds until sweep(), if the peer does not come back; 0 when nothing is kept. */
  readonly restartTime: number
}

/** What all neighbours of a speaker have in common. */
export interface Speaking {
  readonly id: BgpId
  readonly clock: Clock
  readonly turns: ReadingTurns
  /** From 0 to below 1. */
  readonly random: () => number
  readonly transport: Transport
  readonly observers: Observers
  readonly restart: RestartState
  readonly asSets: SessionKind['asSets']
  readonly attributes: (kind: SessionKind) => AttributeInterner
}
