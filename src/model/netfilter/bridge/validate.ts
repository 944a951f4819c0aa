/** Headers of bridged packets: br_validate_ipv4, br_validate_ipv6. What is behind the packet (padding) is cut off. */
import { fold, sumOf, sumOf20, u16 } from '../../bytes.ts'
import type { Packet } from '../../packet.ts'

export function isValidIpv4(packet: Packet): boolean {
  const { bytes, view, network, end } = packet
  if (end - network < 20) return false
  const first = view.getUint8(network)
  const headerLength = (first & 0xf) * 4
  if (first >> 4 !== 4 || headerLength < 20 || end - network < headerLength) return false
  const sum = headerLength === 20 ? sumOf20(view, network) : sumOf(bytes, network, network + headerLength)
  if (fold(sum) !== 0xffff) return false
  const length = view.getUint16(network + 2)
  if (end - network < length || length < headerLength) return false
  packet.end = network + length
  packet.transport = network + headerLength
  packet.fragmentMaxSize = 0
  packet.fragmentsDontFragment = false
  return true
}

export function isValidIpv6(packet: Packet): boolean {
  const { bytes, network, end } = packet
  if (end - network < 40 || bytes[network]! >> 4 !== 6) return false
  const length = u16(bytes, network + 4) + 40
  if (end - network < length) return false
  packet.end = network + length
  packet.transport = network + 40
  packet.fragmentMaxSize = 0
  return true
}
