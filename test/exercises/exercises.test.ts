/** Every exercise can be done in the model: the fault breaks what it says, the trace says why, and the fix that it prints mends it. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import fc from 'fast-check'
import { describe, test } from 'vitest'
import { type Bench, modelBench } from '../../src/lab/tests/bench.ts'
import { testFaults } from '../../src/lab/tests/check-tests.ts'
import { namesOf } from '../../src/lab/tests/description.ts'
import { proveExercise } from '../../src/lab/tests/exercise.ts'
import { breakBy, greet, runTest } from '../../src/lab/tests/run.ts'
import { formatWhere } from '../../src/trace/document.ts'
import { formatTrace } from '../../src/trace/text.ts'
import { type ExerciseFile, readExercises } from './catalogue.ts'

const now = () => 0
const PLAIN = { verbose: false, hex: false, colour: false }
const exercises = readExercises()

const open = ({ topology, path, lineOf }: ExerciseFile): Promise<Bench> =>
  modelBench({ topology, source: { file: basename(path), lineOf } })

const faultsOf = ({ topology, exercise }: ExerciseFile) =>
  namesOf(exercise.fault).map((name) => topology.faults![name]!)

test('the catalogue is whole: F1 to F26', () => {
  const numbers = new Set(exercises.map(({ name }) => Number(/^f(\d\d)-/.exec(name)?.[1])))
  assert.deepEqual(
    [...numbers].sort((a, b) => a - b),
    Array.from({ length: 26 }, (_, i) => i + 1),
  )
})

test('each is in the document', () => {
  const document = readFileSync(join(import.meta.dirname, '../../docs/testing-networks.md'), 'utf8')
  for (const { name, exercise } of exercises) {
    assert.ok(
      document.includes(`${name}.ovl.yml) | ${exercise.title} | \`${exercise.dropped}\` at ${exercise.at} |`),
      name,
    )
  }
})

for (const file of exercises) {
  const { name, topology, exercise, tests } = file

  describe(name, () => {
    test(`${exercise.title}: it can be done`, async () => {
      assert.deepEqual(testFaults(topology), [])
      assert.equal(topology.name, name)
      const claims = await proveExercise(exercise, tests, { topology, faults: [], open: () => open(file), now })
      for (const { claim, holds, message, decisive } of claims) {
        assert.ok(holds, `${claim}: ${message}\n${decisive?.trace ? formatTrace(decisive.trace, PLAIN) : ''}`)
      }
      assert.equal(claims.length, 4)
    })

    const faults = faultsOf(file)
    if (faults.every(({ undo }) => undo !== undefined)) {
      test('what undoes its fault undoes all of it', async () => {
        const bench = await open(file)
        await greet(tests, bench)
        await breakBy(faults, bench)
        for (const { node, undo, wait = 0 } of faults) {
          const { status, stderr } = await bench.run(node, undo!)
          assert.equal(status, 0, stderr)
          await bench.wait(wait)
        }
        for (const each of tests) {
          const { status, message } = await runTest(each, bench, now)
          assert.equal(status, 'passed', `${each.name}: ${message}`)
        }
      })
    }
  })
}

/** What traces of tests that fail say, one after the other, each mended before the next. */
async function mendAll(tests: ExerciseFile['tests'], bench: Bench): Promise<string[]> {
  const found: string[] = []
  for (let round = 0; round < MOST_ROUNDS; round++) {
    let failed = false
    for (const each of tests) {
      const { status, trace } = await runTest(each, bench, now)
      if (status === 'passed') continue
      failed = true
      const { at, reason, fix = [], disposition } = trace!.result
      assert.equal(disposition, 'dropped', formatTrace(trace!, PLAIN))
      found.push(`${reason} at ${formatWhere(at!)}`)
      for (const line of fix) await bench.run(at!.node, line)
      break
    }
    if (!failed) return found
  }
  assert.fail(`still broken after ${found.join(', ')}`)
}

const MOST_ROUNDS = 6

describe('of two faults at once the first on the way is named, and the second when that is mended', () => {
  // Nodes, pods and addresses are the same in these, so that one's fault can be put into the other's network.
  const alike = ['f01-lost-fdb', 'f02-lost-neighbour', 'f05-blocked-port', 'f09-forwarding-off', 'f10-forward-policy']
  const pool = exercises.filter(({ name }) => alike.includes(name))
  assert.equal(pool.length, alike.length)
  // Where in the order of the way it is lost.
  const order = ['n1/cni0', 'n1/flannel.1', 'n2/eth0', 'n2/flannel.1']

  test('at random', async () => {
    const pair = fc.tuple(fc.constantFrom(...pool), fc.constantFrom(...pool)).filter(([a, b]) => {
      return a.exercise.at !== b.exercise.at
    })
    await fc.assert(
      fc.asyncProperty(pair, async ([a, b]) => {
        const bench = await open(a)
        const tests = a.tests.filter(({ name }) => a.exercise.fails.includes(name))
        await greet(tests, bench)
        await breakBy([...faultsOf(a), ...faultsOf(b)], bench)
        const expected = [a, b]
          .sort((x, y) => order.indexOf(x.exercise.at!) - order.indexOf(y.exercise.at!))
          .map(({ exercise }) => `${exercise.dropped} at ${exercise.at}`)
        const found = await mendAll(tests, bench)
        assert.deepEqual([...new Set(found)], expected)
      }),
      { numRuns: 8 },
    )
  })
})
