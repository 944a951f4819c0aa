/**
 * `npm start`: builds the executables, then brings the default lab up, shows it, lets every pod ping every other, and takes it down.
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')

// Ctrl-C reaches the program that is running, too; we stay to take the lab down.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {})

if (node('scripts/build.ts')) {
  const worked = overlab('lab', 'up') && overlab('lab', 'ping')
  const cleaned = overlab('lab', 'down')
  process.exitCode = worked && cleaned ? 0 : 1
} else {
  process.exitCode = 1
}

function overlab(...args: string[]): boolean {
  console.log(`\n$ overlab ${args.join(' ')}`)
  return node('src/cli/main.ts', ...args)
}

function node(script: string, ...args: string[]): boolean {
  return spawnSync(process.execPath, [join(root, script), ...args], { cwd: root, stdio: 'inherit' }).status === 0
}
