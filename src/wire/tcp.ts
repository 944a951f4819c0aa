/**
 * TCP segments: RFC 9293 §3.1; options of RFC 7323 (window scale, timestamps) and RFC 2018 (SACK).
 *
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |          Source Port          |       Destination Port        |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                        Sequence Number                        |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                    Acknowledgment Number                      |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |  Data |       |C|E|U|A|P|R|S|F|                               |
 *   | Offset| Rsrvd |W|C|R|C|S|S|Y|I|            Window             |
 *   |       |       |R|E|G|K|H|T|N|N|                               |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |           Checksum            |         Urgent Pointer        |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                           [Options]                           |
 */
import { checksum, type Endpoints, pseudoHeader } from './checksum.ts'
import { DecodeError } from './errors.ts'
import { IpProtocol } from './ipv4.ts'
import { layout, u16, u32 } from './layout.ts'
import { decodeOptions, encodeOptions, type Option } from './options.ts'

/** Control bits. */
export const TcpFlag = { fin: 1, syn: 2, rst: 4, psh: 8, ack: 16, urg: 32, ece: 64, cwr: 128 } as const

/** IANA "TCP Option Kind Numbers". */
export const TcpOptionKind = { mss: 2, windowScale: 3, sackPermitted: 4, sack: 5, timestamps: 8 } as const

const MIN_HEADER = 20
const MAX_OPTIONS = 40

export interface Tcp {
  readonly sourcePort: number
  readonly destinationPort: number
  readonly sequence: number
  readonly acknowledgment: number
  /** TcpFlag bits, or-ed. */
  readonly flags: number
  /** As on the wire, not scaled. */
  readonly window: number
  readonly urgentPointer: number
  /** mssOption() and the like make them; tcpOptions() reads them. */
  readonly options: readonly Option[]
  readonly payload: Uint8Array
}

/** The options that are understood here, by their values. */
export interface TcpOptions {
  readonly mss?: number
  /** Shift count. */
  readonly windowScale?: number
  readonly sackPermitted?: true
  readonly timestamps?: { readonly value: number; readonly echoReply: number }
  /** Left and right edge of each block. */
  readonly sack?: readonly (readonly [number, number])[]
}

export const tcpHeader = layout('TCP', {
  sourcePort: u16,
  destinationPort: u16,
  sequence: u32,
  acknowledgment: u32,
  offsetAndFlags: u16,
  window: u16,
  checksum: u16,
  urgentPointer: u16,
})

export function decodeTcp(bytes: Uint8Array): Tcp {
  const { offsetAndFlags, checksum: _, ...fields } = tcpHeader.decode(bytes)
  const headerLength = (offsetAndFlags >> 12) * 4
  if (headerLength < MIN_HEADER || headerLength > bytes.length) {
    throw new DecodeError('TCP', tcpHeader.offsets.offsetAndFlags, `data offset ${headerLength} is not in the segment`)
  }
  return {
    ...fields,
    flags: offsetAndFlags & 0xff,
    options: decodeOptions('TCP', bytes.subarray(MIN_HEADER, headerLength), MIN_HEADER),
    payload: bytes.subarray(headerLength),
  }
}

export function encodeTcp({ flags, options, payload, ...fields }: Tcp, endpoints: Endpoints): Uint8Array {
  if (flags > 0xff) throw new RangeError(`Cannot encode flags ${flags}: there are eight`)
  const optionBytes = encodeOptions(options, MAX_OPTIONS)
  const headerLength = MIN_HEADER + optionBytes.length
  const bytes = new Uint8Array(headerLength + payload.length)
  tcpHeader.encode({ ...fields, offsetAndFlags: ((headerLength / 4) << 12) | flags, checksum: 0 }, bytes)
  bytes.set(optionBytes, MIN_HEADER)
  bytes.set(payload, headerLength)
  const sum = checksum(bytes, pseudoHeader(endpoints, IpProtocol.tcp, bytes.length))
  new DataView(bytes.buffer).setUint16(tcpHeader.offsets.checksum, sum)
  return bytes
}

/** Reads the known options; one with a wrong length is passed over, as RFC 9293 §3.1 wants of unknown ones. */
export function tcpOptions(options: readonly Option[]): TcpOptions {
  let read: TcpOptions = {}
  for (const { kind, data } of options) {
    const view = new DataView(data.buffer, data.byteOffset, data.length)
    if (kind === TcpOptionKind.mss && data.length === 2) read = { ...read, mss: view.getUint16(0) }
    if (kind === TcpOptionKind.windowScale && data.length === 1) read = { ...read, windowScale: view.getUint8(0) }
    if (kind === TcpOptionKind.sackPermitted && data.length === 0) read = { ...read, sackPermitted: true }
    if (kind === TcpOptionKind.timestamps && data.length === 8) {
      read = { ...read, timestamps: { value: view.getUint32(0), echoReply: view.getUint32(4) } }
    }
    if (kind === TcpOptionKind.sack && data.length % 8 === 0) {
      const sack: [number, number][] = []
      for (let at = 0; at < data.length; at += 8) sack.push([view.getUint32(at), view.getUint32(at + 4)])
      read = { ...read, sack }
    }
  }
  return read
}

/** RFC 9293 §3.7.1. `mss` is in bytes. */
export function mssOption(mss: number): Option {
  return { kind: TcpOptionKind.mss, data: layoutOf16.encode({ value: mss }) }
}

/** RFC 7323 §3.2. */
export function timestampsOption(value: number, echoReply: number): Option {
  return { kind: TcpOptionKind.timestamps, data: layoutOf64.encode({ value, echoReply }) }
}

const layoutOf16 = layout('TCP option', { value: u16 })
const layoutOf64 = layout('TCP option', { value: u32, echoReply: u32 })
