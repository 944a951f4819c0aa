/** The network's configuration, flannel's net-conf.json. */

/** Of one family. Addresses are text. */
export interface FamilyNetwork {
  /** The pods of all nodes: `10.5.0.0/16`. */
  readonly network: string
  /** The first and the last subnet that a node may get. */
  readonly subnetMin: string
  readonly subnetMax: string
  /** Prefix length of a node's subnet. */
  readonly subnetLen: number
}

export interface VxlanConfig {
  readonly type: 'vxlan'
  /** 1 to 2^24 - 1. */
  readonly vni: number
  /** UDP port. */
  readonly port: number
  /** Of the network below, bytes; left out: the uplink's. */
  readonly mtu?: number
  /** Group policy extension. */
  readonly gbp: boolean
  readonly learning: boolean
  /** Plain routes to the nodes that are on the uplink's own network. */
  readonly directRouting: boolean
}

export interface UdpConfig {
  readonly type: 'udp'
  readonly port: number
}

export type BackendConfig = VxlanConfig | UdpConfig | { readonly type: 'host-gw' } | { readonly type: 'alloc' }

/** At least one of the families is there. */
export interface NetworkConfig {
  readonly ipv4?: FamilyNetwork
  readonly ipv6?: FamilyNetwork
  /** Traffic rules in nftables instead of iptables. */
  readonly nftables: boolean
  readonly backend: BackendConfig
}
