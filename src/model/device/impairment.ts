/**
 * A wire that delays, loses and slows what is sent: what netem and tbf do to a link's output. net/sched/sch_netem.c.
 *
 * A packet waits for those before it to be sent at the wire's rate, then for the delay. With jitter a packet may overtake
 * another, as with netem.
 */
import type { Microseconds } from '../clock.ts'
import type { Model } from '../model.ts'

export interface ImpairmentOptions {
  readonly delay: Microseconds
  /** That the delay may be more or less. */
  readonly jitter: Microseconds
  /** 0 to 1. */
  readonly loss: number
  /** Bits per second; undefined: as fast as it likes. */
  readonly rate: number | undefined
}

const RESOLUTION = 1_000_000
/** Bits in a byte, and microseconds in a second. */
const BYTE = 8
const SECOND = 1_000_000

export class Impairment {
  readonly #options: ImpairmentOptions
  /** When the wire has sent everything that it was given. */
  #free: Microseconds = 0

  constructor(options: ImpairmentOptions) {
    this.#options = options
  }

  /** How long a packet of so many bytes takes; undefined: it is lost. */
  take({ clock, random }: Model, bytes: number): Microseconds | undefined {
    const { delay, jitter, loss, rate } = this.#options
    if (loss > 0 && random.below('impairment', RESOLUTION) < loss * RESOLUTION) return undefined
    let wait = delay
    if (jitter > 0) wait += random.below('impairment', 2 * jitter + 1) - jitter
    if (rate !== undefined) {
      this.#free = Math.max(this.#free, clock.now) + (bytes * BYTE * SECOND) / rate
      wait += this.#free - clock.now
    }
    return Math.max(0, wait)
  }
}
