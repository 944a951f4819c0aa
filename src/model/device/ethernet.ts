/** Ethernet as the devices read it: eth_type_trans, net/ethernet/eth.c; MAC addresses where they stand in a packet. */
import { u16 } from '../bytes.ts'
import { ETHERNET_HEADER, type Packet, PacketFor } from '../packet.ts'
import type { Device } from './device.ts'

/** IEEE 802.1D table 7-10: a bridge treats 01:80:c2:00:00:00 to …:0f by themselves. */
export const isLinkLocalGroup = (view: DataView, at: number): boolean =>
  view.getInt32(at) === 0x0180c200 && (view.getUint16(at + 4) & 0xfff0) === 0

/** A MAC's first two bytes, and its last four, as a packet's view reads them: getUint16 and getInt32. */
export const macHead = (mac: Uint8Array): number => (mac[0]! << 8) | mac[1]!
export const macTail = (mac: Uint8Array): number => (mac[2]! << 24) | (mac[3]! << 16) | (mac[4]! << 8) | mac[5]!

export const isBroadcast = (view: DataView, at: number): boolean =>
  view.getUint16(at) === 0xffff && view.getInt32(at + 2) === -1

export const isGroup = (view: DataView, at: number): boolean => (view.getUint8(at) & 1) === 1

/** As isValidMac, of a frame's source. */
export const isValidSource = (view: DataView, at: number): boolean =>
  !isGroup(view, at) && (view.getUint16(at) | view.getInt32(at + 2)) !== 0

export function isZeroMac(bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < 6; i++) if (bytes[at + i] !== 0) return false
  return true
}

/** is_valid_ether_addr: neither a group nor all zeros. */
export function isValidMac(bytes: Uint8Array, at: number): boolean {
  return (bytes[at]! & 1) === 0 && !isZeroMac(bytes, at)
}

/** Whether it is the device's own. */
export const isMacOf = (device: Device, view: DataView, at: number): boolean =>
  view.getInt32(at + 2) === device.macTail && view.getUint16(at) === device.macHead

/** eth_type_trans: protocol, network header, and for whom the frame is. `packet.link` is its first byte. */
export function etherTypeTrans(packet: Packet, device: Device): void {
  const { view, link } = packet
  packet.device = device
  packet.network = link + ETHERNET_HEADER
  if (isMacOf(device, view, link)) packet.for = PacketFor.host
  else if (!isGroup(view, link)) packet.for = PacketFor.otherhost
  else packet.for = isBroadcast(view, link) ? PacketFor.broadcast : PacketFor.multicast
  const type = view.getUint16(link + 12)
  packet.protocol = type >= 1536 ? type : lengthProtocol(packet)
}

/** ETH_P_802_3 (raw IPX) or ETH_P_802_2, linux/if_ether.h: what the kernel calls frames with a length for a type. */
function lengthProtocol({ bytes, network }: Packet): number {
  return u16(bytes, network) === 0xffff ? 0x0001 : 0x0004
}
