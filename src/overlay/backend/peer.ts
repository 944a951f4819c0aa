/** What every backend asks of leases: which families there are, which peers can be reached, and who is on the link. */
import { parseIp } from '../../address/ip.ts'
import { contains, hostOf, parsePrefix } from '../../address/prefix.ts'
import { type Route, RouteProtocol } from '../../kernel/route.ts'
import type { OwnedRoutes } from '../../reconcile/state.ts'
import type { BackendConfig, NetworkConfig } from '../config.ts'
import { FAMILIES, type Family, type FamilyLease, type Lease, type LeaseAttributes } from '../lease.ts'
import type { Uplink } from '../uplink.ts'
import type { BackendInput, LeftOut } from './backend.ts'

export const familiesOf = (config: NetworkConfig): Family[] => FAMILIES.filter((family) => config[family])

/** The node's own part of a family, and what of the others is as it must be to be reached. */
export interface FamilyPlan {
  readonly family: Family
  readonly own: FamilyLease
  /** The interface's own address, without prefix length; others may know the node by another one. */
  readonly address: string
  readonly peers: readonly FamilyLease[]
}

/** Why a peer cannot be reached; undefined when it can. */
export type Obstacle<C extends BackendConfig> = (
  peer: Lease,
  its: FamilyLease,
  family: Family,
  input: BackendInput<C>,
) => string | undefined

/** For each family that the network, the node's lease and its uplink have. */
export function familyPlans<C extends BackendConfig>(input: BackendInput<C>, obstacle: Obstacle<C>): FamilyPlan[] {
  const { config, lease, uplink } = input
  return familiesOf(config).flatMap((family) => {
    const [own, below] = [lease[family], uplink[family]]
    if (!own || !below) return []
    const peers = input.peers.flatMap((peer) => {
      const its = peer[family]
      return its && obstacle(peer, its, family, input) === undefined ? [its] : []
    })
    return [{ family, own, address: hostOf(below.address), peers }]
  })
}

export function leftOut<C extends BackendConfig>(input: BackendInput<C>, obstacle: Obstacle<C>): LeftOut[] {
  return familiesOf(input.config).flatMap((family) =>
    input.peers.flatMap((lease): LeftOut[] => {
      const its = lease[family]
      const reason = its && obstacle(lease, its, family, input)
      return reason === undefined ? [] : [{ lease, family, reason }]
    }),
  )
}

/** Leases of another backend are of nodes that have been configured otherwise: nothing would arrive there. */
export function otherBackend({ backend }: Lease, ours: string): string | undefined {
  return backend === ours ? undefined : `its backend is "${backend}" instead of "${ours}"`
}

export function isOnLink({ uplink, reachable }: BackendInput, ip: string): boolean {
  if (reachable) return reachable(ip)
  const prefix = uplink[ip.includes(':') ? 'ipv6' : 'ipv4']?.address
  return prefix !== undefined && contains(parsePrefix(prefix), parseIp(ip))
}

/** What a lease tells of a backend that has nothing of its own to tell. */
export function publicAddresses(uplink: Uplink, config: NetworkConfig, backend: string): LeaseAttributes {
  const tell = (family: Family) => {
    const publicIp = config[family] && uplink[family]?.publicIp
    return publicIp === undefined ? {} : { [family]: { publicIp } }
  }
  return { backend, ...tell('ipv4'), ...tell('ipv6') }
}

/** Routes to subnets of nodes, on these links: flannel's and ours, and nobody else's. */
export function subnetRoutes(config: NetworkConfig, linksOf: (family: Family) => readonly string[]): OwnedRoutes[] {
  return familiesOf(config).map((family) => {
    const { network, subnetLen } = config[family]!
    return { protocol: RouteProtocol.boot, links: linksOf(family), subnets: { network, length: subnetLen } }
  })
}

/** A plain route to the peer's pods, by its own address on this link. */
export const routeByAddress = remembering(
  ({ subnet, publicIp }, link): Route => ({
    destination: subnet,
    gateway: publicIp,
    link,
    protocol: RouteProtocol.boot,
  }),
)

/**
 * What `make` makes of a peer is the same object each time, for as long as its lease is: plans for many peers that differ in
 * one are soon compared. `link`: where it depends on one.
 */
export function remembering<T>(make: (peer: FamilyLease, link: string) => T): (peer: FamilyLease, link?: string) => T {
  const made = new WeakMap<FamilyLease, { readonly link: string; readonly what: T }>()
  return (peer, link = '') => {
    const before = made.get(peer)
    if (before?.link === link) return before.what
    const what = make(peer, link)
    made.set(peer, { link, what })
    return what
  }
}
