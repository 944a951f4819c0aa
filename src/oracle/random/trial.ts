/**
 * One case: a scenario in the real kernel, and in the model at the same pace. What differs is tried again: Linux counts time
 * in ticks, whose beginnings nobody knows, and may be late with a timer; and in the model two flows may have one hash by chance, as
 * in Linux, so it draws anew. A difference is one that stays.
 */
import type { Machine } from '../../lab/machine.ts'
import { modelMachine } from '../../lab/model-machine.ts'
import { differenceOf } from '../compare.ts'
import type { Difference } from '../difference.ts'
import type { FrameEnding } from '../ending.ts'
import { hashesAreKept, type Leeway } from '../leeway.ts'
import { type Observation, runScenario } from '../run.ts'
import type { Scenario } from '../scenario.ts'
import { leewayOf } from './drawn-ports.ts'

export interface Trial {
  readonly difference: Difference | undefined
  readonly endings: readonly FrameEnding[]
  /** The kernel was asked more than once. */
  readonly again: boolean
}

/** Each step as far as it goes, frames as they passed, the rules that they met, and the tables in the end. */
const OPTIONS = { lenient: true, copied: true, state: true, rules: true } as const

/** Milliseconds. No case waits for a timer. */
const TOLERANCE = 2_000

/** Milliseconds before each step, one for each try: not at the same distance from a tick again. */
const BREATHS = [2, 7, 15] as const

export async function tryScenario(scenario: Scenario, live: Machine): Promise<Trial> {
  let trial: Omit<Trial, 'again'> = { difference: undefined, endings: [] }
  for (const [i, breath] of BREATHS.entries()) {
    trial = await compareOnce(scenario, live, breath, i + 1)
    if (!trial.difference) return { ...trial, again: i > 0 }
  }
  return { ...trial, again: true }
}

/** Linux sets the pace. `seed`: the model's. */
async function compareOnce(
  scenario: Scenario,
  live: Machine,
  breath: number,
  seed: number,
): Promise<Omit<Trial, 'again'>> {
  const expected = await runScenario(scenario, live, { ...OPTIONS, breath })
  const found = await runScenario(scenario, modelMachine({ seed }), { ...OPTIONS, moments: expected.moments })
  const difference = between(expected, found, {
    tolerance: TOLERANCE,
    keptHashes: hashesAreKept(scenario),
    ...leewayOf(scenario),
  })
  return { difference, endings: found.endings }
}

export function between(
  expected: Observation,
  found: Observation,
  leeway: Partial<Leeway> = {},
): Difference | undefined {
  return refusalDifference(expected, found) ?? differenceOf(expected, found, leeway)
}

/** The kernels must refuse the same steps, in the same words. Of several lines the first: where in the command, say the others. */
function refusalDifference(first: Observation, second: Observation): Difference | undefined {
  const [expected, found] = [first, second].map(({ refusals }) => refusals.map((each) => each.split('\n')[0])) as [
    string[],
    string[],
  ]
  const at = Array.from(expected, (_, i) => i).find((i) => expected[i] !== found[i])
  if (at === undefined && expected.length === found.length) return undefined
  const i = at ?? expected.length
  return { kind: 'state', what: `step ${found[i] ?? 'taken'}; expected ${expected[i] ?? 'it to be taken'}` }
}
