/**
 * Runs the data path of the backend udp beside everything else that the process does: in a thread of its own, on a TUN
 * device and a socket of a network namespace.
 *
 * The TUN device is persistent. Its address, MTU and routes are somebody else's to set, and to delete it too; a
 * successor that takes the same name goes on where this one ended.
 */
import { MessageChannel, Worker } from 'node:worker_threads'
import { KernelError } from '../kernel/errors.ts'
import {
  callDataPath,
  closeDataPath,
  type DataPathOptions,
  type OpenDataPath,
  openDataPath,
} from '../linux/data-path.ts'
import { Namespace } from '../linux/netns.ts'
import { COUNTERS, readCounters, type UdpCounters } from '../overlay/udp/counters.ts'
import type { Command } from '../overlay/udp/engine.ts'
import { RouteTable, type UdpRoute } from '../overlay/udp/lookup.ts'
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
  const { namespacePath = '/proc/thread-self/ns/net', tun, address, port, routes = [], onFailure } = options
  new RouteTable(routes)
  const namespace = Namespace.open(namespacePath)
  if (!namespace) throw new KernelError('ENOENT', `open network namespace "${namespacePath}"`)
  const open = openIn(namespace, { tun, address, port })

  const counts = new Float64Array(new SharedArrayBuffer(COUNTERS * Float64Array.BYTES_PER_ELEMENT))
  const { port1: ours, port2: theirs } = new MessageChannel()
  let isRunning = true
  const tell = (command: Command) => {
    if (!isRunning) return
    ours.postMessage(command)
    callDataPath(open)
  }
  // A thread that waits in a system call would keep the process from ending.
  const stopNow = () => tell({ kind: 'stop' })
  process.on('exit', stopNow)

  const workerData: WorkerData = { open, port, commands: theirs, counts }
  const worker = new Worker(WORKER, { name: 'overlab udp', workerData, transferList: [theirs] })
  const ready = new Promise<void>((resolve, reject) => {
    worker.once('message', () => {
      worker.unref() // alone it is no reason for the process to stay
      resolve()
    })
    worker.on('error', (error) => {
      reject(error)
      onFailure?.(error)
    })
    worker.once('exit', () => reject(new Error('Cannot wait for the data path: it has been stopped')))
  })
  ready.catch(() => {}) // `onFailure` is told, and not everybody waits
  const ended = new Promise<void>((resolve) => {
    worker.once('exit', () => {
      isRunning = false
      process.off('exit', stopNow)
      ours.close()
      closeDataPath(open)
      resolve()
    })
  })
  ours.unref()
  tell({ kind: 'routes', routes })

  return {
    ready,
    setRoutes(next) {
      new RouteTable(next)
      tell({ kind: 'routes', routes: next })
    },
    counters: () => readCounters(counts),
    async stop() {
      worker.ref()
      stopNow()
      await ended
    },
  }
}

function openIn(namespace: Namespace, options: DataPathOptions): OpenDataPath {
  try {
    return openDataPath(options, namespace)
  } finally {
    namespace.close()
  }
}
