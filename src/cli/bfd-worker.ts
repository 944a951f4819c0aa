/** The thread of BFD: sessions, sockets and a clock, and nothing else that could be late. bfd-thread.ts is at the other end. */
import { parentPort, workerData } from 'node:worker_threads'
import { Bfd, type BfdTarget, type BfdWatch } from '../bfd/bfd.ts'
import type { BfdSettings } from '../bfd/session.ts'
import { liveLinux } from '../linux/live.ts'
import { steadyClock } from '../store/system-clock.ts'
import type { BfdState } from '../wire/bfd.ts'

export interface BfdWorkerData {
  /** Becomes 1 at the end: no thread is in a system call any more. */
  readonly ended: Int32Array
}

export type BfdCommand =
  | { readonly kind: 'start'; readonly id: number; readonly target: BfdTarget; readonly settings: BfdSettings }
  | { readonly kind: 'change'; readonly id: number; readonly settings: BfdSettings }
  | { readonly kind: 'close'; readonly id: number }
  | { readonly kind: 'end' }

export type BfdReport =
  | { readonly kind: 'state'; readonly id: number; readonly state: BfdState }
  | { readonly kind: 'up'; readonly id: number }
  | { readonly kind: 'down'; readonly id: number; readonly why: string }
  | { readonly kind: 'log'; readonly text: string }

const port = parentPort!
const { ended } = workerData as BfdWorkerData
const report = (told: BfdReport) => port.postMessage(told)
const kernel = liveLinux()
const bfd = new Bfd({
  sockets: kernel.sockets,
  clock: steadyClock,
  random: Math.random,
  log: (text) => report({ kind: 'log', text }),
})
const watches = new Map<number, BfdWatch>()

port.on('message', (command: BfdCommand) => {
  try {
    carryOut(command)
  } catch (error) {
    // What is set for one neighbour must not cost the others their sessions.
    report({ kind: 'log', text: `BFD: ${(error as Error).message}` })
  }
})

process.on('exit', () => {
  Atomics.store(ended, 0, 1)
  Atomics.notify(ended, 0)
})

function carryOut(command: BfdCommand): void {
  switch (command.kind) {
    case 'start':
      start(command.id, command.target, command.settings)
      break
    case 'change':
      watches.get(command.id)?.change(command.settings)
      break
    case 'close':
      watches.get(command.id)?.close()
      watches.delete(command.id)
      break
    case 'end':
      bfd.close()
      kernel.close()
      port.close()
      break
  }
}

function start(id: number, target: BfdTarget, settings: BfdSettings): void {
  const watch = bfd.start(target, settings, {
    up: () => report({ kind: 'up', id }),
    down: (why) => report({ kind: 'down', id, why }),
    changed: (state) => report({ kind: 'state', id, state }),
  })
  watches.set(id, watch)
}
