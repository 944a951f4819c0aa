/** A run that tells what became of its frames, as the model knows it or as Linux' own trace says. */
import type { Machine } from '../lab/machine.ts'
import { ModelKernel } from '../model/create.ts'
import { openDropTrace } from './drop-trace.ts'
import { type Observation, type RunOptions, runScenario } from './run.ts'
import type { Scenario } from './scenario.ts'
import type { Stand } from './stand.ts'
import { endOfFrame } from './traced-ending.ts'
import { type Expectation, splitPlace, type Walk } from './walk.ts'

/** Without root Linux has no trace that could be read, and what became of the frames is not told. */
export async function observe(scenario: Scenario, machine: Machine, options: RunOptions): Promise<Observation> {
  if (machine.kernel instanceof ModelKernel) {
    const observation = await runScenario(scenario, machine, options)
    return withEndings(
      observation,
      observation.endings.map(({ ending }) => ending),
    )
  }
  const trace = openDropTrace()
  if (!trace) return runScenario(scenario, machine, options)
  try {
    const failed: string[] = []
    const observation = await runScenario(scenario, machine, {
      ...options,
      onWatching: () => trace.clear(),
      onEnd(stand) {
        failed.push(...failedNeighbours(scenario, stand))
      },
    })
    const { walk, given, start } = observation
    const drops = trace.drops(walk.obs, start)
    return withEndings(
      observation,
      given.map((hex) => endOfFrame(hex, walk.obs, drops, failed)),
    )
  } finally {
    trace.close()
  }
}

function failedNeighbours({ watch }: Scenario, { kernelOf }: Stand): string[] {
  const nodes = [...new Set(watch.map((place) => splitPlace(place)[0]))]
  return nodes.flatMap((node) =>
    kernelOf(node)
      .neighbours.list()
      .filter(({ state }) => state === 'failed')
      .map(({ link }) => `${node}:${link}`),
  )
}

function withEndings(observation: Observation, endings: readonly (Expectation | undefined)[]): Observation {
  return { ...observation, walk: { ...observation.walk, ...oneOrAll(endings) } }
}

/** A list where the frames fare differently. */
function oneOrAll(endings: readonly (Expectation | undefined)[]): Pick<Walk, 'expect'> {
  const last = endings.findLast((each) => each !== undefined)
  if (!last) return {}
  const known = endings.filter((each) => each !== undefined)
  const differ = known.some((each) => JSON.stringify(each) !== JSON.stringify(last))
  return { expect: differ ? known : last }
}
