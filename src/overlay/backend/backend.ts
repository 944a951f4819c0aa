/**
 * Backends: from leases and configuration to what a node's kernel should look like. Pure functions; whoever keeps the kernel
 * so is elsewhere.
 *
 *   vxlan      a device, and three entries for every peer      vxlan.ts
 *   host-gw    a route for every peer                          host-gw.ts
 *   udp        a TUN, and one route for all peers              udp.ts
 *   alloc      nothing: leases alone                           alloc.ts
 *
 * Devices, entries and routes are flannel's, to the byte: nodes of both kinds share a network, and one may take the other's
 * place on a node. What a plan owns are things that no one else has: entries of the devices, and routes to subnets of nodes.
 */
import type { State } from '../../reconcile/state.ts'
import type { BackendConfig, NetworkConfig } from '../config.ts'
import type { Family, Lease, LeaseAttributes } from '../lease.ts'
import type { Uplink } from '../uplink.ts'
import { alloc } from './alloc.ts'
import { hostGw } from './host-gw.ts'
import { udp } from './udp.ts'
import { vxlan } from './vxlan.ts'

/** The network's configuration where its backend is known. */
export type ConfigOf<C extends BackendConfig> = NetworkConfig & { readonly backend: C }

export interface BackendInput<C extends BackendConfig = BackendConfig> {
  readonly uplink: Uplink
  /** The node's own. */
  readonly lease: Lease
  /** The other nodes'. */
  readonly peers: readonly Lease[]
  readonly config: ConfigOf<C>
  /** Whether the address is on the uplink's own network: see on-link.ts. Left out: what is within the uplink's prefix is. */
  readonly reachable?: (ip: string) => boolean
}

/** A peer that nothing is planned for, and why. */
export interface LeftOut {
  readonly lease: Lease
  readonly family: Family
  /** Completes "Cannot reach 10.5.2.0/24 …": `its lease has no VTEP MAC`. */
  readonly reason: string
}

export interface Backend<C extends BackendConfig = BackendConfig> {
  /** RangeError when a node with this uplink cannot use the backend at all. */
  check(uplink: Uplink, config: ConfigOf<C>): void
  /** Bytes that a packet of a pod may have, whichever its family. */
  mtu(uplink: Uplink, config: ConfigOf<C>): number
  /** Name of the backend's device; undefined where it has none. */
  device(family: Family, config: ConfigOf<C>): string | undefined
  /** `macs` are the devices' own, for backends whose leases tell them. */
  attributes(uplink: Uplink, config: ConfigOf<C>, macs: Readonly<Partial<Record<Family, string>>>): LeaseAttributes
  plan(input: BackendInput<C>): State
  /** The peers that the plan says nothing of. */
  leftOut(input: BackendInput<C>): readonly LeftOut[]
}

export const backends = { vxlan, 'host-gw': hostGw, udp, alloc } as const

/** The backend that a network has. */
export function backendOf({ backend }: NetworkConfig): Backend {
  // Each is asked about configurations of its own type alone: the compiler cannot see that they belong together.
  return backends[backend.type] as unknown as Backend
}
