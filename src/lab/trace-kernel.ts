/**
 * `overlab trace` on the real kernel: the packet is really sent, every link of every node and pod is captured, and what was
 * seen is told. Where the packet was lost, the kernel's tables say why: trace/deduce.ts.
 */
import { type Cause, type Counters, deduce, readCounters, refusedByPolicy } from '../trace/deduce.ts'
import { formatWhere, type TraceDocument, type TraceResult } from '../trace/document.ts'
import { explain } from '../trace/explain/explain.ts'
import type { Loss, Place, World } from '../trace/explain/loss.ts'
import { sharedBy } from '../trace/explain/neighbour.ts'
import { type Asked, notSent } from '../trace/not-sent.ts'
import { groupPackets, type SeenPacket, type Sighting } from '../trace/of-captures.ts'
import { documentOfPacket } from '../trace/of-packet.ts'
import { pathMtu } from '../trace/path-mtu.ts'
import { fixesOf } from '../trace/result.ts'
import { askedPort, readHeaders } from '../trace/summary.ts'
import { IpProtocol } from '../wire/ipv4.ts'
import type { Listener, Machine } from './machine.ts'
import { neighbourPairs } from './neighbours.ts'
import { enter, namespacePath } from './node.ts'
import type { LabPlan } from './plan.ts'
import { PROBE_TIMEOUT, type ProbeAnswer, type ProbeSpec, startProbe } from './probe.ts'
import type { TraceRequest } from './trace.ts'

export interface KernelTraceLab {
  readonly plan: LabPlan
  readonly machine: Machine
  originOf(node: string, ref: string): string | undefined
}

/** Milliseconds for the question that only finds out whether somebody listens. */
const FIRST_TIMEOUT = 1000

/** Milliseconds in which what was captured is told after the answer has come. */
const AFTERWARDS = 50

const TCP_RST = 4

interface Heard {
  readonly answer: ProbeAnswer
  readonly packets: readonly SeenPacket[]
  readonly counters: Counters
}

/** Everybody hears of his neighbours, as in a network that has been up for a while. */
export async function acquaint(lab: KernelTraceLab): Promise<void> {
  const places = placesOf(lab)
  try {
    await Promise.all([...neighbourPairs(places)].map(({ from, address }) => from.kernel.ping(address)))
  } finally {
    for (const { kernel } of places) kernel.close()
  }
}

export async function traceInKernel(
  { from, address, spec }: TraceRequest,
  lab: KernelTraceLab,
): Promise<TraceDocument> {
  const { plan, machine, originOf } = lab
  const places = placesOf(lab)
  let listener: Listener | undefined
  try {
    const world: World = { places, originOf, services: plan.services, pods: plan.pods }
    const client = places.find(({ name }) => name === from)!
    const first = await ask(client, address, { ...spec, light: true }, world, machine, FIRST_TIMEOUT)
    if (first.answer.outcome !== 'answered') listener = await listenWhereItEnded(first.packets, spec, lab)
    return tell(
      await ask(client, address, spec, world, machine, PROBE_TIMEOUT),
      { client, address, spec },
      world,
      plan.name,
    )
  } finally {
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
    places.push({ name, kernel })
  }
  return places
}

async function ask(
  client: Place,
  address: string,
  spec: ProbeSpec,
  world: World,
  machine: Machine,
  timeout: number,
): Promise<Heard> {
  const counters = readCounters(world)
  const sightings: Sighting[] = []
  const captures = world.places.map((place) => capture(place, sightings))
  try {
    const { kernel } = client
    const probe = startProbe(kernel, address, spec, (destination, request, onAnswer) => {
      kernel
        .ping(destination, request)
        .then(onAnswer, (error) => onAnswer({ outcome: 'refused', errno: String(error) }))
    })
    await machine.until(() => probe.answer !== undefined, timeout)
    await machine.until(() => false, AFTERWARDS)
    return { answer: probe.end(), packets: groupPackets(sightings), counters }
  } finally {
    for (const { close } of captures) close()
  }
}

function capture({ name: node, kernel }: Place, into: Sighting[]) {
  const layers = new Map<string, number>()
  const networkOf = (link: string) => {
    const known = layers.get(link) ?? ((kernel.links.get(link)?.mac ?? '') === '' ? 0 : 14)
    layers.set(link, known)
    return known
  }
  return kernel.packets.capture({}, ({ time, link, packetType, bytes }) => {
    if (link === 'lo') return
    const direction = packetType === 'outgoing' ? 'out' : 'in'
    into.push({ time, node, device: link, direction, frame: bytes, network: networkOf(link) })
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

/** The place that saw it last answered by RST, or by ICMP port unreachable. */
function isRefused({ sightings }: SeenPacket, packets: readonly SeenPacket[]): boolean {
  const last = sightings.at(-1)!
  const question = readHeaders(last.frame, last.network)
  if (last.direction !== 'in' || question?.destinationPort === undefined) return false
  return packets.some(({ sightings: [first] }) => {
    if (!first || first.node !== last.node || first.direction !== 'out' || first.time < last.time) return false
    const answer = readHeaders(first.frame, first.network)
    if (answer?.transport === undefined || answer.source !== question.destination) return false
    if (answer.protocol === IpProtocol.tcp) {
      return (
        answer.sourcePort === question.destinationPort &&
        answer.destinationPort === question.sourcePort &&
        (first.frame[answer.transport + 13]! & TCP_RST) !== 0
      )
    }
    return (
      answer.protocol === IpProtocol.icmp &&
      first.frame[answer.transport] === 3 &&
      first.frame[answer.transport + 1] === 3
    )
  })
}

function tell({ answer, packets, counters }: Heard, asked: Asked, world: World, lab: string): TraceDocument {
  const engine = { kind: 'kernel' } as const
  const { client } = asked
  const main = packets.find(({ sightings: [first] }) => first?.node === client.name && first.direction === 'out')
  if (!main) return notSent(answer, asked, world, { engine, lab })
  const start = main.sightings[0]!.time
  const document = (packet: SeenPacket, result: TraceResult) =>
    documentOfPacket(packet, idOf(packet, packets), result, { start, engine })
  const others = packets.filter((packet) => packet !== main)
  const traces = others.map((packet) => document(packet, seenLast(packet)))
  if (answer.outcome === 'answered') {
    const reply = others.find((packet) => answers(packet, main))
    const way = document(main, { ...seenLast(main), hops: hopsOf(main), ...(reply && { reply: idOf(reply, packets) }) })
    const mtu = pathMtu(way, world)
    const why = sharedBy(asked.address, world)
    const result = { ...way.result, ...(mtu !== undefined && { mtu }), ...(why !== undefined && { why }) }
    return { ...way, result, traces }
  }
  const lost = lostOf(packets, world, counters)
  if (!lost) return { ...document(main, waiting(packets)), traces }
  const loss = lossOf(lost, client, world)
  const { why, fixes } = explain(loss, world)
  const result: TraceResult = {
    disposition: 'dropped',
    reason: loss.reason,
    kernel: loss.kernel,
    at: { node: loss.place.name, dev: loss.device },
    why,
    ...fixesOf(fixes, loss.place.name, lab),
    ...(lost.packet !== main && { reply: idOf(lost.packet, packets) }),
  }
  return {
    ...document(main, result),
    traces: others.map((packet) => document(packet, packet === lost.packet ? result : seenLast(packet))),
  }
}

/** The kernel's tables would keep none of the packets, and no answer came. */
function waiting(packets: readonly SeenPacket[]): TraceResult {
  const last = seenLast(packets.at(-1)!)
  const why = `No answer came within ${PROBE_TIMEOUT / 1000} s; the last packet was seen at ${formatWhere(last.at!)}, and nothing in the tables there says why.`
  return { ...last, disposition: 'queued', why }
}

interface Lost {
  readonly packet: SeenPacket
  readonly cause: Cause
  /** The loss of which this packet should have told the sender. */
  readonly before: Lost | undefined
}

/** The first packet that did not arrive; of an ICMP error that was lost as well, that. */
function lostOf(packets: readonly SeenPacket[], world: World, counters: Counters): Lost | undefined {
  let first: Lost | undefined
  for (const packet of packets) {
    const last = packet.sightings.at(-1)!
    const deduced = deduce(last, world, counters)
    const isOpen = deduced?.reason === 'NO_SOCKET' && !isRefused(packet, packets)
    const cause = isOpen ? refusedByPolicy(last, world) : deduced
    if (!cause) continue
    if (!first) first = { packet, cause, before: undefined }
    else if (packet.key.startsWith('icmp 3 ')) return { packet, cause, before: first }
  }
  return first
}

function lossOf({ packet, cause, before }: Lost, client: Place, world: World): Loss {
  const last = packet.sightings.at(-1)!
  return {
    place: world.places.find(({ name }) => name === last.node)!,
    device: cause.device ?? last.device,
    reason: cause.reason,
    kernel: cause.kernel,
    ref: cause.ref,
    frame: last.frame,
    network: last.network,
    client,
    before: before && lossOf(before, client, world),
    path: packet.sightings.map(({ node }) => node).filter((name, i, all) => name !== all[i - 1]),
  }
}

/** It goes the other way between the same two, as either end knows them. */
function answers({ sightings: [first] }: SeenPacket, { sightings }: SeenPacket): boolean {
  const last = sightings.at(-1)!
  const question = readHeaders(last.frame, last.network)
  const answer = first && readHeaders(first.frame, first.network)
  return answer?.source === question?.destination && first?.node === last.node
}

const idOf = (packet: SeenPacket, packets: readonly SeenPacket[]) => `t${packets.indexOf(packet) + 1}`

function seenLast({ sightings }: SeenPacket): TraceResult {
  const last = sightings.at(-1)!
  return { disposition: 'delivered', at: { node: last.node, dev: last.device } }
}

/** Routers: how much the TTL went down. */
function hopsOf({ sightings }: SeenPacket): number {
  const ttls = [sightings[0]!, sightings.at(-1)!].map(({ frame, network }) => readHeaders(frame, network)?.ttl ?? 0)
  return ttls[0]! - ttls[1]!
}
