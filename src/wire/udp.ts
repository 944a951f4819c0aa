/**
 * UDP: RFC 768; over IPv6 RFC 8200 §8.1, RFC 6935.
 *
 *   +-------------+------------------+--------+----------+---------
 *   | source port | destination port | length | checksum | payload
 *   +-------------+------------------+--------+----------+---------
 */
import { checksum, type Endpoints, pseudoHeader } from './checksum.ts'
import { DecodeError } from './errors.ts'
import { IpProtocol } from './ipv4.ts'
import { layout, u16 } from './layout.ts'

export interface Udp {
  readonly sourcePort: number
  readonly destinationPort: number
  readonly payload: Uint8Array
}

export const udpHeader = layout('UDP', { sourcePort: u16, destinationPort: u16, length: u16, checksum: u16 })

/** What follows the length is left out. */
export function decodeUdp(bytes: Uint8Array): Udp {
  const { sourcePort, destinationPort, length } = udpHeader.decode(bytes)
  if (length < udpHeader.size || length > bytes.length) {
    throw new DecodeError('UDP', udpHeader.offsets.length, `length ${length} does not fit in ${bytes.length} bytes`)
  }
  return { sourcePort, destinationPort, payload: bytes.subarray(udpHeader.size, length) }
}

/** Without endpoints the checksum is 0, "none": allowed over IPv4, and over IPv6 for tunnels (RFC 6935 §5). */
export function encodeUdp({ sourcePort, destinationPort, payload }: Udp, endpoints?: Endpoints): Uint8Array {
  const length = udpHeader.size + payload.length
  const bytes = new Uint8Array(length)
  udpHeader.encode({ sourcePort, destinationPort, length, checksum: 0 }, bytes)
  bytes.set(payload, udpHeader.size)
  if (endpoints) {
    // "If the computed checksum is zero, it is transmitted as all ones": RFC 768.
    const sum = checksum(bytes, pseudoHeader(endpoints, IpProtocol.udp, length)) || 0xffff
    new DataView(bytes.buffer).setUint16(udpHeader.offsets.checksum, sum)
  }
  return bytes
}
