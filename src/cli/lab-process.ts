/**
 * Processes of a lab on the real kernel that run in a node's namespace and outlive the command that starts them. A file in the
 * node's directory says which they are, another what they said.
 */
import { spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import type { ProcessIdentity } from '../lab/machine.ts'
import { host } from '../linux/host.ts'
import { inNamespace, processes, startOf } from './processes.ts'

/** Lines. */
const WORDS = 10
/** Milliseconds that a killed process has to be gone, and between looks whether it is. */
const PATIENCE = 10_000
const LOOK_AGAIN = 5

export interface NodeProcesses {
  /** Comes back when all have begun. */
  start(namespacePath: string, commands: readonly NodeCommand[], environment: NodeJS.ProcessEnv): void
  /** As kill -9 does: when it comes back, there are none. Succeeds twice. */
  kill(): void
  /** All of them; false where none was ever started. */
  readonly areAlive: boolean
  readonly lastWords: readonly string[]
}

export type NodeCommand = readonly [program: string, argv: readonly string[]]

/** `name` is that of the files: `daemon.json`, `daemon.log`. */
export function nodeProcesses(directory: string, name: string): NodeProcesses {
  const identityFile = `${directory}/${name}.json`
  const logFile = `${directory}/${name}.log`
  const identities = (): readonly ProcessIdentity[] => {
    const text = host.files.read(identityFile)
    return text === undefined ? [] : [JSON.parse(text)].flat()
  }
  return {
    start(namespacePath, commands, env) {
      const log = openSync(logFile, 'a', 0o644)
      const begun: ProcessIdentity[] = []
      try {
        for (const [program, argv] of commands) {
          const child = inNamespace(namespacePath, () =>
            spawn(program, argv, { detached: true, stdio: ['ignore', 'ignore', log], env }),
          )
          child.unref()
          const id = child.pid!
          begun.push({ id, started: startOf(id) ?? '' })
          host.files.replace(identityFile, `${JSON.stringify(begun.length > 1 ? begun : begun[0])}\n`, 0o644)
        }
      } finally {
        closeSync(log)
      }
    },

    kill() {
      const start = host.monotonic()
      const alive = () => identities().filter((each) => processes.isAlive(each))
      for (let left = alive(); left.length > 0 && host.monotonic() - start < PATIENCE; left = alive()) {
        for (const { id } of left) processes.end(id, 'SIGKILL')
        host.sleep(LOOK_AGAIN)
      }
    },

    get areAlive() {
      const all = identities()
      return all.length > 0 && all.every((each) => processes.isAlive(each))
    },

    get lastWords() {
      return host.files.read(logFile)?.split('\n').filter(Boolean).slice(-WORDS) ?? []
    },
  }
}
