/**
 * `overlab trace` in the model: a packet is sent as a program would send it, followed by everything it causes, and told.
 *
 * The question is asked twice. The first time finds out whether somebody listens where the packet ends, and fills the caches
 * that a living network has filled; where the destination is a place that says nothing of what listens there, something is
 * made to listen. The second time is told.
 */
import type { Subscription } from '../kernel/live.ts'
import { MILLISECOND } from '../model/clock.ts'
import type { ModelKernel } from '../model/create.ts'
import type { Journey } from '../model/observer.ts'
import { formatWhere, type TraceDocument, type TraceResult } from '../trace/document.ts'
import { explain } from '../trace/explain/explain.ts'
import type { Place, World } from '../trace/explain/loss.ts'
import { sharedBy } from '../trace/explain/neighbour.ts'
import { family, fateOf, lostOf } from '../trace/fate.ts'
import { lossOfJourney, unexplained, unseenBy } from '../trace/loss-of-journey.ts'
import { type Asked, notSent } from '../trace/not-sent.ts'
import { documentOf, idOf, resultOf, type Telling } from '../trace/of-journey.ts'
import { pathMtu } from '../trace/path-mtu.ts'
import { fixesOf } from '../trace/result.ts'
import { askedPort } from '../trace/summary.ts'
import { isChatter } from './chatter.ts'
import type { ModelMachine } from './model-machine.ts'
import { neighbourPairs } from './neighbours.ts'
import { namespacePath } from './node.ts'
import { type LabPlan, namespaceOf } from './plan.ts'
import { podGiven } from './pod.ts'
import { PROBE_TIMEOUT, type ProbeAnswer, type ProbeSpec, startProbe } from './probe.ts'
import { speakerPlace, worldSpeaker } from './speakers.ts'

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
  const client = { name: from, namespace: namespaceOf(from, lab.plan.name), kernel: lab.kernelOf(from) }
  const first = follow(client, address, { ...spec, light: true }, machine)
  const listener = first.answer.outcome === 'answered' ? undefined : listenWhereItEnded(first.journeys, spec, lab)
  const start = machine.kernel.model.clock.now
  const { answer, journeys } = follow(client, address, spec, machine)
  listener?.close()
  return tell(journeys, answer, { client, address, spec }, world, tellingOf(lab, start))
}

function follow({ kernel }: ModelPlace, address: string, spec: ProbeSpec, { kernel: { model } }: ModelMachine) {
  const journeys: Journey[] = []
  model.onJourney = (journey) => journeys.push(journey)
  try {
    const probe = startProbe(kernel, address, spec, (...echo) => kernel.namespace.sockets.ping(...echo))
    model.runUntil(() => probe.answer !== undefined, model.clock.now + PROBE_TIMEOUT * MILLISECOND)
    return { answer: probe.end(), journeys: journeys.filter((journey) => !isOfOthers(journey, spec)) }
  } finally {
    model.onJourney = undefined
  }
}

/** What speakers say among themselves meanwhile. */
function isOfOthers(journey: Journey, spec: ProbeSpec): boolean {
  const first = rootOf(journey).steps.find(({ frame }) => frame !== undefined)
  return first?.frame !== undefined && isChatter(first.frame, first.device.hasLinkLayer ? 14 : 0, spec)
}

/** Where a packet met no socket: in a place whose description says of no port that it is open. */
function listenWhereItEnded(
  journeys: readonly Journey[],
  { protocol }: ProbeSpec,
  lab: TraceLab,
): Subscription | undefined {
  for (const journey of journeys) {
    const ending = fateOf(journey)
    if (ending?.disposition !== 'dropped' || ending.reason !== 'NO_SOCKET') continue
    const name = nameOf(ending.device.namespace.path)
    const declared = lab.plan.pods.find((pod) => pod.name === name)?.listen ?? []
    const port = portOf(journey, protocol)
    if (port === undefined) continue
    if (declared.length > 0) return undefined
    return lab.machine.answerAt(ending.device.namespace.path, `${protocol}/${port}`)
  }
  return undefined
}

/** Of the packet as it was seen last. */
function portOf({ steps }: Journey, protocol: ProbeSpec['protocol']): number | undefined {
  const seen = steps.findLast(({ frame }) => frame !== undefined)
  return seen?.frame && askedPort(seen.frame, seen.device.hasLinkLayer ? 14 : 0, protocol)
}

function tell(
  journeys: readonly Journey[],
  answer: ProbeAnswer,
  asked: Asked,
  world: World,
  telling: Telling,
): TraceDocument {
  const { address } = asked
  const answered = answer.outcome === 'answered'
  const broken = answered ? undefined : firstLost(journeys)
  const delivered = everythingOf(journeys).find(isThrough)
  // Of a question that was asked again, the one that came through is told.
  const main = broken ? rootOf(broken) : ((answered ? delivered : undefined) ?? journeys[0])
  if (!main) return notSent(answer, asked, world, telling)
  const document = documentOf(main, telling)
  const traces = relatives(main, journeys).map((journey) => documentOf(journey, telling))
  if (broken) return { ...document, result: explained(broken, main, asked, world, telling), traces }
  if (!answered) return { ...document, result: waiting(journeys, telling), traces }
  const reply = main.children.find(({ cause }) => cause === 'reply') ?? journeys.find((each) => each !== main)
  const mtu = pathMtu(document, world)
  const why = sharedBy(address, world)
  const result = {
    ...resultOf(main, telling),
    ...(reply && { reply: idOf(reply) }),
    ...(mtu !== undefined && { mtu }),
    ...(why !== undefined && { why }),
  }
  return { ...document, result, traces }
}

/** Nothing was lost, and no answer came: something waits, or nobody answers. */
function waiting(journeys: readonly Journey[], telling: Telling): TraceResult {
  const everything = everythingOf(journeys)
  const last = everything.find((journey) => fateOf(journey) === undefined) ?? everything.at(-1)!
  const { reply: _, ...result } = resultOf(last, telling)
  const step = last.steps.at(-1)
  const at = result.at ?? (step && { node: telling.nameOf(step.device.namespace.path), dev: step.device.name })
  const where = at ? ` at ${formatWhere(at)}` : ''
  const why =
    fateOf(last) === undefined
      ? `It waits${where} and was not sent on within ${PROBE_TIMEOUT / 1000} s.`
      : `Everything was delivered, the last${where}, but no answer came within ${PROBE_TIMEOUT / 1000} s.`
  return { ...result, disposition: 'queued', ...(at && { at }), why }
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

/** What came of the packet, and the packets that were sent beside it. */
function relatives(main: Journey, journeys: readonly Journey[]): Journey[] {
  return everythingOf([main, ...journeys]).filter((journey) => journey !== main)
}

function everythingOf(journeys: readonly Journey[]): Journey[] {
  return [...new Set(journeys.flatMap((journey) => [...family(journey)]))]
}

/** A question, or one that was asked again, that came to where it was going. */
function isThrough(journey: Journey): boolean {
  return (
    (journey.parent === undefined || journey.cause === 'retransmission') && fateOf(journey)?.disposition === 'delivered'
  )
}

function explained(lost: Journey, main: Journey, asked: Asked, world: World, telling: Telling): TraceResult {
  const result = { ...resultOf(lost, telling), ...(lost !== main && { reply: idOf(lost) }) }
  const loss = lossOfJourney(lost, asked.client, world, nameOf) ?? unseenBy(asked, lost, nameOf)
  if (!loss) return { ...result, ...unexplained(lost) }
  const { why, fixes } = explain(loss, world)
  return { ...result, why, ...fixesOf(fixes, loss.place.name, telling.lab) }
}

interface ModelPlace extends Place {
  readonly kernel: ModelKernel
}

/** What explanations are found in. */
export function worldOf(lab: TraceLab): World {
  const { plan, originOf } = lab
  const places = [...plan.nodes, ...plan.pods].map(({ name, namespace }) => ({
    name,
    namespace,
    kernel: lab.kernelOf(name),
  }))
  const { speakers: all } = lab.machine
  const speakers = plan.nodes
    .filter(({ speaker }) => speaker)
    .map((node) => worldSpeaker(node, all.conditionNow(speakerPlace(plan, node, lab.machine))))
  return {
    places,
    originOf,
    services: plan.services,
    pods: plan.pods,
    speakers,
    network: plan.podNetwork,
    givenTo: (address) => podGiven(address, plan, lab.machine),
  }
}

function tellingOf({ plan, machine, originOf }: TraceLab, start: number): Telling {
  const { profile, seed } = machine.kernel.model
  return { engine: { kind: 'model', profile: profile.name, seed }, lab: plan.name, start, nameOf, originOf }
}

/** `/run/netns/ovl-n1@T2` is n1. */
function nameOf(path: string): string {
  return path.slice(namespacePath('').length).replace(/^ovl-(.*)@.*$/, '$1')
}
