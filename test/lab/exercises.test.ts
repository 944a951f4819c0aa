/** Every exercise can be done on the real kernel, too: in namespaces, by the machine's own ip, bridge, nft, iptables and sysctl. */
import assert from 'node:assert/strict'
import { basename } from 'node:path'
import { describe, test } from 'vitest'
import { linuxMachine } from '../../src/cli/machine.ts'
import { type Bench, kernelBench } from '../../src/lab/tests/bench.ts'
import { proveExercise } from '../../src/lab/tests/exercise.ts'
import { formatTrace } from '../../src/trace/text.ts'
import { type ExerciseFile, readExercises } from '../exercises/catalogue.ts'

const PLAIN = { verbose: false, hex: false, colour: false }
const plugins = new URL('../../cni-bin', import.meta.url).pathname
const machine = linuxMachine([plugins])

async function open({ topology, path, lineOf }: ExerciseFile): Promise<Bench> {
  const bench = await kernelBench({ topology, source: { file: basename(path), lineOf } }, machine, async (steps) => {
    for (const { run } of steps) await run()
  })
  assert.ok(bench, `a lab ${topology.name} is being brought up already`)
  return bench
}

// They wait for answers that do not come far more than they compute, and share nothing: each lab has namespaces of its own.
describe.concurrent('on the real kernel', { timeout: 300_000 }, () => {
  for (const file of readExercises()) {
    const { name, topology, exercise, tests } = file
    test(`${name}: ${exercise.title}`, async () => {
      const complaints: string[] = []
      const claims = await proveExercise(exercise, tests, {
        topology,
        faults: [],
        open: () => open(file),
        now: () => performance.now(),
        onComplaint: (complaint) => complaints.push(complaint),
      })
      for (const { claim, holds, message, decisive } of claims) {
        assert.ok(holds, `${claim}: ${message}\n${decisive?.trace ? formatTrace(decisive.trace, PLAIN) : ''}`)
      }
      assert.equal(claims.length, 4)
      assert.deepEqual(complaints, [])
    })
  }
})
