/**
 * Virtual time. Nothing in the model waits: the clock jumps to the next timer. Two timers of one moment run in the order
 * in which they were set, so that a run repeats exactly.
 */

/** Microseconds since the model was made. */
export type Microseconds = number

export const MILLISECOND = 1_000
export const SECOND = 1_000_000

export interface Timer {
  readonly at: Microseconds
  /** Whether it still will run. */
  readonly pending: boolean
}

interface Entry {
  readonly at: Microseconds
  readonly sequence: number
  pending: boolean
  run(): void
}

export class Clock {
  #now: Microseconds = 0
  #sequence = 0
  /** A binary heap: the soonest first. Cancelled entries stay until they come to the top. */
  readonly #heap: Entry[] = []

  get now(): Microseconds {
    return this.#now
  }

  /** `run` is called when the clock has moved on by `delay`. */
  after(delay: Microseconds, run: () => void): Timer {
    const entry: Entry = { at: this.#now + Math.max(0, delay), sequence: this.#sequence++, pending: true, run }
    this.#heap.push(entry)
    this.#up(this.#heap.length - 1)
    return entry
  }

  /** A timer that has run, or was cancelled before, stays as it is. */
  cancel(timer: Timer | undefined): void {
    if (timer) (timer as Entry).pending = false
  }

  /** When the next timer runs; undefined when there is none. */
  get next(): Microseconds | undefined {
    while (this.#heap.length > 0 && !this.#heap[0]!.pending) this.#take()
    return this.#heap[0]?.at
  }

  /** Moves on to the next timer, if it is not later than `limit`, and runs it. Whether there was one. */
  step(limit: Microseconds = Number.POSITIVE_INFINITY): boolean {
    const at = this.next
    if (at === undefined || at > limit) return false
    const entry = this.#take()
    this.#now = Math.max(this.#now, at)
    entry.pending = false
    entry.run()
    return true
  }

  /** Moves on to `time`, at which no timer before it may be left. */
  moveTo(time: Microseconds): void {
    this.#now = Math.max(this.#now, time)
  }

  #take(): Entry {
    const first = this.#heap[0]!
    const last = this.#heap.pop()!
    if (this.#heap.length > 0) {
      this.#heap[0] = last
      this.#down(0)
    }
    return first
  }

  #up(start: number): void {
    let at = start
    const entry = this.#heap[at]!
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!isBefore(entry, this.#heap[parent]!)) break
      this.#heap[at] = this.#heap[parent]!
      at = parent
    }
    this.#heap[at] = entry
  }

  #down(start: number): void {
    let at = start
    const entry = this.#heap[at]!
    for (;;) {
      let child = 2 * at + 1
      if (child >= this.#heap.length) break
      if (child + 1 < this.#heap.length && isBefore(this.#heap[child + 1]!, this.#heap[child]!)) child++
      if (!isBefore(this.#heap[child]!, entry)) break
      this.#heap[at] = this.#heap[child]!
      at = child
    }
    this.#heap[at] = entry
  }
}

const isBefore = (a: Entry, b: Entry) => a.at < b.at || (a.at === b.at && a.sequence < b.sequence)
