/** Transport headers with their checksums: RFC 768, RFC 9293 §3.1, RFC 8200 §8.1. */
import { type Ip, parseIp } from '../../address/ip.ts'
import { fold, setU16, sumOf, sumOfView, u16 } from '../bytes.ts'
import type { Namespace } from '../namespace.ts'
import { ETHERNET_HEADER, HEADROOM, Packet } from '../packet.ts'
import type { Network } from './network.ts'

/** The largest network header that is pushed before a segment: IPv6's. */
const NETWORK_ROOM = 40

/** An empty packet for `length` bytes from `transport` on. What is before them is pushed by the network layer. */
export function newSegment(namespace: Namespace, network: Network, length: number): Packet {
  const room = HEADROOM + ETHERNET_HEADER + NETWORK_ROOM
  const packet = new Packet(room + length, namespace.loopback, network.protocol)
  packet.link = packet.network = packet.transport = packet.start + room
  packet.end = packet.transport + length
  packet.ownerUid = 0
  return packet
}

/** Fills in the checksum `at` bytes behind the transport header's start. */
export function fillChecksum(packet: Packet, at: number, protocol: number, source: Ip, destination: Ip): void {
  const { bytes, transport, end } = packet
  setU16(bytes, transport + at, 0)
  const pseudo =
    sumOf(source, 0, source.length, sumOf(destination, 0, destination.length)) + protocol + (end - transport)
  setU16(bytes, transport + at, ~fold(sumOf(bytes, transport, end, pseudo)) & 0xffff)
}

/** Whether the checksum over `length` bytes of transport, its pseudo-header included, is right. */
export function isChecksumRight(packet: Packet, network: Network, protocol: number, length: number): boolean {
  if (packet.checksum === 'verified') return true
  const { view, transport } = packet
  const from = packet.network + network.sourceAt
  // Source and destination stand one behind the other in both families.
  const pseudo = sumOfView(view, from, from + 2 * network.addressLength) + protocol + length
  return fold(sumOfView(view, transport, transport + length, pseudo)) === 0xffff
}

export const sourcePort = (packet: Packet): number => u16(packet.bytes, packet.transport)
export const destinationPort = (packet: Packet): number => u16(packet.bytes, packet.transport + 2)

/** The packet's addresses: copies. */
export function sourceOf(packet: Packet, { sourceAt, addressLength }: Network): Ip {
  const at = packet.network + sourceAt
  return packet.bytes.slice(at, at + addressLength)
}

export function destinationOf(packet: Packet, { destinationAt, addressLength }: Network): Ip {
  const at = packet.network + destinationAt
  return packet.bytes.slice(at, at + addressLength)
}

/** Whom an address means: nobody's address is this very host (ip_route_output_key_hash_rcu, tcp_v6_connect). */
export function destinationIp(text: string): Ip {
  const ip = parseIp(text)
  if (ip.some((byte) => byte !== 0)) return ip
  return parseIp(ip.length === 4 ? '127.0.0.1' : '::1')
}
