/** This machine's time, as a keeper is given it. */
import type { Clock } from '../../src/reconcile/keep.ts'

export const realClock: Clock = {
  now: () => performance.now(),
  after(milliseconds, run) {
    const timer = setTimeout(run, milliseconds)
    return () => clearTimeout(timer)
  },
}
