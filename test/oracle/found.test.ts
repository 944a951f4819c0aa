/**
 * What random worlds have shown: scenarios in which the model differed, with the walk of Linux 6.18.44. Each file is one such
 * case, `scenario` and what was `observed`; its name is what it was about.
 */
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { test } from 'vitest'
import { modelMachine } from '../../src/lab/model-machine.ts'
import { leewayOf } from '../../src/oracle/random/drawn-ports.ts'
import { between } from '../../src/oracle/random/trial.ts'
import { type Observation, runScenario } from '../../src/oracle/run.ts'
import type { Scenario } from '../../src/oracle/scenario.ts'

interface Found {
  readonly scenario: Scenario
  readonly observed: Observation
}

const files = globSync('*.json', { cwd: join(import.meta.dirname, 'found') }).sort()
assert.ok(files.length > 0)

test.each(files.map((file) => [basename(file, '.json').replaceAll('-', ' '), file]))('%s', async (_, file) => {
  const { scenario, observed }: Found = JSON.parse(readFileSync(join(import.meta.dirname, 'found', file), 'utf8'))
  const found = await runScenario(scenario, modelMachine(), { lenient: true, copied: true })
  assert.equal(between(observed, found, leewayOf(scenario))?.what, undefined)
})
