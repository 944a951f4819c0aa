/**
 * Writing a translation into a packet: nf_nat_manip_pkt, net/netfilter/nf_nat_proto.c. Checksums are updated, not
 * computed anew: one that was wrong stays wrong.
 */
import { setU16, setU32, u16, u32, updateChecksum, updateChecksum32 } from '../../bytes.ts'
import { locate } from '../conntrack/headers.ts'
import { type Address, Protocol } from '../conntrack/tuple.ts'
import type { NatKind } from './range.ts'

/**
 * Gives the packet whose network header is at `network` another source or destination: `address`, and `part` as its port
 * or ICMP identifier. `protocol` is whose port is meant. What is quoted may be cut short behind 8 bytes.
 */
export function translate(
  bytes: Uint8Array,
  network: number,
  end: number,
  kind: NatKind,
  address: Address,
  part: number,
  protocol: number,
): void {
  if (typeof address === 'number') translate4(bytes, network, end, kind, address, part, protocol)
  else translate6(bytes, network, end, kind, address, part, protocol)
}

function translate4(
  bytes: Uint8Array,
  network: number,
  end: number,
  kind: NatKind,
  address: number,
  part: number,
  protocol: number,
): void {
  const transport = network + (bytes[network]! & 0xf) * 4
  const addressAt = network + (kind === 'snat' ? 12 : 16)
  const before = u32(bytes, addressAt)
  const checksumAt = protocol === Protocol.icmp ? -1 : coveringChecksum(bytes, transport, end, protocol)
  if (checksumAt >= 0) updateChecksum32(bytes, checksumAt, before, address)
  translatePart(bytes, transport, end, kind, part, protocol, checksumAt)
  updateChecksum32(bytes, network + 10, before, address)
  setU32(bytes, addressAt, address)
}

function translate6(
  bytes: Uint8Array,
  network: number,
  end: number,
  kind: NatKind,
  address: Uint8Array,
  part: number,
  protocol: number,
): void {
  const addressAt = network + (kind === 'snat' ? 8 : 24)
  const transport = locate('ip6', bytes, network, end)
  if (transport >= 0) {
    const checksumAt = coveringChecksum(bytes, transport, end, protocol)
    if (checksumAt >= 0)
      for (let word = 0; word < 16; word += 4)
        updateChecksum32(bytes, checksumAt, u32(bytes, addressAt + word), u32(address, word))
    translatePart(bytes, transport, end, kind, part, protocol, checksumAt)
  }
  bytes.set(address, addressAt)
}

/** Where the checksum stands that covers the addresses; -1: there is none, or it is cut off. */
function coveringChecksum(bytes: Uint8Array, transport: number, end: number, protocol: number): number {
  const available = end - transport
  if (protocol === Protocol.tcp) return available >= 20 ? transport + 16 : -1
  if (available < 8) return -1
  if (protocol === Protocol.udp) return u16(bytes, transport + 6) === 0 ? -1 : transport + 6
  return protocol === Protocol.icmpv6 ? transport + 2 : -1
}

/** The port, or the identifier of ICMP. */
function translatePart(
  bytes: Uint8Array,
  transport: number,
  end: number,
  kind: NatKind,
  part: number,
  protocol: number,
  checksumAt: number,
): void {
  if (protocol === Protocol.tcp || protocol === Protocol.udp) {
    const at = transport + (kind === 'snat' ? 0 : 2)
    if (checksumAt >= 0) {
      updateChecksum(bytes, checksumAt, u16(bytes, at), part)
      // RFC 768: a checksum of zero is sent as all ones.
      if (protocol === Protocol.udp && u16(bytes, checksumAt) === 0) setU16(bytes, checksumAt, 0xffff)
    }
    setU16(bytes, at, part)
    return
  }
  if (end - transport < 8 || !hasIdentifier(protocol, bytes[transport]!)) return
  updateChecksum(bytes, transport + 2, u16(bytes, transport + 4), part)
  setU16(bytes, transport + 4, part)
}

/** Questions and answers; errors have no identifier. */
function hasIdentifier(protocol: number, type: number): boolean {
  if (protocol === Protocol.icmpv6) return type === 128 || type === 129
  return protocol === Protocol.icmp && (type === 0 || type === 8 || (type >= 13 && type <= 18))
}
