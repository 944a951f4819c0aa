/**
 * From messages to TCP: many messages are few calls, and what the peer does not take is watched. Routes had better wait where
 * they are than in the connection, and a peer that takes nothing at all for minutes is gone: RFC 9687.
 */
import type { Clock } from '../store/clock.ts'
import { inPieces } from './octets.ts'
import { Timer } from './timer.ts'
import type { Connection } from './transport.ts'

const SECOND = 1000
/** RFC 9687 §5: this, or twice the hold time if that is longer. */
const MIN_SEND_HOLD_TIME = 480 * SECOND
/** Octets that wait in the connection, above which there is no room for routes. */
const HIGH_WATER = 262_144
/** Octets that are given to the connection at once. */
const PIECE = 65_536

export interface OutputEvents {
  /** The SendHoldTimer. */
  expired(): void
  /** There is room again. */
  writable(): void
}

export class MessageOutput {
  readonly #events: OutputEvents
  readonly #sendHoldTimer: Timer
  /** Milliseconds; 0: nothing is watched. */
  #sendHoldTime = 0
  #isFull = false

  constructor(clock: Clock, events: OutputEvents) {
    this.#events = events
    this.#sendHoldTimer = new Timer(clock, () => events.expired())
  }

  /** The session is up. `holdTime` in seconds; with 0 there is no SendHoldTimer. */
  watch(connection: Connection, holdTime: number): void {
    this.#sendHoldTime = holdTime === 0 ? 0 : Math.max(MIN_SEND_HOLD_TIME, 2 * holdTime * SECOND)
    this.#startTimer(connection)
  }

  stop(): void {
    this.#sendHoldTime = 0
    this.#isFull = false
    this.#sendHoldTimer.stop()
  }

  /** Whether there is room for more; if not, writable() tells when. */
  write(connection: Connection, messages: readonly Uint8Array[]): boolean {
    for (const octets of inPieces(messages, PIECE)) connection.send(octets)
    if (!this.#sendHoldTimer.running) this.#startTimer(connection)
    this.#isFull = connection.backlog > HIGH_WATER
    return !this.#isFull
  }

  /** The system has taken some of what waited. */
  taken(connection: Connection): void {
    this.#startTimer(connection)
    if (!this.#isFull || connection.backlog > HIGH_WATER / 2) return
    this.#isFull = false
    this.#events.writable()
  }

  /** It runs while something waits, and starts anew whenever some of it goes. */
  #startTimer({ backlog }: Connection): void {
    this.#sendHoldTimer.start(backlog > 0 ? this.#sendHoldTime : 0)
  }
}
