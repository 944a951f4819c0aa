/**
 * Fixed scenarios: what stands in a table of situations, each run in the model and in the real kernel and compared. Those
 * that have been recorded are compared with the record as well, which needs no root.
 */
import type { Machine } from '../lab/machine.ts'
import { differenceOf, differenceOfWalks } from './compare.ts'
import type { Difference } from './difference.ts'
import { LEEWAY } from './leeway.ts'
import { observe } from './observe.ts'
import { leewayOf } from './random/drawn-ports.ts'
import type { Observation } from './run.ts'
import type { Scenario } from './scenario.ts'
import type { Walk } from './walk.ts'

export interface FixedScenario {
  /** In words: what is changed, and what is sent. */
  readonly title: string
  readonly scenario: Scenario
  /** Milliseconds in which is watched after the last step. */
  readonly tail?: number
  /** Milliseconds that a frame may come earlier or later, where Linux draws the time. */
  readonly tolerance?: number
}

export function runFixed({ scenario, tail = 0 }: FixedScenario, machine: Machine): Promise<Observation> {
  return observe(scenario, machine, { tail, state: true })
}

/** Undefined: none beyond what may differ. */
export function differenceInFixed(
  { scenario, tolerance = LEEWAY.tolerance }: FixedScenario,
  expected: Observation,
  found: Observation,
): Difference | undefined {
  return differenceOf(expected, found, { ...leewayOf(scenario), tolerance })
}

/** Between what was recorded of a kernel, and a run. */
export function differenceFromRecord(
  { scenario, tolerance = LEEWAY.tolerance }: FixedScenario,
  recorded: Walk,
  { walk, given }: Observation,
): Difference | undefined {
  return differenceOfWalks(recorded, walk, given, { ...LEEWAY, ...leewayOf(scenario), tolerance })
}
