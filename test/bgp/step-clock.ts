/** A clock that jumps from timer to timer when a test says so, without waiting for anything: all that it drives is synchronous. */
import type { Clock } from '../../src/store/clock.ts'

interface Entry {
  readonly at: number
  run: (() => void) | undefined
}

export class StepClock implements Clock {
  #now = 1_700_000_000_000
  /** The soonest last; of one moment, the first set last. */
  readonly #entries: Entry[] = []

  now(): number {
    return this.#now
  }

  after(milliseconds: number, run: () => void): () => void {
    const entry: Entry = { at: this.#now + Math.max(0, milliseconds), run }
    let low = 0
    let high = this.#entries.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#entries[middle]!.at > entry.at) low = middle + 1
      else high = middle
    }
    this.#entries.splice(low, 0, entry)
    return () => {
      entry.run = undefined
    }
  }

  /** Milliseconds. */
  advance(milliseconds: number): void {
    const end = this.#now + milliseconds
    for (let entry = this.#entries.at(-1); entry && entry.at <= end; entry = this.#entries.at(-1)) {
      this.#entries.pop()
      this.#now = Math.max(this.#now, entry.at)
      entry.run?.()
    }
    this.#now = end
  }

  /** The process did not run for so long: time passes, and no timer runs until it goes on. */
  stall(milliseconds: number): void {
    this.#now += milliseconds
  }
}
