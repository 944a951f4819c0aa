/**
 * pcap capture files: draft-ietf-opsawg-pcap. Times in microseconds or nanoseconds, written in either byte order; we
 * write little-endian.
 *
 *   magic (4) | major (2) | minor (2) | reserved (8) | snap length (4) | link type (4)
 *   seconds (4) | fraction (4) | captured length (4) | original length (4) | bytes          … for each packet
 */
import { DecodeError } from './errors.ts'
import { integers, layout } from './layout.ts'

/** IANA "PCAP LINKTYPE". */
export const LinkType = { ethernet: 1, raw: 101, linuxSll: 113, linuxSll2: 276 } as const

export type Resolution = 'microseconds' | 'nanoseconds'

export interface PcapHeader {
  readonly resolution: Resolution
  /** Most bytes kept of a packet. */
  readonly snapLength: number
  readonly linkType: number
}

export interface PcapPacket {
  /** Nanoseconds since the epoch. */
  readonly time: bigint
  /** Bytes the packet had on the wire: `bytes.length` or more. */
  readonly length: number
  readonly bytes: Uint8Array
}

const MAGIC: Record<Resolution, number> = { microseconds: 0xa1b2c3d4, nanoseconds: 0xa1b23c4d }
const NANOSECONDS: Record<Resolution, bigint> = { microseconds: 1000n, nanoseconds: 1n }
const SECOND = 1_000_000_000n

const little = headers(true)
const big = headers(false)

function headers(littleEndian: boolean) {
  const { u16, u32 } = integers(littleEndian)
  return {
    file: layout('pcap', {
      magic: u32,
      major: u16,
      minor: u16,
      reserved1: u32,
      reserved2: u32,
      snapLength: u32,
      linkTypeAndFcs: u32,
    }),
    packet: layout('pcap', { seconds: u32, fraction: u32, capturedLength: u32, length: u32 }),
  }
}

/** A whole file. One that was cut off in the middle of a packet ends in a DecodeError. */
export function decodePcap(bytes: Uint8Array): PcapHeader & { readonly packets: PcapPacket[] } {
  const order = [little, big].find(({ file }) => resolutionOf(file.decode(bytes).magic))
  if (!order) throw new DecodeError('pcap', 0, 'no magic number of a pcap file')
  const { magic, snapLength, linkTypeAndFcs } = order.file.decode(bytes)
  const resolution = resolutionOf(magic)!
  const packets: PcapPacket[] = []
  for (let at = order.file.size; at < bytes.length; ) {
    if (bytes.length - at < order.packet.size) throw new DecodeError('pcap', at, 'packet header is cut off')
    const { seconds, fraction, capturedLength, length } = order.packet.decode(bytes.subarray(at))
    at += order.packet.size
    if (capturedLength > bytes.length - at) throw new DecodeError('pcap', at, 'packet is cut off')
    const time = BigInt(seconds) * SECOND + BigInt(fraction) * NANOSECONDS[resolution]
    packets.push({ time, length, bytes: bytes.subarray(at, at + capturedLength) })
    at += capturedLength
  }
  return { resolution, snapLength, linkType: linkTypeAndFcs & 0xffff, packets }
}

function resolutionOf(magic: number): Resolution | undefined {
  return (Object.keys(MAGIC) as Resolution[]).find((resolution) => MAGIC[resolution] === magic)
}

/** What a file begins with. */
export function encodePcapHeader({ resolution, snapLength, linkType }: PcapHeader): Uint8Array {
  return little.file.encode({
    magic: MAGIC[resolution],
    major: 2,
    minor: 4,
    reserved1: 0,
    reserved2: 0,
    snapLength,
    linkTypeAndFcs: linkType,
  })
}

/** One packet, to append. In microseconds the rest of the time is cut off. */
export function encodePcapPacket({ time, length, bytes }: PcapPacket, resolution: Resolution): Uint8Array {
  const record = new Uint8Array(little.packet.size + bytes.length)
  const fraction = Number((time % SECOND) / NANOSECONDS[resolution])
  little.packet.encode({ seconds: Number(time / SECOND), fraction, capturedLength: bytes.length, length }, record)
  record.set(bytes, little.packet.size)
  return record
}
