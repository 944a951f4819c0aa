/** The keeper on the model, whose clock also shows what it does while nothing happens, and under a storm. */
import { test } from 'vitest'
import { MILLISECOND } from '../../src/model/clock.ts'
import { createModel } from '../../src/model/create.ts'
import { inTime } from '../contract/kernel/case.ts'
import { keepCases, keepWorld } from './keep-cases.ts'
import { modelClock } from './model-clock.ts'

for (const { title, check } of keepCases) {
  test(`model: ${title}`, async () => {
    const kernel = createModel()
    const { world, close } = keepWorld(kernel, modelClock(kernel))
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
