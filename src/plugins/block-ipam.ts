/**
 * block-ipam: gives out addresses of pools that all nodes share, from blocks that are this node's, as Calico's IPAM does.
 *
 *   configuration ──block-ipam/config.ts──> a request ──block-ipam/place.ts──> the store's directory, or a daemon's socket
 *                                                                                    src/pool has the rules for both
 *
 * An address is alone (/32, /128): the way to it is a route. Use it with `routed`.
 */

import { parseIp } from '../address/ip.ts'
import { formatPrefix, hostPrefix } from '../address/prefix.ts'
import { readAnyPrefix } from '../cni/address.ts'
import { type CniArgs, parseArgs } from '../cni/args.ts'
import { CniCode, CniError } from '../cni/errors.ts'
import type { CniResult, Plugin } from '../cni/plugin.ts'
import { requestsInArgs } from '../ipam/requests.ts'
import { readResolvConf } from '../ipam/resolv-conf.ts'
import { type BlockIpamConfig, parseBlockIpamConfig, textOf } from './block-ipam/config.ts'
import { askPools } from './block-ipam/place.ts'

/** What Kubernetes tells of a container, and by which names it stands beside its addresses. */
const ABOUT = { K8S_POD_NAMESPACE: 'namespace', K8S_POD_NAME: 'pod' } as const

export const blockIpam: Plugin<BlockIpamConfig> = {
  name: 'block-ipam',

  parseConfig: parseBlockIpamConfig,

  add({ config, args, containerId, ifName }, { host }): CniResult {
    const given = argsOf(args)
    const { families, pools, requests, routes, resolvConf } = config
    const dns = resolvConf === undefined ? {} : readResolvConf(host.files, resolvConf)
    const { assigned } = askPools(
      {
        verb: 'assign',
        network: config.name,
        attachment: { containerId, ifName },
        about: aboutIn(given),
        addresses: textOf([...requestsInArgs(given), ...requests]),
        families,
        pools,
      },
      config,
      host,
    )
    const ips = assigned.map(({ address }) => ({ address: formatPrefix(hostPrefix(parseIp(address))) }))
    return { interfaces: [], ips, routes, dns }
  },

  check({ config, args, containerId, ifName }, { host }) {
    argsOf(args)
    const attachment = { containerId, ifName }
    const { assigned } = askPools({ verb: 'list', network: config.name, attachment }, config, host)
    const held = assigned.map(({ address }) => address)
    const promised = (config.prevResult?.ips ?? []).map(({ address }) => {
      const { address: ip, length } = readAnyPrefix(address)!
      return formatPrefix({ address: ip, length })
    })
    const lost = (what: string) =>
      new CniError(CniCode.notAsPromised, `Cannot find ${what} of container ${containerId}`)
    if (held.length === 0) throw lost('any address')
    for (const address of held) {
      const isPromised = promised.some((prefix) => prefix.startsWith(`${address}/`))
      if (promised.length > 0 && !isPromised) throw lost(`${address} in "prevResult", which is an address`)
    }
    const missing = config.families.length - held.length
    if (missing > 0) throw lost(`${missing} of ${config.families.length} addresses`)
  },

  del({ config, args, containerId, ifName }, { host }) {
    argsOf(args)
    askPools({ verb: 'release', network: config.name, attachment: { containerId, ifName } }, config, host)
  },

  gc({ config, validAttachments }, { host }) {
    askPools({ verb: 'collect', network: config.name, valid: validAttachments }, config, host)
  },

  status({ config }, { host }) {
    const { families, pools } = config
    try {
      askPools({ verb: 'status', families, pools }, config, host)
    } catch (error) {
      if (!(error instanceof CniError)) throw error
      throw new CniError(CniCode.notAvailable, error.message, { cause: error })
    }
  },
}

function argsOf(args: string): CniArgs {
  return parseArgs(args, ['IP', ...Object.keys(ABOUT)])
}

function aboutIn(args: CniArgs): Record<string, string> {
  const entries = Object.entries(ABOUT).map(([key, name]) => [name, args[key]] as const)
  return Object.fromEntries(entries.filter(([, value]) => value !== undefined)) as Record<string, string>
}
