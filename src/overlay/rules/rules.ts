/**
 * The traffic rules of a node: in nftables or in iptables' tables, as the network's configuration says. What flannel or we
 * have left of the other kind, or of rules that are not asked for any more, is ours to remove.
 */
import { RouteProtocol } from '../../kernel/route.ts'
import { joinStates, type Owned, type State } from '../../reconcile/state.ts'
import type { NetworkConfig } from '../config.ts'
import type { Lease } from '../lease.ts'
import { flannelChains, iptablesRules } from './iptables.ts'
import { flannelTables, nftablesRules } from './nftables.ts'
import { podsOf, type TrafficOptions } from './traffic.ts'

export function trafficRules(config: NetworkConfig, lease: Lease, options: TrafficOptions): State {
  const rules = config.nftables ? nftablesRules : iptablesRules
  return joinStates(rules(config, lease, options), noTrafficRules)
}

/** None of flannel's rules, of either kind. */
export const noTrafficRules: State = {
  owned: { nftTables: flannelTables.map(({ family, name }) => ({ family, name })), nftGuests: flannelChains },
}

/**
 * Behind every other route to them, so that the routes to pods that are there win: flannel's has no metric, and then comes
 * before the bridge's own, or keeps it from being made.
 */
const LAST = 0xffff

/** --ip-blackhole-route: packets to pods of this node that are not there are not sent out again by the default route. */
export function blackholeRoutes(config: NetworkConfig, lease: Lease): State {
  return {
    routes: podsOf(config, lease).map(({ subnet }) => ({
      destination: subnet,
      type: 'blackhole',
      metric: LAST,
      protocol: RouteProtocol.boot,
    })),
    owned: noBlackholeRoutes(config).owned!,
  }
}

/** None of them, whichever subnet the node had. */
export function noBlackholeRoutes(config: NetworkConfig): State {
  const networks = [config.ipv4, config.ipv6].flatMap((network) => network ?? [])
  const routes: Owned['routes'] = networks.map(({ network, subnetLen }) => ({
    protocol: RouteProtocol.boot,
    type: 'blackhole',
    subnets: { network, length: subnetLen },
  }))
  return { owned: { routes } }
}
