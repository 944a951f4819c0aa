/**
 * Who reads when. All sessions of a speaker share a moment (SLICE) between two turns of the event loop; whoever has more to read
 * by then waits for a later turn, one after the other. So timers, and the KEEPALIVEs that they send, wait for no longer than
 * that, however many peers send a full table at once.
 */
import type { Clock } from '../store/clock.ts'

/** Milliseconds. */
const SLICE = 20

export class ReadingTurns {
  readonly #clock: Clock
  readonly #waiting = new Set<() => void>()
  #began: number | undefined
  #isNextSet = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Who begins to read says so. */
  begin(): void {
    if (this.#began !== undefined) return
    this.#began = this.#clock.now()
    this.#clock.after(0, () => {
      this.#began = undefined
    })
  }

  /** Nothing more is to be read in this turn. A clock that is set back ends it, too. */
  get isOver(): boolean {
    return this.#began !== undefined && Math.abs(this.#clock.now() - this.#began) >= SLICE
  }

  /** Reads in a later turn, when it is its turn. */
  wait(read: () => void): void {
    this.#waiting.add(read)
    this.#setNext()
  }

  cancel(read: () => void): void {
    this.#waiting.delete(read)
  }

  /** From now, so that timers which became due meanwhile come first. */
  #setNext(): void {
    if (this.#isNextSet) return
    this.#isNextSet = true
    this.#clock.after(0, () => this.#next())
  }

  #next(): void {
    this.#isNextSet = false
    for (const read of this.#waiting) {
      if (this.isOver) break
      this.#waiting.delete(read)
      read()
    }
    if (this.#waiting.size > 0) this.#setNext()
  }
}
