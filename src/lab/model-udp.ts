/**
 * The data path of the backend udp in the model: the engine that runs on Linux, on a TUN device and a socket of a model's
 * namespace. A packet is handed over as soon as it comes, so nothing waits here and nothing is merged.
 */
import { familyOf, formatIp } from '../address/ip.ts'
import { type DataPath, EAGAIN, EBADFD, EIO, Ready } from '../kernel/data-path.ts'
import { KernelError } from '../kernel/errors.ts'
import type { Endpoint } from '../kernel/socket.ts'
import { MILLISECOND } from '../model/clock.ts'
import type { ModelKernel } from '../model/create.ts'
import { networkOf } from '../model/socket/networks.ts'
import { newSegment } from '../model/socket/segment.ts'
import { Arena, IOVEC_LENGTH, IOVEC_SIZE } from '../overlay/udp/arena.ts'
import { summingMemory } from '../overlay/udp/checksum-module.ts'
import { COUNTERS, readCounters } from '../overlay/udp/counters.ts'
import { type Command, Engine } from '../overlay/udp/engine.ts'
import { VNET_HEADER } from '../overlay/udp/header.ts'
import { ADDRESS, CONTROL_LENGTH, IOVEC_COUNT, IOVECS, LENGTH, MESSAGE, NAME, PORT } from '../overlay/udp/message.ts'
import type { StartUdpDataPath } from '../overlay/udp-path.ts'

/** Of 64 KiB: as src/cli/udp-worker.ts. */
const PAGES = 128
/** Any: nobody but the engine and this file follows it. */
const MEMORY_ADDRESS = 0x1000_0000

type Wish = Parameters<StartUdpDataPath>[0]

export function startModelUdp(kernel: ModelKernel, { tun, address, port, routes }: Wish): ReturnType<StartUdpDataPath> {
  const path = new ModelDataPath(kernel, { tun, address, port })
  path.tell({ kind: 'routes', routes })
  return {
    ready: Promise.resolve(),
    setRoutes: (next) => path.tell({ kind: 'routes', routes: next }),
    counters: () => readCounters(path.counts),
    stop: async () => path.close(),
  }
}

class ModelDataPath implements DataPath {
  readonly counts = new Float64Array(COUNTERS)
  readonly #kernel: ModelKernel
  readonly #arena: Arena
  readonly #engine: Engine
  readonly #tun: { write(packet: Uint8Array): void; close(): void }
  readonly #socket: { send(to: Endpoint, bytes: Uint8Array): void; close(): void }
  readonly #commands: Command[] = []
  readonly #packets: Uint8Array[] = []
  readonly #datagrams: { readonly from: Endpoint; readonly bytes: Uint8Array }[] = []
  #isWorking = false

  constructor(kernel: ModelKernel, { tun, address, port }: Pick<Wish, 'tun' | 'address' | 'port'>) {
    this.#kernel = kernel
    const { memory, sum } = summingMemory(PAGES)
    this.#arena = new Arena(memory, MEMORY_ADDRESS)
    this.#engine = new Engine({
      arena: this.#arena,
      sum,
      path: this,
      counts: this.counts,
      port,
      mergesUdp: false,
      clock: () => kernel.model.clock.now / MILLISECOND,
      commands: () => this.#commands.splice(0),
    })
    this.#socket = kernel.sockets.bindUdp(
      { address, port },
      {
        datagram: (from, bytes) => {
          this.#datagrams.push({ from, bytes })
          this.#work()
        },
      },
    )
    try {
      this.#tun = kernel.tuns.open(tun, 'tun', (packet) => {
        this.#packets.push(packet)
        this.#work()
      })
    } catch (error) {
      this.#socket.close()
      throw error
    }
  }

  tell(command: Command): void {
    this.#commands.push(command)
    this.#work()
  }

  close(): void {
    this.#tun.close()
    this.#socket.close()
  }

  /** What it sends may be answered within the call: that waits for the next turn. */
  #work(): void {
    if (this.#isWorking) return
    this.#isWorking = true
    try {
      while (this.#commands.length + this.#packets.length + this.#datagrams.length > 0) this.#engine.turn()
    } finally {
      this.#isWorking = false
    }
  }

  wait(): number {
    return (
      (this.#commands.length > 0 ? Ready.control : 0) |
      (this.#packets.length > 0 ? Ready.tun : 0) |
      (this.#datagrams.length > 0 ? Ready.socket : 0)
    )
  }

  readTun(at: number, length: number): number {
    const packet = this.#packets.shift()
    if (!packet) return -EAGAIN
    const { bytes } = this.#arena
    bytes.fill(0, at, at + VNET_HEADER)
    bytes.set(packet.subarray(0, length - VNET_HEADER), at + VNET_HEADER)
    return VNET_HEADER + packet.length
  }

  writeTun(iovecs: number, count: number): number {
    const packet = this.#gather(iovecs, count)
    return this.#attempt(() => this.#tun.write(packet.subarray(VNET_HEADER)), packet.length)
  }

  send(messages: number, count: number): number {
    for (let i = 0; i < count; i++) {
      const message = messages + i * MESSAGE
      // No trains here.
      if (this.#arena.longs[(message + CONTROL_LENGTH) >> 2] !== 0) return i > 0 ? i : -EIO
      const { bytes, view } = this.#arena
      const name = this.#arena.pointed(message + NAME)
      const to = {
        address: formatIp(bytes.slice(name + ADDRESS, name + ADDRESS + 4)),
        port: view.getUint16(name + PORT),
      }
      const pieces = this.#arena.longs[(message + IOVEC_COUNT) >> 2]!
      const datagram = this.#gather(this.#arena.pointed(message + IOVECS), pieces)
      const result = this.#attempt(() => this.#socket.send(to, datagram), 1)
      if (result < 0) return i > 0 ? i : result
    }
    return count
  }

  /** One at a time, so that the engine has none to merge. */
  receive(message: number): number {
    const datagram = this.#datagrams.shift()
    if (!datagram) return -EAGAIN
    const { from, bytes: data } = datagram
    const { bytes, longs } = this.#arena
    const name = this.#arena.pointed(message + NAME)
    bytes.set(from.address.split('.').map(Number), name + ADDRESS)
    bytes.set(data, this.#arena.pointed(this.#arena.pointed(message + IOVECS)))
    longs[(message + CONTROL_LENGTH) >> 2] = 0
    longs[(message + LENGTH) >> 2] = data.length
    return 1
  }

  /** Out of a raw socket: the kernel chooses the source. */
  sendIcmp(at: number, length: number, address: number): number {
    const { namespace } = this.#kernel
    const destination = this.#arena.bytes.slice(address + ADDRESS, address + ADDRESS + 4)
    const network = networkOf(familyOf(destination))!
    const route = network.route(namespace, destination, undefined)
    if (typeof route === 'string') return -EIO
    const packet = newSegment(namespace, network, length)
    packet.bytes.set(this.#arena.bytes.subarray(at, at + length), packet.transport)
    namespace.model.begin(packet, 'sent')
    const { source } = route
    const refused = network.send(namespace, packet, {
      source,
      destination,
      protocol: network.icmp,
      dontFragment: false,
      route,
    })
    namespace.model.settle()
    return refused === undefined ? length : -EIO
  }

  /** What the kernel refuses counts as any error does. */
  #attempt(call: () => void, result: number): number {
    try {
      call()
      return result
    } catch (error) {
      if (!(error instanceof KernelError)) throw error
      return error.errno === 'EBADFD' ? -EBADFD : -EIO
    }
  }

  #gather(iovecs: number, count: number): Uint8Array {
    const { bytes, longs } = this.#arena
    const parts = Array.from({ length: count }, (_, i) => {
      const iovec = iovecs + i * IOVEC_SIZE
      const at = this.#arena.pointed(iovec)
      return bytes.subarray(at, at + longs[(iovec + IOVEC_LENGTH) >> 2]!)
    })
    const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
    let at = 0
    for (const part of parts) {
      whole.set(part, at)
      at += part.length
    }
    return whole
  }
}
