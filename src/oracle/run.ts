/**
 * Runs a scenario on a machine: the model's, where time is virtual and every frame is followed, or Linux', where namespaces
 * of its own are made for it and taken away.
 */
import type { Machine } from '../lab/machine.ts'
import { ModelKernel } from '../model/create.ts'
import type { Journey } from '../model/observer.ts'
import { endingOf, type FrameEnding } from './ending.ts'
import type { Injection, Scenario, ScenarioStep } from './scenario.ts'
import { buildStand, type Stand } from './stand.ts'
import { record, type Walk } from './walk.ts'

export interface Observation {
  readonly walk: Walk
  /** The frames that were sent, in this order: hexadecimal. */
  readonly given: readonly string[]
  /** What became of each of them. Of the model. */
  readonly endings: readonly FrameEnding[]
}

export interface RunOptions {
  /** Milliseconds, virtual or real, in which is watched after the last step. */
  readonly tail?: number
}

/** What is sent is seen at once; a busy machine may take a moment to say so. */
const TAIL = 20

/** RangeError when the topology cannot be built, or a command fails. */
export async function runScenario(
  scenario: Scenario,
  machine: Machine,
  { tail = TAIL }: RunOptions = {},
): Promise<Observation> {
  const { id, topology, warm, steps, watch, show } = scenario
  const stand = await buildStand(topology, machine)
  try {
    for (const [from, address] of warm) await stand.kernelOf(from).ping(address)
    const first = steps.findIndex((step) => !('run' in step))
    const beginning = first < 0 ? steps.length : first
    for (const step of steps.slice(0, beginning)) await take(step, stand, [])
    const recording = record(watch, stand.kernelOf)
    const journeys: Journey[] = []
    for (const step of steps.slice(beginning)) await take(step, stand, journeys)
    await machine.until(() => false, tail)
    const given = steps.flatMap((step) => ('hex' in step ? [step.hex] : []))
    return { walk: { id, obs: recording.rows(show) }, given, endings: journeys.map(endingOf) }
  } finally {
    stand.close()
  }
}

async function take(step: ScenarioStep, stand: Stand, journeys: Journey[]): Promise<void> {
  if ('run' in step) await stand.run(step.ns, step.run)
  else if ('wait' in step) await stand.machine.until(() => false, step.wait)
  else send(step, stand, journeys)
}

/** In the model the frame is followed. */
function send({ ns, dev, hex }: Injection, stand: Stand, journeys: Journey[]): void {
  const { kernel } = stand.machine
  const model = kernel instanceof ModelKernel ? kernel.model : undefined
  if (model) model.onJourney = (journey) => journeys.push(journey)
  try {
    stand.kernelOf(ns).packets.send(dev, Buffer.from(hex, 'hex'))
  } finally {
    if (model) model.onJourney = undefined
  }
}
