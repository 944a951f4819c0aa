/**
 * What an earlier daemon has left in a node's kernel, ours or flannel's, and that is not wanted any more. A daemon that starts
 * with another configuration than the last one removes what lies in its own network and nothing else: another daemon may have
 * another network on the same node. `--cleanup` removes everything that is flannel's by its name.
 */
import { contains, parsePrefix } from '../address/prefix.ts'
import type { Kernel } from '../kernel/kernel.ts'
import { RouteProtocol } from '../kernel/route.ts'
import { type Attempt, attempt } from '../reconcile/attempt.ts'
import { observe } from '../reconcile/observe.ts'
import { plan } from '../reconcile/reconcile.ts'
import { joinStates, type Owned, type OwnedRoutes, type State } from '../reconcile/state.ts'
import type { NetworkConfig } from './config.ts'
import { FAMILIES, type LeaseAttributes } from './lease.ts'
import type { Subnets } from './lease-key.ts'
import { noTrafficRules } from './rules/rules.ts'

/** What the earlier daemon told: in subnet.env, and in the store. */
export interface EarlierLife {
  readonly networks: Subnets
  readonly subnets: Subnets
  readonly lease: LeaseAttributes | undefined
}

/** udp, vxlan of either family. */
const OUR_DEVICE = /^flannel(?:\d+|(?:-v6)?\.\d+)$/
/** And those of flannel's backends that we have not: ipip, wireguard. */
const FLANNEL_DEVICE = /^flannel(?:\d+|(?:-v6)?\.\d+|\.ipip|-wg(?:-v6)?)$/

/** Devices and routes of the node's own network, of whichever backend. */
export function leftovers(kernel: Kernel, config: NetworkConfig, earlier: EarlierLife): Owned {
  const current = FAMILIES.flatMap((family) => config[family]?.network ?? [])
  const networks = [...new Set([...current, ...FAMILIES.flatMap((family) => earlier.networks[family] ?? [])])]
  const isOurs = (prefix: string) =>
    networks.some((network) => contains(parsePrefix(network), parsePrefix(prefix).address))
  const devices = kernel.links
    .list()
    .map(({ name }) => name)
    .filter((name) => OUR_DEVICE.test(name))
    .filter((name) => kernel.addresses.list(name).some(({ prefix }) => isOurs(prefix)))
  const subnets = routesOf(config, earlier)
  const whole = networks.map((network) => ({
    protocol: RouteProtocol.boot,
    subnets: { network, length: parsePrefix(network).length },
  }))
  return {
    links: devices.map((name) => ({ name })),
    addresses: networks.map((within) => ({ links: devices, within })),
    routes: [
      ...[...subnets, ...whole].map((each) => ({ ...each, links: devices })),
      ...(earlier.lease?.backend === 'host-gw' ? subnets : []),
    ],
  }
}

function routesOf(config: NetworkConfig, { networks, subnets }: Omit<EarlierLife, 'lease'>): OwnedRoutes[] {
  return FAMILIES.flatMap((family) => {
    const [network, subnet] = [networks[family], subnets[family]]
    const now = config[family]
    return [
      ...(network !== undefined && subnet !== undefined ? [{ network, length: parsePrefix(subnet).length }] : []),
      ...(now ? [{ network: now.network, length: now.subnetLen }] : []),
    ].map((each) => ({ protocol: RouteProtocol.boot, subnets: each }))
  })
}

/** Removes all that is flannel's by its name, and the routes of the network that subnet.env tells of. */
export function cleanUp(kernel: Kernel, earlier: Omit<EarlierLife, 'lease'>): Attempt {
  const devices = kernel.links.list().filter(({ name }) => FLANNEL_DEVICE.test(name))
  const routes = routesOf({ nftables: false, backend: { type: 'alloc' } }, earlier)
  const nothing: State = joinStates(noTrafficRules, {
    owned: {
      links: devices.map(({ name }) => ({ name })),
      ...(routes.length > 0 && { routes }),
    },
  })
  return attempt(kernel, plan(nothing, observe(kernel, nothing)))
}
