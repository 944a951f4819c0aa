/**
 * Fixed scenarios: what stands in a table of situations, each run in the model and in the real kernel and compared. Those
 * that have been recorded are compared with the record as well, which needs no root.
 */
import type { Machine } from '../lab/machine.ts'
import { differenceOf, differenceOfWalks } from './compare.ts'
import type { Difference } from './difference.ts'
import { hashesAreKept, LEEWAY } from './leeway.ts'
import { observe } from './observe.ts'
import { leewayOf } from './random/drawn-ports.ts'
import type { Observation } from './run.ts'
import type { Scenario } from './scenario.ts'
import { type Expectation, splitPlace, type Walk } from './walk.ts'

export interface FixedScenario {
  /** In words: what is changed, and what is sent. */
  readonly title: string
  readonly scenario: Scenario
  /** Milliseconds in which is watched after the last step. */
  readonly tail?: number
  /** Milliseconds that a frame may come earlier or later, where Linux draws the time. */
  readonly tolerance?: number
  /**
   * False: Linux' trace does not tell what becomes of the frames, or has other words for it. Of fragments that are of no use it
   * says that they were consumed, of a packet's last piece what the model says of the packet.
   */
  readonly comparesEndings?: boolean
}

export function runFixed({ scenario, tail = 0 }: FixedScenario, machine: Machine): Promise<Observation> {
  return observe(scenario, machine, { tail, state: true, rules: true })
}

/** Undefined: none beyond what may differ. */
export function differenceInFixed(
  { scenario, tolerance = LEEWAY.tolerance, comparesEndings = true }: FixedScenario,
  expected: Observation,
  found: Observation,
): Difference | undefined {
  const told = comparesEndings ? atNodes : withoutEndings
  const keptHashes = hashesAreKept(scenario)
  return differenceOf(told(expected), told(found), { ...leewayOf(scenario), keptHashes, tolerance })
}

/** Dropped on the way to a device: Linux' trace knows by which the packet came, the model by which it was to leave. */
const UNDER_WAY: readonly (string | undefined)[] = ['QDISC_DROP', 'NEIGH_QUEUEFULL']

function atNodes(observation: Observation): Observation {
  const { expect, ...walk } = observation.walk
  const atNode = (each: Expectation): Expectation =>
    UNDER_WAY.includes(each.reason) ? { ...each, at: splitPlace(each.at)[0] } : each
  return { ...observation, walk: { ...walk, ...(expect && { expect: [expect].flat().map(atNode) }) } }
}

function withoutEndings(observation: Observation): Observation {
  const { expect: _, ...walk } = observation.walk
  return { ...observation, walk }
}

/** Between what was recorded of a kernel, and a run. */
export function differenceFromRecord(
  { scenario, tolerance = LEEWAY.tolerance }: FixedScenario,
  recorded: Walk,
  { walk, given }: Observation,
): Difference | undefined {
  return differenceOfWalks(recorded, walk, given, { ...LEEWAY, ...leewayOf(scenario), tolerance })
}
