/** IPv6 frames, sound ones and others, byte by byte. */
import { parseIpv6 } from '../../../src/address/ipv6.ts'
import { fold, setU16, setU32, sumOf } from '../../../src/model/bytes.ts'

export const MAC = {
  a0: '02:00:00:00:0a:01',
  r0: '02:00:00:00:01:00',
  r1: '02:00:00:00:01:01',
  b0: '02:00:00:00:0b:01',
} as const

export const Protocol = {
  hopByHop: 0,
  tcp: 6,
  udp: 17,
  routing: 43,
  fragment: 44,
  icmp: 58,
  none: 59,
  options: 60,
} as const

export interface Frame {
  readonly source?: string
  readonly destination?: string
  readonly hopLimit?: number
  readonly traffic?: number
  readonly label?: number
  readonly protocol?: number
  /** What stands behind the header. A UDP datagram 4000 → 4001 of one byte where left out; a number: of so many bytes. */
  readonly payload?: Payload | number
  readonly to?: string
  /** Bytes behind the packet. */
  readonly padding?: number
  /** What the header says of the length, where it lies. */
  readonly length?: number
  readonly version?: number
}

/** Bytes that are made for the addresses which the checksum covers. */
export type Payload = (source: Uint8Array, destination: Uint8Array) => Uint8Array

const macOf = (text: string) => text.split(':').map((part) => Number.parseInt(part, 16))
export const counted = (length: number) => Uint8Array.from({ length }, (_, i) => i)

/** From a0 to r0; fd01::2 to fd02::2. */
export function frame(options: Frame = {}): Uint8Array {
  const { source = 'fd01::2', destination = 'fd02::2', payload = 1, padding = 0 } = options
  const [from, to] = [parseIpv6(source), parseIpv6(destination)]
  const data = typeof payload === 'number' ? udp(4000, 4001, payload)(from, to) : payload(from, to)
  const bytes = new Uint8Array(54 + data.length + padding)
  bytes.set(macOf(options.to ?? MAC.r0), 0)
  bytes.set(macOf(MAC.a0), 6)
  setU16(bytes, 12, 0x86dd)
  setU32(bytes, 14, (((options.version ?? 6) << 28) | ((options.traffic ?? 0) << 20) | (options.label ?? 0)) >>> 0)
  setU16(bytes, 18, options.length ?? data.length)
  bytes[20] = options.protocol ?? Protocol.udp
  bytes[21] = options.hopLimit ?? 64
  bytes.set(from, 22)
  bytes.set(to, 38)
  bytes.set(data, 54)
  return bytes
}

function withChecksum(bytes: Uint8Array, at: number, protocol: number, from: Uint8Array, to: Uint8Array): Uint8Array {
  const pseudo = sumOf(from, 0, 16) + sumOf(to, 0, 16) + protocol + bytes.length
  setU16(bytes, at, ~fold(sumOf(bytes, 0, bytes.length, pseudo)) & 0xffff)
  return bytes
}

export function udp(sourcePort: number, destinationPort: number, data: number): Payload {
  return (from, to) => {
    const bytes = new Uint8Array(8 + data)
    setU16(bytes, 0, sourcePort)
    setU16(bytes, 2, destinationPort)
    setU16(bytes, 4, bytes.length)
    bytes.set(counted(data), 8)
    return withChecksum(bytes, 6, Protocol.udp, from, to)
  }
}

/** Sequence and acknowledgement number 5 and 7, and no data. */
export function tcpSegment(
  sourcePort: number,
  destinationPort: number,
  flags: number,
  options: readonly number[] = [],
): Payload {
  return (from, to) => {
    const bytes = new Uint8Array(20 + options.length)
    setU16(bytes, 0, sourcePort)
    setU16(bytes, 2, destinationPort)
    bytes.set([0, 0, 0, 5, 0, 0, 0, 7, 0x50 + 4 * options.length, flags, 1, 0], 4)
    bytes.set(options, 20)
    return withChecksum(bytes, 16, Protocol.tcp, from, to)
  }
}

export function icmp(type: number, code: number, rest: readonly number[], data: Uint8Array | number = 8): Payload {
  return (from, to) => {
    const payload = typeof data === 'number' ? counted(data) : data
    const bytes = new Uint8Array(8 + payload.length)
    bytes.set([type, code, 0, 0, ...rest])
    bytes.set(payload, 8)
    return withChecksum(bytes, 2, Protocol.icmp, from, to)
  }
}

/** These bytes as a whole message, however short; octets 2 and 3 become the checksum. */
export function icmpBytes(message: readonly number[]): Payload {
  return (from, to) => withChecksum(Uint8Array.from(message), 2, Protocol.icmp, from, to)
}

export const echo = (data = 8): Payload => icmp(128, 0, [1, 2, 0, 1], data)

/** An extension header before it: its next header, and what stands behind its length. */
export function behind(next: number, rest: readonly number[], payload: Payload): Payload {
  return (from, to) => Uint8Array.from([next, (rest.length + 2) / 8 - 1, ...rest, ...payload(from, to)])
}

/** One datagram in fragments with so much data each. `payload` is as long as all of them. */
export function fragments(options: Frame, payload: Payload, ...sizes: readonly number[]): Uint8Array[] {
  const { source = 'fd01::2', destination = 'fd02::2', protocol = Protocol.udp } = options
  const datagram = payload(parseIpv6(source), parseIpv6(destination))
  let offset = 0
  return sizes.map((size, i) => {
    const data = datagram.slice(offset, offset + size)
    const made = fragment({ ...options, protocol }, data, offset, i < sizes.length - 1)
    offset += size
    return made
  })
}

export function fragment(options: Frame, data: Uint8Array, offset: number, more: boolean): Uint8Array {
  const header = new Uint8Array(8)
  header[0] = options.protocol ?? Protocol.udp
  setU16(header, 2, offset | (more ? 1 : 0))
  setU32(header, 4, 0x1234)
  return frame({ ...options, protocol: Protocol.fragment, payload: () => Uint8Array.from([...header, ...data]) })
}

/** `02:…` as bytes of an option: 1 is the source's link-layer address, 2 the target's. */
export const macOption = (type: 1 | 2, mac: string) => [type, 1, ...macOf(mac)]

export function solicitation(target: string, options: readonly number[] = []): Payload {
  return icmp(135, 0, [0, 0, 0, 0], Uint8Array.from([...parseIpv6(target), ...options]))
}

/** Flags: 0x80 router, 0x40 solicited, 0x20 override. */
export function advertisement(target: string, flags: number, options: readonly number[] = []): Payload {
  return icmp(136, 0, [flags, 0, 0, 0], Uint8Array.from([...parseIpv6(target), ...options]))
}
