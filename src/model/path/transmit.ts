/**
 * The stack's way out: __dev_queue_xmit and dev_hard_start_xmit, net/core/dev.c. netdev egress, captures, then the device.
 * Virtual devices have no queue, the packet is sent at once; unless the wire is impaired.
 */
import { MILLISECOND } from '../clock.ts'
import type { Device } from '../device/device.ts'
import type { Impairment } from '../device/impairment.ts'
import { runDeviceHook } from '../netfilter/hooks.ts'
import { drop, note } from '../observer.ts'
import { type Packet, PacketFor } from '../packet.ts'
import { tap } from '../tap.ts'

/** `packet.link` is the first byte of the frame. */
export function transmit(packet: Packet, device: Device): void {
  packet.device = device
  if (device.egress && !runDeviceHook(device.egress, packet, undefined, device)) return
  if (!device.up || !device.carrier) refuse(packet, device)
  else if (device.impairment) delay(packet, device, device.impairment)
  else put(packet, device)
}

/** noop_enqueue: such a device has no other queue. */
function refuse(packet: Packet, device: Device): void {
  const what = device.up ? `${device.name} has no carrier` : `${device.name} is down`
  drop(packet, 'QDISC_DROP', '__dev_queue_xmit', { what, device })
}

/** dev_hard_start_xmit */
function put(packet: Packet, device: Device): void {
  packet.for = PacketFor.outgoing
  tap(packet, device, 'out')
  device.send(packet)
}

/** The packet waits in the link's queue, where no capture sees it. */
function delay(packet: Packet, device: Device, impairment: Impairment): void {
  const { model } = device.namespace
  const wait = impairment.take(model, packet.end - packet.link)
  if (wait === undefined) {
    drop(packet, 'QDISC_DROP', 'netem_enqueue', { what: `the wire of ${device.name} loses it`, device })
    return
  }
  if (packet.journey) note(packet, device, 'wire', `${wait / MILLISECOND} ms`, { kernel: 'netem_enqueue' })
  model.clock.after(wait, () => {
    if (device.up) put(packet, device)
    else drop(packet, 'QDISC_DROP', 'dev_deactivate_queue', { what: `${device.name} went down`, device })
  })
}
