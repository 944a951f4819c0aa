/**
 * When somebody who is called for often does his work: soon, all at once, and with a rest after it, so that changes without
 * end do not take all the time there is.
 */
import type { Clock } from '../store/clock.ts'

/** A turn that took so long is followed by a rest of so many times that. */
const REST = 2

export class Turns {
  readonly #clock: Clock
  readonly #work: () => void
  /** On the clock. */
  #next: number | undefined
  #cancel: () => void = () => {}
  #rested = 0
  #isClosed = false

  constructor(clock: Clock, work: () => void) {
    this.#clock = clock
    this.#work = work
  }

  /** Within `delay` milliseconds, never within the caller's call; whoever asks until then is served by the same turn. */
  soon(delay = 0): void {
    if (this.#isClosed) return
    const now = this.#clock.now()
    const at = Math.max(now + delay, this.#rested)
    if (this.#next !== undefined && this.#next <= at) return
    this.#cancel()
    this.#next = at
    this.#cancel = this.#clock.after(at - now, () => this.#take())
  }

  /** Within the caller's call, or after the rest. */
  now(): void {
    if (this.#clock.now() < this.#rested) this.soon()
    else if (!this.#isClosed) {
      this.#cancel()
      this.#take()
    }
  }

  close(): void {
    this.#isClosed = true
    this.#cancel()
  }

  #take(): void {
    this.#next = undefined
    const start = this.#clock.now()
    this.#work()
    const end = this.#clock.now()
    this.#rested = end + REST * (end - start)
  }
}
