/** A datagram in pieces, which its sender alone makes: ip6_fragment, net/ipv6/ip6_output.c; RFC 8200 §4.5. */
import { setU16, setU32 } from '../bytes.ts'
import { drop, note } from '../observer.ts'
import { newPacket, type Packet } from '../packet.ts'
import { endOfFirst } from '../pieces.ts'
import {
  FRAGMENT_HEADER,
  HEADER_LENGTH,
  MORE_FRAGMENTS,
  NEXT_HEADER_AT,
  NextHeader,
  writePayloadLength,
} from './header.ts'

/** Hands the pieces to `output`, none of more than `mtu` bytes. Those that were put together on the way leave as they came. */
export function fragmentIpv6(packet: Packet, mtu: number, output: (piece: Packet) => void): void {
  const { bytes, network, end, device } = packet
  const [namedAt, payload] = unfragmentable(packet)
  if (payload > endOfFirst(packet)) {
    const what = 'the headers that every piece repeats are cut off'
    drop(packet, 'NOT_SPECIFIED', 'ip6_fragment', { own: 'OVL_EXTENSION_CUT', what })
    return
  }
  const header = payload - network
  const room = mtu - header - FRAGMENT_HEADER
  const sizes = sizesAsTheyCame(packet, room, end - payload) ?? sizesThatFit(room, end - payload)
  const identification = device.namespace.model.random.bits('ipId') || 1
  let offset = 0
  for (const [i, length] of sizes.entries()) {
    const piece = copyOf(packet, header, payload + offset, length)
    piece.bytes[piece.network + namedAt - network] = NextHeader.fragment
    const at = piece.network + header
    piece.bytes[at] = bytes[namedAt]!
    setU16(piece.bytes, at + 2, offset | (i < sizes.length - 1 ? MORE_FRAGMENTS : 0))
    setU32(piece.bytes, at + 4, identification)
    writePayloadLength(piece)
    offset += length
    output(piece)
  }
  if (packet.journey) {
    const total = header + FRAGMENT_HEADER
    note(packet, device, 'frag', `in ${sizes.length} pieces: ${sizes.map((size) => total + size).join(' + ')} bytes`, {
      kernel: 'ip6_fragment',
      meta: { mtu },
    })
    packet.journey.ending ??= { disposition: 'delivered', device, by: 'ip6_fragment' }
  }
}

/**
 * ip6_find_1stfragopt: what every piece repeats ends behind hop-by-hop options, routing headers, and options that no routing header
 * comes before. Behind the packet's end where they are cut off.
 */
function unfragmentable({ bytes, network, end }: Packet): [namedAt: number, payload: number] {
  let namedAt = network + NEXT_HEADER_AT
  let at = network + HEADER_LENGTH
  let isRouted = false
  while (at <= end) {
    const next = bytes[namedAt]!
    if (next === NextHeader.routing) isRouted = true
    else if (next !== NextHeader.hopByHop && (next !== NextHeader.options || isRouted)) break
    if (at + 2 > end) return [namedAt, end + 1]
    namedAt = at
    at += (bytes[at + 1]! + 1) * 8
  }
  return [namedAt, at]
}

/**
 * Undefined: in others. Where options are repeated now that were the first piece's payload, so that less than `total` is left, there is
 * no room for them before the other pieces.
 */
function sizesAsTheyCame(
  { fragmentSizes: sizes, device }: Packet,
  room: number,
  total: number,
): readonly number[] | undefined {
  if (sizes === undefined || sizes.length < 2 || device.kind === 'vxlan') return undefined
  const fits = sizes.every((size, i) => size <= room && ((size & 7) === 0 || i === sizes.length - 1))
  return fits && sizes.reduce((sum, size) => sum + size, 0) === total ? sizes : undefined
}

function sizesThatFit(room: number, total: number): readonly number[] {
  const sizes: number[] = []
  for (let left = total; left > 0; ) {
    const length = left > room ? room & ~7 : left
    sizes.push(length)
    left -= length
  }
  return sizes
}

/** ip6_copy_metadata */
function copyOf(packet: Packet, header: number, at: number, length: number): Packet {
  const piece = newPacket(header + FRAGMENT_HEADER + length, packet.device, packet.protocol)
  piece.transport = piece.network + header
  piece.bytes.set(packet.bytes.subarray(packet.network, packet.network + header), piece.network)
  piece.bytes.set(packet.bytes.subarray(at, at + length), piece.transport + FRAGMENT_HEADER)
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
