/** Finds a plugin's executable and runs it: CNI specification, section 4 and "Execution Protocol". */

import { asObject } from '../json/json.ts'
import { parseJson } from '../json/parser.ts'
import { KernelError } from '../kernel/errors.ts'
import { CniCode, CniError, invalid } from './errors.ts'
import { statusOf } from './file.ts'
import type { FileStatus, Host, ProgramResult } from './host.ts'

/** Somebody is installing the plugin: wait for it, as Go's library does. */
const BUSY_RETRIES = 5
const BUSY_WAIT_MS = 1000

export interface PluginFile {
  readonly name: string
  readonly path: string
  readonly status: FileStatus
}

/** The first regular file of that name, in the order of the directories. CniError when there is none. */
export function findPlugin(type: string, directories: readonly string[], host: Host): PluginFile {
  if (type === '') throw invalid('Cannot find a plugin without a name: give "type"')
  if (type.includes('/')) throw invalid(`Cannot use "type" "${type}": give the plugin's name, without a path`)
  for (const directory of directories) {
    const path = `${directory || '.'}/${type}`
    const status = statusOf(path, host)
    if (status?.kind === 'file') return { name: type, path, status }
  }
  throw new CniError(
    CniCode.delegateFailed,
    `Cannot find plugin "${type}" on CNI_PATH "${directories.join(':')}": install it there, or correct "type"`,
  )
}

/** What the plugin wrote to stdout. CniError with the plugin's own code when it fails. */
export function executePlugin(
  path: string,
  environment: Readonly<Record<string, string>>,
  stdin: Uint8Array,
  host: Host,
): string {
  const answer = run(path, environment, stdin, host)
  if (answer.status === 0) return host.decode(answer.stdout)
  throw failureOf(path, answer, host)
}

function run(
  path: string,
  environment: Readonly<Record<string, string>>,
  stdin: Uint8Array,
  host: Host,
): ProgramResult {
  for (let retries = 0; ; retries++) {
    try {
      return host.run(path, [path], { environment, stdin })
    } catch (cause) {
      if (!(cause instanceof KernelError)) throw cause
      if (cause.errno !== 'ETXTBSY' || retries === BUSY_RETRIES) {
        throw new CniError(CniCode.delegateFailed, `Cannot run plugin "${path}": ${cause.message}`, { cause })
      }
      host.sleep(BUSY_WAIT_MS)
    }
  }
}

/** The plugin's own words where it printed an error object; else what is known of its end. */
function failureOf(path: string, { status, stdout, stderr }: ProgramResult, host: Host): CniError {
  const text = host.decode(stdout).trim()
  const error = readError(text)
  if (error) return error
  const end = status > 128 ? `was ended by signal ${status - 128}` : `ended with status ${status}`
  const words = text || host.decode(stderr).trim()
  const reason = words === '' ? ' and gave no reason' : `: ${words}`
  return new CniError(CniCode.delegateFailed, `Plugin "${path}" ${end}${reason}`)
}

function readError(text: string): CniError | undefined {
  try {
    const json = asObject(parseJson(text), '')
    const message = json.string('msg')
    if (!message) return undefined
    const details = json.string('details')
    return new CniError(json.integer('code') || CniCode.delegateFailed, message, details ? { details } : {})
  } catch {
    return undefined // no error object
  }
}
