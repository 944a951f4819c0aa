/**
 * The stack's way in: __netif_receive_skb_core, net/core/dev.c. Captures, netdev ingress, a bridge's claim, then the
 * protocol.
 */

import { runDeviceHook } from '../netfilter/hooks.ts'
import { drop, unsupported } from '../observer.ts'
import { type Packet, PacketFor } from '../packet.ts'
import { tap } from '../tap.ts'

const IPV4 = 0x0800

/** What takes packets of an EtherType: `ip_rcv`, `arp_rcv`, `ipv6_rcv`. */
export type ProtocolHandler = (packet: Packet) => void

/** A receiver that hands packets to `protocols`, by EtherType. */
export function createReceive(protocols: ReadonlyMap<number, ProtocolHandler>): (packet: Packet) => void {
  const ipv4 = protocols.get(IPV4)
  return function receive(packet: Packet): void {
    const { device } = packet
    packet.inputIndex = device.index
    // What a host hears of its own broadcasts, captures do not.
    if (packet.for !== PacketFor.loopback) tap(packet, device, 'in')
    if (device.ingress && !runDeviceHook(device.ingress, packet, device, undefined)) return
    if (device.bridgePort?.handleFrame(packet)) return
    // A call of its own, which only ever leads to one function: V8 builds that in.
    if (packet.protocol === IPV4 && ipv4 !== undefined) {
      ipv4(packet)
      return
    }
    const handler = protocols.get(packet.protocol)
    if (handler) handler(packet)
    else if (packet.protocol === 0x8100 || packet.protocol === 0x88a8) unsupported(packet, 'VLAN tag')
    else {
      device.statistics.rxDropped++
      drop(packet, 'UNHANDLED_PROTO', '__netif_receive_skb_core')
    }
  }
}
