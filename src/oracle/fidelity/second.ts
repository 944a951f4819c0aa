/**
 * What of the model runs in the fixed scenarios that a second kernel was seen to do as the model does, under that kernel's
 * settings: docs/second-kernel.json, which scripts/kernels.ts writes.
 */
import { modelMachine } from '../../lab/model-machine.ts'
import type { Profile } from '../../model/profile/profile.ts'
import type { FixedScenario } from '../fixed.ts'
import { runScenario } from '../run.ts'
import type { Verdict } from '../second-kernel.ts'
import type { Measuring } from './measure.ts'

export interface SecondKernel {
  /** `Linux 6.1.0-50-amd64` */
  readonly kernel: string
  readonly verdicts: readonly Verdict[]
}

export async function measureSecond(
  { coverage, tally, wants }: Measuring,
  scenarios: readonly FixedScenario[],
  { verdicts, profile }: SecondKernel & { readonly profile: Profile },
): Promise<void> {
  const equal = new Set(
    verdicts.filter(({ refused, fromModel }) => refused === undefined && fromModel === undefined).map(({ id }) => id),
  )
  for (const { scenario, tail = 0 } of scenarios) {
    if (!equal.has(scenario.id) || !wants('second', scenario.id)) continue
    await coverage.take()
    await runScenario(scenario, modelMachine({ profile }), { tail })
    tally.add({ name: scenario.id, what: 'second', cases: 1 }, await coverage.take())
  }
}
