/** Captures: what AF_PACKET with ETH_P_ALL sees of a device, and where a journey shows a frame. */
import type { Device } from './device/device.ts'
import type { Packet } from './packet.ts'

export interface Tap {
  /** `packet.link` to `packet.end` is the frame. It must be copied to be kept. */
  see(packet: Packet, device: Device, direction: 'in' | 'out'): void
}

/** dev_queue_xmit_nit, and deliver_skb of ptype_all: the frame passes every capture of this device. */
export function tap(packet: Packet, device: Device, direction: 'in' | 'out'): void {
  packet.seenAt = device
  if (packet.journey) {
    packet.journey.steps.push({
      time: device.namespace.model.clock.now,
      device,
      stage: 'tap',
      what: direction,
      direction,
      frame: packet.frame(),
    })
  }
  for (const each of device.taps) each.see(packet, device, direction)
  for (const each of device.namespace.taps) each.see(packet, device, direction)
}
