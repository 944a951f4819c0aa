/**
 * Our own restart, as RFC 4724 §4.1 has it: our peers have kept our routes, and we announce nothing and change nothing in the
 * kernel until we know theirs again, which each tells with its End-of-RIB.
 *
 * That must not hold our announcements for minutes. Who is down, or never sends an End-of-RIB, is waited for no longer than
 * the deferral time; who restarts itself is not waited for at all.
 */
import type { Clock } from '../store/clock.ts'
import type { Family } from './family.ts'
import type { RestartState } from './peer-settings.ts'
import { Timer } from './timer.ts'

/** Milliseconds. */
export const DEFERRAL = 10_000

/** As much of a neighbour as is waited for. */
export interface Awaited {
  readonly established: boolean
  readonly awaitsEndOfRib: ReadonlySet<Family>
  readonly status: { readonly disabled: boolean }
}

export class Restart implements RestartState {
  readonly #kept: readonly Family[]
  readonly #over: () => void
  readonly #timer: Timer
  #restarting = true

  /** `kept`: families that were forwarded all the time. `over` is called once, from an event or from look(). */
  constructor(clock: Clock, kept: readonly Family[], over: () => void, deferral = DEFERRAL) {
    this.#kept = kept
    this.#over = over
    this.#timer = new Timer(clock, () => this.#end())
    this.#timer.start(deferral)
  }

  get restarting(): boolean {
    return this.#restarting
  }

  forwarding(family: Family): boolean {
    return this.#kept.includes(family)
  }

  /** To be called when something has become of a neighbour: it is established, has sent its End-of-RIB, or is no more. */
  look(neighbours: Iterable<Awaited>): void {
    if (!this.#restarting) return
    for (const { established, awaitsEndOfRib, status } of neighbours) {
      if (!status.disabled && (!established || awaitsEndOfRib.size > 0)) return
    }
    this.#end()
  }

  #end(): void {
    this.#timer.stop()
    this.#restarting = false
    this.#over()
  }
}
