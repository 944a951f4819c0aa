/**
 * Cuts super-packets: what the kernel has handed over in one piece of up to 64 kB becomes the packets that the wire
 * carries, as net/ipv4/tcp_offload.c (tcp_gso_segment) and udp_offload.c (__udp_gso_segment) would have made them.
 *
 *   header │ payload …………………………………………      read
 *   header'│ part        header''│ part …      sent: each header is made anew, the payload stays where it is
 *
 * Of the headers only lengths, IP ID, sequence number, flags and checksums differ; the sum of the rest is made once.
 */
import { IpProtocol } from '../../wire/ipv4.ts'
import { TcpFlag } from '../../wire/tcp.ts'
import type { Arena } from './arena.ts'
import type { Batch } from './batch.ts'
import { complement, fold, type Sum, swap16, swap32 } from './checksum.ts'
import {
  IP_CHECKSUM,
  IP_ID,
  IP_LENGTH,
  IP_PROTOCOL,
  IP_SOURCE,
  TCP_CHECKSUM,
  TCP_FLAGS,
  TCP_HEADER,
  TCP_OFFSET,
  TCP_SEQUENCE,
  UDP_CHECKSUM,
  UDP_HEADER,
  UDP_LENGTH,
} from './header.ts'

/** In one super-packet. TCP's least segment is 48 bytes (tcp_min_snd_mss), which makes 1366 of the longest packet. */
export const MAX_SEGMENTS = 1400

export interface SuperPacket {
  readonly protocol: 'tcp' | 'udp'
  /** Where the IPv4 header begins; a multiple of 4. */
  readonly at: number
  readonly length: number
  readonly ipHeader: number
  /** Of both headers. */
  readonly header: number
  /** Bytes of payload in each segment but the last. */
  readonly size: number
}

/** Adds the segments to the batch, which must have room for them; the super-packet's header is lost. */
export function cut(packet: SuperPacket, node: number, arena: Arena, sum: Sum, batch: Batch): void {
  const { words, longs, bytes } = arena
  const { at, ipHeader, header, size } = packet
  const isTcp = packet.protocol === 'tcp'
  const transport = at + ipHeader
  const firstId = swap16(words[(at + IP_ID) >> 1]!)
  const sequence = isTcp ? swap32(longs[(transport + TCP_SEQUENCE) >> 2]!) : 0
  const flags = isTcp ? bytes[transport + TCP_FLAGS]! : 0
  const middleFlags = flags & ~(TcpFlag.cwr | TcpFlag.psh | TcpFlag.fin)

  // What differs is zero in the template, so the sum of the header is the sum of the rest.
  words[(at + IP_LENGTH) >> 1] = 0
  words[(at + IP_ID) >> 1] = 0
  words[(at + IP_CHECKSUM) >> 1] = 0
  if (isTcp) {
    longs[(transport + TCP_SEQUENCE) >> 2] = 0
    bytes[transport + TCP_FLAGS] = 0
    words[(transport + TCP_CHECKSUM) >> 1] = 0
  } else {
    words[(transport + UDP_LENGTH) >> 1] = 0
    words[(transport + UDP_CHECKSUM) >> 1] = 0
  }
  const ipSum = sum(at, ipHeader)
  // The pseudo-header's: addresses and protocol; the length follows for each.
  const transportSum = fold(
    sum(at + IP_SOURCE, 8) + (bytes[at + IP_PROTOCOL]! << 8) + sum(transport, header - ipHeader),
  )

  const end = at + packet.length
  for (let part = at + header, i = 0; part < end; part += size, i++) {
    const payload = Math.min(size, end - part)
    const isLast = part + payload === end
    batch.add(node, header + payload)
    const made = batch.header
    for (let word = 0; word < header; word += 4) longs[(made + word) >> 2] = longs[(at + word) >> 2]!

    const length = swap16(header + payload)
    const id = swap16(firstId + i)
    words[(made + IP_LENGTH) >> 1] = length
    words[(made + IP_ID) >> 1] = id
    words[(made + IP_CHECKSUM) >> 1] = ~fold(ipSum + length + id)

    const own = made + ipHeader
    const ownLength = swap16(header - ipHeader + payload)
    const payloadSum = sum(part, payload)
    if (isTcp) {
      const number = swap32((sequence + i * size) | 0)
      const ownFlags =
        middleFlags | (i === 0 ? flags & TcpFlag.cwr : 0) | (isLast ? flags & (TcpFlag.psh | TcpFlag.fin) : 0)
      longs[(own + TCP_SEQUENCE) >> 2] = number
      bytes[own + TCP_FLAGS] = ownFlags
      const total = transportSum + ownLength + (number & 0xffff) + (number >>> 16) + (ownFlags << 8) + payloadSum
      words[(own + TCP_CHECKSUM) >> 1] = ~fold(total)
    } else {
      words[(own + UDP_LENGTH) >> 1] = ownLength
      words[(own + UDP_CHECKSUM) >> 1] = complement(fold(transportSum + 2 * ownLength + payloadSum))
    }
    batch.addPiece(made, header)
    batch.addPiece(part, payload)
  }
}

/** How many segments the packet is cut into. */
export function segmentsOf({ length, header, size }: SuperPacket): number {
  return Math.ceil((length - header) / size)
}

/**
 * The packet at `at`, whose IPv4 header is whole, as the kernel has announced it: to be cut into segments of `size` bytes.
 * Undefined when that does not fit the packet.
 */
export function superPacketAt(
  { bytes }: Arena,
  at: number,
  length: number,
  protocol: 'tcp' | 'udp',
  size: number,
): SuperPacket | undefined {
  const ipHeader = (bytes[at]! & 15) * 4
  const least = protocol === 'tcp' ? TCP_HEADER : UDP_HEADER
  if (bytes[at + IP_PROTOCOL] !== IpProtocol[protocol] || ipHeader + least > length || size === 0) return undefined
  const own = protocol === 'tcp' ? (bytes[at + ipHeader + TCP_OFFSET]! >> 4) * 4 : UDP_HEADER
  const header = ipHeader + own
  if (own < least || header >= length) return undefined
  return { protocol, at, length, ipHeader, header, size }
}
