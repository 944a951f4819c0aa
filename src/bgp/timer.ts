/**
 * A timer that is started again and again, as HoldTimer is by every message.
 *
 * Starting one that runs only moves its deadline; the clock's own timer finds out when it runs, and waits for the rest. So a
 * full table costs no more timers of the clock than an idle session. The clock may be set while a timer runs: a timer that
 * was started again is never believed to have expired earlier than it was armed for.
 */
import type { Clock } from '../store/clock.ts'

export class Timer {
  readonly #clock: Clock
  readonly #expired: () => void
  #duration = 0
  #deadline: number | undefined
  /** When the clock's timer runs. */
  #armedFor = 0
  #again = false
  #cancel: (() => void) | undefined

  constructor(clock: Clock, expired: () => void) {
    this.#clock = clock
    this.#expired = expired
  }

  get running(): boolean {
    return this.#deadline !== undefined
  }

  /** Milliseconds; 0 stops it. */
  start(milliseconds: number): void {
    if (milliseconds === 0) {
      this.stop()
      return
    }
    this.#duration = milliseconds
    this.#deadline = this.#clock.now() + milliseconds
    if (!this.#cancel || this.#armedFor > this.#deadline) this.#arm(milliseconds)
    else if (this.#armedFor < this.#deadline) this.#again = true
  }

  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
    this.#deadline = undefined
  }

  #arm(milliseconds: number): void {
    this.#cancel?.()
    this.#again = false
    this.#armedFor = this.#clock.now() + milliseconds
    this.#cancel = this.#clock.after(milliseconds, () => this.#run())
  }

  #run(): void {
    this.#cancel = undefined
    const duration = this.#duration
    const rest = this.#again ? this.#deadline! - this.#clock.now() : 0
    // Clocks run their timers a little late. One that is later than a whole duration has been set, and says nothing.
    if (rest > 0 || rest <= -duration) {
      this.#arm(rest > 0 && rest < duration ? rest : duration)
    } else {
      this.#deadline = undefined
      this.#expired()
    }
  }
}

/** RFC 4271 §10: "by multiplying the base value of the appropriate timer by a random factor" from 0.75 to 1. */
export function jittered(milliseconds: number, random: () => number): number {
  return milliseconds * (0.75 + 0.25 * random())
}
