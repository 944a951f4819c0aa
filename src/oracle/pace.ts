/**
 * When a run does what it does. Linux takes its time, for commands and on a machine with much to do, and what it sends goes by
 * time: redirects that come too soon behind one another, requests for a neighbour that are repeated after a second. So the
 * model's run keeps to the moments of the run that it is compared with.
 */
import { setTimeout } from 'node:timers/promises'
import type { Machine } from '../lab/machine.ts'
import { ModelKernel } from '../model/create.ts'

/** Milliseconds from the first moment, one for each time that `reach` was called. */
export type Moments = readonly number[]

export class Pace {
  readonly #machine: Machine
  readonly #led: Moments | undefined
  readonly #moments: number[] = []
  #start: number | undefined

  /** `led`: the moments of another run of the same scenario. */
  constructor(machine: Machine, led?: Moments) {
    this.#machine = machine
    this.#led = led
  }

  get moments(): Moments {
    return this.#moments
  }

  /**
   * The next moment comes: that of the other run, otherwise `at` if it has a time of its own, otherwise now. `breath`:
   * milliseconds that Linux is left before, in which arrives what is on its way; where a namespace's packets wait for
   * ksoftirqd, sending is over before they do. In the model nothing is on its way.
   */
  async reach({
    at,
    breath = 0,
  }: {
    readonly at?: number | undefined
    readonly breath?: number | undefined
  } = {}): Promise<void> {
    if (breath > 0 && !(this.#machine.kernel instanceof ModelKernel)) await setTimeout(breath)
    this.#start ??= this.#now() - (at ?? 0)
    const due = this.#led?.[this.#moments.length] ?? at
    const left = due === undefined ? 0 : this.#start + due - this.#now()
    if (left > 0) await this.#machine.until(() => false, left)
    this.#moments.push(this.#now() - this.#start)
  }

  /** Milliseconds: the machine's own clock has whole ones. */
  #now(): number {
    const { kernel } = this.#machine
    return kernel instanceof ModelKernel ? kernel.model.clock.now / 1000 : performance.now()
  }
}
