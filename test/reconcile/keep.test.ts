/** The keeper on the model, whose clock also shows what it does while nothing happens, and under a storm. */
import { test } from 'vitest'
import { MILLISECOND } from '../../src/model/clock.ts'
import { createModel, type ModelKernel } from '../../src/model/create.ts'
import type { Clock } from '../../src/reconcile/keep.ts'
import { inTime } from '../contract/kernel/case.ts'
import { keepCases, keepWorld } from './keep-cases.ts'

function clockOf({ model }: ModelKernel): Clock {
  return {
    now: () => model.clock.now / MILLISECOND,
    after(milliseconds, run) {
      const timer = model.clock.after(milliseconds * MILLISECOND, run)
      return () => model.clock.cancel(timer)
    },
  }
}

for (const { title, check } of keepCases) {
  test(`model: ${title}`, async () => {
    const kernel = createModel()
    const { world, close } = keepWorld(kernel, clockOf(kernel))
    try {
      await inTime(
        () => kernel.model.advance(20 * MILLISECOND),
        () => check(world),
      )
    } finally {
      close()
    }
  })
}
