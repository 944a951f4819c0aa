/** A router's part in a packet: RFC 1812 §5.3.1, and the checksum patched by RFC 1624. */
import { IP_CHECKSUM, IP_TTL } from './header.ts'

/** Whether the packet may go on: a TTL of 1 ends here. */
export function mayGoOn(bytes: Uint8Array, packet: number): boolean {
  return bytes[packet + IP_TTL]! > 1
}

/** TTL and protocol are one word of the header; it becomes 0x0100 less, so the checksum 0x0100 more. */
export function decrementTtl(bytes: Uint8Array, packet: number): void {
  bytes[packet + IP_TTL]!--
  const at = packet + IP_CHECKSUM
  const sum = ((bytes[at]! << 8) | bytes[at + 1]!) + 0x100
  const folded = (sum & 0xffff) + (sum >>> 16)
  bytes[at] = folded >>> 8
  bytes[at + 1] = folded
}
