/**
 * TUN and TAP: a program is on the other side. A TUN carries IP packets, a TAP frames. What nobody reads waits in a queue as
 * long as txqueuelen, then is dropped. Source: drivers/net/tun.c.
 */
import { KernelError } from '../../kernel/errors.ts'
import type { OperState } from '../../kernel/link.ts'
import type { Namespace } from '../namespace.ts'
import { delivered, drop } from '../observer.ts'
import { ETHERNET_HEADER, type Packet, packetFromFrame } from '../packet.ts'
import { Device, type DeviceOptions } from './device.ts'
import { etherTypeTrans } from './ethernet.ts'

export interface TunOptions extends Omit<DeviceOptions, 'kind'> {
  readonly mode: 'tun' | 'tap'
  /** It stays when the program closes it. */
  readonly persistent?: boolean
  readonly owner?: number
  readonly group?: number
  readonly multiQueue?: boolean
}

/** The program's end: a file descriptor of /dev/net/tun. */
export interface TunQueue {
  /** The oldest packet that waits; undefined when none does. */
  read(): Uint8Array | undefined
  /** KernelError EIO while the device is down, EINVAL for what is no packet. */
  write(packet: Uint8Array): void
  close(): void
}

export class Tun extends Device {
  protected override readonly defaultQdisc = 'pfifo_fast'
  readonly mode: 'tun' | 'tap'
  readonly persistent: boolean
  readonly owner: number | undefined
  readonly ownerGroup: number | undefined
  readonly multiQueue: boolean
  #isOpen = false
  /** Nobody knows before a program has closed it once. */
  #operState: OperState = 'unknown'
  #reader: ((packet: Uint8Array) => void) | undefined = undefined
  readonly #queue: Packet[] = []

  /** A TUN has no MAC: `options.mac` is empty then. */
  constructor(namespace: Namespace, options: TunOptions) {
    super(namespace, { txQueueLength: options.mode === 'tun' ? 500 : 1000, ...options, kind: 'tun' })
    this.mode = options.mode
    this.persistent = options.persistent ?? false
    this.owner = options.owner
    this.ownerGroup = options.group
    this.multiQueue = options.multiQueue ?? false
    this.noArp = this.mode === 'tun'
    this.maxMtu = this.mode === 'tun' ? 65535 : 65535 - ETHERNET_HEADER
    if (this.persistent) this.#operState = 'down'
  }

  override get carrier(): boolean {
    return this.#isOpen
  }

  override get operState(): OperState {
    return this.up ? this.#operState : 'down'
  }

  get isOpen(): boolean {
    return this.#isOpen
  }

  /** TUNSETIFF. With `onPacket`, packets are handed over as they come; without, they wait to be read. KernelError EBUSY. */
  open(onPacket?: (packet: Uint8Array) => void): TunQueue {
    if (this.#isOpen) throw new KernelError('EBUSY', `open "${this.name}"`)
    this.#isOpen = true
    this.#reader = onPacket
    if (this.#operState === 'down') this.#operState = 'up'
    if (this.up) this.notify('carrier')
    return {
      read: () => this.#read(),
      write: (packet) => this.#write(packet),
      close: () => this.#close(),
    }
  }

  /** tun_net_xmit. Without a program there is no carrier, and nothing comes here. */
  override send(packet: Packet): void {
    if (this.#queue.length >= this.txQueueLength) {
      this.statistics.txDropped++
      drop(packet, 'FULL_RING', 'tun_net_xmit', { what: `${this.#queue.length} packets wait to be read` })
      return
    }
    this.#queue.push(packet)
    if (!this.#reader) return
    const bytes = this.#read()
    if (bytes) this.#reader(bytes)
  }

  override deleting(): void {
    this.#close()
  }

  #read(): Uint8Array | undefined {
    const packet = this.#queue.shift()
    if (!packet) return undefined
    this.countSent(packet.end - packet.link)
    delivered(packet, `the program at ${this.name}`)
    return packet.bytes.slice(packet.link, packet.end)
  }

  /** tun_get_user. */
  #write(bytes: Uint8Array): void {
    const call = `write to "${this.name}"`
    if (!this.#isOpen) throw new KernelError('EBADFD', call)
    if (!this.up) throw new KernelError('EIO', call)
    const version = bytes[0]! >> 4
    const isPacket = this.mode === 'tap' ? bytes.length >= ETHERNET_HEADER : version === 4 || version === 6
    if (bytes.length === 0 || !isPacket) throw new KernelError('EINVAL', call)
    const packet = packetFromFrame(bytes, this)
    this.countReceived(bytes.length)
    if (this.mode === 'tap') etherTypeTrans(packet, this)
    const { model } = this.namespace
    model.begin(packet, 'injected')
    model.enqueue(packet)
    model.settle()
  }

  #close(): void {
    if (!this.#isOpen) return
    this.#isOpen = false
    this.#reader = undefined
    this.#operState = 'down'
    const what = 'the program that should have read it has closed the device'
    for (const packet of this.#queue.splice(0))
      drop(packet, 'NOT_SPECIFIED', 'tun_queue_purge', { own: 'OVL_TUN_CLOSED', what, device: this })
    if (this.up) this.notify('carrier')
  }
}
