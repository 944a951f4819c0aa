/**
 * Backends: from leases and configuration to what a node's kernel should look like. Pure functions; whoever keeps the kernel
 * so is elsewhere.
 */
import type { State } from '../../reconcile/state.ts'
import type { Lease } from '../lease.ts'
import { hostGw } from './host-gw.ts'
import { vxlan } from './vxlan.ts'

/** The node that is asked about: its lease, and the link that its public address is on. */
export interface Uplink {
  readonly lease: Lease
  readonly link: string
  /** Of that link, bytes. */
  readonly mtu: number
  /** Public address with its prefix length: who else is on the link. */
  readonly prefix: string
}

export interface BackendOptions {
  /** VXLAN network identifier, 1 … 2²⁴ − 1. */
  readonly vni: number
  /** UDP port. */
  readonly port: number
  /** Of the network below, where it is smaller than the link's. */
  readonly mtu: number | undefined
}

export interface Backend {
  /** Bytes that a pod's packet may have. */
  mtu(uplink: Uplink, options: BackendOptions): number
  /** `peers` are the leases of the other nodes. RangeError when a peer cannot be reached this way. */
  plan(uplink: Uplink, peers: readonly Lease[], options: BackendOptions): State
}

export const backends = { vxlan, 'host-gw': hostGw } as const satisfies Record<string, Backend>

export type BackendName = keyof typeof backends
