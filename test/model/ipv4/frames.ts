/** IPv4 frames, sound ones and others, byte by byte. */
import { fold, setU16, sumOf } from '../../../src/model/bytes.ts'

export const MAC = {
  a0: '02:00:00:00:0a:01',
  r0: '02:00:00:00:01:00',
  r1: '02:00:00:00:01:01',
  b0: '02:00:00:00:0b:01',
} as const

export interface Frame {
  readonly source?: string
  readonly destination?: string
  readonly ttl?: number
  readonly tos?: number
  readonly dontFragment?: boolean
  readonly moreFragments?: boolean
  /** Bytes. */
  readonly offset?: number
  readonly identification?: number
  readonly protocol?: number
  /** A number: so many bytes, counted up. A UDP datagram 4000 → 4001 of one byte where left out. */
  readonly payload?: Uint8Array | number
  readonly to?: string
  readonly options?: readonly number[]
  readonly wrongChecksum?: boolean
  /** Bytes behind the packet. */
  readonly padding?: number
  /** What the header says of the length, where it lies. */
  readonly length?: number
  readonly version?: number
}

const bytesOf = (text: string, separator: string, base: number) =>
  text.split(separator).map((part) => Number.parseInt(part, base))

const counted = (length: number) => Uint8Array.from({ length }, (_, i) => i)

/** From a0 to r0; 10.1.0.2 to 10.2.0.2. */
export function frame(options: Frame = {}): Uint8Array {
  const { payload = udp(4000, 4001, 1), options: list = [], padding = 0, identification = 0x1234, offset = 0 } = options
  const data = typeof payload === 'number' ? counted(payload) : payload
  const header = 20 + list.length
  const bytes = new Uint8Array(14 + header + data.length + padding)
  bytes.set(bytesOf(options.to ?? MAC.r0, ':', 16), 0)
  bytes.set(bytesOf(MAC.a0, ':', 16), 6)
  bytes[12] = 0x08
  const ip = bytes.subarray(14)
  ip[0] = ((options.version ?? 4) << 4) | (header / 4)
  ip[1] = options.tos ?? 0
  setU16(ip, 2, options.length ?? header + data.length)
  setU16(ip, 4, identification)
  setU16(ip, 6, (options.dontFragment ? 0x4000 : 0) | (options.moreFragments ? 0x2000 : 0) | (offset >> 3))
  ip[8] = options.ttl ?? 64
  ip[9] = options.protocol ?? 17
  ip.set(bytesOf(options.source ?? '10.1.0.2', '.', 10), 12)
  ip.set(bytesOf(options.destination ?? '10.2.0.2', '.', 10), 16)
  ip.set(list, 20)
  setU16(ip, 10, ~fold(sumOf(ip, 0, header)) & 0xffff)
  if (options.wrongChecksum) ip[11]! ^= 1
  ip.set(data, header)
  return bytes
}

/** `data` bytes behind a header without checksum. */
export function udp(sourcePort: number, destinationPort: number, data: number): Uint8Array {
  const bytes = new Uint8Array(8 + data)
  setU16(bytes, 0, sourcePort)
  setU16(bytes, 2, destinationPort)
  setU16(bytes, 4, bytes.length)
  bytes.set(counted(data), 8)
  return bytes
}

export function icmp(type: number, code: number, rest: readonly number[], data: Uint8Array | number = 8): Uint8Array {
  const payload = typeof data === 'number' ? counted(data) : data
  const bytes = new Uint8Array(8 + payload.length)
  bytes.set([type, code, 0, 0, ...rest])
  bytes.set(payload, 8)
  setU16(bytes, 2, ~fold(sumOf(bytes, 0, bytes.length)) & 0xffff)
  return bytes
}

export const echo = (data = 8) => icmp(8, 0, [1, 2, 0, 1], data)

/** One datagram in fragments with so much data each. */
export function fragments(options: Frame, ...sizes: readonly number[]): Uint8Array[] {
  const datagram = udp(4000, 4001, sizes.reduce((sum, size) => sum + size, 0) - 8)
  let offset = 0
  return sizes.map((size, i) => {
    const made = frame({
      ...options,
      offset,
      moreFragments: i < sizes.length - 1,
      payload: datagram.slice(offset, offset + size),
    })
    offset += size
    return made
  })
}
