/** A speaker's kernel routes on the model. */
import { test } from 'vitest'
import { MILLISECOND } from '../../../src/model/clock.ts'
import { createModel } from '../../../src/model/create.ts'
import { inTime } from '../../contract/kernel/case.ts'
import { modelClock } from '../../reconcile/model-clock.ts'
import { fibCases } from './fib-cases.ts'
import { fibWorld } from './world.ts'

for (const { title, check } of fibCases) {
  test(`model: ${title}`, async () => {
    const kernel = createModel()
    const { world, close } = fibWorld(kernel, modelClock(kernel))
    try {
      await inTime(
        () => kernel.model.advance(20 * MILLISECOND),
        async () => {
          await world.ready()
          await check(world)
        },
      )
    } finally {
      close()
    }
  })
}
