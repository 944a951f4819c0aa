/**
 * BFD beside a speaker that is busy at times: in a thread of its own, which begins with the first session.
 *
 *   speaker ── start, close ──> this ── commands ──> bfd-worker.ts ── packets ──> neighbours
 *           <── up, down ──────      <── reports ───
 *
 * The thread waits in epoll_wait, and no process ends while one is there: so it is told the end, and waited for.
 */
import { Worker } from 'node:worker_threads'
// A thread that has koffi for itself alone takes it away at its end, and what koffi has still to close there is called in vain.
import '../linux/sys.live.ts'
import type { BfdTarget } from '../bfd/bfd.ts'
import type { BfdEvents, BfdSettings } from '../bfd/session.ts'
import type { BfdState } from '../wire/bfd.ts'
import type { BfdCommand, BfdReport, BfdWorkerData } from './bfd-worker.ts'

export interface BfdThreadWatch {
  readonly state: BfdState
  /** Other settings for the same session, which stays up. */
  change(settings: BfdSettings): void
  /** Nothing is told any more; the neighbour is told AdminDown. */
  close(): void
}

interface Watched {
  readonly events: BfdEvents
  state: BfdState
}

/** In the sources and in what is built of them, the worker lies beside this file and its kind. */
const WORKER = new URL(`bfd-worker${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url)
/** Milliseconds that its end is waited for. */
const LONGEST_END = 1000

export class BfdThread {
  readonly #log: (text: string) => void
  readonly #ended = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
  readonly #watched = new Map<number, Watched>()
  #worker: Worker | undefined
  #lastId = 0
  readonly #endAtExit = () => this.close()

  constructor(log: (text: string) => void) {
    this.#log = log
  }

  readonly start = (target: BfdTarget, settings: BfdSettings, events: BfdEvents): BfdThreadWatch => {
    const id = ++this.#lastId
    const watched: Watched = { events, state: 'Down' }
    this.#watched.set(id, watched)
    this.#tell({ kind: 'start', id, target, settings })
    return {
      get state() {
        return watched.state
      },
      change: (changed) => this.#tell({ kind: 'change', id, settings: changed }),
      close: () => {
        if (this.#watched.delete(id)) this.#tell({ kind: 'close', id })
      },
    }
  }

  /** Every neighbour has been told AdminDown when it comes back. */
  close(): void {
    if (!this.#worker) return
    this.#tell({ kind: 'end' })
    Atomics.wait(this.#ended, 0, 0, LONGEST_END)
    this.#forget()
  }

  #tell(command: BfdCommand): void {
    this.#worker ??= this.#begin()
    this.#worker.postMessage(command)
  }

  #begin(): Worker {
    const workerData: BfdWorkerData = { ended: this.#ended }
    Atomics.store(this.#ended, 0, 0)
    const worker = new Worker(WORKER, { name: 'overlab bfd', workerData })
    worker.on('message', (report: BfdReport) => this.#hear(report))
    worker.once('online', () => worker.unref()) // alone it is no reason for the process to stay
    worker.on('error', (error) => {
      this.#log(`BFD has ended, nobody is watched by it any more: ${error.message}`)
      this.#forget()
    })
    process.on('exit', this.#endAtExit)
    return worker
  }

  #hear(report: BfdReport): void {
    if (report.kind === 'log') {
      this.#log(report.text)
      return
    }
    const watched = this.#watched.get(report.id)
    if (!watched) return
    if (report.kind === 'state') {
      watched.state = report.state
      watched.events.changed?.(report.state)
    } else if (report.kind === 'up') watched.events.up()
    else watched.events.down(report.why)
  }

  #forget(): void {
    process.off('exit', this.#endAtExit)
    this.#worker = undefined
    for (const watched of this.#watched.values()) watched.state = 'Down'
    this.#watched.clear()
  }
}
