/**
 * Network configuration lists: what an administrator puts into /etc/cni/net.d, and which of them a network's name means.
 * CNI specification 1.1, section "Configuration format"; where files lie and which wins, as libcni has it:
 *
 *   *.conflist                   a list; the first by file name whose "name" is asked for
 *   <network name>/*.conf        more plugins of that list, behind its own, unless "loadOnlyInlinedPlugins"
 *   *.conf, *.json               one plugin's configuration: a list of one, asked after all lists
 */
import { CniCode, CniError, invalid } from '../errors.ts'
import type { Files } from '../host.ts'
import { compareVersions, newestVersion, unnamedVersion } from '../version.ts'
import { formatJson, isMap, type Json, type JsonMap, parseJson } from './json.ts'

export interface NetworkList {
  readonly name: string
  readonly cniVersion: string
  readonly disableCheck: boolean
  readonly disableGc: boolean
  /** At least one. */
  readonly plugins: readonly PluginConfig[]
  /** The list as it was read: the cache keeps it. */
  readonly text: string
  /** The file it came from. */
  readonly path: string
}

export interface PluginConfig {
  readonly type: string
  /** Names of the capabilities it declares. */
  readonly capabilities: readonly string[]
  /** All it says. */
  readonly json: JsonMap
}

/** The network of this name, or, where `network` has a slash, the one that stands in this file. */
export function requireNetwork(network: string, directory: string, files: Files): NetworkList {
  if (network.includes('/')) return readNetwork(network, files)
  for (const path of networkFiles(directory, files)) {
    const list = readNetwork(path, files)
    if (list.name === network) return list
  }
  throw new CniError(
    CniCode.ioFailure,
    `Cannot find network "${network}": no configuration in "${directory}" has that name`,
  )
}

/** Paths of the directory's configurations, in the order in which libcni asks them. */
export function networkFiles(directory: string, files: Files): string[] {
  const names = files.list(directory)?.sort() ?? []
  const lists = names.filter((name) => name.endsWith('.conflist'))
  const single = names.filter((name) => name.endsWith('.conf') || name.endsWith('.json'))
  return [...lists, ...single].map((name) => `${directory}/${name}`)
}

export function readNetwork(path: string, files: Files): NetworkList {
  const text = files.read(path)
  if (text === undefined) throw new CniError(CniCode.ioFailure, `Cannot read "${path}": there is no such file`)
  const json = parseMap(text, path)
  if (!path.endsWith('.conflist') && !('plugins' in json)) return listOfOne(json, path)

  const list = parseList(json, text, path)
  if (readFlag(json, 'loadOnlyInlinedPlugins', path)) return requirePlugins(list)
  return requirePlugins({ ...list, plugins: [...list.plugins, ...readMorePlugins(list, files)] })
}

/** A list's text. `path` is for messages, and further plugins are not looked for. */
export function parseNetwork(text: string, path: string): NetworkList {
  return requirePlugins(parseList(parseMap(text, path), text, path))
}

function parseList(json: JsonMap, text: string, path: string): NetworkList {
  const { name, plugins } = json
  if (typeof name !== 'string') throw invalid(`Cannot use "${path}": it has no "name"`)
  if (plugins === undefined && readFlag(json, 'loadOnlyInlinedPlugins', path)) {
    throw invalid(`Cannot use "${path}": it sets "loadOnlyInlinedPlugins" and has no "plugins"`)
  }
  if (plugins !== undefined && !Array.isArray(plugins)) throw invalid(`Cannot use "${path}": "plugins" is not a list`)
  return {
    name,
    cniVersion: chooseVersion(json, path),
    disableCheck: readFlag(json, 'disableCheck', path),
    disableGc: readFlag(json, 'disableGC', path),
    plugins: (plugins ?? []).map((plugin: Json) => parsePlugin(plugin, path)),
    text,
    path,
  }
}

function listOfOne(json: JsonMap, path: string): NetworkList {
  const { name = '', cniVersion = '' } = json
  return parseNetwork(formatJson({ name, cniVersion, plugins: [json] }), path)
}

/** "cniVersion" and "cniVersions" together: the newest that this runtime speaks. */
function chooseVersion({ cniVersion = '', cniVersions }: JsonMap, path: string): string {
  if (typeof cniVersion !== 'string') throw invalid(`Cannot use "${path}": "cniVersion" is not text`)
  if (cniVersions === undefined) return cniVersion || unnamedVersion
  if (!Array.isArray(cniVersions) || cniVersions.some((version) => typeof version !== 'string')) {
    throw invalid(`Cannot use "${path}": "cniVersions" is not a list of versions`)
  }
  const offered = [...(cniVersions as string[]), ...(cniVersion ? [cniVersion] : [])]
  const spoken = offered.filter((version) => compareVersions(version, newestVersion) <= 0)
  return spoken.sort(compareVersions).at(-1) ?? (cniVersion || unnamedVersion)
}

/** libcni takes the words as well, in any case. */
function readFlag(json: JsonMap, key: string, path: string): boolean {
  const value = json[key] ?? false
  if (typeof value === 'boolean') return value
  const word = typeof value === 'string' ? value.toLowerCase() : undefined
  if (word !== 'true' && word !== 'false') throw invalid(`Cannot use "${path}": "${key}" is not true or false`)
  return word === 'true'
}

function readMorePlugins({ name, path }: NetworkList, files: Files): PluginConfig[] {
  const directory = `${path.slice(0, path.lastIndexOf('/') + 1)}${name}`
  const names = files.list(directory)?.filter((file) => file.endsWith('.conf')) ?? []
  return names.sort().map((file) => {
    const own = `${directory}/${file}`
    return parsePlugin(parseMap(files.read(own) ?? '', own), own)
  })
}

function parsePlugin(json: Json, path: string): PluginConfig {
  if (!isMap(json)) throw invalid(`Cannot use "${path}": a plugin's configuration is not an object`)
  const { type, capabilities } = json
  if (typeof type !== 'string' || type === '') throw invalid(`Cannot use "${path}": a plugin has no "type"`)
  const declared = isMap(capabilities) ? Object.keys(capabilities).filter((name) => capabilities[name] === true) : []
  return { type, capabilities: declared, json }
}

function requirePlugins(list: NetworkList): NetworkList {
  if (list.plugins.length === 0) throw invalid(`Cannot use "${list.path}": network "${list.name}" has no plugins`)
  return list
}

function parseMap(text: string, path: string): JsonMap {
  let json: Json
  try {
    json = parseJson(text)
  } catch (cause) {
    throw new CniError(CniCode.decodingFailure, `Cannot read "${path}": it is not JSON`, { cause })
  }
  if (!isMap(json)) throw new CniError(CniCode.decodingFailure, `Cannot read "${path}": it is not a JSON object`)
  return json
}
