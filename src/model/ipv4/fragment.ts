/** A datagram in pieces: ip_do_fragment, net/ipv4/ip_output.c. */
import { setU16, u16 } from '../bytes.ts'
import { drop, note } from '../observer.ts'
import { newPacket, type Packet } from '../packet.ts'
import {
  DONT_FRAGMENT,
  FRAGMENT_AT,
  HEADER_LENGTH,
  headerLength,
  isFragment,
  LENGTH_AT,
  MORE_FRAGMENTS,
  OFFSET_MASK,
  writeChecksum,
} from './header.ts'

/** Options that every fragment repeats have this bit: RFC 791 §3.1. */
const COPIED = 0x80
const NO_OPERATION = 1

/**
 * Hands the pieces to `output`, none of more than `mtu` bytes; what came in fragments leaves in none greater than those. After
 * one that `output` says is refused there is none. `hasRoom`: whether what came in fragments has room for a header before each,
 * which a route into a tunnel finds it has not; a bridge has all its ports leave enough for the one that needs most.
 */
export function fragmentIpv4(
  packet: Packet,
  mtu: number,
  output: (piece: Packet) => boolean,
  hasRoom = packet.device.kind !== 'vxlan',
): void {
  const limit = packet.fragmentMaxSize > 0 ? Math.min(mtu, packet.fragmentMaxSize) : mtu
  const header = headerLength(packet)
  const asTheyCame = hasRoom ? sizesAsTheyCame(packet, limit - header) : undefined
  const sizes = asTheyCame ?? sizesThatFit(packet, limit - header)
  const { bytes, network } = packet
  const flags = u16(bytes, network + FRAGMENT_AT)
  // Fragments that go on as they came have lost their DF.
  const keptFlags = packet.fragmentsDontFragment && asTheyCame === undefined ? DONT_FRAGMENT : 0
  let offset = (flags & OFFSET_MASK) * 8
  let at = network + header
  for (const [i, length] of sizes.entries()) {
    const more = i < sizes.length - 1 || (flags & MORE_FRAGMENTS) !== 0
    const piece = copyOf(packet, header, at, length)
    setU16(piece.bytes, piece.network + FRAGMENT_AT, (offset >> 3) | keptFlags | (more ? MORE_FRAGMENTS : 0))
    setU16(piece.bytes, piece.network + LENGTH_AT, header + length)
    if (offset > 0) blankOptions(piece, header)
    writeChecksum(piece)
    at += length
    offset += length
    if (!output(piece)) {
      drop(packet, 'NOT_SPECIFIED', 'ip_do_fragment', {
        own: 'OVL_FRAGMENT_REFUSED',
        what: `the link refuses fragment ${i + 1} of ${sizes.length}, which the rest would be useless without`,
      })
      return
    }
  }
  if (packet.journey) {
    note(
      packet,
      packet.device,
      'frag',
      `in ${sizes.length} pieces: ${sizes.map((size) => header + size).join(' + ')} bytes`,
      {
        kernel: 'ip_do_fragment',
        meta: { mtu: limit },
      },
    )
    packet.journey.ending ??= { disposition: 'delivered', device: packet.device, by: 'ip_do_fragment' }
  }
}

/**
 * The fast path of ip_do_fragment: fragments that were put together on the way leave as they came if all of them fit.
 */
function sizesAsTheyCame(packet: Packet, room: number): readonly number[] | undefined {
  const { fragmentSizes: sizes } = packet
  if (sizes === undefined || sizes.length < 2 || isFragment(packet)) return undefined
  const fits = sizes.every((size, i) => size <= room && ((size & 7) === 0 || i === sizes.length - 1))
  const total = sizes.reduce((sum, size) => sum + size, 0)
  return fits && total === packet.end - packet.network - headerLength(packet) ? sizes : undefined
}

function sizesThatFit(packet: Packet, room: number): readonly number[] {
  const sizes: number[] = []
  let left = packet.end - packet.network - headerLength(packet)
  while (left > 0) {
    const length = left > room ? room & ~7 : left
    sizes.push(length)
    left -= length
  }
  return sizes
}

/** ip_copy_metadata */
function copyOf(packet: Packet, header: number, at: number, length: number): Packet {
  const piece = newPacket(header + length, packet.device, packet.protocol)
  piece.transport = piece.network + header
  piece.bytes.set(packet.bytes.subarray(packet.network, packet.network + header), piece.network)
  piece.bytes.set(packet.bytes.subarray(at, at + length), piece.transport)
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
