/**
 * `overlab trace` on the real kernel: the packet is really sent, every link of every node and pod is captured, and what was
 * seen is told: captured.ts. Where the packet was lost, the kernel's tables say why: trace/deduce.ts.
 */
import type { Subscription } from '../kernel/live.ts'
import { readCounters } from '../trace/deduce.ts'
import type { TraceDocument } from '../trace/document.ts'
import type { Place, World } from '../trace/explain/loss.ts'
import type { Asked } from '../trace/not-sent.ts'
import { groupPackets, type SeenPacket, type Sighting } from '../trace/of-captures.ts'
import { askedPort, readHeaders } from '../trace/summary.ts'
import { EtherType } from '../wire/ethernet.ts'
import { type Heard, isRefused, tellCaptured } from './captured.ts'
import { isChatter } from './chatter.ts'
import type { Listener, Machine } from './machine.ts'
import { neighbourPairs } from './neighbours.ts'
import { enter, namespacePath } from './node.ts'
import type { LabPlan } from './plan.ts'
import { podGiven } from './pod.ts'
import { PROBE_TIMEOUT, type ProbeAnswer, type ProbeSpec, startProbe } from './probe.ts'
import { worldSpeakers } from './speakers.ts'
import type { TraceRequest } from './trace.ts'

export interface KernelTraceLab {
  readonly plan: LabPlan
  readonly machine: Machine
  originOf(node: string, ref: string): string | undefined
}

/** Milliseconds for the question that only finds out whether somebody listens. */
const FIRST_TIMEOUT = 1000

/**
 * Milliseconds before a question. Before the first they are needed, too: the kernel begins to give packets their times a
 * while after somebody wants them (net_enable_timestamp), and until then they have the time at which they were read.
 */
const BEFOREHAND = 100

/** Milliseconds in which what was captured is told after the answer has come. */
const AFTERWARDS = 50

/** Everybody hears of his neighbours, as in a network that has been up for a while. */
export async function acquaint(lab: KernelTraceLab): Promise<void> {
  const places = placesOf(lab)
  try {
    await Promise.all([...neighbourPairs(places)].map(({ from, address }) => from.kernel.ping(address)))
  } finally {
    for (const { kernel } of places) kernel.close()
  }
}

/** Taps everywhere, for as long as a trace asks. */
interface Recording {
  /** What was seen since the last call, of one family: the noise of the other, and of BGP, is no part of the conversation. */
  take(): readonly Sighting[]
  close(): void
}

/** RangeError when a place of the lab is not there any more, or nothing can be made to listen. */
export async function traceInKernel(
  { from, address, spec }: TraceRequest,
  lab: KernelTraceLab,
): Promise<TraceDocument> {
  const { plan, machine, originOf } = lab
  const places = placesOf(lab)
  const recording = record(places, address.includes(':') ? EtherType.ipv6 : EtherType.ipv4, spec)
  let listener: Listener | undefined
  try {
    const world: World = {
      places,
      originOf,
      services: plan.services,
      pods: plan.pods,
      speakers: await worldSpeakers(plan, machine),
      network: plan.podNetwork,
      givenTo: (pod) => podGiven(pod, plan, machine),
    }
    const client = places.find(({ name }) => name === from)!
    const asked = { client, address, spec }
    const first = await ask({ ...asked, spec: { ...spec, light: true } }, world, recording, machine, FIRST_TIMEOUT)
    if (first.answer.outcome !== 'answered') listener = await listenWhereItEnded(first.packets, spec, lab)
    return tellCaptured(await ask(asked, world, recording, machine, PROBE_TIMEOUT), asked, world, plan.name)
  } finally {
    recording.close()
    await listener?.close()
    for (const { kernel } of places) kernel.close()
  }
}

/** Nodes and pods, entered; whoever asks for them closes their kernels. RangeError when one of them is not there. */
function placesOf({ plan, machine }: KernelTraceLab): Place[] {
  const places: Place[] = []
  for (const { name, namespace } of [...plan.nodes, ...plan.pods]) {
    const kernel = enter(namespace, machine)
    if (!kernel) {
      for (const place of places) place.kernel.close()
      throw new RangeError(`"${name}" of lab "${plan.name}" is not there any more: take it down by "overlab lab down"`)
    }
    places.push({ name, namespace, kernel })
  }
  return places
}

async function ask(
  { client: { kernel }, address, spec }: Asked & { readonly spec: ProbeSpec },
  world: World,
  recording: Recording,
  machine: Machine,
  timeout: number,
): Promise<Heard> {
  // What the question before has left on the way, such as the end of its connection, is no part of this one.
  await machine.until(() => false, BEFOREHAND)
  const counters = readCounters(world)
  recording.take()
  const probe = startProbe(kernel, address, spec, (...echo) => kernel.sendPing(...echo))
  let answer: ProbeAnswer
  try {
    await machine.until(() => probe.answer !== undefined, timeout)
    await machine.until(() => false, AFTERWARDS)
  } finally {
    answer = probe.end()
  }
  return { answer, packets: groupPackets(recording.take()), counters }
}

function record(places: readonly Place[], etherType: number, spec: ProbeSpec): Recording {
  let sightings: Sighting[] = []
  const captures = places.map((place) => capture(place, (sighting) => sightings.push(sighting)))
  return {
    take() {
      const seen = sightings
      sightings = []
      return seen.filter(
        ({ frame, network }) =>
          readHeaders(frame, network)?.etherType === etherType && !isChatter(frame, network, spec),
      )
    },
    close() {
      for (const { close } of captures) close()
    },
  }
}

function capture({ name: node, kernel }: Place, onSighting: (sighting: Sighting) => void): Subscription {
  const layers = new Map<string, number>()
  const networkOf = (link: string) => {
    const known = layers.get(link) ?? ((kernel.links.get(link)?.mac ?? '') === '' ? 0 : 14)
    layers.set(link, known)
    return known
  }
  return kernel.packets.capture({}, ({ time, link, packetType, bytes }) => {
    if (link === 'lo') return
    const direction = packetType === 'outgoing' ? 'out' : 'in'
    onSighting({ time, node, device: link, direction, packetType, frame: bytes, network: networkOf(link) })
  })
}

/** Where the question met no socket, in a place whose description says of no port that it is open. */
async function listenWhereItEnded(
  packets: readonly SeenPacket[],
  { protocol }: ProbeSpec,
  { plan, machine }: KernelTraceLab,
): Promise<Listener | undefined> {
  const ends = packets.filter((packet) => isRefused(packet, packets)).map(({ sightings }) => sightings.at(-1)!)
  const end = ends.find(({ frame, network }) => askedPort(frame, network, protocol) !== undefined)
  const port = end && askedPort(end.frame, end.network, protocol)
  const place = [...plan.nodes, ...plan.pods].find(({ name }) => name === end?.node)
  const declared = plan.pods.find(({ name }) => name === end?.node)?.listen ?? []
  if (port === undefined || !place || declared.length > 0) return undefined
  return machine.listen(namespacePath(place.namespace), [`${protocol}/${port}`])
}
