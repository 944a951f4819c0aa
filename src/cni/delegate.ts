/**
 * Runs the configuration's IPAM plugin on behalf of this one: CNI specification, section 4.
 *
 * The plugin is looked up on CNI_PATH and executed with our own environment, the verb put in, and the same stdin byte by
 * byte. Where the first hit is our own executable under another name (a hard link: same device and inode), and the entry
 * gave us that plugin, it is called in this process instead. It reads the same configuration and its result is told in the
 * same version, so that nothing but the time it takes tells the two ways apart.
 */

import { asObject } from '../json/json.ts'
import { parseJson } from '../json/parser.ts'
import { versionOf } from './config.ts'
import { CniCode, CniError } from './errors.ts'
import { executePlugin, findPlugin, type PluginFile } from './execute.ts'
import { sameFile, statusOf } from './file.ts'
import type { Host } from './host.ts'
import { type Invocation, perform, type Verb } from './invocation.ts'
import type { CniResult, Ipam, Plugin, Surroundings } from './plugin.ts'
import { asToldIn, emptyResult, parseResult } from './result.ts'

/** `plugins` are those that this executable can be; `surroundings` is what they get. */
export function ipamOf(invocation: Invocation, plugins: readonly Plugin[], surroundings: () => Surroundings): Ipam {
  const call = (verb: Verb) => delegate({ ...invocation, verb }, plugins, surroundings())
  return {
    add: () => call('ADD') ?? emptyResult,
    check: () => void call('CHECK'),
    del: () => void call('DEL'),
    status: () => void call('STATUS'),
    gc: () => void call('GC'),
  }
}

function delegate(
  invocation: Invocation,
  plugins: readonly Plugin[],
  surroundings: Surroundings,
): CniResult | undefined {
  const { host } = surroundings
  const type = invocation.json.object('ipam')?.string('type') ?? ''
  const file = findPlugin(type, invocation.path, host)
  const own = plugins.find(({ name }) => name === type)
  if (!own || !sameFile(file.status, statusOf(host.executable(), host))) return execute(file, invocation, host)
  const result = perform(own, invocation, surroundings)
  return result && asToldIn(versionOf(invocation.json), result)
}

function execute({ path }: PluginFile, { verb, stdin, json }: Invocation, host: Host): CniResult | undefined {
  const output = executePlugin(path, { ...host.environment, CNI_COMMAND: verb }, stdin, host)
  if (verb !== 'ADD') return undefined
  try {
    return parseResult(asObject(parseJson(output), ''), versionOf(json))
  } catch (cause) {
    const { message } = cause as Error
    throw new CniError(CniCode.delegateFailed, `Cannot use the result of plugin "${path}": ${message}`, { cause })
  }
}
