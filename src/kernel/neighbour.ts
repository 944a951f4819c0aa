/** Neighbours (ARP and NDP entries) and the bridge's forwarding database: `ip neigh`, `bridge fdb`. Source: linux/neighbour.h. */
import type { Family } from '../address/ip.ts'

/** NUD_*. */
export type NeighbourState =
  | 'none'
  | 'incomplete'
  | 'reachable'
  | 'stale'
  | 'delay'
  | 'probe'
  | 'failed'
  | 'noarp'
  | 'permanent'

export interface Neighbour {
  readonly link: string
  readonly address: string
  /** Absent while it is not known. */
  readonly mac?: string
  /** `permanent` where left out. */
  readonly state?: NeighbourState
  /** NTF_ROUTER. */
  readonly router?: boolean
  /** NTF_PROXY: answered for, not asked. */
  readonly proxy?: boolean
  readonly protocol?: number
}

export interface Neighbours {
  list(filter?: { readonly link?: string; readonly family?: Family; readonly proxy?: boolean }): Neighbour[]
  add(neighbour: Neighbour): void
  replace(neighbour: Neighbour): void
  /** KernelError ENOENT when there is none. */
  delete(neighbour: Pick<Neighbour, 'link' | 'address' | 'proxy'>): void
}

export interface FdbEntry {
  /** A bridge port, or a vxlan device. */
  readonly link: string
  /** `00:00:00:00:00:00` is vxlan's default entry. */
  readonly mac: string
  /** NTF_SELF is the device's own table (vxlan), NTF_MASTER the bridge's. */
  readonly owner: 'self' | 'master'
  /** `permanent` where left out: never ages; for a bridge: also local. `static` never ages; `dynamic` does. */
  readonly state?: 'permanent' | 'static' | 'dynamic'
  /** vxlan: the remote VTEP's address. */
  readonly destination?: string
  readonly vlan?: number
  readonly port?: number
  readonly vni?: number
  /** vxlan: the link it is sent by, where that is not the device's own. */
  readonly via?: string
  /** Dynamic: most often learnt by the kernel itself, which does not tell apart what somebody set so. NTF_EXT_LEARNED is not meant. */
  readonly learnt?: boolean
  /** Learnt, and not heard of for the ageing time: NUD_STALE. */
  readonly stale?: boolean
}

export interface Fdb {
  list(filter?: { readonly link?: string }): FdbEntry[]
  add(entry: FdbEntry): void
  /** A further destination for the same MAC: vxlan's head-end replication. */
  append(entry: FdbEntry): void
  replace(entry: FdbEntry): void
  /** KernelError ENOENT when there is none. */
  delete(entry: Pick<FdbEntry, 'link' | 'mac' | 'owner' | 'destination' | 'vlan'>): void
}
