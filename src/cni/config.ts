/** The part of a network configuration that every plugin reads: CNI specification, sections 1 and 3. */

import { asObject, type JsonObject, type JsonValue } from '../json/json.ts'
import { invalid } from './errors.ts'
import type { Attachment, CniResult, NetworkConfig } from './plugin.ts'
import { parseDns, parseResult, sameShape } from './result.ts'
import { unnamedVersion } from './version.ts'

/** Container ids and network names: both become file names. */
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/

/** Before 1.1.0 libcni wrote the second one, and still writes both. */
export const ATTACHMENT_KEYS = ['cni.dev/valid-attachments', 'cni.dev/attachments']

export function isName(text: string): boolean {
  return NAME.test(text)
}

/** The document as a configuration; `null` is an empty one. CniError when it is none or has no usable name. */
export function parseConfiguration(document: JsonValue): JsonObject {
  const json = asObject(document, '')
  const name = json.string('name')
  if (!name) throw invalid('Cannot find the network\'s name in the configuration: give "name"')
  if (!isName(name)) {
    throw invalid(
      `Cannot use "name" "${name}": use letters, digits, "_", "." and "-" only, a letter or digit first`,
      name,
    )
  }
  return json
}

export function versionOf(json: JsonObject): string {
  return json.string('cniVersion') || unnamedVersion
}

/** `prevResult` says what to do with one that cannot be read. */
export function parseNetworkConfig(
  json: JsonObject,
  prevResult: 'required to be right' | 'ignored when wrong',
): NetworkConfig {
  const cniVersion = versionOf(json)
  const dns = json.object('dns')
  return {
    name: json.string('name') ?? '',
    cniVersion,
    type: json.string('type') ?? '',
    ipamType: json.object('ipam')?.string('type') || undefined,
    dns: dns && parseDns(dns),
    prevResult: readPrevResult(json, cniVersion, prevResult === 'ignored when wrong'),
    json,
  }
}

/** The key's path, which must be absolute and lead nowhere up; `otherwise` where the key is absent or empty. */
export function pathAt(json: JsonObject, key: string, otherwise: string): string {
  const path = json.string(key) || otherwise
  if (path.startsWith('/') && !path.includes('\0') && !path.split('/').includes('..')) return path
  throw invalid(`Cannot use "${json.pathOf(key)}": "${path}" is no absolute path without ".."`)
}

/** Those that live on. A runtime that names none (`cnitool gc` writes no list) says that nothing does. */
export function parseValidAttachments(json: JsonObject): Attachment[] {
  const key = ATTACHMENT_KEYS.find((key) => json.has(key))
  const attachments = key === undefined ? undefined : json.objects(key)
  return (attachments ?? []).map((attachment) => ({
    containerId: attachment.string('containerID') ?? '',
    ifName: attachment.string('ifname') ?? '',
  }))
}

function readPrevResult(json: JsonObject, cniVersion: string, lenient: boolean): CniResult | undefined {
  try {
    return parsePrevResult(json, cniVersion)
  } catch (error) {
    if (lenient) return undefined // DEL goes on as far as it can
    throw error
  }
}

function parsePrevResult(json: JsonObject, cniVersion: string): CniResult | undefined {
  const result = json.object('prevResult')
  if (!result) return undefined
  const own = result.string('cniVersion') || cniVersion
  if (!sameShape(own, cniVersion)) {
    throw invalid(`Cannot use "prevResult": its "cniVersion" is "${own}", the configuration's is "${cniVersion}"`)
  }
  return parseResult(result, cniVersion)
}
