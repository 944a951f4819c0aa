/** A clock that goes on when a test says so. */
import type { WallClock } from '../../src/store/clock.ts'

interface Timer {
  readonly at: number
  run(): void
}

export class ManualClock implements WallClock {
  #now: number
  #wrong = 0
  #timers: Timer[] = []

  /** Milliseconds since the epoch. */
  constructor(now = 1_700_000_000_000) {
    this.#now = now
  }

  now(): number {
    return this.#now + this.#wrong
  }

  elapsed(): number {
    return this.#now
  }

  /** Sets the machine's time so many milliseconds ahead of what it should be; nothing passes. */
  set(wrong: number): void {
    this.#wrong = wrong
  }

  after(milliseconds: number, run: () => void): () => void {
    const timer = { at: this.#now + Math.max(0, milliseconds), run }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((each) => each !== timer)
    }
  }

  /** When the next timer runs, in milliseconds from now; undefined when there is none. */
  get next(): number | undefined {
    const next = this.#soonest()
    return next && next.at - this.#now
  }

  /** Runs what is due on the way, in order; what each sets off is finished before the next. */
  async advance(milliseconds: number): Promise<void> {
    const end = this.#now + milliseconds
    await settled()
    for (let timer = this.#soonest(); timer && timer.at <= end; timer = this.#soonest()) {
      this.#timers = this.#timers.filter((each) => each !== timer)
      this.#now = Math.max(this.#now, timer.at)
      timer.run()
      await settled()
    }
    this.#now = end
  }

  #soonest(): Timer | undefined {
    return this.#timers.reduce<Timer | undefined>((best, each) => (best && best.at <= each.at ? best : each), undefined)
  }
}

/** All that is ready to run has run. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
