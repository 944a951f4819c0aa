/** What is set for a node of a cluster beside its speaker: plain values, as bgp/speaker-settings.ts. */
import type { NeighbourSettings } from '../bgp/speaker-settings.ts'
import type { Labels } from '../pool/selector.ts'

export interface ClusterSettings {
  /** As store/open.ts opens it. */
  readonly store: { readonly etcd: EtcdPlace } | { readonly file: string }
  /** By which the other nodes know this one. */
  readonly node: string
  /** Pools and routers select nodes by them. */
  readonly labels: Labels
  /** The speaker's router id is the node's IPv4 address, where it has one. */
  readonly isRouterIdAddress: boolean
  /** An IPv4 address: this node reflects, for the cluster of this number (RFC 4456). */
  readonly reflector: string | undefined
  /** Every node speaks with every other one while none reflects. */
  readonly mesh: boolean
  readonly uplink: { readonly interfaces: readonly string[]; readonly canReach: string | undefined }
  /** What holds for sessions with other nodes. Who each is with, the store tells. */
  readonly peers: NeighbourSettings
  readonly routers: readonly RouterSettings[]
  readonly vxlan: VxlanSettings
  /** Path at which this node's plugin asks for addresses. */
  readonly socket: string
}

export interface EtcdPlace {
  readonly endpoints: readonly string[]
  /** Paths of PEM files. */
  readonly ca: string | undefined
  readonly cert: string | undefined
  readonly key: string | undefined
  readonly username: string | undefined
  readonly password: string | undefined
}

/** A router that some nodes have a session with: of their rack, or a reflector outside of the cluster. */
export interface RouterSettings {
  /** By name; undefined: those that `nodeSelector` says. */
  readonly nodes: readonly string[] | undefined
  /** pool/selector.ts */
  readonly nodeSelector: string
  readonly neighbour: NeighbourSettings
}

export interface VxlanSettings {
  readonly vni: number
  /** UDP. */
  readonly port: number
  /** Bytes, of the link below; undefined: what that has. */
  readonly mtu: number | undefined
}
