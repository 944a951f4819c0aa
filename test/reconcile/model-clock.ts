/** The model's virtual time, as a keeper is given it. */
import { MILLISECOND } from '../../src/model/clock.ts'
import type { ModelKernel } from '../../src/model/create.ts'
import type { Clock } from '../../src/reconcile/keep.ts'

export function modelClock({ model }: ModelKernel): Clock {
  return {
    now: () => model.clock.now / MILLISECOND,
    after(milliseconds, run) {
      const timer = model.clock.after(milliseconds * MILLISECOND, run)
      return () => model.clock.cancel(timer)
    },
  }
}
