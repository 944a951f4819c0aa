/** What a node's kernel should look like: its backend's part and its traffic rules, as one state. */
import { contains, parsePrefix } from '../address/prefix.ts'
import type { Change } from '../kernel/live.ts'
import type { Route } from '../kernel/route.ts'
import { joinStates, type State } from '../reconcile/state.ts'
import { type BackendInput, backendOf, type LeftOut } from './backend/backend.ts'
import { remembering } from './backend/peer.ts'
import type { NetworkConfig } from './config.ts'
import { FAMILIES } from './lease.ts'
import { blackholeRoutes, noBlackholeRoutes } from './rules/rules.ts'
import { type NetworkRules, sharedRules } from './rules/shared.ts'
import type { TrafficOptions } from './rules/traffic.ts'
import type { UdpRoute } from './udp/lookup.ts'

export interface RuleOptions extends TrafficOptions {
  /** --ip-blackhole-route */
  readonly blackhole: boolean
}

/** `others`: networks of other daemons on this node. */
export function nodeState(input: BackendInput, options: RuleOptions, others: readonly NetworkRules[]): State {
  const { config, lease } = input
  return joinStates(
    backendOf(config).plan(input),
    sharedRules([...others, rulesOf(input, options)]),
    options.blackhole ? blackholeRoutes(config, lease) : noBlackholeRoutes(config),
  )
}

/** What other daemons on this node must know of ours. */
export function rulesOf({ config, lease }: BackendInput, options: RuleOptions): NetworkRules {
  const { ipv4, ipv6, nftables } = config
  const { masquerade, fullyRandom, forward } = options
  return {
    config: { ...(ipv4 && { ipv4 }), ...(ipv6 && { ipv6 }), nftables },
    lease,
    options: { masquerade, fullyRandom, forward },
  }
}

/** Whether the state depends on the kernel's routes too: then it is another one when those change. */
export function dependsOnRoutes({ config: { backend } }: Pick<BackendInput, 'config'>): boolean {
  return backend.type === 'host-gw' || (backend.type === 'vxlan' && backend.directRouting)
}

/** Whether it is a route to a subnet of the network that came or went. */
export function isRouteToPods({ subject, thing }: Change, config: NetworkConfig): boolean {
  if (subject !== 'route' || !thing) return false
  const { address } = parsePrefix((thing as Route).destination)
  return FAMILIES.some((family) => config[family] && contains(parsePrefix(config[family].network), address))
}

/** The peers that nothing is planned for, a line for each. */
export function describeLeftOut(input: BackendInput): string[] {
  return backendOf(input.config)
    .leftOut(input)
    .map(({ lease, family, reason }: LeftOut) => `Cannot reach ${lease[family]!.subnet}: ${reason}`)
}

/** Where the data path of udp sends packets for each subnet; those of peers that the backend leaves out have no way. */
export function udpRoutes(input: BackendInput): UdpRoute[] {
  const unreachable = new Set(
    backendOf(input.config)
      .leftOut(input)
      .map(({ lease }) => lease),
  )
  return input.peers.flatMap((peer) => (peer.ipv4 && !unreachable.has(peer) ? [udpRoute(peer.ipv4)] : []))
}

const udpRoute = remembering(({ subnet, publicIp }): UdpRoute => ({ subnet, node: publicIp }))
