/** A child that has our terminal, and whose end is ours. */
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:os'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * What the child ends with. Signals that ask us to end are the child's to answer, and we stay as long as it does. From a
 * terminal it hears them itself; `repeat` are those that it is told again, in case they were meant for us alone.
 */
export async function passThrough(
  child: ChildProcess,
  { repeat }: { readonly repeat: readonly NodeJS.Signals[] } = { repeat: SIGNALS },
): Promise<number> {
  const tell = (signal: NodeJS.Signals) => {
    if (repeat.includes(signal)) child.kill(signal)
  }
  for (const signal of SIGNALS) process.on(signal, tell)
  try {
    const [status, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
    return status ?? 128 + constants.signals[signal!]
  } finally {
    for (const signal of SIGNALS) process.off(signal, tell)
  }
}
