/**
 * The result cache: what a runtime remembers of each attachment from ADD until DEL, in libcni's own files, so that
 * runtimes in Go find what we attached and the reverse.
 *
 *   <cache directory>/results/<network>-<container id>-<interface>     mode 0600, in directories of mode 0700
 *
 * Members stand in the order of libcni's `cachedInfo` (libcni/api.go), and empty ones are left out.
 */
import { CniCode, CniError } from '../errors.ts'
import type { Host } from '../host.ts'
import type { Attachment } from '../plugin.ts'
import { formatJson, formatScalar, isMap, type Json, type JsonMap, parseJson } from './json.ts'

/** Where libcni keeps it unless told otherwise. */
export const CACHE_DIRECTORY = '/var/lib/cni'

const KIND = 'cniCacheV1'

export interface CachedAttachment extends Attachment {
  readonly network: string
  /** Text of the list that ADD ran. */
  readonly config: string
  readonly netns: string
  /** CNI_ARGS, pair by pair. */
  readonly args: readonly (readonly [string, string])[]
  readonly capabilityArgs: JsonMap
  /** What the last plugin of the chain answered. */
  readonly result: JsonMap
}

export interface ResultCache {
  get(network: string, attachment: Attachment): CachedAttachment | undefined
  set(cached: CachedAttachment): void
  /** That there is none is as good. */
  delete(network: string, attachment: Attachment): void
  /** Of all networks, by file name. What is not libcni's is passed over, as libcni does. */
  list(): CachedAttachment[]
}

export function resultCache(directory: string, host: Host): ResultCache {
  const results = `${directory}/results`
  const pathOf = (network: string, { containerId, ifName }: Attachment) =>
    `${results}/${network}-${containerId}-${ifName}`

  const read = (path: string): CachedAttachment | undefined => {
    const text = host.files.read(path)
    return text === undefined ? undefined : decodeCached(text, host)
  }

  return {
    get: (network, attachment) => read(pathOf(network, attachment)),
    set(cached) {
      host.files.makeDirectory(results, 0o700)
      const path = pathOf(cached.network, cached)
      try {
        host.files.replace(path, encodeCached(cached, host), 0o600)
      } catch (cause) {
        throw new CniError(CniCode.ioFailure, `Cannot write "${path}": ${(cause as Error).message}`, { cause })
      }
    },
    delete(network, attachment) {
      host.files.remove(pathOf(network, attachment))
    },
    list() {
      const names = host.files.list(results)?.sort() ?? []
      return names.flatMap((name) => read(`${results}/${name}`) ?? [])
    },
  }
}

function encodeCached(cached: CachedAttachment, { encode }: Host): string {
  const { network, containerId, ifName, config, netns, args, capabilityArgs, result } = cached
  const members: [string, Json][] = [
    ['kind', KIND],
    ['containerId', containerId],
    ['config', encodeBase64(encode(config))],
    ['ifName', ifName],
    ['networkName', network],
  ]
  if (netns !== '') members.push(['netns', netns])
  if (args.length > 0) members.push(['cniArgs', args])
  if (Object.keys(capabilityArgs).length > 0) members.push(['capabilityArgs', capabilityArgs])
  if (Object.keys(result).length > 0) members.push(['result', result])
  return `{${members.map(([key, value]) => `${formatScalar(key)}:${formatJson(value)}`).join(',')}}`
}

/** Undefined for what libcni would not recognise as its own. */
function decodeCached(text: string, { decode }: Host): CachedAttachment | undefined {
  let json: Json
  try {
    json = parseJson(text)
  } catch {
    return undefined // half a file, or somebody else's
  }
  if (!isMap(json) || json.kind !== KIND) return undefined
  const { containerId, config, ifName, networkName, netns = '', cniArgs = [], capabilityArgs = {}, result = {} } = json
  const texts = [containerId, config, ifName, networkName, netns]
  if (!texts.every((value) => typeof value === 'string') || ifName === '' || networkName === '') return undefined
  if (!isMap(capabilityArgs) || !isMap(result) || !Array.isArray(cniArgs)) return undefined
  return {
    containerId: containerId as string,
    config: decode(decodeBase64(config as string)),
    ifName: ifName as string,
    network: networkName as string,
    netns: netns as string,
    args: cniArgs as [string, string][],
    capabilityArgs,
    result,
  }
}

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'

/** RFC 4648 §4, with padding. Go writes a byte slice so; the language has no such call yet. */
export function encodeBase64(bytes: Uint8Array): string {
  let text = ''
  for (let i = 0; i < bytes.length; i += 3) {
    const group = (bytes[i]! << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0)
    const letters = Math.min(3, bytes.length - i) + 1
    for (let n = 0; n < 4; n++) text += n < letters ? BASE64[(group >> (18 - 6 * n)) & 63] : '='
  }
  return text
}

/** Letters that are none of the alphabet's end the text. */
export function decodeBase64(text: string): Uint8Array {
  const bytes: number[] = []
  let group = 0
  let bits = 0
  for (const letter of text) {
    const value = BASE64.indexOf(letter)
    if (value < 0) break
    group = ((group << 6) | value) & 0xffff
    bits += 6
    if (bits >= 8) {
      bits -= 8
      bytes.push((group >> bits) & 0xff)
    }
  }
  return Uint8Array.from(bytes)
}
