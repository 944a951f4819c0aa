/**
 * Runs other plugins on behalf of this one: CNI specification, section 4.
 *
 * The plugin is looked up on CNI_PATH and executed with our own environment, the verb put in. An IPAM plugin gets the same
 * stdin byte by byte, another one a configuration of its own. Where the first hit is our own executable under another name
 * (a hard link: same device and inode), and the entry gave us that plugin, it is called in this process instead, and so are
 * those that it delegates to. It reads the same configuration and its result is told in the same version, so that nothing
 * but the time it takes tells the two ways apart.
 */

import { asObject } from '../json/json.ts'
import { parseJson } from '../json/parser.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { parseConfiguration, versionOf } from './config.ts'
import { CniCode, CniError } from './errors.ts'
import { executePlugin, findPlugin, type PluginFile } from './execute.ts'
import { sameFile, statusOf } from './file.ts'
import type { Host } from './host.ts'
import { type Invocation, perform, type Verb } from './invocation.ts'
import { requireVersion } from './parameters.ts'
import type { Attachment, CniResult, Delegate, Plugin, Surroundings } from './plugin.ts'
import { asToldIn, emptyResult, parseResult } from './result.ts'

/** What all plugins of one process share. */
export interface Process {
  /** A plugin that asks no kernel, as IPAM plugins do, needs none. */
  readonly kernel: Kernel | undefined
  readonly host: Host
  /** Those that this executable can be. */
  readonly plugins: readonly Plugin[]
}

/** What the plugin that is called so may touch. */
export function surroundingsOf(invocation: Invocation, process: Process): Surroundings {
  const { kernel, host } = process
  return {
    host,
    get kernel() {
      if (!kernel) throw new TypeError('this plugin was started without a kernel')
      return kernel
    },
    ipam: delegateOf(
      invocation,
      () => findPlugin(invocation.json.object('ipam')?.string('type') ?? '', invocation.path, host),
      process,
    ),
    delegateTo(configuration, attachment) {
      const json = parseConfiguration(parseJson(configuration, "the delegate's configuration"))
      const file = findPlugin(json.string('type') ?? '', invocation.path, host)
      const own = { ...invocation, stdin: host.encode(configuration), json }
      if (!attachment) return delegateOf(own, () => file, process)
      const other = { ...own, ...attachment, netns: '' }
      return delegateOf(other, () => file, { ...process, host: askedFor(attachment, host) })
    },
  }
}

function delegateOf(invocation: Invocation, find: () => PluginFile, process: Process): Delegate {
  const call = (verb: Verb) => delegate({ ...invocation, verb }, find(), process)
  return {
    add: () => call('ADD') ?? emptyResult,
    check: () => void call('CHECK'),
    del: () => void call('DEL'),
    status: () => void call('STATUS'),
    gc: () => void call('GC'),
  }
}

/** The host, with the environment of a call for that attachment. */
function askedFor({ containerId, ifName }: Attachment, host: Host): Host {
  const { CNI_NETNS: _, ...environment } = host.environment
  return { ...host, environment: { ...environment, CNI_CONTAINERID: containerId, CNI_IFNAME: ifName } }
}

function delegate(invocation: Invocation, file: PluginFile, process: Process): CniResult | undefined {
  const { host, plugins } = process
  const own = plugins.find(({ name }) => name === file.name)
  if (!own || !sameFile(file.status, statusOf(host.executable(), host))) return execute(file, invocation, host)
  const version = versionOf(invocation.json)
  requireVersion(invocation.verb, version, own.versions)
  const result = perform(own, invocation, surroundingsOf(invocation, process))
  return result && asToldIn(version, result)
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
