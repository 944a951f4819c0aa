/**
 * Answers a golden question: builds its rig in the model, warms it up, changes it, sends the frames, and tells what every
 * watched tap saw and what became of it. Nothing is known of a scenario but the question.
 *
 *   with `inject`     the frames are sent from where the question says
 *   with `given`      the frames that pods sent when it was recorded are sent again, and the pods are silent; and, as a
 *                     second run, the model's own TCP does what the application did
 */
import { join } from 'node:path'
import type { LiveKernel } from '../kernel/live.ts'
import { bringUp } from '../lab/lab.ts'
import { type ModelMachine, modelMachine } from '../lab/model-machine.ts'
import { namespacePath } from '../lab/node.ts'
import { namespaceOf } from '../lab/plan.ts'
import { readTopologyFile } from '../lab/topology-file.ts'
import type { Journey } from '../model/observer.ts'
import { fateOf, lostOf } from '../trace/fate.ts'
import { connect, serve } from './application.ts'
import type { Question } from './question.ts'
import { type Expectation, record, type Walk } from './walk.ts'

/** Microseconds of the model's clock in a millisecond, and in a second. */
const MILLISECOND = 1_000
const SECOND = 1_000_000

/**
 * Watched for this long after the last frame, microseconds. A dead neighbour is answered for after 3.06 s; after 5 s hosts
 * begin to look whether their neighbours are still there, which no scenario is about.
 */
const TAIL = 4.5 * SECOND

/** An application has ended when nothing is left of it: FINs and their answers. */
const APPLICATION_TAIL = SECOND

export interface Answer {
  readonly walk: Walk
  /** The walk of the model's own TCP, of a scenario with an application. */
  readonly tcp?: Walk
}

interface Rig {
  readonly machine: ModelMachine
  kernelOf(namespace: string): LiveKernel
}

/** RangeError when a command of the question is not modelled, or fails. */
export async function answer(question: Question, directory: string): Promise<Answer> {
  const { inject = [], given = [], app } = question
  if (!app) return { walk: await answerFrames(question, inject, directory, false) }
  const own = await answerApplication(question, directory)
  const walk = await answerFrames(question, given, directory, true)
  return {
    walk: {
      ...walk,
      ...(own.expect && { expect: own.expect }),
      ...(own.result !== undefined && { result: own.result }),
    },
    tcp: own,
  }
}

async function answerFrames(
  question: Question,
  frames: Question['inject'] & object,
  directory: string,
  silent: boolean,
): Promise<Walk> {
  const { machine, kernelOf } = await prepare(question, directory)
  const { model } = machine.kernel
  if (silent) for (const namespace of new Set(frames.map(({ ns }) => ns))) silence(kernelOf(namespace))
  const recording = record(question.watch, kernelOf)
  const journeys: Journey[] = []
  const start = model.clock.now
  for (const { ns, dev, t, hex } of frames) {
    model.runUntil(() => false, start + t * MILLISECOND)
    model.onJourney = (journey) => journeys.push(journey)
    kernelOf(ns).packets.send(dev, Buffer.from(hex, 'hex'))
    model.onJourney = undefined
  }
  model.advance(TAIL)
  const obs = recording.rows(question.show ?? [])
  return { id: question.id, obs, ...(!silent && expectationOf(journeys)) }
}

async function answerApplication(question: Question, directory: string): Promise<Walk> {
  const { machine, kernelOf } = await prepare(question, directory)
  const { model } = machine.kernel
  const { client, server } = question.app!
  const listener = serve(kernelOf(server.ns), server)
  const recording = record(question.watch, kernelOf)
  const journeys: Journey[] = []
  model.onJourney = (journey) => journeys.push(journey)
  const running = connect(kernelOf(client.ns), client)
  // The client gives up when its time has passed without progress.
  for (let progress = -1; running.result === undefined; ) {
    if (progress === running.progress) running.giveUp()
    progress = running.progress
    model.runUntil(
      () => running.result !== undefined || running.progress !== progress,
      model.clock.now + client.timeout_s * SECOND,
    )
  }
  model.onJourney = undefined
  model.advance(APPLICATION_TAIL)
  listener.close()
  const obs = recording.rows(question.show ?? [])
  const result = running.result!
  return { id: question.id, obs, result, ...expectationOfApplication(journeys, result) }
}

async function prepare({ rig, warm, change }: Question, directory: string): Promise<Rig> {
  const { topology } = readTopologyFile(join(directory, rig))
  const machine = modelMachine()
  await bringUp(topology, machine, {
    owned: false,
    run: async (steps) => {
      for (const { run } of steps) await run()
    },
  })
  const kernels = new Map<string, LiveKernel>()
  const kernelOf = (namespace: string) => {
    const known = kernels.get(namespace)
    if (known) return known
    const kernel = machine.kernel.enter(namespacePath(namespaceOf(namespace, topology.name)))
    if (!kernel) throw new RangeError(`Cannot find "${namespace}" in ${rig}`)
    kernels.set(namespace, kernel)
    return kernel
  }
  for (const [from, address] of warm) await kernelOf(from).ping(address)
  for (const { ns, run } of change) {
    const path = namespacePath(namespaceOf(ns, topology.name))
    const { status, stderr, stdout } = await machine.runLine(path, run)
    if (status !== 0) throw new RangeError(`Cannot run "${run}" in ${ns}: ${(stderr || stdout).trim()}`)
  }
  return { machine, kernelOf }
}

/** Whatever comes is seen at the taps, and goes no further: the frames of this pod are given. */
function silence({ nftables }: LiveKernel): void {
  const table = { family: 'inet', name: 'silence' } as const
  const base = { type: 'filter', hook: 'prerouting', priority: -1000, policy: 'drop' } as const
  nftables.commit([
    { operation: 'add table', table },
    { operation: 'add chain', chain: { family: table.family, table: table.name, name: 'prerouting', base } },
  ])
}

function expectationOf(journeys: readonly Journey[]): { expect?: Walk['expect'] & object } {
  const all = journeys.map((journey) => expectation(fateOf(journey)))
  const last = all.at(-1)
  if (!last) return {}
  const differ = all.some((each) => JSON.stringify(each) !== JSON.stringify(last))
  return { expect: differ ? all.filter((each) => each !== undefined) : last }
}

/** Where the client's data came to, or what kept the two apart. */
function expectationOfApplication(journeys: readonly Journey[], result: string): { expect?: Expectation } {
  const endings = journeys.map((journey) =>
    result.startsWith('CLIENT ok') ? fateOf(journey) : lostOf(journey)?.ending,
  )
  const found = result.startsWith('CLIENT ok')
    ? endings.find((ending) => ending?.disposition === 'delivered')
    : endings.find((ending) => ending !== undefined)
  const expect = expectation(found)
  return expect ? { expect } : {}
}

function expectation(ending: Journey['ending']): Expectation | undefined {
  if (!ending) return undefined
  const at = `${nameOf(ending.device.namespace.path)}:${ending.device.name}`
  if (ending.disposition === 'delivered') return { disposition: 'delivered', at }
  if (ending.disposition === 'unsupported') return { disposition: 'unsupported', thing: ending.thing, at }
  return { reason: ending.reason, function: ending.kernel, at }
}

/** `/run/netns/ovl-n1@T2` is n1. */
function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1).replace(/^ovl-(.*)@.*$/, '$1')
}
