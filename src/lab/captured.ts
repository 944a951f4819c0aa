/**
 * What captures of the real kernel come to: which of the packets is the question and which its answer, where something was
 * lost, and why.
 */
import { type Cause, type Counters, deduce, refusedByPolicy } from '../trace/deduce.ts'
import { formatWhere, type TraceDocument, type TraceResult } from '../trace/document.ts'
import { explain } from '../trace/explain/explain.ts'
import type { Loss, Place, World } from '../trace/explain/loss.ts'
import { sharedBy } from '../trace/explain/neighbour.ts'
import { type Asked, notSent } from '../trace/not-sent.ts'
import type { SeenPacket } from '../trace/of-captures.ts'
import { documentOfPacket } from '../trace/of-packet.ts'
import { pathMtu } from '../trace/path-mtu.ts'
import { fixesOf } from '../trace/result.ts'
import { readHeaders } from '../trace/summary.ts'
import { IpProtocol } from '../wire/ipv4.ts'
import { PROBE_TIMEOUT, type ProbeAnswer } from './probe.ts'

/** What came of a question. */
export interface Heard {
  readonly answer: ProbeAnswer
  readonly packets: readonly SeenPacket[]
  /** What rules had counted before it. */
  readonly counters: Counters
}

const TCP_RST = 4

/** The place that saw it last answered by RST, or by ICMP port unreachable. */
export function isRefused({ sightings }: SeenPacket, packets: readonly SeenPacket[]): boolean {
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

/** `lab` is the lab's name, for fixes. */
export function tellCaptured(
  { answer, packets, counters }: Heard,
  asked: Asked,
  world: World,
  lab: string,
): TraceDocument {
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
