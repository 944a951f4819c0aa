/**
 * Runs what compares the model with a kernel, and tallies what ran of the model. Only what was equal counts.
 *
 *   golden     walks of Linux that were recorded; `test/golden/compare` is the judge
 *   scenario   the fixed ones, beside the live kernel
 *   random     cases beside the live kernel, so many of each kind
 *   test       files of tests that ask both kernels the same               tests.ts
 *   second     the fixed scenarios again, as Linux 6.1 was seen to do them  second.ts
 *   guest      files of tests that ask Linux 6.1 and the model the same
 */
import { spawnSync } from 'node:child_process'
import { globSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Machine } from '../../lab/machine.ts'
import { modelMachine } from '../../lab/model-machine.ts'
import { differenceInFixed, type FixedScenario, runFixed } from '../fixed.ts'
import { answerAll } from '../oracle.ts'
import { drawScenario } from '../random/campaign.ts'
import type { Kind } from '../random/kind.ts'
import { tryScenario } from '../random/trial.ts'
import type { Coverage } from './coverage.ts'
import type { Tally, Wanted } from './tally.ts'

export interface Measuring {
  /** The repository. */
  readonly root: string
  readonly coverage: Coverage
  readonly tally: Tally
  /** Whether this is to be measured. */
  readonly wants: Wanted
  say(line: string): void
}

/** Ids of the goldens that differ. */
export async function measureGoldens({ root, coverage, tally, wants, say }: Measuring): Promise<string[]> {
  const goldens = join(root, 'test/golden')
  const directory = mkdtempSync(join(tmpdir(), 'overlab-fidelity-'))
  const judge = (...argv: string[]) => spawnSync('python3', [join(goldens, 'compare'), ...argv], { encoding: 'utf8' })
  const differ: string[] = []
  try {
    const questions = join(directory, 'questions')
    judge('--questions', goldens, questions)
    const ids = globSync('*.json', { cwd: questions }).map((name) => name.slice(0, -'.json'.length))
    for (const id of ids.sort()) {
      const name = id === 'ecmp' ? 'X2' : id
      if (!wants('golden', name)) continue
      const output = join(directory, id)
      await coverage.take()
      await answerAll(questions, output, { only: [id], machine: () => modelMachine() })
      const ran = await coverage.take()
      const { status, stdout } = judge(goldens, output, '--only', id)
      const tcp = globSync('*.tcp.json', { cwd: output }).length > 0
      if (status === 0 && (!tcp || judge(goldens, output, '--tcp', '--only', id).status === 0)) {
        tally.add({ name, what: 'golden', cases: 1 }, ran)
      } else {
        differ.push(id)
        say(stdout)
      }
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
  return differ
}

/** Ids of the scenarios that differ. */
export async function measureFixed(
  { coverage, tally, wants, say }: Measuring,
  scenarios: readonly FixedScenario[],
  live: Machine,
): Promise<string[]> {
  const differ: string[] = []
  for (const fixed of scenarios) {
    const { id } = fixed.scenario
    if (!wants('scenario', id)) continue
    await coverage.take()
    const found = await runFixed(fixed, modelMachine())
    const ran = await coverage.take()
    const first = differenceInFixed(fixed, await runFixed(fixed, live), found)
    // A busy machine may be late.
    const difference = first && differenceInFixed(fixed, await runFixed(fixed, live), found)
    if (!difference) {
      tally.add({ name: id, what: 'scenario', cases: 1 }, ran)
      continue
    }
    differ.push(id)
    say(`${id}: ${difference.what}`)
  }
  return differ
}

/** So many cases are tallied at once: a look at what ran takes longer than a case. */
const BATCH = 5

/** Ids of the cases that differ. What ran beside one of them in a batch does not count. */
export async function measureKind(
  { coverage, tally, wants, say }: Measuring,
  kind: Kind,
  { cases, seed, live }: { readonly cases: number; readonly seed: number; readonly live: Machine },
): Promise<string[]> {
  const differ: string[] = []
  if (!wants('random', kind.name)) return differ
  say(`${cases} cases of ${kind.name}`)
  for (let from = 0; from < cases; from += BATCH) {
    const numbers = Array.from({ length: Math.min(BATCH, cases - from) }, (_, i) => seed + from + i)
    await coverage.take()
    let equal = true
    for (const number of numbers) {
      const scenario = drawScenario(kind, number)
      const { difference } = await tryScenario(scenario, live)
      if (!difference) continue
      equal = false
      differ.push(scenario.id)
      say(`${scenario.id}: ${difference.what}`)
    }
    const ran = await coverage.take()
    if (equal) tally.add({ name: kind.name, what: 'random', cases: numbers.length }, ran)
  }
  return differ
}
