/**
 * ARP for IPv4 over Ethernet: RFC 826, RFC 5227 (probes and announcements).
 *
 *   +---------------+---------------+-------+-------+---------------+
 *   | hardware type | protocol type | hlen  | plen  |   operation   |
 *   +---------------+---------------+-------+-------+---------------+
 *   |    sender MAC (6)     | sender IP (4) |    target MAC (6)     | target IP (4) |
 */
import { DecodeError } from './errors.ts'
import { EtherType } from './ethernet.ts'
import { ipv4, layout, mac, u8, u16 } from './layout.ts'

/** IANA "ARP Parameters". */
export const ArpOperation = { request: 1, reply: 2 } as const

const HARDWARE_ETHERNET = 1

export interface Arp {
  /** ArpOperation, or another number. */
  readonly operation: number
  readonly senderMac: string
  /** `0.0.0.0` in a probe: RFC 5227 §2.1.1. */
  readonly senderIp: string
  readonly targetMac: string
  readonly targetIp: string
}

export const arpHeader = layout('ARP', {
  hardwareType: u16,
  protocolType: u16,
  hardwareLength: u8,
  protocolLength: u8,
  operation: u16,
  senderMac: mac,
  senderIp: ipv4,
  targetMac: mac,
  targetIp: ipv4,
})

/** What follows the packet, such as Ethernet's padding, is ignored. */
export function decodeArp(bytes: Uint8Array): Arp {
  const header = arpHeader.decode(bytes)
  const { hardwareType, protocolType, hardwareLength, protocolLength } = header
  if (hardwareType !== HARDWARE_ETHERNET || hardwareLength !== 6) {
    throw new DecodeError('ARP', arpHeader.offsets.hardwareType, `hardware type ${hardwareType} is not Ethernet`)
  }
  if (protocolType !== EtherType.ipv4 || protocolLength !== 4) {
    throw new DecodeError('ARP', arpHeader.offsets.protocolType, `protocol type ${protocolType} is not IPv4`)
  }
  const { operation, senderMac, senderIp, targetMac, targetIp } = header
  return { operation, senderMac, senderIp, targetMac, targetIp }
}

export function encodeArp(arp: Arp): Uint8Array {
  return arpHeader.encode({
    hardwareType: HARDWARE_ETHERNET,
    protocolType: EtherType.ipv4,
    hardwareLength: 6,
    protocolLength: 4,
    ...arp,
  })
}
