/**
 * `overlab trace` in the model: a packet is sent as a program would send it, followed by everything it causes, and told.
 *
 * The question is asked twice. The first time finds out whether somebody listens where the packet ends, and fills the caches
 * that a living network has filled; where the destination is a place that says nothing of what listens there, something is
 * made to listen. The second time is told.
 */
import { MILLISECOND } from '../model/clock.ts'
import type { ModelKernel } from '../model/create.ts'
import type { Journey } from '../model/observer.ts'
import type { TraceDocument, TraceResult } from '../trace/document.ts'
import { explain } from '../trace/explain/explain.ts'
import type { Loss, Place, World } from '../trace/explain/loss.ts'
import { family, fateOf, lostOf } from '../trace/fate.ts'
import { documentOf, idOf, resultOf, type Telling } from '../trace/of-journey.ts'
import { fixesOf } from '../trace/result.ts'
import { askedPort } from '../trace/summary.ts'
import type { ModelMachine } from './model-machine.ts'
import { neighbourPairs } from './neighbours.ts'
import { namespacePath } from './node.ts'
import type { LabPlan } from './plan.ts'
import { PROBE_TIMEOUT, type ProbeAnswer, type ProbeSpec, startProbe } from './probe.ts'

export interface TraceRequest {
  /** Name of a node or pod. */
  readonly from: string
  readonly address: string
  readonly spec: ProbeSpec
}

export interface TraceLab {
  readonly plan: LabPlan
  readonly machine: ModelMachine
  /** RangeError when there is no such place. */
  kernelOf(name: string): ModelKernel
  /** Who made an object: origin.ts. */
  originOf(node: string, ref: string): string | undefined
}

/** Everybody hears of his neighbours, as in a network that has been up for a while. */
export function acquaint(lab: TraceLab): void {
  const { model } = lab.machine.kernel
  const places = [...lab.plan.nodes, ...lab.plan.pods].map(({ name }) => ({ kernel: lab.kernelOf(name) }))
  for (const { from, address } of neighbourPairs(places)) {
    let answered = false
    from.kernel.namespace.sockets.ping(address, {}, () => {
      answered = true
    })
    model.runUntil(() => answered, model.clock.now + MILLISECOND)
  }
}

export function traceInModel({ from, address, spec }: TraceRequest, lab: TraceLab): TraceDocument {
  const { machine } = lab
  const world = worldOf(lab)
  const client = { name: from, kernel: lab.kernelOf(from) }
  const first = follow(client, address, { ...spec, light: true }, machine)
  if (first.answer.outcome !== 'answered') listenWhereItEnded(first.journeys, spec, lab)
  const start = machine.kernel.model.clock.now
  const { answer, journeys } = follow(client, address, spec, machine)
  return tell(journeys, answer, client, world, tellingOf(lab, start))
}

function follow({ kernel }: ModelPlace, address: string, spec: ProbeSpec, { kernel: { model } }: ModelMachine) {
  const journeys: Journey[] = []
  model.onJourney = (journey) => journeys.push(journey)
  try {
    const probe = startProbe(kernel, address, spec, (...echo) => kernel.namespace.sockets.ping(...echo))
    model.runUntil(() => probe.answer !== undefined, model.clock.now + PROBE_TIMEOUT * MILLISECOND)
    return { answer: probe.end(), journeys }
  } finally {
    model.onJourney = undefined
  }
}

/** Where a packet met no socket: in a place whose description says of no port that it is open. */
function listenWhereItEnded(journeys: readonly Journey[], { protocol }: ProbeSpec, lab: TraceLab): void {
  for (const journey of journeys) {
    const ending = fateOf(journey)
    if (ending?.disposition !== 'dropped' || ending.reason !== 'NO_SOCKET') continue
    const name = nameOf(ending.device.namespace.path)
    const declared = lab.plan.pods.find((pod) => pod.name === name)?.listen ?? []
    const port = portOf(journey, protocol)
    if (port === undefined) continue
    if (declared.length > 0) return
    lab.machine.answerAt(ending.device.namespace.path, `${protocol}/${port}`)
    return
  }
}

/** Of the packet as it was seen last. */
function portOf({ steps }: Journey, protocol: ProbeSpec['protocol']): number | undefined {
  const seen = steps.findLast(({ frame }) => frame !== undefined)
  return seen?.frame && askedPort(seen.frame, seen.device.hasLinkLayer ? 14 : 0, protocol)
}

function tell(
  journeys: readonly Journey[],
  answer: ProbeAnswer,
  client: Place,
  world: World,
  telling: Telling,
): TraceDocument {
  const failed = answer.outcome !== 'answered'
  const broken = failed ? firstLost(journeys) : undefined
  const main = broken ? rootOf(broken) : journeys[0]
  if (!main) return notSent(answer, client, telling)
  const document = documentOf(main, telling)
  const traces = [...relatives(main, journeys)].map((journey) => documentOf(journey, telling))
  if (broken) return { ...document, result: explained(broken, main, client, world, telling), traces }
  const reply = main.children.find(({ cause }) => cause === 'reply') ?? journeys.find((each) => each !== main)
  return { ...document, result: { ...resultOf(main, telling), ...(reply && { reply: idOf(reply) }) }, traces }
}

function firstLost(journeys: readonly Journey[]): Journey | undefined {
  for (const journey of journeys) {
    const lost = lostOf(journey)
    if (lost) return lost
  }
  return undefined
}

function rootOf(journey: Journey): Journey {
  return journey.parent ? rootOf(journey.parent) : journey
}

/** What came of the packet, and the packets that were sent after it. */
function* relatives(main: Journey, journeys: readonly Journey[]): Generator<Journey> {
  for (const root of [main, ...journeys.filter((each) => each !== main)]) {
    for (const journey of family(root)) if (journey !== main) yield journey
  }
}

function explained(lost: Journey, main: Journey, client: Place, world: World, telling: Telling): TraceResult {
  const result = { ...resultOf(lost, telling), ...(lost !== main && { reply: idOf(lost) }) }
  const loss = lossOf(lost, client, world)
  if (!loss) return result
  const { why, fixes } = explain(loss, world)
  return { ...result, why, ...fixesOf(fixes, loss.place.name, telling.lab) }
}

function lossOf(journey: Journey, client: Place, world: World): Loss | undefined {
  const ending = journey.ending
  const seen = journey.steps.findLast(({ frame }) => frame !== undefined)
  if (ending?.disposition !== 'dropped' || !seen?.frame) return undefined
  const place = world.places.find(({ name }) => name === nameOf(ending.device.namespace.path))
  if (!place) return undefined
  const before = journey.cause === 'icmp' && journey.parent ? lossOf(journey.parent, client, world) : undefined
  return {
    place,
    device: ending.device.name,
    reason: ending.ownReason ?? ending.reason,
    kernel: ending.kernel,
    ref: ending.ref,
    frame: seen.frame,
    network: seen.device.hasLinkLayer ? 14 : 0,
    client,
    before,
  }
}

/** The kernel refused to send it at all. */
function notSent(answer: ProbeAnswer, client: Place, { engine }: Telling): TraceDocument {
  const errno = answer.outcome === 'failed' ? answer.errno : 'nothing was sent'
  return {
    v: 1,
    id: 't0',
    engine,
    input: { node: client.name, dev: '', dir: 'out', hex: '', summary: '' },
    steps: [],
    result: {
      disposition: 'dropped',
      reason: `OVL_${errno}`,
      at: { node: client.name },
      why: `${client.name} could not send it: ${errno}.`,
    },
  }
}

interface ModelPlace extends Place {
  readonly kernel: ModelKernel
}

function worldOf(lab: TraceLab): World {
  const { plan, originOf } = lab
  const places = [...plan.nodes, ...plan.pods].map(({ name }) => ({ name, kernel: lab.kernelOf(name) }))
  return { places, originOf }
}

function tellingOf({ plan, machine, originOf }: TraceLab, start: number): Telling {
  const { profile, seed } = machine.kernel.model
  return { engine: { kind: 'model', profile: profile.name, seed }, lab: plan.name, start, nameOf, originOf }
}

/** `/run/netns/ovl-n1@T2` is n1. */
function nameOf(path: string): string {
  return path.slice(namespacePath('').length).replace(/^ovl-(.*)@.*$/, '$1')
}
