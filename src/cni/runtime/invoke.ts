/** One plugin, executed: CNI specification 1.1, section "Execution Protocol". */
import { CniCode, CniError } from '../errors.ts'
import type { Host, ProgramResult } from '../host.ts'
import { formatJson, isMap, type JsonMap, parseJson } from './json.ts'

export type Verb = 'ADD' | 'CHECK' | 'DEL' | 'GC' | 'STATUS'

export interface Invocation {
  readonly type: string
  readonly verb: Verb
  /** CNI_… beside CNI_COMMAND and CNI_PATH. */
  readonly variables: Readonly<Record<string, string>>
  readonly config: JsonMap
}

/** What the plugin wrote to stdout. CniError with the plugin's own code when it fails. `directories` are CNI_PATH. */
export function invoke(
  { type, verb, variables, config }: Invocation,
  directories: readonly string[],
  host: Host,
): string {
  const path = findPlugin(type, directories, host)
  const environment = { ...host.environment, ...variables, CNI_COMMAND: verb, CNI_PATH: directories.join(':') }
  const program = host.run(path, [path], { environment, stdin: host.encode(formatJson(config)) })
  if (program.status !== 0) throw failure(type, program, host)
  return host.decode(program.stdout)
}

/** The first regular file of that name, in the order of the directories. */
function findPlugin(type: string, directories: readonly string[], { files }: Host): string {
  if (type.includes('/')) throw new CniError(CniCode.invalidConfig, `Cannot run plugin "${type}": its name has a slash`)
  const found = directories
    .map((directory) => `${directory}/${type}`)
    .find((path) => files.status(path)?.kind === 'file')
  if (found) return found
  throw new CniError(
    CniCode.invalidConfig,
    `Cannot find plugin "${type}" in ${directories.map((d) => `"${d}"`).join(', ')}`,
  )
}

/** The plugin's error object, under its name; whatever it left unsaid is said for it. */
function failure(type: string, { status, stdout }: ProgramResult, host: Host): CniError {
  const said = readErrorObject(host.decode(stdout))
  const { code, msg, details } = said ?? {}
  const text = typeof msg === 'string' ? msg : `ended with status ${status} and gave no reason`
  return new CniError(typeof code === 'number' ? code : CniCode.delegateFailed, `${type}: ${text}`, {
    ...(typeof details === 'string' && details !== '' ? { details } : {}),
  })
}

function readErrorObject(text: string): JsonMap | undefined {
  try {
    const json = parseJson(text)
    return isMap(json) ? json : undefined
  } catch {
    return undefined // the caller says that there was none
  }
}
