/**
 * Success results (CNI specification, section 5) in the three shapes they have had:
 *
 *   0.1.0 0.2.0         ip4 and ip6, one address each, with their routes; no interfaces
 *   0.3.0 0.3.1 0.4.0   lists of interfaces, ips (each says its IP version) and routes
 *   1.0.0 1.1.0         the same without the IP version; interfaces and routes have more to say
 *
 * Plugins know the newest shape only (plugin.ts); it is turned into the configuration's version and back here.
 */
import { formatIp } from '../address/ip.ts'
import { formatPrefix } from '../address/prefix.ts'
import { asObject, type JsonObject } from '../json/json.ts'
import { parseJson } from '../json/parser.ts'
import { formatCompactJson, formatJson, type PlainObject } from '../json/writer.ts'
import { ipAt, requirePrefixAt } from './address.ts'
import { CniCode, CniError, invalid } from './errors.ts'
import type { CniDns, CniInterface, CniIp, CniResult, CniRoute } from './plugin.ts'

export const emptyResult: CniResult = { interfaces: [], ips: [], routes: [], dns: {} }

interface Shape {
  readonly versions: readonly string[]
  format(result: CniResult): PlainObject
  parse(json: JsonObject): CniResult
}

const shapes: readonly Shape[] = [
  { versions: ['0.1.0', '0.2.0'], format: formatByFamily, parse: parseByFamily },
  { versions: ['0.3.0', '0.3.1', '0.4.0'], format: formatWithIpVersion, parse: parseLists },
  { versions: ['1.0.0', '1.1.0'], format: formatNewest, parse: parseLists },
]

/** The result as JSON text of the version. CniError when the version cannot say it. */
export function formatResult(result: CniResult, cniVersion: string): string {
  return formatJson({ cniVersion, ...shapeOf(result.shape ?? cniVersion).format(result) })
}

/**
 * Reads a result in the shape of its own version, of `cniVersion` where it does not say. CniError when it is none.
 */
export function parseResult(json: JsonObject, cniVersion: string): CniResult {
  return shapeOf(json.string('cniVersion') || cniVersion).parse(json)
}

/** Whether results of both versions have the same shape. */
export function sameShape(a: string, b: string): boolean {
  return shapeOf(a) === shapeOf(b)
}

/** What is left of a result that was told in the version: the oldest shape has no interfaces and one address per family. */
export function asToldIn(cniVersion: string, result: CniResult): CniResult {
  const shape = shapeOf(cniVersion)
  if (shape !== shapes[0]) return result
  return shape.parse(asObject(parseJson(formatCompactJson(shape.format(result))), ''))
}

export function parseRoutes(json: JsonObject, key = 'routes'): CniRoute[] {
  return (json.objects(key) ?? []).map((route) => ({
    dst: formatPrefix(requirePrefixAt(route, 'dst')),
    ...given({
      gw: addressAt(route, 'gw'),
      mtu: route.integer('mtu') || undefined,
      advmss: route.integer('advmss') || undefined,
      priority: route.integer('priority') || undefined,
      table: route.integer('table'),
      scope: route.integer('scope'),
    }),
  }))
}

/** Members that are there, empty ones too. */
export function parseDns(json: JsonObject | undefined): CniDns {
  if (!json) return {}
  return given({
    nameservers: json.strings('nameservers'),
    domain: json.string('domain'),
    search: json.strings('search'),
    options: json.strings('options'),
  })
}

function shapeOf(cniVersion: string): Shape {
  const shape = shapes.find(({ versions }) => versions.includes(cniVersion))
  if (shape) return shape
  throw new CniError(CniCode.incompatibleVersion, `Cannot read or write a result of CNI version "${cniVersion}"`)
}

function formatNewest({ interfaces, ips, routes, dns }: CniResult): PlainObject {
  return {
    interfaces: filled(interfaces.map(formatInterface)),
    ips: filled(ips.map(formatIpEntry)),
    routes: filled(routes.map(formatRoute)),
    dns: formatDns(dns),
  }
}

function formatWithIpVersion({ interfaces, ips, routes, dns }: CniResult): PlainObject {
  return {
    interfaces: filled(interfaces.map(({ name, mac, sandbox }) => ({ name, mac, sandbox }))),
    ips: filled(ips.map((ip) => ({ version: isIpv6(ip.address) ? '6' : '4', ...formatIpEntry(ip) }))),
    routes: filled(routes.map(formatRoute)),
    dns: formatDns(dns) ?? {},
  }
}

function formatByFamily({ ips, routes, dns }: CniResult): PlainObject {
  const family = (ipv6: boolean): PlainObject | undefined => {
    const ip = ips.find(({ address }) => isIpv6(address) === ipv6)
    const own = routes.filter(({ dst }) => isIpv6(dst) === ipv6).map(({ dst, gw }) => ({ dst, gw }))
    return ip && { ip: ip.address, gateway: ip.gateway, routes: filled(own) }
  }
  if (ips.length === 0) {
    throw invalid('Cannot say in CNI 0.2.0 or older that there is no IP address: use "cniVersion" 0.3.0 or newer')
  }
  return { ip4: family(false), ip6: family(true), dns: formatDns(dns) ?? {} }
}

function formatInterface({ name, mac, mtu, sandbox, socketPath, pciID }: CniInterface): PlainObject {
  return { name, mac, mtu, sandbox, socketPath, pciID }
}

function formatIpEntry({ interface: index, address, gateway }: CniIp): PlainObject {
  return { interface: index, address, gateway }
}

function formatRoute({ dst, gw, mtu, advmss, priority, table, scope }: CniRoute): PlainObject {
  return { dst, gw, mtu, advmss, priority, table, scope }
}

function formatDns({ nameservers = [], domain, search = [], options = [] }: CniDns): PlainObject | undefined {
  if (!domain && nameservers.length + search.length + options.length === 0) return undefined
  return {
    nameservers: filled(nameservers),
    domain: domain || undefined,
    search: filled(search),
    options: filled(options),
  }
}

function parseLists(json: JsonObject): CniResult {
  return {
    interfaces: (json.objects('interfaces') ?? []).map(parseInterface),
    ips: (json.objects('ips') ?? []).map((ip) => parseIpEntry(ip, 'address')),
    routes: parseRoutes(json),
    dns: parseDns(json.object('dns')),
  }
}

function parseInterface(json: JsonObject): CniInterface {
  return {
    name: json.string('name') ?? '',
    ...given({
      mac: json.string('mac') || undefined,
      mtu: json.integer('mtu') || undefined,
      sandbox: json.string('sandbox') || undefined,
      socketPath: json.string('socketPath') || undefined,
      pciID: json.string('pciID') || undefined,
    }),
  }
}

function parseIpEntry(json: JsonObject, addressKey: string): CniIp {
  return {
    address: formatPrefix(requirePrefixAt(json, addressKey)),
    ...given({ gateway: addressAt(json, 'gateway'), interface: json.integer('interface') }),
  }
}

function parseByFamily(json: JsonObject): CniResult {
  const families = ['ip4', 'ip6'].map((key) => json.object(key)).filter((family) => family !== undefined)
  return {
    interfaces: [],
    ips: families.map((family) => parseIpEntry(family, 'ip')),
    routes: families.flatMap((family) => parseRoutes(family)),
    dns: parseDns(json.object('dns')),
  }
}

function addressAt(json: JsonObject, key: string): string | undefined {
  const ip = ipAt(json, key)
  return ip && formatIp(ip)
}

function isIpv6(address: string): boolean {
  return address.includes(':')
}

/** The list, or undefined when there is nothing in it. */
function filled<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length > 0 ? list : undefined
}

type Given<T> = { [K in keyof T]?: Exclude<T[K], undefined> }

/** The members without those that are undefined. */
function given<T extends object>(members: T): Given<T> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as Given<T>
}
