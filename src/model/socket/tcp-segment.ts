/** TCP segments: RFC 9293 §3.1, RFC 7323, RFC 2018, RFC 2385; options in the order in which tcp_options_write has them. */
import type { Ip } from '../../address/ip.ts'
import { IpProtocol } from '../../wire/ipv4.ts'
import { setU16, setU32, u16, u32 } from '../bytes.ts'
import type { Device } from '../device/device.ts'
import type { Namespace } from '../namespace.ts'
import type { Packet } from '../packet.ts'
import type { Network } from './network.ts'
import { destinationOf, fillChecksum, newSegment, sourceOf } from './segment.ts'
import { type Key, signatureOf } from './tcp-md5.ts'

export const TCP_HEADER = 20
const CHECKSUM_AT = 16

export const Flag = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16 } as const

const Option = {
  end: 0,
  nop: 1,
  mss: 2,
  windowScale: 3,
  sackPermitted: 4,
  sack: 5,
  timestamps: 8,
  signature: 19,
} as const

/** The signature option with its padding: TCPOLEN_MD5SIG_ALIGNED. */
export const SIGNATURE_LENGTH = 20

/** Sequence numbers wrap: RFC 9293 §3.4. */
export const add = (sequence: number, count: number): number => (sequence + count) >>> 0
/** How far `to` is behind `from`; negative where it comes before it. */
export const distance = (from: number, to: number): number => (to - from) | 0
export const isBefore = (a: number, b: number): boolean => ((a - b) | 0) < 0
export const isAfter = (a: number, b: number): boolean => ((b - a) | 0) < 0

/** Sequence numbers [from, to). */
export type Range = readonly [from: number, to: number]

export interface TcpOptions {
  readonly mss?: number
  readonly windowScale?: number
  readonly sackPermitted?: boolean
  readonly timestamps?: { readonly value: number; readonly echo: number }
  readonly sack?: readonly Range[]
  /** RFC 2385, 16 bytes. */
  readonly signature?: Uint8Array
}

/** A segment that came. */
export interface Segment extends TcpOptions {
  readonly packet: Packet
  readonly network: Network
  readonly sourcePort: number
  readonly destinationPort: number
  readonly sequence: number
  readonly acknowledgement: number
  readonly flags: number
  /** As it is in the header: not scaled. */
  readonly window: number
  /** Offset in the packet's bytes; they end with the packet. */
  readonly dataAt: number
  readonly dataLength: number
  /** Sequence number behind it: SYN and FIN count. */
  readonly end: number
}

/** Where the header does not fit, the kernel's reason to drop it. */
export function readSegment(packet: Packet, network: Network): Segment | 'NOT_SPECIFIED' | 'PKT_TOO_SMALL' {
  const { bytes, transport, end } = packet
  if (end - transport < TCP_HEADER) return 'NOT_SPECIFIED'
  const headerLength = (bytes[transport + 12]! >> 4) * 4
  if (headerLength < TCP_HEADER) return 'PKT_TOO_SMALL'
  if (transport + headerLength > end) return 'NOT_SPECIFIED'
  const flags = bytes[transport + 13]!
  const sequence = u32(bytes, transport + 4)
  const dataAt = transport + headerLength
  const dataLength = end - dataAt
  return {
    ...readOptions(bytes, transport + TCP_HEADER, dataAt),
    packet,
    network,
    sourcePort: u16(bytes, transport),
    destinationPort: u16(bytes, transport + 2),
    sequence,
    acknowledgement: u32(bytes, transport + 8),
    flags,
    window: u16(bytes, transport + 14),
    dataAt,
    dataLength,
    end: add(sequence, dataLength + (flags & Flag.syn ? 1 : 0) + (flags & Flag.fin ? 1 : 0)),
  }
}

/** tcp_parse_options: what is broken ends the reading, what is unknown is passed over. */
function readOptions(bytes: Uint8Array, from: number, to: number): TcpOptions {
  const options: { -readonly [K in keyof TcpOptions]: TcpOptions[K] } = {}
  for (let at = from; at < to; ) {
    const kind = bytes[at]!
    if (kind === Option.end) break
    if (kind === Option.nop) {
      at++
      continue
    }
    const length = at + 1 < to ? bytes[at + 1]! : 0
    if (length < 2 || at + length > to) break
    if (kind === Option.mss && length === 4) options.mss = u16(bytes, at + 2)
    else if (kind === Option.windowScale && length === 3) options.windowScale = Math.min(bytes[at + 2]!, 14)
    else if (kind === Option.sackPermitted && length === 2) options.sackPermitted = true
    else if (kind === Option.signature && length === 18) options.signature = bytes.subarray(at + 2, at + length)
    else if (kind === Option.timestamps && length === 10) {
      options.timestamps = { value: u32(bytes, at + 2), echo: u32(bytes, at + 6) }
    } else if (kind === Option.sack && length >= 10 && (length - 2) % 8 === 0) {
      const blocks = (length - 2) / 8
      options.sack = Array.from(
        { length: blocks },
        (_, i): Range => [u32(bytes, at + 2 + 8 * i), u32(bytes, at + 6 + 8 * i)],
      )
    }
    at += length
  }
  return options
}

/** tcp_options_write; a signature comes before all of them, when there is one. Two that fit into one word share it; others are filled up with no-operations. */
export function encodeOptions({ mss, windowScale, sackPermitted, timestamps, sack }: TcpOptions): Uint8Array {
  const out: number[] = []
  const word = (value: number) => out.push(value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff)
  if (mss !== undefined) out.push(Option.mss, 4, mss >> 8, mss & 0xff)
  if (timestamps) {
    out.push(...(sackPermitted ? [Option.sackPermitted, 2] : [Option.nop, Option.nop]), Option.timestamps, 10)
    word(timestamps.value)
    word(timestamps.echo)
  } else if (sackPermitted) out.push(Option.nop, Option.nop, Option.sackPermitted, 2)
  if (windowScale !== undefined) out.push(Option.nop, Option.windowScale, 3, windowScale)
  if (sack && sack.length > 0) {
    out.push(Option.nop, Option.nop, Option.sack, 2 + 8 * sack.length)
    for (const [from, to] of sack) {
      word(from)
      word(to)
    }
  }
  return Uint8Array.from(out)
}

/** The four things that name a connection. */
export interface Tuple {
  readonly network: Network
  readonly local: Ip
  readonly localPort: number
  readonly remote: Ip
  readonly remotePort: number
  /** The only way to the other end, where its address belongs to a link: sk_bound_dev_if. */
  readonly outputDevice?: Device | undefined
}

/** As who was sent this segment sees the connection. */
export function tupleOf({ packet, network, sourcePort, destinationPort }: Segment): Tuple {
  return {
    network,
    local: destinationOf(packet, network),
    localPort: destinationPort,
    remote: sourceOf(packet, network),
    remotePort: sourcePort,
    outputDevice: network.deviceForAnswer(packet),
  }
}

export interface Header {
  readonly sequence: number
  readonly acknowledgement: number
  readonly flags: number
  /** As it goes into the header. */
  readonly window: number
  readonly options?: Uint8Array
  readonly data?: Uint8Array
}

/** `key`: it is signed. */
export function newTcpPacket(namespace: Namespace, tuple: Tuple, header: Header, key: Key | undefined): Packet {
  const { options, data } = header
  const optionsAt = TCP_HEADER + (key ? SIGNATURE_LENGTH : 0)
  const headerLength = optionsAt + (options?.length ?? 0)
  const packet = newSegment(namespace, tuple.network, headerLength + (data?.length ?? 0))
  const { bytes, transport } = packet
  setU16(bytes, transport, tuple.localPort)
  setU16(bytes, transport + 2, tuple.remotePort)
  setU32(bytes, transport + 4, header.sequence)
  setU32(bytes, transport + 8, header.acknowledgement)
  bytes[transport + 12] = (headerLength / 4) << 4
  bytes[transport + 13] = header.flags
  setU16(bytes, transport + 14, header.window)
  if (options) bytes.set(options, transport + optionsAt)
  if (data) bytes.set(data, transport + headerLength)
  if (key) {
    const at = transport + TCP_HEADER
    bytes.set([Option.nop, Option.nop, Option.signature, 18], at)
    const way = { source: tuple.local, destination: tuple.remote }
    bytes.set(signatureOf(packet, tuple.network, way, transport + headerLength, key), at + 4)
  }
  fillChecksum(packet, CHECKSUM_AT, IpProtocol.tcp, tuple.local, tuple.remote)
  return packet
}
