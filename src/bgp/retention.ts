/**
 * What is kept of a peer that is away: the helper's side of graceful restart, RFC 4724 §4.2; when a NOTIFICATION ends the
 * session: RFC 8538 §4; for long: RFC 9494 §4.2.
 *
 *   established ──lost──> routes are stale ──the peer is back──> … until its End-of-RIB ──> what is still stale goes
 *                              └── restart time is over ──> they go, or are stale for long
 */
import type { Clock } from '../store/clock.ts'
import type { Negotiated } from './capability/negotiation.ts'
import { CeaseError, ErrorCode } from './errors.ts'
import { type Family, familyOf } from './family.ts'
import type { Notification } from './message/notification.ts'
import type { SessionEnd } from './session-owner.ts'
import { Timer } from './timer.ts'

const SECOND = 1000
/**
 * How long a peer that is back may take until its End-of-RIB: "an upper bound on the amount of time" (RFC 4724 §4.2), which
 * is the implementation's. FRR and BIRD have six minutes.
 */
const STALE_TIME = 360 * SECOND

/** The families whose routes are kept, when a session ends like this. */
export function keptFamilies({ routes, sent, received }: SessionEnd, negotiated: Negotiated): readonly Family[] {
  const { gracefulRestart } = negotiated
  if (routes !== 'delete or retain' || !gracefulRestart || gracefulRestart.time === 0) return []
  const notified = sent ?? received
  if (notified && (!gracefulRestart.notification || endsForGood(notified))) return []
  return restartFamilies(negotiated)
}

/** The families that the peer restarts gracefully with, of those that were agreed upon. */
export function restartFamilies({ families, gracefulRestart }: Negotiated): readonly Family[] {
  const listed = gracefulRestart?.families.map(({ afi, safi }) => familyOf(afi, safi))
  return families.filter((family) => listed?.includes(family))
}

function endsForGood({ code, subcode }: Notification): boolean {
  return code === ErrorCode.cease && subcode === CeaseError.hardReset
}

/** RFC 8538 §3.1: a Cease that no peer shall bridge goes out within a Hard Reset, to peers that know it. */
export function isForGood({ code, subcode }: Notification): boolean {
  const { maximumNumberOfPrefixesReached, administrativeShutdown, peerDeconfigured, bfdDown } = CeaseError
  const subcodes: readonly number[] = [
    maximumNumberOfPrefixesReached,
    administrativeShutdown,
    peerDeconfigured,
    bfdDown,
  ]
  return code === ErrorCode.cease && subcodes.includes(subcode)
}

export interface RetentionEvents {
  /** Routes of this family that are still stale are to be deleted. */
  sweep(family: Family, why: string): void
  /** Routes of this family that are stale are from now on the least preferred, LLGR_STALE. */
  longLived(family: Family): void
}

export class Retention {
  readonly #clock: Clock
  readonly #events: RetentionEvents
  /** Families with stale routes, each with the timer of the state that it is in. */
  readonly #kept = new Map<Family, Timer>()

  constructor(clock: Clock, events: RetentionEvents) {
    this.#clock = clock
    this.#events = events
  }

  /** Families with stale routes. */
  get kept(): readonly Family[] {
    return [...this.#kept.keys()]
  }

  /** The session is down. Routes that were stale before it came up, and have not come again, go. */
  lost(families: readonly Family[], { gracefulRestart, longLived }: Negotiated): void {
    this.sweepAll('the peer has gone again')
    for (const family of families) {
      const long = longLived.find(({ afi, safi }) => familyOf(afi, safi) === family)
      this.#wait(family, gracefulRestart!.time * SECOND, () => {
        if (!long?.time) return this.#sweep(family, 'the restart time is over')
        this.#wait(family, long.time * SECOND, () => this.#sweep(family, 'the long-lived stale time is over'))
        this.#events.longLived(family)
      })
    }
  }

  /** The peer is back. What it has not kept in forwarding goes at once, the rest waits for its End-of-RIB. */
  back({ families, gracefulRestart }: Negotiated): void {
    for (const family of this.kept) {
      const said = gracefulRestart?.families.find(({ afi, safi }) => familyOf(afi, safi) === family)
      if (!families.includes(family) || !said?.forwarding) this.#sweep(family, 'the peer has not kept them')
      else this.#wait(family, STALE_TIME, () => this.#sweep(family, 'its End-of-RIB has not come'))
    }
  }

  endOfRib(family: Family): void {
    if (this.#kept.has(family)) this.#sweep(family, 'its End-of-RIB has come')
  }

  sweepAll(why: string): void {
    for (const family of this.kept) this.#sweep(family, why)
  }

  #wait(family: Family, milliseconds: number, then: () => void): void {
    this.#kept.get(family)?.stop()
    const timer = new Timer(this.#clock, then)
    this.#kept.set(family, timer)
    timer.start(milliseconds)
  }

  #sweep(family: Family, why: string): void {
    this.#kept.get(family)?.stop()
    this.#kept.delete(family)
    this.#events.sweep(family, why)
  }
}
