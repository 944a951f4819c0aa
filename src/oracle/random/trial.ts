/**
 * One case: a scenario in the model and in the real kernel. What differs is tried once more, since a machine with much to do
 * may be late: a difference is one that stays.
 */
import type { Machine } from '../../lab/machine.ts'
import { modelMachine } from '../../lab/model-machine.ts'
import { differenceOf } from '../compare.ts'
import type { Difference } from '../difference.ts'
import type { FrameEnding } from '../ending.ts'
import type { Leeway } from '../leeway.ts'
import { type Observation, runScenario } from '../run.ts'
import type { Scenario } from '../scenario.ts'
import { leewayOf } from './drawn-ports.ts'

export interface Trial {
  readonly difference: Difference | undefined
  readonly endings: readonly FrameEnding[]
  /** The kernel was asked a second time. */
  readonly again: boolean
}

/** Each step as far as it goes, frames as they passed, the rules that they met, and the tables in the end. */
const OPTIONS = { lenient: true, copied: true, state: true, rules: true } as const

/** Milliseconds: commands take Linux their time, between two frames. No case waits for a timer. */
const TOLERANCE = 2_000

export async function tryScenario(scenario: Scenario, live: Machine): Promise<Trial> {
  const found = await runScenario(scenario, modelMachine(), OPTIONS)
  const { endings } = found
  const leeway = { tolerance: TOLERANCE, ...leewayOf(scenario) }
  const first = between(await runScenario(scenario, live, OPTIONS), found, leeway)
  if (!first) return { difference: undefined, endings, again: false }
  const difference = between(await runScenario(scenario, live, OPTIONS), found, leeway)
  return { difference, endings, again: true }
}

export function between(
  expected: Observation,
  found: Observation,
  leeway: Partial<Leeway> = {},
): Difference | undefined {
  return refusalDifference(expected, found) ?? differenceOf(expected, found, leeway)
}

/** The kernels must refuse the same steps, in the same words. */
function refusalDifference(
  { refusals: expected }: Observation,
  { refusals: found }: Observation,
): Difference | undefined {
  const at = Array.from(expected, (_, i) => i).find((i) => expected[i] !== found[i])
  if (at === undefined && expected.length === found.length) return undefined
  const i = at ?? expected.length
  return { kind: 'state', what: `step ${found[i] ?? 'taken'}; expected ${expected[i] ?? 'it to be taken'}` }
}
