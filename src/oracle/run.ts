/**
 * Runs a scenario on a machine: the model's, where time is virtual and every frame is followed, or Linux', where namespaces
 * of its own are made for it and taken away.
 */
import { isErrno, KernelError } from '../kernel/errors.ts'
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
  /** With `lenient`: what was refused, after the step's number: `3: EMSGSIZE`. */
  readonly refusals: readonly string[]
}

export interface RunOptions {
  /** Milliseconds, virtual or real, in which is watched after the last step. */
  readonly tail?: number
  /** What a command or the kernel refuses is no error, but part of what is observed. */
  readonly lenient?: boolean
}

/** What is sent is seen at once; a busy machine may take a moment to say so. Milliseconds without a new frame. */
const QUIET = 10

/** RangeError when the topology cannot be built, or a command fails. */
export async function runScenario(
  scenario: Scenario,
  machine: Machine,
  { tail = 0, lenient = false }: RunOptions = {},
): Promise<Observation> {
  const { id, topology, warm, steps, watch, show } = scenario
  const stand = await buildStand(topology, machine)
  try {
    for (const [from, address] of warm) await stand.kernelOf(from).ping(address)
    const first = steps.findIndex((step) => !('run' in step))
    const beginning = first < 0 ? steps.length : first
    const journeys: Journey[] = []
    const refusals: string[] = []
    const takeAll = async (from: number, to?: number) => {
      for (const [i, step] of steps.slice(from, to).entries()) {
        const refusal = await refusalOf(() => take(step, stand, journeys), lenient)
        if (refusal !== undefined) refusals.push(`${from + i}: ${refusal}`)
      }
    }
    await takeAll(0, beginning)
    const recording = record(watch, stand.kernelOf)
    await takeAll(beginning)
    await machine.until(() => false, tail)
    for (let count = -1; count !== recording.count; ) {
      count = recording.count
      await machine.until(() => false, QUIET)
    }
    const given = steps.flatMap((step) => ('hex' in step ? [step.hex] : []))
    return { walk: { id, obs: recording.rows(show) }, given, endings: journeys.map(endingOf), refusals }
  } finally {
    stand.close()
  }
}

/** A frame that its own device drops at once is sent, though Linux tells the sender (ENOBUFS). */
async function refusalOf(act: () => Promise<void>, lenient: boolean): Promise<string | undefined> {
  try {
    await act()
  } catch (error) {
    if (isErrno(error, 'ENOBUFS')) return undefined
    if (!lenient) throw error
    if (error instanceof KernelError) return error.errno
    if (error instanceof RangeError) return error.message
    throw error
  }
  return undefined
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
