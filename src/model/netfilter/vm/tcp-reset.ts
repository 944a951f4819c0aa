/** A TCP reset that answers a segment: nf_reject_ip_tcphdr_put, net/ipv4/netfilter/nf_reject_ipv4.c. */
import { setU16, setU32, u16, u32 } from '../../bytes.ts'
import type { Packet } from '../../packet.ts'

export const TCP_HEADER = 20
export const TCP_CHECKSUM_AT = 16
export const FLAGS_AT = 13
const FIN = 0x01
const SYN = 0x02
export const RST = 0x04
const ACK = 0x10

/** RFC 9293 §3.10.7.1: from the acknowledged number on, else acknowledging all that came. */
export function writeReset(to: Uint8Array, at: number, { bytes, end }: Packet, from: number): void {
  const flags = bytes[from + FLAGS_AT]!
  setU16(to, at, u16(bytes, from + 2))
  setU16(to, at + 2, u16(bytes, from))
  to[at + 12] = (TCP_HEADER / 4) << 4
  if (flags & ACK) {
    setU32(to, at + 4, u32(bytes, from + 8))
    to[at + FLAGS_AT] = RST
    return
  }
  const data = end - from - (bytes[from + 12]! >> 4) * 4
  const marks = (flags & SYN ? 1 : 0) + (flags & FIN ? 1 : 0)
  setU32(to, at + 8, (u32(bytes, from + 4) + marks + data) >>> 0)
  to[at + FLAGS_AT] = RST | ACK
}
