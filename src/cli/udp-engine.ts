/**
 * Runs the data path of the backend udp beside everything else that the process does: in a thread of its own, on a TUN
 * device and a socket of a network namespace.
 *
 * The TUN device is persistent. Its address, MTU and routes are somebody else's to set, and to delete it too; a
 * successor that takes the same name goes on where this one ended.
 */
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import { KernelError } from '../kernel/errors.ts'
import { callDataPath, closeDataPath, type OpenDataPath, openDataPath } from '../linux/data-path.ts'
import { Namespace } from '../linux/netns.ts'
import { COUNTERS, readCounters, type UdpCounters } from '../overlay/udp/counters.ts'
import type { Command } from '../overlay/udp/engine.ts'
import { encodeRoutes, type UdpRoute } from '../overlay/udp/lookup.ts'
import type { WorkerData } from './udp-worker.ts'

export interface UdpEngineOptions {
  /** Where the TUN device and the socket are: `/run/netns/node1`. The process's own where left out. */
  readonly namespacePath?: string
  /** Name of the TUN device; made where it is not there. */
  readonly tun: string
  /** Address of this node that others send to. */
  readonly address: string
  /** Of every node. */
  readonly port: number
  readonly routes?: readonly UdpRoute[]
  /** Called when the data path has ended by itself: the TUN device was deleted. */
  readonly onFailure?: (error: Error) => void
}

export interface UdpEngine {
  /** When the thread has begun; what came before that waits in the queues. Rejected when it cannot begin. */
  readonly ready: Promise<void>
  /** From now on these routes and no others. RangeError for a route that is not IPv4; then all stay as they were. */
  setRoutes(routes: readonly UdpRoute[]): void
  counters(): UdpCounters
  /** Comes back when the thread has ended and the descriptors are closed. The TUN device stays. */
  stop(): Promise<void>
}

/** In the sources and in what is built of them, the worker lies beside this file and its kind. */
const WORKER = new URL(`udp-worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url)

/**
 * KernelError EBUSY when another process has the TUN device, EADDRINUSE the port, EADDRNOTAVAIL when the address is not
 * here.
 */
export function startUdpEngine(options: UdpEngineOptions): UdpEngine {
  const { namespacePath, tun, address, port, routes = [], onFailure } = options
  encodeRoutes(routes) // what is not IPv4 is thrown before anything is opened
  // Nobody needs to enter his own, for which CAP_SYS_ADMIN would be needed.
  const namespace = namespacePath === undefined ? new Namespace('/proc/self/ns/net') : Namespace.open(namespacePath)
  if (!namespace) throw new KernelError('ENOENT', `open network namespace "${namespacePath}"`)
  try {
    const engine = new UdpThread(openDataPath({ tun, address, port }, namespace), port, onFailure)
    engine.setRoutes(routes)
    return engine
  } finally {
    namespace.close()
  }
}

class UdpThread implements UdpEngine {
  readonly ready: Promise<void>
  readonly #open: OpenDataPath
  readonly #worker: Worker
  readonly #commands: MessagePort
  readonly #counts = new Float64Array(new SharedArrayBuffer(COUNTERS * Float64Array.BYTES_PER_ELEMENT))
  readonly #ended: Promise<void>
  #isRunning = true
  // A thread that waits in a system call would keep the process from ending.
  readonly #stopAtExit = () => this.#tell({ kind: 'stop' })

  constructor(open: OpenDataPath, port: number, onFailure: ((error: Error) => void) | undefined) {
    this.#open = open
    const { port1: ours, port2: theirs } = new MessageChannel()
    this.#commands = ours
    const workerData: WorkerData = { open, port, commands: theirs, counts: this.#counts }
    this.#worker = new Worker(WORKER, { name: 'overlab udp', workerData, transferList: [theirs] })
    ours.unref()
    process.on('exit', this.#stopAtExit)
    if (onFailure) this.#worker.on('error', onFailure)
    this.ready = new Promise((resolve, reject) => {
      this.#worker.once('message', () => {
        this.#worker.unref() // alone it is no reason for the process to stay
        resolve()
      })
      this.#worker.once('error', reject)
      this.#worker.once('exit', () => reject(new Error('Cannot wait for the data path: it has been stopped')))
    })
    this.ready.catch(() => {}) // `onFailure` is told, and not everybody waits
    this.#ended = new Promise((resolve) => {
      this.#worker.once('exit', () => {
        this.#clean()
        resolve()
      })
    })
  }

  setRoutes(routes: readonly UdpRoute[]): void {
    // What is not IPv4 is thrown here: the worker could tell nobody.
    this.#tell({ kind: 'routes', routes: encodeRoutes(routes) })
  }

  counters(): UdpCounters {
    return readCounters(this.#counts)
  }

  async stop(): Promise<void> {
    this.#worker.ref()
    this.#tell({ kind: 'stop' })
    await this.#ended
  }

  #tell(command: Command): void {
    if (!this.#isRunning) return
    this.#commands.postMessage(command)
    callDataPath(this.#open)
  }

  #clean(): void {
    this.#isRunning = false
    process.off('exit', this.#stopAtExit)
    this.#commands.close()
    closeDataPath(this.#open)
  }
}
