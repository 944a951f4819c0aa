/** Ethernet as the devices read it: eth_type_trans, net/ethernet/eth.c; MAC addresses where they stand in a packet. */
import { sameBytes, u16 } from '../bytes.ts'
import { ETHERNET_HEADER, type Packet, PacketFor } from '../packet.ts'
import type { Device } from './device.ts'

/** IEEE 802.1D table 7-10: a bridge treats 01:80:c2:00:00:00 to …:0f by themselves. */
export function isLinkLocalGroup(bytes: Uint8Array, at: number): boolean {
  return (
    bytes[at] === 0x01 &&
    bytes[at + 1] === 0x80 &&
    bytes[at + 2] === 0xc2 &&
    bytes[at + 3] === 0 &&
    bytes[at + 4] === 0 &&
    bytes[at + 5]! <= 0x0f
  )
}

export function isBroadcast(bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < 6; i++) if (bytes[at + i] !== 0xff) return false
  return true
}

export function isZeroMac(bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < 6; i++) if (bytes[at + i] !== 0) return false
  return true
}

/** is_valid_ether_addr: neither a group nor all zeros. */
export function isValidMac(bytes: Uint8Array, at: number): boolean {
  return (bytes[at]! & 1) === 0 && !isZeroMac(bytes, at)
}

export function sameMac(bytes: Uint8Array, at: number, mac: Uint8Array): boolean {
  return sameBytes(bytes, at, mac, 0, 6)
}

/** eth_type_trans: protocol, network header, and for whom the frame is. `packet.link` is its first byte. */
export function etherTypeTrans(packet: Packet, device: Device): void {
  const { bytes, link } = packet
  packet.device = device
  packet.network = link + ETHERNET_HEADER
  if ((bytes[link]! & 1) === 1) {
    packet.for = isBroadcast(bytes, link) ? PacketFor.broadcast : PacketFor.multicast
  } else {
    packet.for = sameMac(bytes, link, device.mac) ? PacketFor.host : PacketFor.otherhost
  }
  const type = u16(bytes, link + 12)
  packet.protocol = type >= 1536 ? type : lengthProtocol(packet)
}

/** ETH_P_802_3 (raw IPX) or ETH_P_802_2, linux/if_ether.h: what the kernel calls frames with a length for a type. */
function lengthProtocol({ bytes, network }: Packet): number {
  return u16(bytes, network) === 0xffff ? 0x0001 : 0x0004
}
