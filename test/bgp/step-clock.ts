/** A clock that jumps from timer to timer when a test says so, without waiting for anything: all that it drives is synchronous. */
import { MILLISECOND, Clock as VirtualClock } from '../../src/model/clock.ts'
import type { Clock } from '../../src/store/clock.ts'

const BEGINNING = 1_700_000_000_000

export class StepClock implements Clock {
  readonly #virtual = new VirtualClock()

  now(): number {
    return BEGINNING + this.#virtual.now / MILLISECOND
  }

  after(milliseconds: number, run: () => void): () => void {
    const timer = this.#virtual.after(milliseconds * MILLISECOND, run)
    return () => this.#virtual.cancel(timer)
  }

  /** Milliseconds. */
  advance(milliseconds: number): void {
    const end = this.#virtual.now + milliseconds * MILLISECOND
    while (this.#virtual.step(end));
    this.#virtual.moveTo(end)
  }

  /** The process did not run for so long: time passes, and no timer runs until it goes on. */
  stall(milliseconds: number): void {
    this.#virtual.moveTo(this.#virtual.now + milliseconds * MILLISECOND)
  }
}
