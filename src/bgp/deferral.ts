/**
 * The restarting speaker's side of graceful restart: RFC 4724 §4.1. Until the peers have sent what they have, nothing is told
 * and nothing is written: packets go on by the routes that the kernel has from before.
 *
 * Peers that are down, or restart as well, are not waited for longer than DEFERRAL; a speaker that waits for minutes does more
 * harm than one that asks too early.
 */
import type { Clock } from '../store/clock.ts'
import type { Neighbour } from './neighbour.ts'
import { Timer } from './timer.ts'

/** Milliseconds: "Selection_Deferral_Timer", an upper bound that is the implementation's. */
export const DEFERRAL = 10_000

export class Deferral {
  readonly #timer: Timer
  #isOver: boolean
  readonly #over: (why: string) => void

  /** `over` is called once, unless there is nothing to wait for from the beginning. */
  constructor(clock: Clock, restarted: boolean, over: (why: string) => void) {
    this.#timer = new Timer(clock, () => this.#end('some peers have not sent their routes'))
    this.#isOver = !restarted
    this.#over = over
    if (restarted) this.#timer.start(DEFERRAL)
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** To be called when a session has come up, or a peer has said that it has sent all. */
  check(neighbours: readonly Neighbour[]): void {
    if (this.#isOver) return
    const waited = neighbours.filter(({ settings, peer }) => settings.session.gracefulRestart && !peer.status.disabled)
    if (waited.every(({ peer }) => peer.established && peer.awaitsEndOfRib.size === 0)) {
      this.#end('all peers have sent their routes')
    }
  }

  close(): void {
    this.#timer.stop()
  }

  #end(why: string): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#timer.stop()
    this.#over(why)
  }
}
