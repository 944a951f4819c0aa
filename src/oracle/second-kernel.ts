/**
 * The golden scenarios on a second kernel: each that it can run is compared with the goldens, and with the model under that
 * kernel's settings.
 *
 *   guest   runHere      what this kernel sees, a line of JSON for each scenario     scripts/kernels-guest.ts
 *   host    judge        what differs, from the goldens and from the model          scripts/kernels.ts
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Machine } from '../lab/machine.ts'
import { modelMachine } from '../lab/model-machine.ts'
import { readTopologyFile } from '../lab/topology-file.ts'
import type { Profile } from '../model/profile/profile.ts'
import { scenarioOf } from './answer.ts'
import { differenceOfWalks } from './compare.ts'
import { type Difference, formatDifference } from './difference.ts'
import { type DrawnPort, LEEWAY, type Leeway } from './leeway.ts'
import { type Question, readQuestions } from './question.ts'
import { runScenario } from './run.ts'
import type { Row, Walk } from './walk.ts'

/** What a kernel saw of a scenario, or why it could not run it. */
export interface Sighting {
  readonly id: string
  readonly obs?: readonly Row[]
  readonly refused?: string
}

export interface Verdict {
  readonly id: string
  /** Why the second kernel cannot run it. */
  readonly refused?: string
  /** From the golden walk; undefined: none beyond what may differ. */
  readonly fromGolden?: string
  /** The model's walk, under the second kernel's settings, from the second kernel's. */
  readonly fromModel?: string
}

/** Milliseconds behind the last frame: as for answers. */
const TAIL = 4_500
/** A machine that is emulated is late, and so are its timers. */
const TOLERANCE = 2_000

/** Begins the lines that the guest prints, between whatever else is written there. */
const MARK = '@sighting '

export async function runHere(questions: string, only: readonly string[] | undefined, machine: Machine): Promise<void> {
  for (const question of readQuestions(questions)) {
    if (only && !only.includes(question.id)) continue
    const sighting = await sight(question, questions, machine)
    process.stdout.write(`${MARK}${JSON.stringify(sighting)}\n`)
  }
}

export function readSightings(output: string): Sighting[] {
  return output
    .split('\n')
    .filter((line) => line.startsWith(MARK))
    .map((line) => JSON.parse(line.slice(MARK.length)) as Sighting)
}

async function sight(question: Question, questions: string, machine: Machine): Promise<Sighting> {
  const { id } = question
  try {
    const { obs } = await walkOf(question, questions, machine)
    return { id, obs: obs.map(({ t, at, dir, len, hex }) => ({ t, at, dir, len, hex })) }
  } catch (error) {
    return { id, refused: (error as Error).message }
  }
}

/** The question's frames, or those that the pods of its application sent, who are silent. */
async function walkOf(question: Question, questions: string, machine: Machine): Promise<Walk> {
  const { app, inject = [], given = [] } = question
  const { topology } = readTopologyFile(join(questions, question.rig))
  const scenario = scenarioOf(question, topology, app ? given : inject)
  const silent = [...new Set(given.map(({ ns }) => ns))]
  const { walk } = await runScenario(app ? { ...scenario, silent } : scenario, machine, { tail: TAIL })
  return walk
}

export interface Judges {
  /** Folder of the golden walks. */
  readonly goldens: string
  /** Folder of their questions. */
  readonly questions: string
  /** The second kernel's. */
  readonly profile: Profile
}

/** In the order of the sightings. */
export async function judge(
  sightings: readonly Sighting[],
  { goldens, questions, profile }: Judges,
): Promise<Verdict[]> {
  const all = new Map(readQuestions(questions).map((question) => [question.id, question]))
  const verdicts: Verdict[] = []
  for (const { id, obs, refused } of sightings) {
    if (!obs) {
      verdicts.push({ id, refused: refused ?? 'it did not run' })
      continue
    }
    const question = all.get(id)!
    const golden = JSON.parse(readFileSync(join(goldens, `${id}.json`), 'utf8')) as Golden
    const leeway = leewayOf(question, golden)
    const given = (question.app ? question.given : question.inject) ?? []
    const frames = given.map(({ hex }) => hex)
    const theirs: Walk = { id, obs }
    const model = await walkOf(question, questions, modelMachine({ profile }))
    verdicts.push({
      id,
      ...told('fromGolden', differenceOfWalks({ id, obs: golden.obs }, theirs, frames, leeway)),
      ...told('fromModel', differenceOfWalks(theirs, { id, obs: model.obs }, frames, leeway)),
    })
  }
  return verdicts
}

interface Golden {
  readonly obs: readonly Row[]
  readonly natPorts?: readonly {
    readonly proto: 'tcp' | 'udp'
    readonly port: number
    readonly range: DrawnPort['range']
  }[]
}

function leewayOf({ app }: Question, { natPorts = [] }: Golden): Leeway {
  const drawnPorts = natPorts.map(({ proto, port, range }) => ({ protocol: proto, port, range }))
  return { ...LEEWAY, tolerance: TOLERANCE, realSockets: app !== undefined && app !== null, drawnPorts }
}

function told(name: 'fromGolden' | 'fromModel', difference: Difference | undefined): Partial<Verdict> {
  return difference ? { [name]: formatDifference(difference) } : {}
}
