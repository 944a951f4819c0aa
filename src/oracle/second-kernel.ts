/**
 * The fixed scenarios on a second kernel: each that it can run is compared with what was recorded of the first, if that is, and
 * with the model under that kernel's settings.
 *
 *   guest   runHere   what this kernel sees, a line of JSON for each scenario     scripts/kernels-guest.ts
 *   host    judge     what differs from the records and from the model           scripts/kernels.ts
 */
import type { Machine } from '../lab/machine.ts'
import { modelMachine } from '../lab/model-machine.ts'
import type { Profile } from '../model/profile/profile.ts'
import { differenceOfWalks } from './compare.ts'
import { type Difference, formatDifference } from './difference.ts'
import type { FixedScenario } from './fixed.ts'
import { LEEWAY, type Leeway } from './leeway.ts'
import { leewayOf } from './random/drawn-ports.ts'
import { runScenario } from './run.ts'
import type { Row, Walk } from './walk.ts'

/** What a kernel saw of a scenario, or why it could not run it. */
export interface Sighting {
  readonly id: string
  readonly obs?: readonly Row[]
  /** The frames that were sent. */
  readonly given?: readonly string[]
  readonly refused?: string
}

export interface Verdict {
  readonly id: string
  readonly title: string
  /** Why the second kernel cannot run it. */
  readonly refused?: string
  /** From the first kernel's walk; undefined: none beyond what may differ, or no such walk. */
  readonly fromRecord?: string
  /** The model's walk, under the second kernel's settings, from the second kernel's. */
  readonly fromModel?: string
}

/** A machine that is emulated is late, and so are its timers. Milliseconds. */
const TOLERANCE = 2_000
/** And so are its captures: watched for so much longer. */
const MORE = 300

/** Begins the lines that the guest prints, between whatever else is written there. */
const MARK = '@sighting '

export async function runHere(scenarios: readonly FixedScenario[], machine: Machine): Promise<void> {
  for (const { scenario, tail = 0 } of scenarios) {
    const sighting = await runScenario(scenario, machine, { tail: tail + MORE }).then(
      ({ walk, given }) => ({ id: scenario.id, obs: walk.obs, given }),
      (error: Error) => ({ id: scenario.id, refused: error.message }),
    )
    process.stdout.write(`${MARK}${JSON.stringify(sighting)}\n`)
  }
}

export function readSightings(output: string): Sighting[] {
  return output
    .split('\n')
    .filter((line) => line.startsWith(MARK))
    .map((line) => JSON.parse(line.slice(MARK.length)) as Sighting)
}

/** `recordOf`: what the first kernel did. */
export async function judge(
  scenarios: readonly FixedScenario[],
  sightings: readonly Sighting[],
  { recordOf, profile }: { readonly recordOf: (id: string) => Walk | undefined; readonly profile: Profile },
): Promise<Verdict[]> {
  const verdicts: Verdict[] = []
  for (const fixed of scenarios) {
    const { title, scenario, tail = 0 } = fixed
    const { id } = scenario
    const sighting = sightings.find((each) => each.id === id)
    if (!sighting?.obs) {
      verdicts.push({ id, title, refused: sighting?.refused ?? 'the guest ended before' })
      continue
    }
    const { obs, given = [] } = sighting
    const leeway = patience(fixed)
    const model = await runScenario(scenario, modelMachine({ profile }), { tail: tail + MORE })
    // What becomes of a frame is not asked here: the second kernel does not tell.
    const walkOf = ({ obs: rows }: Pick<Walk, 'obs'>): Walk => ({ id, obs: rows })
    const record = recordOf(id)
    verdicts.push({
      id,
      title,
      ...told('fromRecord', record && differenceOfWalks(walkOf(record), { id, obs }, given, leeway)),
      ...told('fromModel', differenceOfWalks({ id, obs }, walkOf(model.walk), given, leeway)),
    })
  }
  return verdicts
}

/** Goldens with silent pods were recorded with real sockets. */
function patience({ scenario, tolerance = 0 }: FixedScenario): Leeway {
  const realSockets = (scenario.silent ?? []).length > 0
  return { ...LEEWAY, ...leewayOf(scenario), realSockets, tolerance: Math.max(tolerance, TOLERANCE) }
}

function told(name: 'fromRecord' | 'fromModel', difference: Difference | undefined): Partial<Verdict> {
  return difference ? { [name]: formatDifference(difference) } : {}
}
