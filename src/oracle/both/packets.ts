/**
 * The packets of a trace, and which of the model's is which of the kernel's. Both are grouped by the same rule
 * (trace/of-captures.ts) from what their taps saw; a packet is known again by who sent it, and by what it says that is no
 * stack's own choice: of TCP what it carries, and where in the connection.
 */
import type { TraceDocument, TraceStep } from '../../trace/document.ts'
import { fromHex } from '../../trace/hex.ts'
import { groupPackets, type Sighting } from '../../trace/of-captures.ts'
import { type Headers, readHeaders } from '../../trace/summary.ts'
import { IpProtocol } from '../../wire/ipv4.ts'
import { TcpFlag } from '../../wire/tcp.ts'

/** A frame at a tap, and the step of a trace that told of it. */
export interface SeenStep extends Sighting {
  readonly trace: string
  readonly step: TraceStep
}

export interface TracedPacket {
  /** The same in both, of as many packets as say the same. */
  readonly key: string
  readonly seen: readonly SeenStep[]
  /** Whether the other must have it: how a stack acknowledges and sends again is its own affair. */
  readonly isTelling: boolean
}

const ETHERNET = 14
/** Nanoseconds in a millisecond. */
const NANOSECONDS = 1e6
/** Hosts ask for routers, neighbours and groups when they please: RFC 4861, RFC 3810. */
const NOISE6: readonly number[] = [130, 131, 132, 133, 134, 135, 136, 137, 143]

/** Of the question's own family. */
export function packetsOf(document: TraceDocument): TracedPacket[] {
  const seen = [document, ...(document.traces ?? [])].flatMap(seenIn)
  const [question] = seen
  const family = question && question.frame[question.network]! >> 4
  const packets = groupPackets(seen).map(({ sightings }) => sightings as readonly SeenStep[])
  const starts = startsOf(packets)
  const kinds = new Set<string>()
  return packets.flatMap((sightings) => {
    const [first] = sightings as readonly [SeenStep, ...SeenStep[]]
    const headers = readHeaders(first.frame, first.network)
    if (!headers || first.frame[first.network]! >> 4 !== family || isNoise(first, headers)) return []
    return [
      { key: keyOf(first, headers, starts), seen: sightings, isTelling: isTelling(first, headers, starts, kinds) },
    ]
  })
}

function seenIn({ id, steps }: TraceDocument): SeenStep[] {
  return steps.flatMap((step): SeenStep[] => {
    const { at, t, what, hex, stage } = step
    if (stage !== 'tap' || hex === undefined || at.dev === undefined || at.dev === 'lo') return []
    const frame = fromHex(hex)
    const direction = what === 'out' ? 'out' : 'in'
    const time = BigInt(Math.round(t * NANOSECONDS))
    return [{ time, node: at.node, device: at.dev, direction, frame, network: networkOf(frame), trace: id, step }]
  })
}

/** A device without a link layer begins with the packet: its length is the frame's. */
function networkOf(frame: Uint8Array): number {
  const length = (frame[2]! << 8) | frame[3]!
  return frame[0]! >> 4 === 4 && length === frame.length ? 0 : ETHERNET
}

/** Of each end of a connection, by who sends: its first sequence number. */
function startsOf(packets: readonly (readonly SeenStep[])[]): Map<string, number> {
  const starts = new Map<string, number>()
  for (const [first] of packets) {
    const headers = first && readHeaders(first.frame, first.network)
    if (!first || !headers || !isTcp(headers) || (flagsOf(first.frame, headers) & TcpFlag.syn) === 0) continue
    if (!starts.has(first.node)) starts.set(first.node, sequenceOf(first.frame, headers))
  }
  return starts
}

type Starts = ReadonlyMap<string, number>

function keyOf({ node, frame, network }: SeenStep, headers: Headers, starts: Starts): string {
  const { protocol, transport, length, fragmentOffset } = headers
  if (transport === undefined) return `${node} ${protocol} fragment ${fragmentOffset} ${length}`
  if (isTcp(headers)) {
    const carried = network + length - transport - (frame[transport + 12]! >> 4) * 4
    return `${node} tcp ${flagsOf(frame, headers) & ~TcpFlag.psh} ${placeOf(frame, headers, starts)} ${carried}`
  }
  if (!isIcmp(headers)) return `${node} ${protocol} ${length}`
  const quoted = quotedIn(frame, headers)
  const about = quoted && isTcp(quoted) ? `${placeOf(frame, quoted, starts)} ${quoted.length}` : ''
  return `${kindOf(node, frame, headers)} ${about}`
}

/** Of ICMP: who says what. */
const kindOf = (node: string, frame: Uint8Array, { transport }: Headers) =>
  `${node} icmp ${frame[transport!]} ${frame[transport! + 1]}`

/** Bytes from the beginning of its direction of the connection, of which both begins are known by who sends. */
function placeOf(frame: Uint8Array, headers: Headers, starts: Starts): number {
  const sequence = sequenceOf(frame, headers)
  return Math.min(...[...starts.values()].map((start) => (sequence - start) >>> 0), sequence)
}

/** Of TCP: what begins a connection, and what refuses one; of ICMP about its segments the first of a kind. */
function isTelling({ node, frame }: SeenStep, headers: Headers, starts: Starts, kinds: Set<string>): boolean {
  if (isTcp(headers)) {
    const flags = flagsOf(frame, headers)
    return (flags & TcpFlag.syn) !== 0 || ((flags & TcpFlag.rst) !== 0 && !starts.has(node))
  }
  const quoted = isIcmp(headers) ? quotedIn(frame, headers) : undefined
  if (!quoted || !isTcp(quoted)) return true
  const kind = kindOf(node, frame, headers)
  const isFirst = !kinds.has(kind)
  kinds.add(kind)
  return isFirst
}

/** The packet that an ICMP error is about: RFC 792, RFC 4443 §3. */
function quotedIn(frame: Uint8Array, { protocol, transport }: Headers): Headers | undefined {
  const type = frame[transport!]!
  const isError = protocol === IpProtocol.icmp ? [3, 4, 5, 11, 12].includes(type) : type < 128
  return isError ? readHeaders(frame, transport! + 8) : undefined
}

function isNoise({ frame }: SeenStep, { protocol, transport }: Headers): boolean {
  if (protocol === IpProtocol.igmp || protocol === 0) return true
  return protocol === IpProtocol.icmpv6 && transport !== undefined && NOISE6.includes(frame[transport]!)
}

const isTcp = ({ protocol, transport }: Headers) => protocol === IpProtocol.tcp && transport !== undefined

const isIcmp = ({ protocol, transport }: Headers) =>
  (protocol === IpProtocol.icmp || protocol === IpProtocol.icmpv6) && transport !== undefined

const flagsOf = (frame: Uint8Array, { transport }: Headers) => frame[transport! + 13] ?? 0

/** 0 where so much of it is not there. */
function sequenceOf(frame: Uint8Array, { transport }: Headers): number {
  const at = transport! + 4
  return at + 4 > frame.length ? 0 : new DataView(frame.buffer, frame.byteOffset).getUint32(at)
}
