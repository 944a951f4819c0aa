/**
 * `npm start`: builds the executables, then brings a lab up on VXLAN, shows it, lets every pod ping every other, traces a packet
 * between nodes, and takes the lab down.
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { passThrough } from '../src/cli/child.ts'

const root = join(import.meta.dirname, '..')

process.exitCode =
  (await node('scripts/build.ts')) || (await node('src/cli/main.ts', 'lab', 'demo', '--backend', 'vxlan'))

/** The script's exit status. */
function node(script: string, ...args: string[]): Promise<number> {
  return passThrough(spawn(process.execPath, [join(root, script), ...args], { cwd: root, stdio: 'inherit' }))
}
