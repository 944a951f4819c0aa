/** A TCP header as conntrack reads it, once for each packet, into one place. Options are looked at only where they matter. */
import { u16, u32 } from '../../bytes.ts'
import type { Packet } from '../../packet.ts'
import { after, Segment, TcpFlag, type TcpSide } from './tcp-track.ts'

const FIN = 0x01
const SYN = 0x02
const RST = 0x04
const ACK = 0x10
/** PSH, ECE and CWR may stand beside anything. */
const LOOKED_AT = 0x37

/** tcp_valid_flags: SYN, SYN+ACK, RST, RST+ACK, FIN+ACK, ACK; with URG all but SYN+ACK and the RSTs. */
const VALID_FLAGS = new Set([0x02, 0x22, 0x12, 0x04, 0x14, 0x11, 0x31, 0x10, 0x30])

const MAX_SCALE = 14
const OPTION_END = 0
const OPTION_NOP = 1
const OPTION_WINDOW = 3
const OPTION_SACK_PERMITTED = 4
const OPTION_SACK = 5

/** The segment in hand. Sequence numbers are signed 32-bit numbers. */
export const segment = {
  kind: Segment.none as number,
  sequence: 0,
  ack: 0,
  window: 0,
  /** Sequence number behind it: SYN and FIN count. */
  end: 0,
  syn: false,
  hasAck: false,
  rst: false,
  /** Of the header and of the options' end in the packet's bytes. */
  at: 0,
  optionsEnd: 0,
}

/** Reads the header at `at`. False: it is cut short, or its flags do not go together. */
export function readSegment(packet: Packet, at: number): boolean {
  const { bytes, end } = packet
  if (end - at < 20) return false
  const headerLength = (bytes[at + 12]! >> 4) * 4
  if (headerLength < 20 || end - at < headerLength) return false
  const flags = bytes[at + 13]!
  if (!VALID_FLAGS.has(flags & LOOKED_AT)) return false
  segment.at = at
  segment.optionsEnd = at + headerLength
  segment.syn = (flags & SYN) !== 0
  segment.hasAck = (flags & ACK) !== 0
  segment.rst = (flags & RST) !== 0
  segment.kind = kindOf(flags)
  segment.sequence = u32(bytes, at + 4) | 0
  segment.ack = u32(bytes, at + 8) | 0
  segment.window = u16(bytes, at + 14)
  const length = end - segment.optionsEnd + (segment.syn ? 1 : 0) + (flags & FIN)
  segment.end = (segment.sequence + length) | 0
  return true
}

/** get_conntrack_index. */
function kindOf(flags: number): number {
  if (flags & RST) return Segment.rst
  if (flags & SYN) return flags & ACK ? Segment.synAck : Segment.syn
  if (flags & FIN) return Segment.fin
  return flags & ACK ? Segment.ack : Segment.none
}

/** tcp_options: what the side says about window scale and selective acknowledgements. */
export function readOptions(bytes: Uint8Array, side: TcpSide): void {
  const end = segment.optionsEnd
  let at = segment.at + 20
  if (at === end) return
  side.scale = 0
  side.flags &= TcpFlag.beLiberal
  while (at < end) {
    const kind = bytes[at]!
    if (kind === OPTION_END) return
    if (kind === OPTION_NOP) {
      at++
      continue
    }
    if (end - at < 2) return
    const size = bytes[at + 1]!
    if (size < 2 || size > end - at) return
    if (kind === OPTION_SACK_PERMITTED && size === 2) side.flags |= TcpFlag.sackPermitted
    else if (kind === OPTION_WINDOW && size === 3) {
      side.scale = Math.min(bytes[at + 2]!, MAX_SCALE)
      side.flags |= TcpFlag.windowScale
    }
    at += size
  }
}

/** tcp_sack: the highest right edge of a SACK block; the acknowledgement where there is none above it. */
export function highestSack(bytes: Uint8Array): number {
  let highest = segment.ack
  const end = segment.optionsEnd
  let at = segment.at + 20
  while (at < end) {
    const kind = bytes[at]!
    if (kind === OPTION_END) return highest
    if (kind === OPTION_NOP) {
      at++
      continue
    }
    if (end - at < 2) return highest
    const size = bytes[at + 1]!
    if (size < 2 || size > end - at) return highest
    if (kind === OPTION_SACK && size >= 10 && (size - 2) % 8 === 0) {
      for (let block = at + 2; block < at + size; block += 8) {
        const edge = u32(bytes, block + 4) | 0
        if (after(edge, highest)) highest = edge
      }
      return highest
    }
    at += size
  }
  return highest
}
