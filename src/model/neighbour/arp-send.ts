/** ARP packets going out: arp_create and arp_xmit, net/ipv4/arp.c; RFC 826. */
import { ArpOperation } from '../../wire/arp.ts'
import { EtherType } from '../../wire/ethernet.ts'
import { setU16, setU32 } from '../bytes.ts'
import type { Device } from '../device/device.ts'
import { type HookNumber, runHook } from '../netfilter/hooks.ts'
import { type Journey, note } from '../observer.ts'
import { newPacket, pushEthernet } from '../packet.ts'
import { transmit } from '../path/transmit.ts'

/** NF_ARP_*, linux/netfilter_arp.h. */
export const ArpHook = { in: 0, out: 1 } as const satisfies Record<string, HookNumber>

/** Bytes of a packet about IPv4 over Ethernet, and where in it stands what. */
export const ARP_LENGTH = 28
export const ArpAt = { operation: 6, senderMac: 8, senderIp: 14, targetMac: 18, targetIp: 24 } as const

const HARDWARE_ETHERNET = 1
const BROADCAST = new Uint8Array(6).fill(0xff)

export interface ArpMessage {
  readonly operation: number
  readonly senderIp: number
  readonly targetIp: number
  /** Zeros in a question to everybody. */
  readonly targetMac?: Uint8Array | undefined
  /** Where the frame goes; to everybody where left out. */
  readonly to?: Uint8Array | undefined
}

/** arp_send_dst. `journey`: the packet's, where somebody follows what caused it. */
export function sendArp(device: Device, message: ArpMessage, journey: Journey | undefined): void {
  if (device.noArp || !device.hasLinkLayer) return
  const packet = newPacket(ARP_LENGTH, device, EtherType.arp)
  const { bytes, network } = packet
  setU16(bytes, network, HARDWARE_ETHERNET)
  setU16(bytes, network + 2, EtherType.ipv4)
  bytes[network + 4] = 6
  bytes[network + 5] = 4
  setU16(bytes, network + ArpAt.operation, message.operation)
  bytes.set(device.mac, network + ArpAt.senderMac)
  setU32(bytes, network + ArpAt.senderIp, message.senderIp)
  if (message.targetMac) bytes.set(message.targetMac, network + ArpAt.targetMac)
  setU32(bytes, network + ArpAt.targetIp, message.targetIp)
  pushEthernet(packet, message.to ?? BROADCAST, device.mac, EtherType.arp)
  packet.journey = journey
  if (packet.journey) {
    const what = message.operation === ArpOperation.request ? 'asks' : 'answers'
    note(packet, device, 'arp', what, { kernel: 'arp_send_dst' })
  }
  const { namespace } = device
  if (!namespace.hooks.arp.has(ArpHook.out) || runHook(namespace, 'arp', ArpHook.out, packet, undefined, device)) {
    transmit(packet, device)
  }
}

/** inetdev_send_gratuitous_arp: tells everybody on the link which addresses are here. */
export function announce(device: Device): void {
  for (const { local } of device.ipv4.addresses) {
    sendArp(device, { operation: ArpOperation.request, senderIp: local, targetIp: local }, undefined)
  }
}
