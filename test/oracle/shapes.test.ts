/**
 * Networks of other shapes than the rig of test/golden: a ring with a narrow wire, a gateway that translates for a switch, two
 * leaves under two spines, a segment over three nodes, two sites with a tunnel and a firewall, a node with services. What
 * Linux 6.18 did in them was recorded by
 *
 *   test/golden/compare --questions test/oracle/shapes /tmp/questions
 *   npm run oracle -- --golden /tmp/questions --dump /tmp/answers --engine kernel
 *
 * and put beside the questions (where there is a connection, from H27.tcp.json and so on); the model is shown the questions alone,
 * and the goldens' own `compare` is the judge.
 */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { modelMachine } from '../../src/lab/model-machine.ts'
import { answerAll } from '../../src/oracle/oracle.ts'

const shapes = join(import.meta.dirname, 'shapes')
const ids = readdirSync(shapes).flatMap((name) => /^(H\d\d)\.json$/.exec(name)?.[1] ?? [])
const withTcp = ids.filter((id) => JSON.parse(readFileSync(join(shapes, `${id}.json`), 'utf8')).inject.length === 0)

function compare(...argv: string[]): { status: number | null; output: string } {
  const program = join(import.meta.dirname, '../golden/compare')
  const { status, stdout, stderr } = spawnSync('python3', [program, ...argv], { encoding: 'utf8' })
  return { status, output: stdout + stderr }
}

describe('the model walks as Linux did', () => {
  let directory: string
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'overlab-shapes-'))
    const questions = join(directory, 'questions')
    assert.equal(compare('--questions', shapes, questions).status, 0)
    const { refused } = await answerAll(questions, directory, { machine: () => modelMachine() })
    assert.deepEqual(refused, [])
  }, 120_000)
  afterAll(() => rmSync(directory, { recursive: true, force: true }))

  for (const id of ids) {
    test(`${id}: every frame at every tap, and how it ends`, () => {
      const { status, output } = compare(shapes, directory, '--only', id)
      assert.equal(status, 0, output)
    })
  }

  for (const id of withTcp) {
    test(`${id}: the model's own TCP`, () => {
      const { status, output } = compare(shapes, directory, '--tcp', '--only', id)
      assert.equal(status, 0, output)
    })
  }
})

test('none is missing', () => {
  assert.deepEqual(
    ids,
    Array.from({ length: 31 }, (_, i) => `H${String(i + 1).padStart(2, '0')}`),
  )
})
