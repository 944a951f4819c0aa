/**
 * Answers a golden question on a machine: its scenario, what every watched tap saw of it, and what became of it. Nothing is
 * known of a scenario but the question.
 *
 *   with `inject`     the frames are sent from where the question says
 *   with `given`      the frames that pods sent when it was recorded are sent again, and the pods are silent; and, as a
 *                     second run, the machine's own TCP does what the application did
 */
import { join } from 'node:path'
import type { Machine } from '../lab/machine.ts'
import { readTopologyFile } from '../lab/topology-file.ts'
import { ModelKernel } from '../model/create.ts'
import type { Journey } from '../model/observer.ts'
import { fateOf, lostOf } from '../trace/fate.ts'
import { type Client, connect, serve } from './application.ts'
import { DropTrace } from './drop-trace.ts'
import { expectation } from './ending.ts'
import { observe } from './observe.ts'
import type { ApplicationSpec, Frame, Question } from './question.ts'
import { runScenario, settle, whileWatched } from './run.ts'
import type { Scenario } from './scenario.ts'
import { lossOfConversation } from './traced-ending.ts'
import type { Expectation, Walk } from './walk.ts'

/**
 * Watched for this long after the last frame, milliseconds. A dead neighbour is answered for after 3.06 s; after 5 s hosts
 * begin to look whether their neighbours are still there, which no scenario is about.
 */
const TAIL = 4_500

/** An application has ended when nothing is left of it: FINs and their answers. */
const APPLICATION_TAIL = 1_000

export interface Answer {
  readonly walk: Walk
  /** The walk of the machine's own TCP, of a scenario with an application. */
  readonly tcp?: Walk
}

/** RangeError when a command of the question fails, or is not modelled. */
export async function answer(question: Question, directory: string, machine: Machine): Promise<Answer> {
  const { inject = [], given = [], app } = question
  const { topology } = readTopologyFile(join(directory, question.rig))
  const scenario = (frames: readonly Frame[]) => scenarioOf(question, topology, frames)
  if (!app) return { walk: (await observe(scenario(inject), machine, { tail: TAIL })).walk }
  const own = await answerApplication({ ...scenario([]), id: question.id }, app, machine)
  const silent = [...new Set(given.map(({ ns }) => ns))]
  const { walk } = await runScenario({ ...scenario(given), silent }, machine, { tail: TAIL })
  return { walk: { ...walk, ...endingOf(own) }, tcp: own }
}

/** What is changed, then the frames at their times. */
export function scenarioOf(
  { id, warm, change, watch, show = [] }: Question,
  topology: Scenario['topology'],
  frames: readonly Frame[],
): Scenario {
  const injections = frames.map(({ ns, dev, t, hex }) => ({ ns, dev, hex, at: t }))
  return { id, topology, warm, steps: [...change, ...injections], watch, show }
}

const endingOf = ({ expect, result }: Walk): Pick<Walk, 'expect' | 'result'> => ({
  ...(expect && { expect }),
  ...(result !== undefined && { result }),
})

async function answerApplication(scenario: Scenario, app: ApplicationSpec, machine: Machine): Promise<Walk> {
  const { kernel } = machine
  const model = kernel instanceof ModelKernel ? kernel.model : undefined
  const trace = model ? undefined : new DropTrace()
  try {
    return await whileWatched(scenario, machine, {}, async (stand, recording) => {
      const journeys: Journey[] = []
      const listener = serve(stand.kernelOf(app.server.ns), app.server)
      trace?.clear()
      if (model) model.onJourney = (journey) => journeys.push(journey)
      const client = connect(stand.kernelOf(app.client.ns), app.client)
      const result = await resultOf(client, app.client, machine)
      if (model) model.onJourney = undefined
      await settle(recording, machine, APPLICATION_TAIL)
      client.close()
      listener.close()
      const obs = recording.rows(scenario.show)
      const succeeded = result.startsWith('CLIENT ok')
      const expect = model
        ? expectationOf(journeys, succeeded)
        : lossOfConversation(obs, trace!.drops(obs, recording.start), succeeded, `${app.client.ns}:`)
      return { id: scenario.id, obs, result, ...(expect && { expect }) }
    })
  } finally {
    trace?.close()
  }
}

/** What the client printed. It gives up when its time has passed without progress. */
async function resultOf(client: Client, { timeout_s }: ApplicationSpec['client'], machine: Machine): Promise<string> {
  for (;;) {
    const { result, progress } = client
    if (result !== undefined) return result
    const isBusy = () => client.result !== undefined || client.progress !== progress
    if (!(await machine.until(isBusy, timeout_s * 1000))) client.giveUp()
  }
}

/** Where the client's data came to, or what kept the two apart. */
function expectationOf(journeys: readonly Journey[], succeeded: boolean): Expectation | undefined {
  const endings = journeys.map((journey) => (succeeded ? fateOf(journey) : lostOf(journey)?.ending))
  return expectation(endings.find((ending) => (succeeded ? ending?.disposition === 'delivered' : ending !== undefined)))
}
