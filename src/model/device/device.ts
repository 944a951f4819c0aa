/**
 * A network device: struct net_device. What every kind has stands here; a kind adds how it sends (`send`, the kernel's
 * ndo_start_xmit) and what it is made of.
 *
 *      transmit(packet)  path/transmit.ts   the stack's way out: netdev egress, taps, then device.send
 *      receive(packet)   path/receive.ts    the stack's way in: taps, netdev ingress, receiveHandler (a bridge's), protocol
 */
import type { MacOrigin, OperState } from '../../kernel/link.ts'
import type { Ipv4Device } from '../ipv4/device.ts'
import type { Ipv6Device } from '../ipv6/device.ts'
import type { Namespace } from '../namespace.ts'
import type { HookEntry } from '../netfilter/hooks.ts'
import type { Packet } from '../packet.ts'
import type { Tap } from '../tap.ts'

export interface DeviceOptions {
  readonly name: string
  readonly kind: string
  /** Six bytes; empty where the device has no link layer (tun). */
  readonly mac: Uint8Array
  readonly macOrigin?: MacOrigin
  readonly mtu: number
  readonly txQueueLength?: number
}

export abstract class Device {
  /** Changes when the device moves. */
  namespace: Namespace
  index: number
  name: string
  /** IFLA_INFO_KIND; `loopback`. */
  readonly kind: string
  mac: Uint8Array
  macOrigin: MacOrigin | undefined
  mtu: number
  /** IFF_UP. */
  up = false
  promiscuous = false
  allMulticast = false
  txQueueLength: number
  group = 0
  alias: string | undefined = undefined
  /** IFF_NOARP: neighbours are not asked for. */
  noArp = false
  /** The device that this one is a port of. */
  master: Device | undefined = undefined
  /** A bridge's claim on frames that come in here: rx_handler. True: it has taken the packet. */
  receiveHandler: ((packet: Packet) => boolean) | undefined = undefined
  /** Chains of the nftables family netdev, by priority; undefined while there are none. */
  ingress: HookEntry[] | undefined = undefined
  egress: HookEntry[] | undefined = undefined
  /** Captures on this device alone; captures on all stand in the namespace. */
  readonly taps: Tap[] = []
  /** in_device and inet6_dev: addresses and settings. Set when the device is registered in a namespace. */
  ipv4!: Ipv4Device
  ipv6!: Ipv6Device
  readonly statistics = { rxPackets: 0, rxBytes: 0, txPackets: 0, txBytes: 0, rxDropped: 0, txDropped: 0 }

  constructor(namespace: Namespace, options: DeviceOptions) {
    this.namespace = namespace
    this.index = 0
    this.name = options.name
    this.kind = options.kind
    this.mac = options.mac
    this.macOrigin = options.macOrigin
    this.mtu = options.mtu
    this.txQueueLength = options.txQueueLength ?? 1000
  }

  /** Frames have an Ethernet header. */
  get hasLinkLayer(): boolean {
    return this.mac.length > 0
  }

  /** IFF_LOWER_UP: whether the other side is there. */
  get carrier(): boolean {
    return true
  }

  get operState(): OperState {
    return this.up ? 'unknown' : 'down'
  }

  /** Puts the packet on the wire: ndo_start_xmit. `packet.link` is the frame's first byte. Taps have seen it. */
  abstract send(packet: Packet): void

  /** Called after `up` has become true, and before it becomes false: ndo_open, ndo_stop. */
  opened(): void {}
  closing(): void {}

  /** Called before the device leaves its namespace for good: ndo_uninit. A veth takes its peer along. */
  deleting(): void {}
}
