/** Ctrl-C as something that is tidied up after, not as a sudden end. */
import type { Machine } from '../lab/machine.ts'
import { CommandError, Exit } from './exit.ts'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * Runs `body` with a signal that aborts when somebody wants the process to end; the process then lives until `body` has
 * ended. Asking again does not make it faster: half a clean-up is none.
 */
export async function interruptible<T>(body: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController()
  const abort = () => controller.abort(new CommandError(Exit.interrupted, 'Interrupted; nothing is left behind'))
  for (const signal of SIGNALS) process.on(signal, abort)
  try {
    return await body(controller.signal)
  } finally {
    for (const signal of SIGNALS) process.off(signal, abort)
  }
}

/** `promise`, or the interruption if that comes first. */
export function unlessInterrupted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return Promise.race([
    promise,
    new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    }),
  ])
}

/** Waits no longer than until somebody wants the process to end. */
export function abortable(machine: Machine, signal: AbortSignal): Machine {
  return {
    ...machine,
    async until(done, milliseconds) {
      const answer = await machine.until(() => signal.aborted || done(), milliseconds)
      signal.throwIfAborted()
      return answer
    },
  }
}
