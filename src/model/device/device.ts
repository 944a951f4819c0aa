/**
 * A network device: struct net_device. What every kind has stands here; a kind adds how it sends (`send`, the kernel's
 * ndo_start_xmit) and what it is made of.
 *
 *      transmit(packet)  path/transmit.ts   the stack's way out: netdev egress, taps, then device.send
 *      receive(packet)   path/receive.ts    the stack's way in: taps, netdev ingress, a bridge's port, protocol
 */
import { KernelError } from '../../kernel/errors.ts'
import type { MacOrigin, OperState } from '../../kernel/link.ts'
import { sameBytes } from '../bytes.ts'
import type { Ipv4Device } from '../ipv4/device.ts'
import type { Ipv6Device } from '../ipv6/device.ts'
import { type Namespace, notifyLink } from '../namespace.ts'
import type { HookEntry } from '../netfilter/hooks.ts'
import type { Packet } from '../packet.ts'
import type { Tap } from '../tap.ts'
import { isValidMac, macHead, macTail } from './ethernet.ts'
import type { Impairment } from './impairment.ts'

/** NETDEV_UP, NETDEV_DOWN, NETDEV_CHANGE (the carrier), NETDEV_CHANGEMTU, NETDEV_CHANGEADDR. */
export type DeviceEvent = 'up' | 'down' | 'carrier' | 'mtu' | 'address'

/** A bridge's side of a device that is its port. */
export interface MasterPort {
  deviceEvent(event: DeviceEvent): void
  /** Its claim on frames that come in here: rx_handler. True: it has taken the packet. */
  handleFrame(packet: Packet): boolean
}

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
  #mac: Uint8Array
  /** Of its MAC: see macHead and macTail of ethernet.ts. */
  macHead: number
  macTail: number
  /** Frames have an Ethernet header. */
  readonly hasLinkLayer: boolean
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
  /** What makes it a port of its master. */
  bridgePort: MasterPort | undefined = undefined
  /** Chains of the nftables family netdev, by priority; undefined while there are none. */
  ingress: HookEntry[] | undefined = undefined
  egress: HookEntry[] | undefined = undefined
  /** Captures on this device alone; captures on all stand in the namespace. */
  readonly taps: Tap[] = []
  /** What the wire behind it does to what is sent; undefined: nothing. */
  impairment: Impairment | undefined = undefined
  /** in_device and inet6_dev: addresses and settings. Set when the device is registered in a namespace. */
  ipv4!: Ipv4Device
  ipv6!: Ipv6Device
  /** Each kind counts in its own way, with the Ethernet header or without. */
  readonly statistics = {
    rxPackets: 0,
    rxBytes: 0,
    txPackets: 0,
    txBytes: 0,
    rxDropped: 0,
    txDropped: 0,
    rxErrors: 0,
    txErrors: 0,
  }

  /** The qdisc that it gets when it is up for the first time. The model's devices have none that waits. */
  protected readonly defaultQdisc: string = 'noqueue'
  #qdisc = 'noop'

  /** dev->min_mtu, dev->max_mtu; 0: no limit. */
  minMtu = 68
  maxMtu = 65535

  constructor(namespace: Namespace, options: DeviceOptions) {
    this.namespace = namespace
    this.index = 0
    this.name = options.name
    this.kind = options.kind
    this.#mac = options.mac
    this.macHead = macHead(options.mac)
    this.macTail = macTail(options.mac)
    this.hasLinkLayer = options.mac.length > 0
    this.macOrigin = options.macOrigin
    this.mtu = options.mtu
    this.txQueueLength = options.txQueueLength ?? 1000
  }

  /** Six bytes; empty where the device has no link layer. */
  get mac(): Uint8Array {
    return this.#mac
  }

  set mac(mac: Uint8Array) {
    this.#mac = mac
    this.macHead = macHead(mac)
    this.macTail = macTail(mac)
  }

  /** IFF_LOWER_UP: whether the other side is there. */
  get carrier(): boolean {
    return true
  }

  get operState(): OperState {
    return this.up ? 'unknown' : 'down'
  }

  /** IFLA_QDISC */
  get qdisc(): string {
    return this.#qdisc
  }

  /** Puts the packet on the wire: ndo_start_xmit. `packet.link` is the frame's first byte. Taps have seen it. */
  abstract send(packet: Packet): void

  /** A packet went out, of so many bytes. */
  countSent(bytes: number): void {
    this.statistics.txPackets++
    this.statistics.txBytes += bytes
  }

  /** A packet came in. */
  countReceived(bytes: number): void {
    this.statistics.rxPackets++
    this.statistics.rxBytes += bytes
  }

  /** dev_open, dev_close: IFF_UP, and what comes of it. KernelError where the kind cannot (a port that is taken). */
  setUp(up: boolean): void {
    if (up === this.up) return
    if (up) {
      this.up = true
      // attach_default_qdiscs: there is none without room for a packet.
      if (this.#qdisc === 'noop') this.#qdisc = this.txQueueLength === 0 ? 'noqueue' : this.defaultQdisc
      try {
        this.opened()
      } catch (error) {
        this.up = false
        throw error
      }
      this.notify('up')
      this.linkChanged()
    } else {
      this.closing()
      this.up = false
      this.closed()
      this.notify('down')
    }
  }

  /** dev_set_mtu. KernelError EINVAL when the kind does not take it. */
  setMtu(mtu: number): void {
    if (mtu === this.mtu) return
    if (mtu < this.minMtu)
      throw new KernelError('EINVAL', `set mtu ${mtu} on "${this.name}"`, 'mtu less than device minimum')
    if (this.maxMtu > 0 && mtu > this.maxMtu)
      throw new KernelError('EINVAL', `set mtu ${mtu} on "${this.name}"`, 'mtu greater than device maximum')
    this.checkMtu(mtu)
    this.mtu = mtu
    this.notify('mtu')
  }

  /** The MTU that it is born with, within the limits; no change of it. */
  setFirstMtu(mtu: number): void {
    this.mtu = mtu
  }

  /** dev_set_mac_address. KernelError EADDRNOTAVAIL for a group address or none, where the kind needs one of its own. */
  setMac(mac: Uint8Array, origin: MacOrigin = 'set'): void {
    if (!this.hasLinkLayer) throw new KernelError('EOPNOTSUPP', `set the address of "${this.name}"`)
    if (mac.length !== this.mac.length) throw new KernelError('EINVAL', `set the address of "${this.name}"`)
    if (!sameBytes(mac, 0, this.mac, 0, mac.length)) {
      if (!isValidMac(mac, 0)) throw new KernelError('EADDRNOTAVAIL', `set the address of "${this.name}"`)
      this.replaceMac(mac.slice())
    }
    this.macOrigin = origin
    this.notify('address')
  }

  /** call_netdevice_notifiers: the bridge that this is a port of, neighbours, then who else asked. */
  notify(event: DeviceEvent): void {
    this.bridgePort?.deviceEvent(event)
    const { namespace } = this
    if (event === 'address') {
      namespace.arp.changeAddress(this)
      namespace.nd.changeAddress(this)
    } else if (event === 'down') {
      namespace.arp.deviceDown(this)
      namespace.nd.deviceDown(this)
    } else if (event === 'carrier' && !this.carrier) {
      namespace.arp.carrierLost(this)
      namespace.nd.carrierLost(this)
    }
    notifyLink(this)
    for (const listener of namespace.model.deviceListeners) listener(this, event)
  }

  /** Called when `up` has become true, and around its becoming false: ndo_open, ndo_stop. */
  protected opened(): void {}
  protected closing(): void {}
  protected closed(): void {}

  /** Called when who listens knows that it is up: what that means for its carrier, linkwatch finds a little later. */
  protected linkChanged(): void {}

  /** ndo_change_mtu: throws what the kind says. */
  protected checkMtu(_mtu: number): void {}

  /** ndo_set_mac_address. */
  protected replaceMac(mac: Uint8Array): void {
    this.mac = mac
  }

  /** Called before the device leaves its namespace for good: ndo_uninit. A veth takes its peer along. */
  deleting(): void {}
}
