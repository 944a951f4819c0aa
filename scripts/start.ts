/** `npm start`: builds the executables, then brings a lab up, shows it, lets every pod ping every other, and takes it down. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { passThrough } from '../src/cli/child.ts'

const root = join(import.meta.dirname, '..')

process.exitCode = (await node('scripts/build.ts')) || (await node('src/cli/main.ts', 'lab', 'demo'))

/** The script's exit status. */
function node(script: string, ...args: string[]): Promise<number> {
  return passThrough(spawn(process.execPath, [join(root, script), ...args], { cwd: root, stdio: 'inherit' }))
}
