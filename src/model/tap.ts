/** Captures: what AF_PACKET with ETH_P_ALL sees of a device, and where a journey shows a frame. */
import type { Device } from './device/device.ts'
import type { Packet } from './packet.ts'

export interface Tap {
  /**
   * `packet.link` to `packet.end` is the frame. It must be copied to be kept. Frames are in the order of their stamps, which
   * is not always the order of the calls.
   */
  see(packet: Packet, device: Device, direction: 'in' | 'out', stamp: number): void
  /** It keeps the packet itself, as AF_PACKET's queue does, and not a copy, as its ring does. */
  readonly holds: boolean
}

const HELD: readonly number[] = []

/** dev_queue_xmit_nit, and deliver_skb of ptype_all: the frame passes every capture of this device. */
export function tap(packet: Packet, device: Device, direction: 'in' | 'out'): void {
  packet.seenAt = device
  if (packet.journey !== undefined || device.namespace.model.captures > 0) show(packet, device, direction)
}

/** By itself, since most packets are seen by nobody. */
function show(packet: Packet, device: Device, direction: 'in' | 'out'): void {
  if (!packet.journey && device.taps.length + device.namespace.taps.length === 0) return
  const stamp = direction === 'in' && packet.stamp !== 0 ? packet.stamp : device.namespace.model.nextStamp()
  if (packet.journey) {
    packet.journey.steps.push({
      time: device.namespace.model.clock.now,
      device,
      stage: 'tap',
      what: direction,
      direction,
      stamp,
      frame: packet.frame(),
    })
  }
  // A capture holds on to it, so that it cannot be taken apart as it was put together: skb_cloned, in ip_do_fragment.
  if (packet.fragmentSizes !== undefined && (device.taps.some(holds) || device.namespace.taps.some(holds)))
    packet.fragmentSizes = HELD
  for (const each of device.taps) each.see(packet, device, direction, stamp)
  for (const each of device.namespace.taps) each.see(packet, device, direction, stamp)
}

const holds = (each: Tap) => each.holds
