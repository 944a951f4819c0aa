/** Runs the command line from its source, as a user would. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

export const MAIN = join(import.meta.dirname, '../../src/cli/main.ts')

export interface Ended {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

export function overlab(argv: readonly string[], environment: Readonly<Record<string, string>> = {}): Ended {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...argv], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH, ...environment },
  })
  return { status, stdout, stderr }
}
