/**
 * The model against the walks of Linux 6.18: it is shown the questions alone, and the suite's own `compare` is the judge.
 * test/golden/README.md.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { modelMachine } from '../../src/lab/model-machine.ts'
import { answerAll } from '../../src/oracle/oracle.ts'

const here = import.meta.dirname
const compareProgram = join(here, 'compare')
// Where a checkout stands beside the place the suite comes from; elsewhere there is nothing to compare with.
const origin = join(here, '../../../shared/golden')

const handedOver = (directory: string) =>
  readdirSync(directory).filter((name) => name === 'compare' || /\.(?:json|pcapng|yml|md)$/.test(name))
const goldens = readdirSync(here)
  .filter((name) => /^[SH]\d\d\.json$/.test(name))
  .map((name) => name.slice(0, -'.json'.length))
const withTcp = goldens.filter((id) => JSON.parse(readFileSync(join(here, `${id}.json`), 'utf8')).inject.length === 0)

function compare(...argv: string[]): { status: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync('python3', [compareProgram, ...argv], { encoding: 'utf8' })
  return { status, output: stdout + stderr }
}

describe('the model walks as Linux did', () => {
  let directory: string
  let questions: string
  let answers: string
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'overlab-golden-'))
    questions = join(directory, 'questions')
    answers = join(directory, 'answers')
    assert.equal(compare('--questions', here, questions).status, 0)
    const { refused } = await answerAll(questions, answers, { machine: () => modelMachine() })
    assert.deepEqual(refused, [])
  }, 120_000)
  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  for (const id of [...goldens, 'ecmp']) {
    test(`${id}: every frame at every tap, and how it ends`, () => {
      const { status, output } = compare(here, answers, '--only', id)
      assert.equal(status, 0, output)
    })
  }

  for (const id of withTcp) {
    test(`${id}: the model's own TCP`, () => {
      const { status, output } = compare(here, answers, '--tcp', '--only', id)
      assert.equal(status, 0, output)
    })
  }
})

test('the suite is whole, and finds what differs', () => {
  assert.equal(goldens.length, 28)
  const { status, output } = compare(here, '--selftest')
  assert.equal(status, 0, output)
})

if (existsSync(origin)) {
  test('the copy is not older than its origin', () => {
    assert.deepEqual(handedOver(here).sort(), handedOver(origin).sort())
    for (const name of handedOver(origin)) {
      assert.ok(readFileSync(join(here, name)).equals(readFileSync(join(origin, name))), name)
    }
  })
}
