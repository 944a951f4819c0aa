/**
 * The model against what Linux did in the fixed scenarios, without root: walks recorded by `npm run oracle -- --fixed --record
 * test/oracle/walks`. Those that are goldens are in test/golden/golden.test.ts.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'vitest'
import { modelMachine } from '../../src/lab/model-machine.ts'
import { formatDifference } from '../../src/oracle/difference.ts'
import { differenceFromRecord, runFixed } from '../../src/oracle/fixed.ts'
import type { Walk } from '../../src/oracle/walk.ts'
import { numberedScenarios, ownScenarios } from './scenarios/all.ts'
import { goldenIds } from './scenarios/rig.ts'

const walks = join(import.meta.dirname, 'walks')

for (const fixed of ownScenarios) {
  const { id } = fixed.scenario
  test(`${id}: ${fixed.title}`, async () => {
    const recorded: Walk = JSON.parse(readFileSync(join(walks, `${id}.json`), 'utf8'))
    const difference = differenceFromRecord(fixed, recorded, await runFixed(fixed, modelMachine()))
    assert.equal(difference && formatDifference(difference), undefined)
  })
}

test('every scenario of S01 to S37 and X1 to X7 is there; X2 is a table of flows', () => {
  const numbers = (letter: string, last: number) =>
    Array.from({ length: last }, (_, i) => `${letter}${String(i + 1).padStart(letter === 'S' ? 2 : 1, '0')}`)
  const wanted = [...numbers('S', 37), ...numbers('X', 7)].filter((id) => id !== 'X2')
  assert.deepEqual(
    [...new Set(numberedScenarios().map(({ scenario: { id } }) => id.slice(0, id.startsWith('S') ? 3 : 2)))],
    wanted,
  )
})

test('a scenario has a golden or a record, and not both', () => {
  const recorded = readdirSync(walks).map((name) => name.replace('.json', ''))
  assert.deepEqual(recorded.sort(), ownScenarios.map(({ scenario: { id } }) => id).sort())
  assert.deepEqual(
    recorded.filter((id) => goldenIds.includes(id)),
    [],
  )
})
