/** Addresses as neighbour tables know them: an unsigned number of IPv4, 32 hexadecimal digits of IPv6. */
import { formatIp, parseIp } from '../../address/ip.ts'
import { IPV4_LENGTH } from '../../address/ipv4.ts'
import { IPV6_LENGTH } from '../../address/ipv6.ts'
import { u32 } from '../bytes.ts'
import { formatAddress } from '../ipv4/address-text.ts'
import type { NeighbourKey } from '../neighbour.ts'

export function keyOf(address: string): NeighbourKey {
  const bytes = parseIp(address)
  return bytes.length === IPV4_LENGTH ? u32(bytes, 0) : hexOf(bytes)
}

export function textOf(key: NeighbourKey): string {
  return typeof key === 'number' ? formatAddress(key) : formatIp(bytesOf(key))
}

export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

export function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from({ length: IPV6_LENGTH }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16))
}
