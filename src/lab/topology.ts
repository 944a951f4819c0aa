/**
 * What a lab looks like, as somebody writes it down in a topology file: schema/topology.schema.json. Names and shapes are
 * containerlab's, with `cluster`, `faults` and what a node can be told in full beside them.
 *
 *   topology   nodes, and links between their interfaces
 *   cluster    pods on the nodes, and the CNI plugin that attaches them; who speaks BGP with whom
 *   faults     commands that break something, by name
 *   tests      what is expected of it; `exercise`: which fault is to be found by them
 */
import type { RouteType } from '../kernel/route.ts'
import type { Exercise, TopologyTest } from './tests/description.ts'

export interface Topology {
  readonly name: string
  readonly engine?: 'model' | 'kernel' | 'both'
  readonly topology: {
    readonly defaults?: {
      /** A profile of the model: `linux-6.18`. */
      readonly kernel?: string
      readonly mtu?: number
      readonly sysctls?: Sysctls
    }
    readonly nodes: Readonly<Record<string, TopologyNode>>
    readonly links?: readonly TopologyLink[]
  }
  readonly cluster?: Cluster
  readonly faults?: Readonly<Record<string, Fault>>
  readonly tests?: readonly TopologyTest[]
  readonly exercise?: Exercise
  readonly scenario?: unknown
}

/** Names with dots, or with slashes where an interface's name has a dot. */
export type Sysctls = Readonly<Record<string, string | number>>

/** Built in this order: links, interfaces with their ports, neighbours, fdb, routes, ipset, iptables, nft, exec. */
export interface TopologyNode {
  /** `k8s-node` forwards and carries pods; `bridge` is one bridge and nothing else. `linux` where left out. */
  readonly kind?: 'linux' | 'bridge' | 'host' | 'k8s-node'
  readonly labels?: Readonly<Record<string, string>>
  readonly sysctls?: Sysctls
  /** Off where left out: a network of IPv4 is then undisturbed by router solicitations. */
  readonly ipv6?: boolean
  readonly interfaces?: Readonly<Record<string, TopologyInterface>>
  readonly neighbours?: readonly { readonly ip: string; readonly mac: string; readonly dev: string }[]
  readonly fdb?: readonly { readonly mac: string; readonly dev: string; readonly dst: string }[]
  readonly routes?: readonly TopologyRoute[]
  /** Arguments of iptables, one rule each. */
  readonly iptables?: readonly string[]
  /** What `ipset restore` reads: all of it, or a list of lines. */
  readonly ipset?: string | readonly string[]
  /** What `nft -f -` reads, in one commit; of a list, each entry in one of its own. */
  readonly nft?: string | readonly string[]
  /** Commands. */
  readonly exec?: readonly string[]
  /** Of a node that speaks BGP, what is other than for all. */
  readonly bgp?: TopologySpeaker
}

export type RouterKind = 'overlab' | 'bird' | 'frr'

export interface TopologySpeaker {
  /** Its rack's where left out, or that of the cluster. */
  readonly as?: number
  /** It passes on what one node says to all others: then these need not speak with each other (RFC 4456). */
  readonly reflector?: boolean
  /** It is a router, and of this make; `overlab` where left out of one that a rack names. */
  readonly router?: RouterKind
  /** Directory of BIRD's or FRR's programs; left out, where PATH and Debian have them. */
  readonly programs?: string
}

export type TopologyInterface =
  | {
      readonly type: 'bridge'
      readonly mac?: string
      readonly mtu?: number
      readonly addresses?: readonly string[]
      /** In the order of attaching: floods go in the reverse order. */
      readonly ports?: readonly {
        readonly interface: string
        readonly hairpin?: boolean
        readonly isolated?: boolean
      }[]
    }
  | {
      readonly type: 'vxlan'
      readonly id: number
      readonly dev?: string
      readonly local?: string
      readonly port?: number
      readonly learning?: boolean
      readonly mac?: string
      readonly mtu?: number
      readonly addresses?: readonly string[]
    }

export interface TopologyRoute {
  /** Prefix, address, or `default`. */
  readonly to: string
  readonly type?: Extract<RouteType, 'unicast' | 'blackhole' | 'unreachable' | 'prohibit' | 'throw' | 'local'>
  readonly via?: string
  readonly dev?: string
  readonly onlink?: boolean
  readonly scope?: 'link' | 'host' | 'global'
  readonly mtu?: number
  readonly table?: number
  readonly metric?: number
  readonly nexthops?: readonly { readonly via: string; readonly dev?: string; readonly weight?: number }[]
}

export type Endpoint =
  | string
  | {
      readonly node: string
      readonly interface: string
      readonly mac?: string
      readonly addresses?: readonly string[]
    }

export interface TopologyLink {
  readonly type?: 'veth'
  /** `node:interface`, twice, or in full. */
  readonly endpoints: readonly [Endpoint, Endpoint]
  /** Address of either end, with its prefix length. */
  readonly ipv4?: readonly string[]
  readonly ipv6?: readonly string[]
  readonly mtu?: number
  readonly impair?: Impair
}

export interface Impair {
  readonly delay?: string
  readonly jitter?: string
  readonly loss?: string
  readonly rate?: string
}

export interface Cluster {
  readonly cni?: {
    readonly plugin: 'bridge' | 'flannel' | 'calico'
    /** `bgp` goes with `calico`, the others with `flannel`. */
    readonly backend?: 'vxlan' | 'host-gw' | 'udp' | 'bgp'
    /** All pods' addresses, IPv4. Every node gets a /24 of it; with `bgp`, the first block of one. 10.244.0.0/16 where left out. */
    readonly network?: string
    readonly ipv6Network?: string
    readonly vni?: number
    readonly port?: number
    readonly mtu?: number
    /** vxlan: plain routes to the nodes on the same network. */
    readonly directRouting?: boolean
    /** `overlab daemon` runs on every node and takes its subnet from a store, instead of what it would make there. */
    readonly daemons?: boolean
  }
  readonly bgp?: TopologyBgp
  readonly proxy?: { readonly mode?: string; readonly serviceCIDR?: string }
  readonly pods?: Readonly<Record<string, TopologyPod>>
  readonly services?: Readonly<Record<string, TopologyService>>
  readonly policies?: readonly string[]
}

/** Of backend `bgp`. */
export interface TopologyBgp {
  /** Of all that neither a rack nor the node itself says otherwise of: 64512 where left out. */
  readonly as?: number
  /** Every node speaks with every other. True where there are neither reflectors nor racks. */
  readonly mesh?: boolean
  readonly racks?: Readonly<Record<string, TopologyRack>>
  /** Seconds of silence after which a neighbour is given up. */
  readonly holdTime?: number
  /** Seconds that routes of a speaker that has died are kept for, until it is there again; false: they go with it. */
  readonly gracefulRestart?: number | false
}

/** Each of the nodes speaks with each of the routers. */
export interface TopologyRack {
  readonly as?: number
  readonly nodes: readonly string[]
  readonly routers: readonly string[]
}

export interface TopologyPod {
  readonly node: string
  /** 1 where left out. They are called `web-0`, `web-1` … */
  readonly replicas?: number
  readonly labels?: Readonly<Record<string, string>>
  /** `tcp/8080`. */
  readonly listen?: readonly string[]
  readonly mtu?: number
}

export interface TopologyService {
  readonly selector: Readonly<Record<string, string>>
  /** `80:8080/tcp`. */
  readonly ports: readonly string[]
  readonly clusterIP?: string
}

export interface Fault {
  readonly node: string
  readonly run: string
  /** Commands in the same place after which all is as before. */
  readonly undo?: string
  /** Seconds until it is felt, and until what mends it is. */
  readonly wait?: number
}

/** Two nodes, two pods on each, and one wire. */
export const twoNodes: Topology = {
  name: 'two-nodes',
  topology: {
    nodes: { n1: { kind: 'k8s-node' }, n2: { kind: 'k8s-node' } },
    links: [{ endpoints: ['n1:eth0', 'n2:eth0'], ipv4: ['192.168.56.11/24', '192.168.56.12/24'], mtu: 1500 }],
  },
  cluster: {
    cni: { plugin: 'flannel', backend: 'vxlan', network: '10.244.0.0/16' },
    pods: { web: { node: 'n1', replicas: 2 }, api: { node: 'n2', replicas: 2 } },
  },
}

/** `web-0`, `web-1`, `api-0` … in the file's order. */
export function podNames(pods: Readonly<Record<string, TopologyPod>>): string[] {
  return Object.entries(pods).flatMap(([name, { replicas = 1 }]) =>
    Array.from({ length: Math.max(0, Math.trunc(replicas)) }, (_, i) => `${name}-${i}`),
  )
}

/** Nodes that carry pods, in the file's order. */
export function podNodes({ topology }: Topology): string[] {
  return Object.entries(topology.nodes).flatMap(([name, { kind }]) => (kind === 'k8s-node' ? [name] : []))
}

/** Whether `overlab daemon` shall run on its nodes. */
export function hasDaemons({ cluster }: Topology): boolean {
  return cluster?.cni?.plugin === 'flannel' && cluster.cni.daemons === true
}

/** Whether pods' routes travel by BGP. */
export function hasBgp({ cluster }: Topology): boolean {
  return cluster?.cni?.plugin === 'calico' && cluster.cni.backend === 'bgp'
}

export interface EndpointInFull {
  readonly node: string
  readonly interface: string
  readonly mac?: string
  readonly addresses: readonly string[]
}

/** Either end of a link, however it was written. */
export function endpointsOf({ endpoints, ipv4 = [], ipv6 = [] }: TopologyLink): [EndpointInFull, EndpointInFull] {
  const inFull = (endpoint: Endpoint, i: number): EndpointInFull => {
    const ofLink = [ipv4[i], ipv6[i]].filter((address) => address !== undefined)
    if (typeof endpoint !== 'string') return { ...endpoint, addresses: [...(endpoint.addresses ?? []), ...ofLink] }
    const [node = '', ifName = ''] = endpoint.split(':')
    return { node, interface: ifName, addresses: ofLink }
  }
  return [inFull(endpoints[0], 0), inFull(endpoints[1], 1)]
}
