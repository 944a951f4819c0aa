/** Every fixed scenario. */
import type { FixedScenario } from '../../../src/oracle/fixed.ts'
import { branches } from './branches.ts'
import { others } from './others.ts'
import { goldenIds, goldenScenario } from './rig.ts'
import { rows } from './rows.ts'

/** Those of which there is no golden: recorded below test/oracle/walks. */
export const ownScenarios: readonly FixedScenario[] = [...rows, ...others]

/** In the order of their ids: S01–S37 and X1–X7; X2 is a table of flows (test/golden/ecmp.json). */
export function numberedScenarios(): FixedScenario[] {
  return [...goldenIds.map(goldenScenario), ...ownScenarios].sort((a, b) => (a.scenario.id < b.scenario.id ? -1 : 1))
}

/** And those for what no other reaches. */
export function allScenarios(): FixedScenario[] {
  return [...numberedScenarios(), ...branches]
}
