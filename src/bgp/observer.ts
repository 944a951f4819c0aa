/**
 * Who watches what speakers and sessions do, and has no say in it: mrt/ writes it down, bmp/ tells it to a collector.
 *
 *   session.ts ── messages, states, the end ──┐
 *   speaker.ts ── what a round has settled ───┴─> Observers ──> each Observer
 *
 * A message that nobody watches costs a call. What observers are given is theirs until the call returns; they must not throw,
 * and must not change anything from within.
 */
import type { Negotiated } from './capability/negotiation.ts'
import type { Family } from './family.ts'
import type { State } from './fsm.ts'
import type { PeerSettings } from './peer-settings.ts'
import type { Changes } from './rib/loc.ts'
import type { SessionEnd } from './session-owner.ts'
import type { Endpoint } from './transport.ts'

/** A session as it is seen from outside. */
export interface ObservedSession {
  readonly settings: PeerSettings
  readonly state: State
  /** Of its connection, as far as they are known. */
  readonly ends: { readonly local: Endpoint | undefined; readonly remote: Endpoint | undefined }
  /** From the peer's OPEN on. */
  readonly negotiated: Negotiated | undefined
  /** Whole messages, once they were. */
  readonly opens: { readonly sent: Uint8Array | undefined; readonly received: Uint8Array | undefined }
}

export const NO_OPENS: ObservedSession['opens'] = { sent: undefined, received: undefined }

export interface Observer {
  /** A message with its header, before it is acted upon. */
  received?(session: ObservedSession, message: Uint8Array): void
  sent?(session: ObservedSession, message: Uint8Array): void
  changed?(session: ObservedSession, from: State, to: State): void
  /** It was established; why it is not any more. */
  ended?(session: ObservedSession, end: SessionEnd): void
  /** A round of the speaker: prefixes of a family with what could be used for each before. Tables have what can be used now. */
  settled?(family: Family, changes: Changes): void
}

export class Observers implements Required<Observer> {
  #observers: readonly Observer[] = []
  readonly #established = new Set<ObservedSession>()

  /** Sessions that are established, in the order in which they were. */
  get established(): ReadonlySet<ObservedSession> {
    return this.#established
  }

  /** Answers what ends it. */
  add(observer: Observer): () => void {
    this.#observers = [...this.#observers, observer]
    return () => {
      this.#observers = this.#observers.filter((each) => each !== observer)
    }
  }

  received(session: ObservedSession, message: Uint8Array): void {
    for (const observer of this.#observers) observer.received?.(session, message)
  }

  sent(session: ObservedSession, message: Uint8Array): void {
    for (const observer of this.#observers) observer.sent?.(session, message)
  }

  changed(session: ObservedSession, from: State, to: State): void {
    if (to === 'Established') this.#established.add(session)
    else this.#established.delete(session)
    for (const observer of this.#observers) observer.changed?.(session, from, to)
  }

  ended(session: ObservedSession, end: SessionEnd): void {
    for (const observer of this.#observers) observer.ended?.(session, end)
  }

  settled(family: Family, changes: Changes): void {
    for (const observer of this.#observers) observer.settled?.(family, changes)
  }
}
