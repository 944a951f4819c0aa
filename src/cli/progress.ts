/** Steps, shown on stderr while they run: stdout stays what a script may read. */
import { setImmediate } from 'node:timers/promises'
import type { Step } from '../lab/lab.ts'
import { complain } from './output.ts'

/** Runs the steps one after the other, up to the first that throws; not one more after an interruption. */
export async function runSteps(steps: readonly Step[], signal: AbortSignal): Promise<void> {
  // A terminal that nobody has told its width says 0: every letter would be a line.
  if (process.stderr.isTTY && process.stderr.columns > 0) return runOnTerminal(steps, signal)
  for (const { title, run } of steps) {
    await runStep(run, signal)
    complain(`✔ ${title}`)
  }
}

async function runOnTerminal(steps: readonly Step[], signal: AbortSignal): Promise<void> {
  const { Listr, ListrLogger, ProcessOutput } = await import('listr2')
  const logger = new ListrLogger({ processOutput: new ProcessOutput(process.stderr, process.stderr) })
  const tasks = steps.map(({ title, run }) => ({ title, task: () => runStep(run, signal) }))
  // Where stdout is no terminal listr2 falls back, so there must be nothing else to fall back to.
  const fallback = { fallbackRenderer: 'default', fallbackRendererOptions: { logger } } as const
  // Its own answer to signals is to end the process.
  await new Listr(tasks, { rendererOptions: { logger }, ...fallback, registerSignalListeners: false }).run()
}

/** The same without a word. */
export async function runQuietly(steps: readonly Step[], signal: AbortSignal): Promise<void> {
  for (const { run } of steps) await runStep(run, signal)
}

/** A signal is heard between two turns of the event loop only, and most steps do not wait for anything. */
async function runStep(run: Step['run'], signal: AbortSignal): Promise<void> {
  try {
    await run()
  } finally {
    await setImmediate()
    signal.throwIfAborted() // also instead of a plugin's error: Ctrl-C has reached the plugin as well
  }
}
