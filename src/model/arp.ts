/**
 * ARP: net/ipv4/arp.c, RFC 826. What comes in, and what IPv4 does for the neighbour table.
 *
 *      neighbour/arp-policy.ts   what settings make of it
 *      neighbour/arp-send.ts     what goes out
 */

import { ArpOperation } from '../wire/arp.ts'
import { EtherType } from '../wire/ethernet.ts'
import { IcmpType, UnreachableCode } from '../wire/icmp.ts'
import { sameBytes, u16, u32 } from './bytes.ts'
import type { Device, DeviceEvent } from './device/device.ts'
import { formatAddress } from './ipv4/address-text.ts'
import { sendIcmpError } from './ipv4/icmp.ts'
import { findInputRoute } from './ipv4/route-input.ts'
import { addressType } from './ipv4/select-address.ts'
import { acceptsUnasked, announcedSource, either, isFiltered, isIgnored, isProxied } from './neighbour/arp-policy.ts'
import { ARP_LENGTH, ArpAt, ArpHook, announce, sendArp } from './neighbour/arp-send.ts'
import type { Neighbour } from './neighbour/entry.ts'
import { NeighbourUpdate, Nud } from './neighbour/state.ts'
import type { NeighbourFamily } from './neighbour.ts'
import { runHook } from './netfilter/hooks.ts'
import { delivered, drop, note } from './observer.ts'
import { type Packet, PacketFor } from './packet.ts'

const HARDWARE_ETHERNET = 1
const HARDWARE_IEEE802 = 6

/** Settings count hundredths of a second. */
const HUNDREDTH = 10_000

const ASKER = { stage: 'arp', kernel: 'arp_process' } as const

const isMulticast = (address: number) => address >>> 28 === 0xe
const isLoopback = (address: number) => address >>> 24 === 127

export const arpFamily: NeighbourFamily = {
  format: (key) => formatAddress(key as number),
  conf: (device) => device.ipv4.neighbourConf,
  keepsWithoutCarrier: ({ ipv4, namespace }) =>
    ipv4.conf.arp_evict_nocarrier === 0 || namespace.ipv4.all.arp_evict_nocarrier === 0,

  /** arp_constructor */
  fixedAddress(device, key) {
    const address = key as number
    if (!device.hasLinkLayer) return new Uint8Array()
    const type = addressType(device.namespace, address)
    if (type === 'multicast') return multicastMac(address)
    if (device.noArp || device.kind === 'loopback') return device.mac.slice()
    return type === 'broadcast' ? new Uint8Array(6).fill(0xff) : undefined
  },

  /** arp_solicit */
  solicit(neighbour, packet, unicast) {
    const { device, key } = neighbour
    const target = key as number
    const wish = packet && packet.protocol === EtherType.ipv4 ? u32(packet.bytes, packet.network + 12) : 0
    const senderIp = announcedSource(device, target, wish)
    const to = unicast ? neighbour.mac : undefined
    sendArp(device, { operation: ArpOperation.request, senderIp, targetIp: target, to }, packet?.journey?.spawn('arp'))
  },

  /** ipv4_link_failure */
  unreachable(packet) {
    sendIcmpError(packet, IcmpType.destinationUnreachable, UnreachableCode.host, 0)
  },
}

/** inetdev_event: a device that came up, or has another MAC, says so where arp_notify asks for it. */
export function arpDeviceEvent(device: Device, event: DeviceEvent): void {
  if ((event === 'up' || event === 'address') && device.up && either(device, 'arp_notify')) announce(device)
}

/** arp_rcv */
export function receiveArp(packet: Packet): void {
  const { bytes, network, end, device } = packet
  if (device.noArp || packet.for === PacketFor.otherhost || packet.for === PacketFor.loopback) {
    drop(packet, 'NOT_SPECIFIED', 'arp_rcv', { own: 'OVL_ARP_OTHERHOST', what: 'ARP for another host' })
    return
  }
  if (end < network + ARP_LENGTH) {
    drop(packet, 'PKT_TOO_SMALL', 'arp_rcv', { what: 'shorter than ARP of Ethernet and IPv4' })
    return
  }
  if (bytes[network + 4] !== device.mac.length || bytes[network + 5] !== 4) {
    drop(packet, 'NOT_SPECIFIED', 'arp_rcv', {
      own: 'OVL_ARP_INVALID',
      what: 'the lengths are not those of Ethernet and IPv4',
    })
    return
  }
  const { namespace } = device
  if (!namespace.hooks.arp.has(ArpHook.in) || runHook(namespace, 'arp', ArpHook.in, packet, device, undefined)) {
    process(packet, false)
  }
}

/** arp_process. `delayed`: it has waited as a proxy's answers do. */
function process(packet: Packet, delayed: boolean): void {
  const { bytes, network, device } = packet
  const { namespace } = device
  const hardware = u16(bytes, network)
  const operation = u16(bytes, network + ArpAt.operation)
  const isRequest = operation === ArpOperation.request
  const sender = u32(bytes, network + ArpAt.senderIp)
  const target = u32(bytes, network + ArpAt.targetIp)
  const isKnown =
    (hardware === HARDWARE_ETHERNET || hardware === HARDWARE_IEEE802) &&
    u16(bytes, network + 2) === EtherType.ipv4 &&
    (isRequest || operation === ArpOperation.reply)
  const isSane = !isMulticast(target) && (!isLoopback(target) || either(device, 'route_localnet'))
  if (!isKnown || !isSane || (sender === target && either(device, 'drop_gratuitous_arp'))) {
    drop(packet, 'NOT_SPECIFIED', 'arp_process', {
      own: 'OVL_ARP_INVALID',
      what: 'not a question or answer that counts',
    })
    return
  }
  if (sender === 0) {
    // RFC 5227 §2.1.1: a probe. It is answered, and nothing is learned from it.
    if (isRequest && addressType(namespace, target) === 'local' && !isIgnored(device, sender, target)) reply(packet)
    end(packet)
    return
  }
  if (isRequest) {
    const route = findInputRoute(device, target, sender, 0, undefined)
    if (typeof route !== 'string') {
      if (route.type === 'local') {
        if (!isIgnored(device, sender, target) && !isFiltered(device, sender, target)) {
          learn(packet, sender)
          reply(packet)
        } else if (packet.journey) note(packet, device, 'arp', 'not answered', { kernel: 'arp_ignore' })
        end(packet)
        return
      }
      const answers =
        device.ipv4.conf.forwarding !== 0 &&
        route.type === 'unicast' &&
        (isProxied(device, route, sender, target) ||
          (route.device !== device && namespace.arp.proxied.get(device, target) !== undefined))
      if (answers) {
        learn(packet, sender)
        const { neighbourConf } = device.ipv4
        if (delayed || packet.for === PacketFor.host || neighbourConf.proxy_delay === 0) {
          reply(packet)
          end(packet)
        } else namespace.arp.proxyQueue.enqueue(packet, neighbourConf, ASKER, () => process(packet, true))
        return
      }
    }
  }
  update(packet, isRequest, sender, target)
  end(packet)
}

/** The sender of a question for us, or for those that we stand for, is remembered: neigh_event_ns. */
function learn({ bytes, network, device }: Packet, sender: number): void {
  const at = network + ArpAt.senderMac
  device.namespace.arp.heard(device, sender, bytes.slice(at, at + 6))
}

/** What a question or an answer says of its sender: who is known, or was asked for, is updated. */
function update(packet: Packet, isRequest: boolean, sender: number, target: number): void {
  const { bytes, network, device } = packet
  const { arp, model } = device.namespace
  let neighbour: Neighbour | undefined = arp.get(device, sender)
  const accepts = acceptsUnasked(device, sender)
  if (!neighbour && !accepts) return
  const isAnnouncement = isGratuitous(packet, isRequest, sender, target)
  if (!neighbour) {
    if (!isAnnouncement && (isRequest || addressType(device.namespace, sender) !== 'unicast')) return
    neighbour = arp.ensure(device, sender)
  }
  // "If several different ARP replies follow back-to-back, use the FIRST one."
  const locked = model.clock.now <= neighbour.updated + device.ipv4.neighbourConf.locktime * HUNDREDTH
  const override = isAnnouncement || !locked
  // "Broadcast replies and request packets do not assert neighbour reachability."
  const state = isRequest || packet.for !== PacketFor.host ? Nud.stale : Nud.reachable
  const at = network + ArpAt.senderMac
  neighbour.update(bytes.slice(at, at + 6), state, override ? NeighbourUpdate.override : 0)
  if (packet.journey) {
    note(packet, device, 'arp', `${formatAddress(sender)} heard of`, {
      kernel: 'neigh_update',
      ref: `neigh ${neighbour.describe()}`,
    })
  }
}

/** arp_is_garp */
function isGratuitous({ bytes, network, device }: Packet, isRequest: boolean, sender: number, target: number): boolean {
  if (sender !== target) return false
  if (!isRequest && !sameBytes(bytes, network + ArpAt.senderMac, bytes, network + ArpAt.targetMac, 6)) return false
  return addressType(device.namespace, sender) === 'unicast'
}

function reply({ bytes, network, device, journey }: Packet): void {
  const at = network + ArpAt.senderMac
  const asker = bytes.slice(at, at + 6)
  sendArp(
    device,
    {
      operation: ArpOperation.reply,
      senderIp: u32(bytes, network + ArpAt.targetIp),
      targetIp: u32(bytes, network + ArpAt.senderIp),
      targetMac: asker,
      to: asker,
    },
    journey?.spawn('arp'),
  )
}

function end(packet: Packet): void {
  delivered(packet, 'arp')
}

/** ip_eth_mc_map: RFC 1112 §6.4. */
function multicastMac(address: number): Uint8Array {
  return Uint8Array.of(0x01, 0x00, 0x5e, (address >>> 16) & 0x7f, address >>> 8, address)
}
