/**
 * How long a neighbour rests after a session that failed: a quarter of a second, twice as long every time, 30 s at the most.
 *
 * "The method of preventing persistent peer oscillation is outside the scope of this document" (RFC 4271 §8.2.2). What must not
 * come of it is that a neighbour waits for minutes which has been put right: it is refused for a few seconds only, whoever
 * comes back after a session is not, and a session that has lasted ends the row.
 */
import type { Clock } from '../store/clock.ts'
import { jittered, Timer } from './timer.ts'

const SECOND = 1000
/** Short: of nodes that begin together, most of whom one dials first is about to listen. */
const FIRST = SECOND / 4
const LONGEST = 30 * SECOND
const DEAF = 3 * SECOND
const LASTING = 30 * SECOND

export class BackOff {
  readonly #clock: Clock
  readonly #random: () => number
  readonly #timer: Timer
  #failures = 0
  #deafUntil: number | undefined

  /** `over`: the rest is over. */
  constructor(clock: Clock, random: () => number, over: () => void) {
    this.#clock = clock
    this.#random = random
    this.#timer = new Timer(clock, over)
  }

  /** Who calls is refused. */
  get isDeaf(): boolean {
    return this.#deafUntil !== undefined && this.#clock.now() < this.#deafUntil
  }

  forget(): void {
    this.#failures = 0
    this.#deafUntil = undefined
  }

  /** A session has failed; `lasted`: milliseconds that it was established, 0 for one that never was. */
  failed(lasted: number): void {
    if (lasted >= LASTING) this.#failures = 0
    this.#failures++
    const refuses = this.#failures > 1 && lasted === 0
    this.#deafUntil = refuses ? this.#clock.now() + Math.min(this.#length(), DEAF) : undefined
  }

  rest(): void {
    this.#timer.start(jittered(this.#length(), this.#random))
  }

  /** There is a session again, or none is wanted. */
  stop(): void {
    this.#timer.stop()
  }

  #length(): number {
    return Math.min(FIRST * 2 ** Math.max(0, this.#failures - 1), LONGEST)
  }
}
