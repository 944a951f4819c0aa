/**
 * CNI_ARGS: `KEY=VALUE;KEY=VALUE`, what the runtime says of one container. The specification calls it deprecated in
 * favour of the configuration's `args`; Kubernetes always sends it.
 */
import { CniCode, CniError } from './errors.ts'

const TRUE = ['1', 'true']
const FALSE = ['0', 'false']

/** Keys that the plugin gave a meaning, with their values. */
export type CniArgs = Readonly<Record<string, string>>

/**
 * The values of the keys that the plugin knows; of several for one key the last counts. CniError (invalid environment)
 * for another key, unless `IgnoreUnknown=1` is among the pairs, and for what is not exactly one key and one value.
 */
export function parseArgs(text: string, known: readonly string[]): CniArgs {
  const args: Record<string, string> = {}
  const unknown: string[] = []
  let ignoreUnknown = false
  for (const pair of text === '' ? [] : text.split(';')) {
    const [key, value, ...more] = pair.split('=')
    if (key === undefined || value === undefined || more.length > 0) {
      throw unusable(`"${pair}" in it is no pair, write KEY=VALUE;KEY=VALUE`)
    }
    if (key === 'IgnoreUnknown') ignoreUnknown = parseBoolean(value)
    else if (known.includes(key)) args[key] = value
    else unknown.push(pair)
  }
  if (unknown.length > 0 && !ignoreUnknown) {
    throw unusable(
      `unknown "${unknown.join('", "')}" in it; add IgnoreUnknown=1 to pass over what a plugin does not know`,
    )
  }
  return args
}

/** How a plugin refuses CNI_ARGS, or a value in it. */
export function unusable(reason: string): CniError {
  return new CniError(CniCode.invalidEnvironment, `Cannot use CNI_ARGS: ${reason}`)
}

function parseBoolean(text: string): boolean {
  const word = text.toLowerCase()
  if (TRUE.includes(word)) return true
  if (FALSE.includes(word)) return false
  throw unusable(`IgnoreUnknown is "${text}", give 1 or 0`)
}
