/** IPv4 packets in Ethernet frames, checksums and all, to be put into the model's hooks. */

import { parseIpv4 } from '../../../src/address/ipv4.ts'
import { fold, setU16, setU32, sumOf } from '../../../src/model/bytes.ts'

const FLAGS = { F: 1, S: 2, R: 4, P: 8, A: 16, U: 32 }

export interface Ends {
  readonly source: string
  readonly destination: string
}

export function ipv4Frame({ source, destination }: Ends, protocol: number, segment: Uint8Array): Uint8Array {
  const frame = new Uint8Array(34 + segment.length)
  frame.set([2, 0, 0, 0, 1, 10, 2, 0, 0, 0, 0, 10, 8, 0, 0x45, 0])
  setU16(frame, 16, 20 + segment.length)
  setU16(frame, 18, 1)
  frame[22] = 64
  frame[23] = protocol
  frame.set(parseIpv4(source), 26)
  frame.set(parseIpv4(destination), 30)
  setU16(frame, 24, ~fold(sumOf(frame, 14, 34)) & 0xffff)
  frame.set(segment, 34)
  return frame
}

function withChecksum({ source, destination }: Ends, protocol: number, segment: Uint8Array, at: number): Uint8Array {
  const pseudo = sumOf(parseIpv4(source), 0, 4, sumOf(parseIpv4(destination), 0, 4)) + protocol + segment.length
  setU16(segment, at, ~fold(sumOf(segment, 0, segment.length, pseudo)) & 0xffff)
  return segment
}

export interface Tcp {
  readonly ports: readonly [number, number]
  /** Of F, S, R, P, A, U. */
  readonly flags: string
  readonly sequence: number
  readonly ack: number
  readonly window: number
  readonly options?: readonly number[]
  /** Bytes of data. */
  readonly length: number
}

export function tcpFrame(ends: Ends, { ports, flags, sequence, ack, window, options = [], length }: Tcp): Uint8Array {
  const padded = [...options]
  while (padded.length % 4 !== 0) padded.push(1)
  const segment = new Uint8Array(20 + padded.length + length)
  setU16(segment, 0, ports[0])
  setU16(segment, 2, ports[1])
  setU32(segment, 4, sequence)
  setU32(segment, 8, ack)
  segment[12] = (5 + padded.length / 4) << 4
  segment[13] = [...flags].reduce((bits, flag) => bits | FLAGS[flag as keyof typeof FLAGS], 0)
  setU16(segment, 14, window)
  segment.set(padded, 20)
  return ipv4Frame(ends, 6, withChecksum(ends, 6, segment, 16))
}

export function udpFrame(ends: Ends, ports: readonly [number, number], length = 1): Uint8Array {
  const segment = new Uint8Array(8 + length)
  setU16(segment, 0, ports[0])
  setU16(segment, 2, ports[1])
  setU16(segment, 4, segment.length)
  return ipv4Frame(ends, 17, withChecksum(ends, 17, segment, 6))
}

/** `rest`: the four bytes behind the checksum, and what follows. */
export function icmpFrame(ends: Ends, type: number, code: number, rest: Uint8Array): Uint8Array {
  const segment = new Uint8Array(4 + rest.length)
  segment.set([type, code])
  segment.set(rest, 4)
  setU16(segment, 2, ~fold(sumOf(segment, 0, segment.length)) & 0xffff)
  return ipv4Frame(ends, 1, segment)
}

/** What an ICMP error about this frame quotes, behind four bytes of zero. */
export function quoting(frame: Uint8Array, length = 28): Uint8Array {
  const rest = new Uint8Array(4 + length)
  rest.set(frame.subarray(14, 14 + length), 4)
  return rest
}
