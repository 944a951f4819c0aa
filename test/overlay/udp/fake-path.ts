/** A data path without a kernel: what the engine reads is put there, what it writes and sends is kept. */
import { type DataPath, EAGAIN, Ready } from '../../../src/kernel/data-path.ts'
import { Arena } from '../../../src/overlay/udp/arena.ts'
import { summingMemory } from '../../../src/overlay/udp/checksum-module.ts'
import { COUNTERS, readCounters, type UdpCounters } from '../../../src/overlay/udp/counters.ts'
import { type Command, Engine } from '../../../src/overlay/udp/engine.ts'
import type { UdpRoute } from '../../../src/overlay/udp/lookup.ts'

/** Of the memory's first byte. A boundary of 4 GiB lies within, as it may in a process. */
const ADDRESS = 0x7f12_ffc0_0000
const PAGES = 128
export const PORT = 8285

/** One call's message. */
export interface Sent {
  readonly to: string
  readonly port: number
  readonly datagrams: readonly Uint8Array[]
  /** Whether the kernel is asked to cut it: UDP_SEGMENT. */
  readonly isTrain: boolean
}

export interface Message {
  readonly from: string
  readonly bytes: Uint8Array
  /** Length of a datagram, where the message is a train. */
  readonly segment?: number
  readonly isTruncated?: boolean
}

export interface FakeOptions {
  readonly mergesUdp?: boolean
  readonly clock?: () => number
  /** The errno that this message is refused with; 0: it goes. */
  readonly refuse?: (message: Sent, fragment: boolean) => number
}

export class FakePath implements DataPath {
  readonly sent: Sent[] = []
  /** Each with its virtio_net_hdr. */
  readonly written: Uint8Array[] = []
  readonly complaints: { readonly to: string; readonly message: Uint8Array }[] = []
  /** What `send` answers instead, once. */
  sendOnce: number | undefined
  readTunOnce: number | undefined
  readonly #engine: Engine
  readonly #arena: Arena
  readonly #counts = new Float64Array(COUNTERS)
  readonly #refuse: (message: Sent, fragment: boolean) => number
  readonly #tun: Uint8Array[] = []
  readonly #received: Message[] = []
  readonly #commands: Command[] = []
  waitedForRoom = 0

  constructor({ mergesUdp = true, clock = () => 0, refuse = () => 0 }: FakeOptions = {}) {
    const { memory, sum } = summingMemory(PAGES)
    this.#arena = new Arena(memory, ADDRESS)
    this.#refuse = refuse
    this.#engine = new Engine({
      arena: this.#arena,
      sum,
      path: this,
      counts: this.#counts,
      port: PORT,
      mergesUdp,
      clock,
      commands: () => this.#commands.splice(0),
    })
  }

  get counters(): UdpCounters {
    return readCounters(this.#counts)
  }

  setRoutes(...routes: UdpRoute[]): void {
    this.#commands.push({ kind: 'routes', routes })
    this.#engine.turn()
  }

  /** Lets the engine take these packets, each behind its virtio_net_hdr. */
  fromTun(...packets: Uint8Array[]): void {
    this.#tun.push(...packets)
    this.settle()
  }

  receiveAll(...messages: Message[]): void {
    this.#received.push(...messages)
    this.settle()
  }

  settle(): void {
    while (this.#tun.length + this.#received.length + this.#commands.length > 0) this.#engine.turn()
  }

  turn(): void {
    this.#engine.turn()
  }

  /** Puts something there without letting the engine have it yet. */
  queue(...packets: Uint8Array[]): void {
    this.#tun.push(...packets)
  }

  stop(): void {
    this.#commands.push({ kind: 'stop' })
    this.#engine.run()
  }

  // What the engine calls.

  readTun(at: number, length: number): number {
    const special = this.readTunOnce
    this.readTunOnce = undefined
    if (special !== undefined) return special
    const packet = this.#tun.shift()
    if (!packet) return -EAGAIN
    this.#arena.bytes.set(packet.subarray(0, length), at)
    return packet.length
  }

  writeTun(iovecs: number, count: number): number {
    const packet = this.#gather(iovecs, count)
    this.written.push(packet)
    return packet.length
  }

  send(messages: number, count: number, fragment: boolean): number {
    const special = this.sendOnce
    this.sendOnce = undefined
    if (special !== undefined) return special
    for (let i = 0; i < count; i++) {
      const message = this.#readMessage(messages + i * 64)
      const errno = this.#refuse(message, fragment)
      if (errno !== 0) return i > 0 ? i : -errno
      this.sent.push(message)
    }
    return count
  }

  receive(messages: number, count: number): number {
    const { view, bytes } = this.#arena
    let i = 0
    for (; i < count && this.#received.length > 0; i++) {
      const { from, bytes: data, segment, isTruncated } = this.#received.shift()!
      const message = messages + i * 64
      // The kernel writes no more than it is told to, and over what it was told.
      if (view.getUint32(message + 8, true) < 16) throw new RangeError('Cannot write the sender: there is no room')
      if (view.getBigUint64(message + 40, true) < 24n) throw new RangeError('Cannot write the length: there is no room')
      view.setUint32(message + 8, 0, true)
      const [name, iovec, control] = [0, 16, 32].map((field) => this.#pointer(message + field))
      bytes.set(addressBytes(from), name! + 4)
      bytes.set(data, this.#pointer(iovec!))
      if (segment !== undefined) {
        view.setBigUint64(control!, 20n, true)
        view.setInt32(control! + 8, 17, true)
        view.setInt32(control! + 12, 104, true)
        view.setInt32(control! + 16, segment, true)
      }
      view.setBigUint64(message + 40, segment === undefined ? 0n : 24n, true)
      view.setUint32(message + 48, isTruncated ? 0x20 : 0, true)
      view.setUint32(message + 56, data.length, true)
    }
    return i || -EAGAIN
  }

  sendIcmp(at: number, length: number, address: number): number {
    const { bytes } = this.#arena
    this.complaints.push({
      to: addressText(bytes.slice(address + 4, address + 8)),
      message: bytes.slice(at, at + length),
    })
    return length
  }

  wait(sending: boolean): number {
    if (sending) this.waitedForRoom++
    return (
      (this.#commands.length ? Ready.control : 0) |
      (this.#received.length ? Ready.socket : 0) |
      (sending ? Ready.writable : this.#tun.length ? Ready.tun : 0)
    )
  }

  /** struct mmsghdr, as sendmmsg(2) reads it: socket(2), cmsg(3), udp(7). */
  #readMessage(at: number): Sent {
    const { view, bytes } = this.#arena
    const name = this.#pointer(at)
    const whole = this.#gather(this.#pointer(at + 16), Number(view.getBigUint64(at + 24, true)))
    const hasControl = view.getBigUint64(at + 40, true) !== 0n
    const size = hasControl ? view.getUint16(this.#pointer(at + 32) + 16, true) : whole.length
    const datagrams = Array.from({ length: Math.ceil(whole.length / size) }, (_, i) =>
      whole.slice(i * size, (i + 1) * size),
    )
    return {
      to: addressText(bytes.slice(name + 4, name + 8)),
      port: view.getUint16(name + 2),
      datagrams,
      isTrain: hasControl,
    }
  }

  #gather(iovecs: number, count: number): Uint8Array {
    const parts = Array.from({ length: count }, (_, i) => {
      const at = this.#pointer(iovecs + i * 16)
      return this.#arena.bytes.slice(at, at + Number(this.#arena.view.getBigUint64(iovecs + i * 16 + 8, true)))
    })
    return new Uint8Array(Buffer.concat(parts))
  }

  #pointer(at: number): number {
    const offset = Number(this.#arena.view.getBigUint64(at, true)) - ADDRESS
    if (offset < 0 || offset >= this.#arena.bytes.length) throw new RangeError(`Cannot reach offset ${offset}`)
    return offset
  }
}

const addressBytes = (text: string) => Uint8Array.from(text.split('.'), Number)
const addressText = (bytes: Uint8Array) => bytes.join('.')
