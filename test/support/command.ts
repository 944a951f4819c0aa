/** Runs the programs that tests ask: witnesses, and ours as a user would. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

const main = join(import.meta.dirname, '../../src/cli/main.ts')

/** The program's stdout. Throws with its stderr when it fails. */
export function run(program: string, ...args: string[]): string {
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

/** Our command line's stdout. */
export function overlab(...args: string[]): string {
  return run(process.execPath, main, ...args)
}
