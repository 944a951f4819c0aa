/** Network configurations for tests, out of plain objects. */

import { parseNetworkConfig } from '../../src/cni/config.ts'
import { asCniError } from '../../src/cni/failure.ts'
import type { NetworkConfig } from '../../src/cni/plugin.ts'
import { asObject, type JsonObject } from '../../src/json/json.ts'
import { parseJson } from '../../src/json/parser.ts'

/** As plugins get it: from text, through our own reader. */
export function jsonOf(document: object): JsonObject {
  return asObject(parseJson(JSON.stringify(document)), '')
}

/** The configuration with a name, a type and the newest version where it has none. */
export function networkConfig(members: object): NetworkConfig {
  const document = { cniVersion: '1.1.0', name: 'lan', type: 'bridge', ...members }
  return parseNetworkConfig(jsonOf(document), 'required to be right')
}

/** What the runtime is told when the body fails: the error that skel.ts prints. */
export function told<T>(body: () => T): T {
  try {
    return body()
  } catch (error) {
    throw asCniError(error)
  }
}
