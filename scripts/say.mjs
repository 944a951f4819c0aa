/** What set-up says, on stderr: stdout belongs to the command that asked for it. */
import { spawnSync } from 'node:child_process'

/** @param {string} line */
export function say(line) {
  process.stderr.write(`overlab: ${line}\n`)
}

/**
 * Runs a program quietly; its output is shown only when it fails.
 *
 * @param {string} program
 * @param {string[]} args
 * @param {{ cwd?: string, env?: Record<string, string | undefined> }} [options]
 * @returns {boolean} whether it succeeded
 */
export function runQuietly(program, args, options = {}) {
  const result = spawnSync(program, args, {
    ...options,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  if (result.status === 0) return true
  const why = result.error ? result.error.message : `status ${result.status}`
  say(`Cannot run "${[program, ...args].join(' ')}": ${why}`)
  process.stderr.write(`${result.stdout || ''}${result.stderr || ''}`)
  return false
}
