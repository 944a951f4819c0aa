/**
 * The delegate's configuration: what the network's says of it, completed by what subnet.env says of the node.
 *
 *   delegate ──+ name, type, ipMasq, mtu, isGateway, cniVersion, runtimeConfig──┐
 *   ipam ──────+ type, ranges, routes───────────────────────────────────────────┴──> bridge, or another plugin
 *
 * Keys in `delegate` and `ipam` count in their exact spelling, as in flannel's plugin, and its words are those of the errors.
 */
import { readAnyPrefix } from '../../cni/address.ts'
import { ATTACHMENT_KEYS, parseConfiguration } from '../../cni/config.ts'
import { type CniError, invalid } from '../../cni/errors.ts'
import { asCniError } from '../../cni/failure.ts'
import { parseRoutes } from '../../cni/result.ts'
import { JsonNumber, JsonObject, type JsonValue } from '../../json/json.ts'
import { parseJson } from '../../json/parser.ts'
import type { FlannelConfig } from './config.ts'
import type { SubnetEnv } from './subnet-env.ts'

type Members = Map<string, JsonValue>

/** CniError when the configuration says of the delegate what it may not. */
export function delegateConfiguration({ name, json }: FlannelConfig, env: SubnetEnv): JsonObject {
  const delegate = membersOf(json.object('delegate'))
  requireDelegate(delegate)
  const runtimeConfig = json.object('runtimeConfig')
  const cniVersion = json.string('cniVersion')
  if (runtimeConfig) delegate.set('runtimeConfig', runtimeConfig)
  if (cniVersion) delegate.set('cniVersion', cniVersion)
  delegate.set('name', name)
  setDefault(delegate, 'type', 'bridge')
  setDefault(delegate, 'ipMasq', !env.ipMasq) // one of the two must
  setDefault(delegate, 'mtu', new JsonNumber(`${env.mtu}`))
  if (delegate.get('type') === 'bridge') setDefault(delegate, 'isGateway', true)
  delegate.set('ipam', ipamConfiguration(json.object('ipam'), env))
  return objectOf(delegate)
}

/** What ADD noted, read again. CniError when it is no configuration of a plugin. */
export function parseDelegateConfiguration(text: string): JsonObject {
  const json = parseConfiguration(parseJson(text))
  if (!json.string('type')) throw invalid('Cannot find the plugin in it: there is no "type"')
  return json
}

/** The configuration with the result that CHECK and DEL are given, of this version. */
export function withPrevResult(delegate: JsonObject, { json, cniVersion }: FlannelConfig): JsonObject {
  const prevResult = json.value('prevResult')
  return prevResult === undefined
    ? delegate
    : objectOf(membersOf(delegate).set('cniVersion', cniVersion).set('prevResult', prevResult))
}

/** The configuration for GC: of no attachment, and with the list of those that live on. */
export function forNetwork(delegate: JsonObject, { json, cniVersion }: FlannelConfig): JsonObject {
  const members = membersOf(delegate).set('cniVersion', cniVersion)
  members.delete('runtimeConfig')
  for (const key of ATTACHMENT_KEYS) {
    const attachments = json.value(key)
    if (attachments !== undefined) members.set(key, attachments)
  }
  return objectOf(members)
}

function requireDelegate(delegate: Members): void {
  if (delegate.has('type') && typeof delegate.get('type') !== 'string') {
    throw invalid("'delegate' dictionary, if present, must have (string) 'type' field")
  }
  for (const key of ['name', 'ipam']) {
    if (delegate.has(key)) {
      throw invalid(`'delegate' dictionary must not have '${key}' field, it'll be set by flannel`)
    }
  }
}

function ipamConfiguration(base: JsonObject | undefined, { networks, subnets }: SubnetEnv): JsonObject {
  const ipam = membersOf(base)
  setDefault(ipam, 'type', 'host-local')
  const routes = readRoutes(ipam.get('routes') ?? [])
  ipam.set('routes', [...routes, ...networks.map((dst) => new JsonObject([['dst', dst]]))])
  ipam.set(
    'ranges',
    subnets.map((subnet) => [new JsonObject([['subnet', subnet]])]),
  )
  return objectOf(ipam)
}

/** The routes as they came; CniError when they are none. */
function readRoutes(value: JsonValue): readonly JsonValue[] {
  const ipam = new JsonObject([['routes', value]], 'ipam')
  try {
    for (const route of ipam.objects('routes') ?? []) {
      const dst = route.string('dst') ?? ''
      if (!readAnyPrefix(dst)) throw invalid(`invalid CIDR address: ${dst}`)
    }
    parseRoutes(ipam)
    return ipam.array('routes') ?? []
  } catch (cause) {
    throw noRoutes(asCniError(cause))
  }
}

function noRoutes({ message }: CniError): CniError {
  return invalid(
    `failed to assemble Delegate IPAM: failed to read IPAM routes: failed to parse ipam.routes: ${message}`,
  )
}

function membersOf(object: JsonObject | undefined): Members {
  return new Map(object?.entries)
}

function objectOf(members: Members): JsonObject {
  return new JsonObject([...members])
}

/** A key that is there, be it null, has its value from whoever wrote the configuration. */
function setDefault(members: Members, key: string, value: JsonValue): void {
  if (!members.has(key)) members.set(key, value)
}
