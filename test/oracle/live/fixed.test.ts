/**
 * Every fixed scenario in the model and in this machine's kernel: every frame at every tap, and what became of it. A difference
 * that sickbay.yml knows is no failure; what it knows and is not there is one.
 */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'vitest'
import { linuxMachine } from '../../../src/cli/machine.ts'
import { modelMachine } from '../../../src/lab/model-machine.ts'
import { type Difference, formatDifference } from '../../../src/oracle/difference.ts'
import { answerFlows } from '../../../src/oracle/ecmp.ts'
import { differenceInFixed, type FixedScenario, runFixed } from '../../../src/oracle/fixed.ts'
import { readFlows } from '../../../src/oracle/question.ts'
import { Sickbay } from '../../../src/oracle/sickbay.ts'
import { allScenarios } from '../scenarios/all.ts'

const machine = linuxMachine([])
const goldens = `${import.meta.dirname}/../../golden`
const sickbay = Sickbay.read(join(import.meta.dirname, '../../../sickbay.yml'))

for (const fixed of allScenarios()) {
  test(`${fixed.scenario.id}: ${fixed.title}`, async () => {
    const difference = await differenceTwice(fixed)
    const known = sickbay.know(fixed.scenario.id, difference)
    if (difference && !known) assert.fail(formatDifference(difference))
  })
}

/** A busy machine may be late, and chance may give two things one ID: what is different once only is none of the model's. */
async function differenceTwice(fixed: FixedScenario): Promise<Difference | undefined> {
  const model = await runFixed(fixed, modelMachine())
  const first = differenceInFixed(fixed, await runFixed(fixed, machine), model)
  return first && differenceInFixed(fixed, await runFixed(fixed, machine), model)
}

test('X2: every flow takes the same next hop', async () => {
  const flows = readFlows(goldens)!
  const theirs = await answerFlows(flows, machine)
  assert.deepEqual(await answerFlows(flows, modelMachine()), theirs)
  assert.deepEqual(theirs, flows)
})

test('sickbay.yml knows no difference that is not there', () => {
  assert.deepEqual(sickbay.cured(), [])
})
