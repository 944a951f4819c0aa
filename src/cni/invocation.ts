/**
 * One call of a plugin: which verb, for whom, with which configuration. skel.ts makes it from the environment and stdin;
 * delegate.ts hands the same one on to another plugin.
 */

import type { JsonObject } from '../json/json.ts'
import { parseNetworkConfig, parseValidAttachments } from './config.ts'
import type { Attachment, CniResult, Plugin, Surroundings } from './plugin.ts'

export type Verb = 'ADD' | 'CHECK' | 'DEL' | 'GC' | 'STATUS'

/** Texts are empty where the environment has none. */
export interface Invocation extends Attachment {
  readonly verb: Verb
  readonly netns: string
  /** CNI_ARGS. */
  readonly args: string
  /** CNI_PATH, split: where other plugins are. */
  readonly path: readonly string[]
  /** The configuration as it came, byte by byte. */
  readonly stdin: Uint8Array
  readonly json: JsonObject
}

/** Carries the verb out. ADD answers a result; the others nothing. GC and STATUS of a plugin that has none succeed. */
export function perform<C>(
  plugin: Plugin<C>,
  invocation: Invocation,
  surroundings: Surroundings,
): CniResult | undefined {
  const { verb, containerId, ifName, netns, args, json } = invocation
  const strict = verb === 'ADD' || verb === 'CHECK'
  const common = parseNetworkConfig(json, strict ? 'required to be right' : 'ignored when wrong')
  const config = plugin.parseConfig(common)
  const request = { containerId, ifName, netns, args, config }
  switch (verb) {
    case 'ADD':
      return plugin.add(request, surroundings)
    case 'CHECK':
      plugin.check(request, surroundings)
      break
    case 'DEL':
      plugin.del(request, surroundings)
      break
    case 'GC':
      plugin.gc?.({ config, validAttachments: parseValidAttachments(json) }, surroundings)
      break
    case 'STATUS':
      plugin.status?.({ config }, surroundings)
      break
  }
  return undefined
}
