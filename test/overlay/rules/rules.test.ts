/** The traffic rules on the model. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { runLine } from '../../../src/command/run.ts'
import { MILLISECOND } from '../../../src/model/clock.ts'
import { createModel } from '../../../src/model/create.ts'
import { inTime } from '../../contract/kernel/case.ts'
import { keepWorld } from '../../reconcile/keep-cases.ts'
import { modelClock } from '../../reconcile/model-clock.ts'
import { rulesCases } from './rules-cases.ts'

for (const { title, check } of rulesCases) {
  test(`model: ${title}`, async () => {
    const kernel = createModel()
    const clock = modelClock(kernel)
    const { world, close } = keepWorld(kernel, clock)
    const run = async (line: string, stdin?: string) => {
      const sleep = async (milliseconds: number) => kernel.model.advance(milliseconds * MILLISECOND)
      const context = { kernel, now: () => clock.now(), sleep, ...(stdin !== undefined && { stdin }) }
      const { status, stdout, stderr } = await runLine(line, context)
      assert.equal(status, 0, `${line}: ${stderr}`)
      return stdout
    }
    const passTime = async () => {
      kernel.model.advance(20 * MILLISECOND)
      await Promise.resolve()
    }
    try {
      await inTime(passTime, () => check({ ...world, run }))
    } finally {
      close()
    }
  })
}
