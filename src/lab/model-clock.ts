/** The model's clock, as everything that waits asks for one. Its beginning is the epoch. */
import { MILLISECOND } from '../model/clock.ts'
import type { Model } from '../model/model.ts'
import type { Clock } from '../store/clock.ts'

export function modelClock({ clock }: Model): Clock {
  return {
    now: () => clock.now / MILLISECOND,
    after(milliseconds, run) {
      const timer = clock.after(milliseconds * MILLISECOND, run)
      return () => clock.cancel(timer)
    },
  }
}
