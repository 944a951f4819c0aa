/**
 * Many cases of many kinds, each in the model and in the real kernel. Every case has a number from which all of it follows:
 * case i of a campaign with seed S has the number S + i, so one case is repeated by `--seed S+i --cases 1`.
 */
import fc from 'fast-check'
import type { Machine } from '../../lab/machine.ts'
import type { Difference } from '../difference.ts'
import type { FrameEnding } from '../ending.ts'
import type { Scenario } from '../scenario.ts'
import { type Kind, NAME } from './kind.ts'
import { tryScenario } from './trial.ts'

/** What a case came to. */
export interface CaseReport {
  readonly kind: string
  readonly number: number
  /** Of its frames. */
  readonly outcomes: readonly FrameEnding['outcome'][]
  readonly again: boolean
  /** The smallest case that differs. */
  readonly smallest?: { readonly scenario: Scenario; readonly difference: Difference; readonly shrinks: number }
}

/** Milliseconds that a case may take to be made small. */
const SHRINKING = 60_000

/** What makes a case fail, for fast-check, which goes by exceptions. */
class Differs extends Error {
  override name = 'Differs'
  readonly difference: Difference

  constructor(difference: Difference) {
    super(difference.what)
    this.difference = difference
  }
}

/** Tries the case of this number, and makes it small if it differs. */
export async function runCase({ name, scenarios }: Kind, number: number, live: Machine): Promise<CaseReport> {
  let outcomes: CaseReport['outcomes'] | undefined
  let again = false
  const property = fc.asyncProperty(scenarios, async (drawn) => {
    const trial = await tryScenario(named(drawn, `${name}-${number}`), live)
    outcomes ??= trial.endings.map(({ outcome }) => outcome)
    again ||= trial.again
    if (trial.difference) throw new Differs(trial.difference)
  })
  const { failed, counterexample, errorInstance, numShrinks } = await fc.check(property, {
    seed: mixed(number),
    numRuns: 1,
    interruptAfterTimeLimit: SHRINKING,
  })
  const report = { kind: name, number, outcomes: outcomes ?? [], again }
  if (!failed || !counterexample) return report
  if (!(errorInstance instanceof Differs)) throw errorInstance
  const scenario = named(counterexample[0], `${name}-${number}`)
  return { ...report, smallest: { scenario, difference: errorInstance.difference, shrinks: numShrinks } }
}

/** The scenario that has this number, as it is drawn. */
export function drawScenario({ name, scenarios }: Kind, number: number): Scenario {
  let drawn: Scenario | undefined
  fc.check(
    fc.property(scenarios, (scenario) => {
      drawn = scenario
    }),
    { seed: mixed(number), numRuns: 1 },
  )
  return named(drawn!, `${name}-${number}`)
}

function named(scenario: Scenario, id: string): Scenario {
  return {
    ...scenario,
    id,
    topology: { ...scenario.topology, name: scenario.topology.name === NAME ? id : scenario.topology.name },
  }
}

/** Numbers that follow each other lead to seeds that do not: the finalizer of MurmurHash3. */
function mixed(number: number): number {
  let hash = number | 0
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35)
  return hash ^ (hash >>> 16)
}
