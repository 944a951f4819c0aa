/**
 * host-local: gives out addresses from ranges that belong to this node, and remembers them in files.
 * Behaves as https://www.cni.dev/plugins/current/ipam/host-local/
 *
 *   configuration ──range.ts──> range sets ──allocator.ts──> an address of each ──disk-store.ts──> a file per address
 *
 * More than the reference does: GC releases what belongs to no living attachment, STATUS says when no address is left,
 * and CHECK asks whether the very addresses of the result are still reserved.
 */
import { formatIp, type Ip } from '../address/ip.ts'
import { formatPrefix } from '../address/prefix.ts'
import { readAnyPrefix } from '../cni/address.ts'
import { parseArgs } from '../cni/args.ts'
import { isName, pathAt } from '../cni/config.ts'
import { CniCode, CniError, invalid } from '../cni/errors.ts'
import type { Host } from '../cni/host.ts'
import type { CniResult, CniRoute, NetworkConfig, Plugin } from '../cni/plugin.ts'
import { parseRoutes } from '../cni/result.ts'
import { compareVersions } from '../cni/version.ts'
import { allocate, isExhausted } from '../ipam/allocator.ts'
import { diskStore } from '../ipam/disk-store.ts'
import { completeRangeSets, formatRangeSet, type RangeSet, rangeOf, readRange, readRangeSets } from '../ipam/range.ts'
import { requestsIn, requestsInArgs } from '../ipam/requests.ts'
import { readResolvConf } from '../ipam/resolv-conf.ts'
import { isHeldBy, type Store } from '../ipam/store.ts'
import type { JsonObject } from '../json/json.ts'

const DATA_DIR = '/var/lib/cni/networks'

export interface HostLocalConfig extends NetworkConfig {
  readonly sets: readonly RangeSet[]
  /** Addresses that the configuration asks for. */
  readonly requests: readonly Ip[]
  readonly routes: readonly CniRoute[]
  /** Path of a file that resolv.conf(5) describes. */
  readonly resolvConf: string | undefined
  /** Where this network's reservations are. */
  readonly directory: string
}

export const hostLocal: Plugin<HostLocalConfig> = {
  name: 'host-local',

  parseConfig(config) {
    const { json } = config
    const ipam = json.object('ipam')
    if (!ipam) throw invalid(`IPAM config missing 'ipam' key`)
    return {
      ...config,
      sets: parseSets(config, ipam),
      requests: requestsIn(json),
      routes: parseRoutes(ipam),
      resolvConf: ipam.string('resolvConf') || undefined,
      directory: parseDirectory(config.name, ipam),
    }
  },

  add(request, { host }): CniResult {
    const { config } = request
    const requests = [...requestsInArgs(parseArgs(request.args, ['IP'])), ...config.requests]
    const dns = config.resolvConf === undefined ? {} : readResolvConf(host.files, config.resolvConf)
    const allocations = storeOf(config, host).locked((reservations) =>
      allocate(config.sets, requests, request, reservations),
    )
    const ips = allocations.map(({ ip, range }) => ({
      address: formatPrefix({ address: ip, length: range.subnet.length }),
      gateway: formatIp(range.gateway),
    }))
    return { interfaces: [], ips, routes: config.routes, dns }
  },

  check(request, { host }) {
    const { config, containerId } = request
    requestsInArgs(parseArgs(request.args, ['IP']))
    const promised = (config.prevResult?.ips ?? [])
      .map(({ address }) => readAnyPrefix(address)!.address)
      .filter((ip) => config.sets.some((set) => rangeOf(set, ip)))
    storeOf(config, host).locked((reservations) => {
      for (const ip of promised) {
        const holder = reservations.holderOf(ip)
        if (holder && isHeldBy(holder, request)) continue
        const now = holder ? `it is reserved for container ${holder.containerId}` : 'it is not reserved'
        throw lost(`Cannot find the reservation of ${formatIp(ip)} for container ${containerId}: ${now}`)
      }
      if (promised.length === 0 && !reservations.isHolder(request)) {
        throw lost(`host-local: Failed to find address added by container ${containerId}`)
      }
    })
  },

  del(request, { host }) {
    requestsInArgs(parseArgs(request.args, ['IP']))
    storeOf(request.config, host).locked((reservations) => reservations.releaseAll(request))
  },

  gc({ config, validAttachments }, { host }) {
    const store = storeOf(config, host)
    if (!store.exists()) return
    store.locked((reservations) => {
      reservations.reclaim()
      reservations.releaseUnless((holder) => validAttachments.some((attachment) => isHeldBy(holder, attachment)))
    })
  },

  status({ config }, { host }) {
    const store = storeOf(config, host)
    store.requireUsable()
    if (!store.exists()) return
    const exhausted = store.locked((reservations) => config.sets.find((set) => isExhausted(set, reservations)))
    if (exhausted) {
      throw new CniError(
        CniCode.notAvailable,
        `no IP addresses available in range set: ${formatRangeSet(exhausted)}; delete containers, run GC or give more ranges`,
      )
    }
  },
}

function storeOf({ directory }: HostLocalConfig, { files }: Host): Store {
  return diskStore(files, directory)
}

/** What the runtime asks for comes first, then the old style's one range. */
function parseSets({ json, cniVersion }: NetworkConfig, ipam: JsonObject): RangeSet[] {
  const runtimeConfig = json.object('runtimeConfig')
  const single = readRange(ipam)
  const sets = completeRangeSets([
    ...(runtimeConfig ? readRangeSets(runtimeConfig, 'ipRanges') : []),
    ...(single.subnet ? [[single]] : []),
    ...readRangeSets(ipam, 'ranges'),
  ])
  const families = sets.map((set) => set[0]!.family)
  if (new Set(families).size < families.length && compareVersions(cniVersion, '0.3.0') < 0) {
    throw invalid(`CNI version ${cniVersion} does not support more than 1 address per family`)
  }
  return sets
}

function parseDirectory(network: string, ipam: JsonObject): string {
  const dataDir = pathAt(ipam, 'dataDir', DATA_DIR)
  // skel.ts has checked it; a path is made of it here.
  if (!isName(network)) throw invalid(`Cannot use network name "${network}" as a folder's`)
  return `${dataDir.replace(/\/+$/, '')}/${network}`
}

function lost(message: string): CniError {
  return new CniError(CniCode.notAsPromised, message)
}
