/**
 * The runtime's side of CNI: what containerd, CRI-O and podman do with a network configuration list. Behaves as libcni,
 * which all of them use; CNI specification 1.1, sections "Execution of Network Configurations" and "Container Network
 * Interface lifecycle".
 *
 *   ADD     first plugin ──result──> second, as prevResult ──> … ──> the cache
 *   CHECK   in the same order, each with the cached result as prevResult
 *   DEL     in reverse, likewise; then the cache forgets the attachment
 *   GC      DEL for every cached attachment that is not valid, then GC to each plugin
 *   STATUS  in order, up to the first that says no
 *
 * Programs, files and the environment come in as `host`, so one host may run its programs in a node's namespace and
 * another be none at all. `overlab cni` and the lab both stand on this.
 */
import { isName } from '../config.ts'
import { CniCode, CniError } from '../errors.ts'
import { executePlugin, findPlugin } from '../execute.ts'
import type { Host } from '../host.ts'
import type { Verb } from '../invocation.ts'
import type { Attachment } from '../plugin.ts'
import { compareVersions } from '../version.ts'
import { type CachedAttachment, resultCache } from './cache.ts'
import { formatJson, isMap, type Json, type JsonMap, parseJson } from './json.ts'
import type { NetworkList, PluginConfig } from './network.ts'

export interface Runtime {
  readonly host: Host
  /** CNI_PATH: where plugins are looked for, in this order. */
  readonly pluginDirectories: readonly string[]
  readonly cacheDirectory: string
}

export interface AttachmentRequest extends Attachment {
  /** Path of the container's namespace; empty for DEL when it is not known any more. */
  readonly netns: string
  /** CNI_ARGS, pair by pair. */
  readonly args: readonly (readonly [string, string])[]
  /** By capability, such as `portMappings`; each plugin gets those that it declares, as runtimeConfig. */
  readonly capabilityArgs: JsonMap
}

/**
 * Attaches the container and answers the last plugin's result. When a plugin fails, everything is taken back by DEL:
 * libcni leaves that to its callers, and all of them do it.
 */
export function addNetwork(list: NetworkList, request: AttachmentRequest, runtime: Runtime): JsonMap {
  requireNames(list, request)
  const cache = resultCache(runtime.cacheDirectory, runtime.host)
  if (cache.get(list.name, request)) {
    // The specification forbids a second ADD without a DEL between; and taking it back would undo the first.
    throw new CniError(
      CniCode.conflict,
      `Cannot add ${nameOf(request)} to "${list.name}": it is attached already; DEL it first`,
    )
  }

  let result: JsonMap | undefined
  try {
    for (const plugin of list.plugins) {
      const output = invokeFor(request, 'ADD', configFor(plugin, list, request, result), runtime)
      result = parseResult(output, plugin, list)
    }
    cache.set({ ...request, network: list.name, config: list.text, result: result! })
  } catch (error) {
    takeBack(list, request, runtime)
    throw error
  }
  return result!
}

export function checkNetwork(list: NetworkList, request: AttachmentRequest, runtime: Runtime): void {
  requireNames(list, request)
  if (!atLeast(list, '0.4.0')) {
    throw new CniError(CniCode.incompatibleVersion, `Cannot check "${list.name}": CNI ${list.cniVersion} has no CHECK`)
  }
  if (list.disableCheck) return
  const cached = resultCache(runtime.cacheDirectory, runtime.host).get(list.name, request)
  if (!cached) {
    throw new CniError(
      CniCode.unknownContainer,
      `Cannot check ${nameOf(request)}: "${list.name}" has no result of its ADD`,
    )
  }
  for (const plugin of list.plugins) {
    invokeFor(request, 'CHECK', configFor(plugin, list, request, cached.result), runtime)
  }
}

/** Succeeds twice. At the first plugin that fails it ends, with the attachment still in the cache, to be tried again. */
export function deleteNetwork(list: NetworkList, request: AttachmentRequest, runtime: Runtime): void {
  requireNames(list, request)
  const cache = resultCache(runtime.cacheDirectory, runtime.host)
  const cached = atLeast(list, '0.4.0') ? cache.get(list.name, request) : undefined // DEL has had a prevResult since then
  for (const plugin of list.plugins.toReversed()) {
    invokeFor(request, 'DEL', configFor(plugin, list, request, cached?.result), runtime)
  }
  cache.delete(list.name, request)
}

/** `valid` live on; whatever the network has of others goes. Goes on past errors and throws them together. */
export function collectGarbage(list: NetworkList, valid: readonly Attachment[], runtime: Runtime): void {
  if (list.disableGc) return
  const errors: unknown[] = []
  const attempt = (step: () => void) => {
    try {
      step()
    } catch (error) {
      errors.push(error)
    }
  }

  const isValid = (cached: CachedAttachment) =>
    valid.some(({ containerId, ifName }) => containerId === cached.containerId && ifName === cached.ifName)
  for (const cached of resultCache(runtime.cacheDirectory, runtime.host).list()) {
    if (cached.network === list.name && !isValid(cached)) attempt(() => deleteNetwork(list, cached, runtime))
  }

  if (atLeast(list, '1.1.0')) {
    const attachments = valid.map(({ containerId, ifName }) => ({ containerID: containerId, ifname: ifName }))
    // The second key is what libcni sent before cni#1101, and sends still.
    const keys = { 'cni.dev/valid-attachments': attachments, 'cni.dev/attachments': attachments }
    for (const plugin of list.plugins) {
      attempt(() =>
        invoke({ ...plugin, json: { ...configFor(plugin, list).json, ...keys } }, runtime, { CNI_COMMAND: 'GC' }),
      )
    }
  }
  throwTogether(errors)
}

/** CniError of the first plugin that could not serve an ADD now. */
export function requireReady(list: NetworkList, runtime: Runtime): void {
  if (!atLeast(list, '1.1.0')) return
  for (const plugin of list.plugins) invoke(configFor(plugin, list), runtime, { CNI_COMMAND: 'STATUS' })
}

/** They become part of a path. */
function requireNames({ name }: NetworkList, { containerId, ifName }: Attachment): void {
  if (!isName(name)) throw badName('network', name)
  if (!isName(containerId)) throw badName('container id', containerId)
  if (!isInterfaceName(ifName)) throw badName('interface', ifName)
}

const badName = (what: string, name: string) =>
  new CniError(CniCode.invalidEnvironment, `Cannot use "${name}" as ${what}: CNI does not allow this name`)

/** The kernel's rule: dev_valid_name(), net/core/dev.c. */
export function isInterfaceName(name: string): boolean {
  return /^(?!\.{1,2}$)[^/:\s]{1,15}$/.test(name)
}

const nameOf = ({ containerId, ifName }: Attachment) => `"${ifName}" of "${containerId}"`

const atLeast = ({ cniVersion }: NetworkList, version: string) => compareVersions(cniVersion, version) >= 0

/** A plugin's configuration as it goes to stdin: section "Deriving request configuration from plugin configuration". */
function configFor(
  plugin: PluginConfig,
  { name, cniVersion }: NetworkList,
  request?: AttachmentRequest,
  prevResult?: JsonMap,
): PluginConfig {
  const { capabilities: _, ...own } = plugin.json // "must not be in the request"; libcni leaves it in
  const json: Record<string, Json> = { ...own, name, cniVersion }
  if (prevResult) json.prevResult = prevResult
  const given = plugin.capabilities.filter((capability) => request && capability in request.capabilityArgs)
  if (request && given.length > 0) {
    json.runtimeConfig = Object.fromEntries(
      given.map((capability) => [capability, request.capabilityArgs[capability]!]),
    )
  }
  return { ...plugin, json }
}

function invokeFor(request: AttachmentRequest, verb: Verb, plugin: PluginConfig, runtime: Runtime): string {
  return invoke(plugin, runtime, {
    CNI_COMMAND: verb,
    CNI_CONTAINERID: request.containerId,
    CNI_NETNS: request.netns,
    CNI_IFNAME: request.ifName,
    CNI_ARGS: request.args.map(([key, value]) => `${key}=${value}`).join(';'),
  })
}

/** What the plugin answers. Whatever it says is wrong is said under its name: there may be several. */
function invoke({ type, json }: PluginConfig, runtime: Runtime, variables: Readonly<Record<string, string>>): string {
  const { host, pluginDirectories } = runtime
  const { path } = findPlugin(type, pluginDirectories, host)
  const environment = { ...host.environment, ...variables, CNI_PATH: pluginDirectories.join(':') }
  try {
    return executePlugin(path, environment, host.encode(formatJson(json)), host)
  } catch (cause) {
    if (!(cause instanceof CniError)) throw cause
    const { code, message, details } = cause
    throw new CniError(code, `${type}: ${message}`, { cause, ...(details && { details }) })
  }
}

/** A result that names no version is of the configuration's. */
function parseResult(output: string, { type }: PluginConfig, { cniVersion }: NetworkList): JsonMap {
  let result: Json
  try {
    result = parseJson(output)
  } catch (cause) {
    throw new CniError(CniCode.decodingFailure, `Cannot read the result of plugin "${type}": it is not JSON`, { cause })
  }
  if (!isMap(result))
    throw new CniError(CniCode.decodingFailure, `Cannot read the result of plugin "${type}": it is no object`)
  return { cniVersion, ...result }
}

function takeBack(list: NetworkList, request: AttachmentRequest, runtime: Runtime): void {
  try {
    deleteNetwork(list, request, runtime)
  } catch {} // what made ADD fail is the one to report
}

function throwTogether(errors: readonly unknown[]): void {
  if (errors.length <= 1) {
    for (const error of errors) throw error
    return
  }
  const messages = errors.map((error) => (error as Error).message)
  const code = errors.find((error) => error instanceof CniError)?.code ?? CniCode.failed
  throw new CniError(code, messages.join('; '), { cause: new AggregateError(errors) })
}
