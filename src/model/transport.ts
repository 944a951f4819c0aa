/** What a transport protocol is to the network layer: struct net_protocol, and the table of them. */
import type { Packet } from './packet.ts'

export interface TransportProtocol {
  /** For this host: `packet.transport` is its header, hooks have been passed. */
  receive(packet: Packet): void
  /**
   * An ICMP error came that quotes a packet of this protocol: err_handler. `packet.transport` is the ICMP header's; `quoted` is
   * the offset of the quoted network header in `packet.bytes`. `info` is the MTU of 3/4 and 2/0, else 0.
   */
  error?(packet: Packet, type: number, code: number, info: number, quoted: number): void
  /** ICMP's own: tells the sender of `packet` what became of it. The network layer below reaches it by this table. */
  refuse?(packet: Packet, type: number, code: number, info: number): void
}

/** By IpProtocol. */
export type TransportProtocols = (TransportProtocol | undefined)[]
