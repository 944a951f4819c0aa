/**
 * Looks for planted bugs: random cases, each run in the model and in every mutant that is not found yet, compared as the model
 * is with the real kernel. That the model equals the kernel is what the other runs show; so a mutant that differs from the
 * model would differ from the kernel.
 */
import { modelMachine } from '../../lab/model-machine.ts'
import type { Difference } from '../difference.ts'
import { drawScenario } from '../random/campaign.ts'
import type { Kind } from '../random/kind.ts'
import { between } from '../random/trial.ts'
import { type Observation, runScenario } from '../run.ts'
import type { Scenario } from '../scenario.ts'
import { type Mutant, mutants, requireMutant } from './mutants.ts'
import { importMutated } from './planting.ts'

export interface Find {
  readonly mutant: Mutant
  /** The case that it was found in is the how manyeth. */
  readonly cases: number
  readonly scenario: string
  readonly difference: Difference
}

export interface SearchOptions {
  readonly kinds: readonly Kind[]
  /** Case i is of the kind whose turn it is, and has the number seed + i, as in a campaign. */
  readonly seed: number
  readonly cases: number
  found?(find: Find): void
}

/** A name, or `all`. RangeError when there is no such mutant. */
export function chooseMutants(name: string): readonly Mutant[] {
  return name === 'all' ? mutants : [requireMutant(name)]
}

/** The mutants that were not found. */
export async function searchMutants(wanted: readonly Mutant[], options: SearchOptions): Promise<readonly Mutant[]> {
  const { kinds, seed, cases, found } = options
  const suspects: Suspect[] = []
  for (const mutant of wanted) suspects.push(await openMutant(mutant))
  for (let i = 0; i < cases && suspects.length > 0; i++) {
    const scenario = drawScenario(kinds[i % kinds.length]!, seed + i)
    const expected = await runScenario(scenario, modelMachine(), { lenient: true })
    // A case that differs from itself would find every mutant, and says nothing of any.
    if (between(expected, expected)) continue
    for (const suspect of [...suspects]) {
      const difference = await suspect.differenceFrom(expected, scenario)
      if (!difference) continue
      suspects.splice(suspects.indexOf(suspect), 1)
      found?.({ mutant: suspect.mutant, cases: i + 1, scenario: scenario.id, difference })
    }
  }
  return suspects.map(({ mutant }) => mutant)
}

interface Suspect {
  readonly mutant: Mutant
  differenceFrom(expected: Observation, scenario: Scenario): Promise<Difference | undefined>
}

/** The runner is the mutated model's own: it knows its kernel by its class. */
async function openMutant(mutant: Mutant): Promise<Suspect> {
  const url = (path: string) => new URL(path, import.meta.url)
  const machines = await importMutated<typeof import('../../lab/model-machine.ts')>(
    url('../../lab/model-machine.ts'),
    mutant.name,
  )
  const runs = await importMutated<typeof import('../run.ts')>(url('../run.ts'), mutant.name)
  return {
    mutant,
    async differenceFrom(expected, scenario) {
      let seen: Observation
      try {
        seen = await runs.runScenario(scenario, machines.modelMachine(), { lenient: true })
      } catch (error) {
        return { kind: 'state', what: `the mutant ends with ${(error as Error).message}` }
      }
      return between(expected, seen)
    },
  }
}
