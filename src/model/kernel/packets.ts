/** Frames: what AF_PACKET sends and captures. Source: net/packet/af_packet.c. */
import { KernelError } from '../../kernel/errors.ts'
import type { CapturedPacket, CaptureOptions, Packets, PacketType, Subscription } from '../../kernel/live.ts'
import type { Device } from '../device/device.ts'
import type { Model } from '../model.ts'
import type { Namespace } from '../namespace.ts'
import { sourceBefore } from '../netfilter/bridge/redirected.ts'
import { ETHERNET_HEADER, type Packet, packetFromFrame } from '../packet.ts'
import { transmit } from '../path/transmit.ts'
import type { Tap } from '../tap.ts'
import { requireDevice } from './require.ts'

/** By PacketFor. */
const PACKET_TYPES: readonly PacketType[] = ['host', 'broadcast', 'multicast', 'otherhost', 'outgoing']
const VLAN_HEADER = 4

export class ModelPackets implements Packets {
  readonly #namespace: Namespace

  constructor(namespace: Namespace) {
    this.#namespace = namespace
  }

  /** packet_snd. */
  send(link: string, frame: Uint8Array): void {
    const device = this.#namespace.devices.get(link)
    const refusal = device ? refusalOf(device, frame) : 'ENODEV'
    if (!device || refusal) throw new KernelError(refusal!, `send a frame on link "${link}"`)
    const packet = packetFromFrame(frame, device)
    this.#namespace.model.begin(packet, 'injected')
    transmit(packet, device)
    this.#namespace.model.settle()
  }

  capture(
    { link, snapLength = Number.POSITIVE_INFINITY, copied = false }: CaptureOptions,
    onPacket: (packet: CapturedPacket) => void,
  ): Subscription {
    const taps =
      link === undefined ? this.#namespace.taps : requireDevice(this.#namespace, link, `capture on link "${link}"`).taps
    const tap = new Capture(snapLength, !copied, onPacket)
    taps.push(tap)
    this.#namespace.model.captures++
    return { close: () => tap.close(taps, this.#namespace.model) }
  }
}

/** Of the MAC, in a frame. */
const SOURCE = 6

class Capture implements Tap {
  readonly holds: boolean
  readonly #snapLength: number
  readonly #onPacket: (packet: CapturedPacket) => void
  #open = true
  #calling = false

  constructor(snapLength: number, holds: boolean, onPacket: (packet: CapturedPacket) => void) {
    this.holds = holds
    this.#snapLength = snapLength
    this.#onPacket = onPacket
  }

  see(packet: Packet, device: Device, _direction: 'in' | 'out', stamp: number): void {
    if (!this.#open) return
    const { bytes, link, end } = packet
    const frame = bytes.slice(link, Math.min(end, link + this.#snapLength))
    // Who holds it sees the MAC that br_nf_pre_routing_finish_bridge_slow puts back.
    const source = this.holds ? sourceBefore(packet) : undefined
    if (source) frame.set(source, SOURCE)
    this.#calling = true
    this.#onPacket({
      bytes: frame,
      length: end - link,
      link: device.name,
      packetType: PACKET_TYPES[packet.for] ?? 'host',
      time: BigInt(stamp),
    })
    this.#calling = false
  }

  close(taps: Tap[], model: Model): void {
    if (!this.#open) return
    this.#open = false
    model.captures--
    const remove = () => {
      const at = taps.indexOf(this)
      if (at >= 0) taps.splice(at, 1)
    }
    // Not from under the feet of who goes through the list.
    if (this.#calling) model.clock.after(0, remove)
    else remove()
  }
}

function refusalOf(device: Device, frame: Uint8Array): string | undefined {
  if (!device.up) return 'ENETDOWN'
  const header = device.hasLinkLayer ? ETHERNET_HEADER : 0
  if (frame.length < header || frame.length === 0) return 'EINVAL'
  const most = device.mtu + header
  if (frame.length <= most) return undefined
  return isTagged(frame, header) && frame.length <= most + VLAN_HEADER ? undefined : 'EMSGSIZE'
}

function isTagged(frame: Uint8Array, header: number): boolean {
  const type = (frame[12]! << 8) | frame[13]!
  return header > 0 && (type === 0x8100 || type === 0x88a8)
}
