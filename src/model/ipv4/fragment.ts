/** A datagram in pieces: ip_do_fragment, net/ipv4/ip_output.c. */
import { setU16, u16 } from '../bytes.ts'
import { note } from '../observer.ts'
import { HEADROOM, Packet } from '../packet.ts'
import {
  DONT_FRAGMENT,
  FRAGMENT_AT,
  HEADER_LENGTH,
  headerLength,
  LENGTH_AT,
  MORE_FRAGMENTS,
  OFFSET_MASK,
  writeChecksum,
} from './header.ts'

/** Options that every fragment repeats have this bit: RFC 791 §3.1. */
const COPIED = 0x80
const NO_OPERATION = 1

/** Hands the pieces to `output`, none of more than `mtu` bytes; what came in fragments leaves in none greater than those. */
export function fragmentIpv4(packet: Packet, mtu: number, output: (piece: Packet) => void): void {
  const limit = packet.fragmentMaxSize > 0 ? Math.min(mtu, packet.fragmentMaxSize) : mtu
  const header = headerLength(packet)
  const room = limit - header
  const { bytes, network } = packet
  const flags = u16(bytes, network + FRAGMENT_AT)
  const isLastAtAll = (flags & MORE_FRAGMENTS) === 0
  let offset = (flags & OFFSET_MASK) * 8
  let at = network + header
  const sizes: number[] = []
  const isFirst = offset === 0
  while (at < packet.end) {
    const left = packet.end - at
    const length = left > room ? room & ~7 : left
    const more = at + length < packet.end || !isLastAtAll
    const piece = copyOf(packet, header, at, length)
    const word = (offset >> 3) | (packet.fragmentsDontFragment ? DONT_FRAGMENT : 0) | (more ? MORE_FRAGMENTS : 0)
    setU16(piece.bytes, piece.network + FRAGMENT_AT, word)
    setU16(piece.bytes, piece.network + LENGTH_AT, header + length)
    if (!isFirst || offset > 0) blankOptions(piece, header)
    writeChecksum(piece.bytes, piece.network)
    sizes.push(header + length)
    at += length
    offset += length
    output(piece)
  }
  if (packet.journey) {
    note(packet, packet.device, 'frag', `in ${sizes.length} pieces: ${sizes.join(' + ')} bytes`, {
      kernel: 'ip_do_fragment',
      meta: { mtu: limit },
    })
    packet.journey.ending ??= { disposition: 'delivered', device: packet.device, by: 'ip_do_fragment' }
  }
}

/** ip_copy_metadata */
function copyOf(packet: Packet, header: number, at: number, length: number): Packet {
  const bytes = new Uint8Array(HEADROOM + header + length)
  bytes.set(packet.bytes.subarray(packet.network, packet.network + header), HEADROOM)
  bytes.set(packet.bytes.subarray(at, at + length), HEADROOM + header)
  const piece = new Packet(bytes, HEADROOM, HEADROOM, HEADROOM + header + length, packet.device, packet.protocol)
  piece.transport = HEADROOM + header
  piece.for = packet.for
  piece.mark = packet.mark
  piece.priority = packet.priority
  piece.route = packet.route
  piece.inputIndex = packet.inputIndex
  piece.connection = packet.connection
  piece.connectionInfo = packet.connectionInfo
  piece.untracked = packet.untracked
  piece.ownerUid = packet.ownerUid
  piece.seenAt = packet.seenAt
  piece.journey = packet.journey?.spawn('fragment')
  return piece
}

/** ip_options_fragment: all but the first do without options that are not to be copied. */
function blankOptions({ bytes, network }: Packet, header: number): void {
  let at = network + HEADER_LENGTH
  const end = network + header
  while (at < end) {
    const type = bytes[at]!
    if (type === 0) return
    if (type === NO_OPERATION) {
      at++
      continue
    }
    const length = bytes[at + 1]!
    if (length < 2 || at + length > end) return
    if ((type & COPIED) === 0) bytes.fill(NO_OPERATION, at, at + length)
    at += length
  }
}
