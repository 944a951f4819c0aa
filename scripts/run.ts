/** Runs a program of the checkout to its end, its output going where ours goes; what it started ends with it, or when it hangs. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')

/** Process groups that are running, so that Ctrl-C ends them with us. */
const running = new Set<number>()

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    for (const group of running) endGroup(group)
    process.kill(process.pid, signal)
  })
}

/**
 * True when it ended with status 0 within `limit` milliseconds; `env` comes on top of our own environment.
 *
 * A group of its own, because a test runner's children outlive it otherwise.
 */
export async function run(
  argv: readonly string[],
  { limit, env = {} }: { readonly limit: number; readonly env?: Readonly<Record<string, string>> },
): Promise<boolean> {
  const [program, ...args] = argv
  const child = spawn(program!, args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    detached: true,
    env: { ...process.env, ...env },
  })
  const group = child.pid
  if (group !== undefined) running.add(group)
  const timer = setTimeout(() => {
    console.error(`Cannot wait for "${argv.join(' ')}" any longer: ${limit / 60_000} minutes are over`)
    if (group !== undefined) endGroup(group)
  }, limit)
  return new Promise((resolve) => {
    child.once('error', (error) => {
      console.error(`Cannot run "${program}": ${error.message}`)
      finish(false)
    })
    child.once('exit', (status) => finish(status === 0))
    function finish(succeeded: boolean) {
      clearTimeout(timer)
      if (group !== undefined) {
        running.delete(group)
        endGroup(group)
      }
      resolve(succeeded)
    }
  })
}

function endGroup(group: number): void {
  try {
    process.kill(-group, 'SIGKILL')
  } catch {
    // it has ended by itself, and all it started
  }
}
