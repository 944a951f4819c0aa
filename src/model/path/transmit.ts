/**
 * The stack's way out: __dev_queue_xmit and dev_hard_start_xmit, net/core/dev.c. netdev egress, captures, then the device.
 * Virtual devices have no queue: the packet is sent at once.
 */
import type { Device } from '../device/device.ts'
import { runDeviceHook } from '../netfilter/hooks.ts'
import { drop } from '../observer.ts'
import { type Packet, PacketFor } from '../packet.ts'
import { tap } from '../tap.ts'

/** `packet.link` is the first byte of the frame. */
export function transmit(packet: Packet, device: Device): void {
  packet.device = device
  if (device.egress && !runDeviceHook(device.egress, packet, undefined, device)) return
  if (!device.up) {
    drop(packet, 'NOT_SPECIFIED', '__dev_queue_xmit', { own: 'OVL_LINK_DOWN', device })
    return
  }
  if (!device.carrier) {
    drop(packet, 'QDISC_DROP', '__dev_queue_xmit', { what: `${device.name} has no carrier`, device })
    return
  }
  packet.for = PacketFor.outgoing
  tap(packet, device, 'out')
  device.send(packet)
}
