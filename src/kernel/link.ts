/** Links: `ip link`, `bridge link`, `bridge vlan`. Sources: rtnetlink(7), linux/if_link.h. */
import type { Kernel } from './kernel.ts'

/** IF_OPER_*, linux/if.h; RFC 2863 §3.1.13. */
export type OperState = 'unknown' | 'notpresent' | 'down' | 'lowerlayerdown' | 'testing' | 'dormant' | 'up'

/** NET_ADDR_*, linux/netdevice.h: where the link's MAC came from. `set` is NET_ADDR_SET: somebody asked for it. */
export type MacOrigin = 'permanent' | 'random' | 'stolen' | 'set'

export interface Link {
  readonly index: number
  readonly name: string
  /** IFLA_INFO_KIND: veth, bridge, vxlan, tun, macvlan, ifb …; `loopback`; undefined for hardware. */
  readonly kind: string | undefined
  /** Link-layer address; empty where the link has none (tun). A tunnel's is the address that it sends from: 4 bytes. */
  readonly mac: string
  readonly macOrigin: MacOrigin | undefined
  readonly mtu: number
  /** IFF_UP: somebody set it up. Whether it carries packets is `operState`. */
  readonly up: boolean
  /** IFF_*, linux/if.h, all of them: also IFF_NOARP, IFF_RUNNING, IFF_LOWER_UP. */
  readonly flags: number
  readonly operState: OperState
  /** IFF_PROMISC as the user set it. */
  readonly promiscuous: boolean
  readonly allMulticast: boolean
  /** Index of the link this one is a port of, such as a bridge. */
  readonly master: number | undefined
  /** IFLA_LINK: index of a veth's peer or a macvlan's parent, in the namespace that `parentNamespaceId` names. */
  readonly parent: number | undefined
  /** IFLA_LINK_NETNSID; undefined when `parent` is in the same namespace. */
  readonly parentNamespaceId: number | undefined
  /** That namespace's name, where it has one: `ip netns`. */
  readonly parentNamespace: string | undefined
  readonly alias: string | undefined
  readonly txQueueLength: number
  /** Name of the queueing discipline at its root: `noop` before it is up for the first time, `noqueue`, `tbf` … */
  readonly qdisc: string
  /** IFLA_GROUP; 0 is the default group. */
  readonly group: number
  readonly details: LinkDetails
  readonly bridge: BridgeOptions | undefined
  readonly port: BridgePort | undefined
  readonly vxlan: VxlanOptions | undefined
  readonly macvlan: MacvlanOptions | undefined
  readonly vlan: VlanOptions | undefined
  readonly ipip: IpipOptions | undefined
}

/** struct rtnl_link_stats64. */
export interface LinkStatistics {
  readonly rxBytes: number
  readonly rxPackets: number
  readonly rxErrors: number
  readonly rxDropped: number
  readonly rxMissed: number
  readonly multicast: number
  readonly txBytes: number
  readonly txPackets: number
  readonly txErrors: number
  readonly txDropped: number
  readonly txCarrierErrors: number
  readonly collisions: number
}

/** What `ip -d link` shows besides. */
export interface LinkDetails {
  /** How many want it promiscuous: a bridge of its port, a capture. */
  readonly promiscuity: number
  readonly allMulticast: number
  readonly minMtu: number
  readonly maxMtu: number
  readonly txQueues: number
  readonly rxQueues: number
  readonly gsoMaxSize: number
  readonly gsoMaxSegments: number
  readonly tsoMaxSize: number
  readonly tsoMaxSegments: number
  readonly groMaxSize: number
  /** IN6_ADDR_GEN_MODE_*; undefined where the link has no IPv6. */
  readonly addressGeneration: 'eui64' | 'none' | 'stable_secret' | 'random' | undefined
  /**
   * Of the link's own kind, in the kernel's numbers, under the names of IFLA_INFO_DATA's attributes: `BR_HELLO_TIME` is 200.
   * Addresses are text, bridge identifiers too: `8000.02:42:0a:00:00:01`.
   */
  readonly kind: Readonly<Record<string, number | string>>
  /** The same of a port, of IFLA_INFO_SLAVE_DATA: `BRPORT_GUARD`. */
  readonly port: Readonly<Record<string, number | string>>
}

/** IFLA_BR_*. Times are seconds. */
export interface BridgeOptions {
  readonly vlanFiltering: boolean
  readonly vlanDefaultPvid: number
  readonly ageingTime: number
  readonly forwardDelay: number
  readonly stp: boolean
}

/** IFLA_BRPORT_*: what `bridge link` shows of a port. */
export interface BridgePort {
  readonly state: 'disabled' | 'listening' | 'learning' | 'forwarding' | 'blocking'
  readonly hairpin: boolean
  readonly isolated: boolean
  readonly learning: boolean
  readonly flood: boolean
  readonly neighbourSuppression: boolean
  /** Of the spanning tree; the cost of an Ethernet port of unknown speed is 100, of a veth 2. */
  readonly priority: number
  readonly cost: number
  readonly multicastFlood: boolean
  readonly broadcastFlood: boolean
}

/** IFLA_VXLAN_*. */
export interface VxlanOptions {
  readonly vni: number
  readonly local?: string
  /** Remote or multicast group. */
  readonly remote?: string
  /** Name of the link it sends on. */
  readonly device?: string
  readonly port: number
  readonly learning: boolean
  readonly ttl: number
  /** Seconds; 0 means never. */
  readonly ageing: number
  readonly udpChecksum: boolean
  /** Group policy extension. */
  readonly gbp: boolean
}

/** IFLA_IPTUN_*: IPv4 in IPv4, RFC 2003. Without a remote it sends to the next hop of the packet's route. */
export interface IpipOptions {
  readonly local?: string
  readonly remote?: string
  /** Name of the link it sends on. */
  readonly device?: string
  /** 0: that of the packet inside. */
  readonly ttl: number
  /** 1: that of the packet inside. */
  readonly tos: number
  /** DF is set outside, and who sends what does not fit is told. Without it, DF is what it is inside. */
  readonly pathMtuDiscovery: boolean
}

export interface MacvlanOptions {
  readonly mode: 'private' | 'vepa' | 'bridge' | 'passthru' | 'source'
}

export interface VlanOptions {
  readonly id: number
}

/** What can be said of any link at its birth. Left out means the kernel's default. */
interface Birth {
  readonly name: string
  readonly mac?: string
  readonly mtu?: number
  readonly up?: boolean
  readonly txQueueLength?: number
  readonly alias?: string
  /** Name of the link to be a port of. */
  readonly master?: string
  readonly group?: number
}

/** The other end of a veth pair. It is born in `namespace`, this one where left out. It cannot be up at birth. */
export interface VethPeer {
  readonly name: string
  readonly namespace?: Kernel
  readonly mac?: string
  readonly mtu?: number
  readonly txQueueLength?: number
}

export type NewLink = Birth &
  (
    | { readonly kind: 'veth'; readonly peer: VethPeer }
    | { readonly kind: 'bridge'; readonly bridge?: Partial<BridgeOptions> }
    | { readonly kind: 'vxlan'; readonly vxlan: Partial<VxlanOptions> & { readonly vni: number } }
    | {
        readonly kind: 'macvlan'
        readonly parent: string
        readonly macvlan?: MacvlanOptions
        readonly namespace?: Kernel
      }
    | { readonly kind: 'vlan'; readonly parent: string; readonly vlan: VlanOptions; readonly namespace?: Kernel }
    | {
        readonly kind: 'ipvlan'
        readonly parent: string
        readonly ipvlan?: { readonly mode: 'l2' | 'l3' | 'l3s' }
        readonly namespace?: Kernel
      }
    | { readonly kind: 'ifb' | 'dummy' }
    | { readonly kind: 'ipip'; readonly ipip?: Partial<IpipOptions> }
    | { readonly kind: 'vrf'; readonly vrf: { readonly table: number } }
    /** A persistent TUN or TAP that no process has open. An open one comes from LiveKernel.tuns. */
    | {
        readonly kind: 'tun'
        readonly tun: {
          readonly mode: 'tun' | 'tap'
          readonly owner?: number
          readonly group?: number
          readonly multiQueue?: boolean
        }
      }
  )

/** Changes to a link that is there. Left out means: leave as it is. */
export interface LinkChange {
  readonly name?: string
  readonly mac?: string
  readonly mtu?: number
  readonly up?: boolean
  readonly promiscuous?: boolean
  readonly allMulticast?: boolean
  readonly txQueueLength?: number
  /** `null` takes the alias away. */
  readonly alias?: string | null
  /** `null` takes the link out of its master. */
  readonly master?: string | null
  readonly group?: number
  /** Moves the link there. */
  readonly namespace?: Kernel
  readonly bridge?: Partial<BridgeOptions>
  /** Of a vxlan device; what else it has, it has from its birth. */
  readonly vxlan?: Pick<VxlanOptions, 'learning'>
  /** The port's attributes; the link must be one (or become one in the same change). */
  readonly port?: Partial<Omit<BridgePort, 'state'>>
}

export interface Links {
  get(name: string): Link | undefined
  getByIndex(index: number): Link | undefined
  list(): Link[]
  /** Its counters. KernelError ENODEV when there is none. */
  statistics(name: string): LinkStatistics
  /** KernelError EEXIST when the name is taken, here or, for a veth's peer, there. */
  add(link: NewLink): Link
  /** KernelError ENODEV when there is none. */
  set(name: string, change: LinkChange): void
  /** KernelError ENODEV when there is none. Deleting one end of a veth pair deletes the other. */
  delete(name: string): void
  /** Deletes every link of the group at once: one wait of the kernel instead of one per link. `group` is not 0. */
  deleteGroup(group: number): void
}

export interface BridgeVlan {
  /** First VLAN id, 1 to 4094. */
  readonly id: number
  /** Last one, where the entry is a range; equal to `id` otherwise. */
  readonly end: number
  /** Untagged frames that come in belong to it. */
  readonly pvid: boolean
  /** Its frames go out without a tag. */
  readonly untagged: boolean
}

/** `bridge vlan`: which VLANs a port, or the bridge itself, is member of. KernelError EOPNOTSUPP where the kernel has no VLAN filtering. */
export interface BridgeVlans {
  list(link: string): BridgeVlan[]
  /** `self` is for the bridge itself. */
  add(link: string, vlan: BridgeVlan, options?: { readonly self?: boolean }): void
  /** Taking a link out of a VLAN that it is not in changes nothing, also where the kernel has no VLAN filtering. */
  delete(link: string, vlan: Pick<BridgeVlan, 'id' | 'end'>, options?: { readonly self?: boolean }): void
}
