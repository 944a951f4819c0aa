/**
 * static: an IPAM plugin that gives the addresses it is told and keeps no record of them.
 * Behaves as https://www.cni.dev/plugins/current/ipam/static/
 *
 *   ipam.addresses + CNI_ARGS IP, GATEWAY   <   args.cni.ips   <   runtimeConfig.ips
 *
 * CNI_ARGS adds to the configuration's addresses; each of the other two replaces all that stands before it. Addresses are
 * read by the verbs that need them: DEL and GC have nothing to take back, and succeed whatever the configuration says.
 */
import { formatIp, type Ip } from '../address/ip.ts'
import { contains, formatPrefix, type Prefix } from '../address/prefix.ts'
import { ipAt, readAnyIp, readAnyPrefix, requirePrefixAt } from '../cni/address.ts'
import { parseArgs, unusable } from '../cni/args.ts'
import { CniCode, CniError, invalid } from '../cni/errors.ts'
import type { CniIp, CniResult, NetworkConfig, Plugin } from '../cni/plugin.ts'
import { parseDns, parseRoutes } from '../cni/result.ts'
import { compareVersions } from '../cni/version.ts'
import type { JsonObject } from '../json/json.ts'

/** The first version whose results hold more than one address of a family. */
const FIRST_WITH_LISTS = '0.3.0'

interface StaticAddress {
  readonly prefix: Prefix
  readonly gateway: Ip | undefined
}

export const staticIpam: Plugin<NetworkConfig> = {
  name: 'static',

  parseConfig: (config) => config,

  add: ({ config, args }) => resultOf(config, args),

  check({ config, args }) {
    const promised = resultOf(config, args).ips
    if (!config.prevResult) throw invalid('Cannot carry out CHECK: give the result of ADD in "prevResult"')
    for (const { address, gateway } of promised) {
      const found = config.prevResult.ips.find((ip) => ip.address === address)
      if (!found) throw broken(`the result lacks address ${address}`)
      if (gateway !== undefined && found.gateway !== gateway) {
        throw broken(`the gateway of ${address} is ${found.gateway ?? 'missing'}, not ${gateway}`)
      }
    }
  },

  del() {},

  /** A network that has no `ipam` is one that nobody asks addresses for. */
  status({ config }) {
    if (config.json.has('ipam')) resultOf(config, '')
  },
}

function resultOf(config: NetworkConfig, args: string): CniResult {
  const ipam = requireIpam(config)
  const ips = readAddresses(config, ipam, args).map(formatAddress)
  return { interfaces: [], ips, routes: parseRoutes(ipam), dns: parseDns(ipam.object('dns')) }
}

function requireIpam({ json }: NetworkConfig): JsonObject {
  const ipam = json.object('ipam')
  if (!ipam) throw invalid('Cannot find "ipam" in the configuration: give the addresses there')
  return ipam
}

function readAddresses({ json, cniVersion }: NetworkConfig, ipam: JsonObject, args: string): StaticAddress[] {
  const ofIpam = addressesOf(ipam)
  const ofArgs = addressesInArgs(args)
  const ofRuntime = addressesAt(json.object('runtimeConfig'))
  const ofCni = addressesAt(json.object('args')?.object('cni'))
  const addresses = [ofRuntime, ofCni].find(({ length }) => length > 0) ?? [...ofIpam(), ...ofArgs]

  for (const size of [4, 16]) {
    const ofFamily = addresses.filter(({ prefix }) => prefix.address.length === size)
    if (ofFamily.length > 1 && compareVersions(cniVersion, FIRST_WITH_LISTS) < 0) {
      throw invalid(
        `Cannot give ${ofFamily.length} addresses of one family in CNI ${cniVersion}: use "cniVersion" ${FIRST_WITH_LISTS} or newer`,
      )
    }
  }
  return addresses
}

/** Gateways are read even where the addresses are overruled, as Go does, but addresses are not. */
function addressesOf(ipam: JsonObject): () => StaticAddress[] {
  const entries = (ipam.objects('addresses') ?? []).map((entry) => ({ entry, gateway: ipAt(entry, 'gateway') }))
  return () => entries.map(({ entry, gateway }) => ({ prefix: requirePrefixAt(entry, 'address'), gateway }))
}

function addressesAt(json: JsonObject | undefined): StaticAddress[] {
  return (json?.strings('ips') ?? []).map((text, i) => {
    const prefix = readAnyPrefix(text)
    if (prefix) return { prefix, gateway: undefined }
    throw invalid(`Cannot use "${json?.pathOf('ips')}[${i}]": ${notPrefix(text)}`)
  })
}

/** As in the reference, GATEWAY is for the addresses of CNI_ARGS only. */
function addressesInArgs(args: string): StaticAddress[] {
  const { IP, GATEWAY } = parseArgs(args, ['IP', 'GATEWAY'])
  const gateways = listIn(GATEWAY).map((text) => {
    const gateway = readAnyIp(text)
    if (!gateway) throw unusable(`GATEWAY: "${text}" is no IP address`)
    return gateway
  })
  return listIn(IP).map((text) => {
    const prefix = readAnyPrefix(text)
    if (!prefix) throw unusable(`IP: ${notPrefix(text)}`)
    return { prefix, gateway: gateways.findLast((gateway) => contains(prefix, gateway)) }
  })
}

function listIn(value: string | undefined): string[] {
  return value ? value.split(',').map((item) => item.trim()) : []
}

function formatAddress({ prefix, gateway }: StaticAddress): CniIp {
  return { address: formatPrefix(prefix), ...(gateway && { gateway: formatIp(gateway) }) }
}

function notPrefix(text: string): string {
  return `"${text}" is no address with a prefix length, such as 10.1.2.3/24`
}

function broken(reason: string): CniError {
  return new CniError(CniCode.notAsPromised, `Cannot confirm what ADD promised: ${reason}`)
}
