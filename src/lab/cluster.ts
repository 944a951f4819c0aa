/**
 * A cluster's part of a plan: which pods' addresses a node has, how its pods are attached, and what its kernel needs so that
 * they reach the other nodes' pods.
 *
 *   bridge     a bridge per node, and a route to every node that a link joins it to
 *   flannel    the same bridge, and the overlay that flannel's backends make: overlay/backend
 *   calico     a veth pair for each pod and a route to it, and BGP between nodes: bgp/speaker-plan.ts
 *   flannel with daemons
 *              `overlab daemon` on every node, which takes a subnet and makes that overlay itself: node-daemon.ts
 */
import { formatIp, ipFromBigInt, ipToBigInt } from '../address/ip.ts'
import { hostOf, networkOf, parsePrefix } from '../address/prefix.ts'
import { JsonError } from '../json/errors.ts'
import { backendOf } from '../overlay/backend/backend.ts'
import { type BackendConfig, type NetworkConfig, parseConfig } from '../overlay/config.ts'
import type { Lease } from '../overlay/lease.ts'
import type { Uplink } from '../overlay/uplink.ts'
import type { State } from '../reconcile/state.ts'
import type { Cluster } from './topology.ts'

export const POD_NETWORK = '10.244.0.0/16'

/** Length of every node's part of the pod network; and of a block, Calico's part of it. */
const NODE_PREFIX_LENGTH = 24
const BLOCK_PREFIX_LENGTH = 26
/** flannel's defaults: net-conf.json. */
const VNI = 1
const VXLAN_PORT = 8472
const UDP_PORT = 8285

/** A node that carries pods, and the link by which other nodes know it. */
export interface Carrier {
  readonly name: string
  readonly link: string
  /** With its prefix length. */
  readonly address: string
  /** Bytes. */
  readonly mtu: number
}

export interface PodNetworkPlan {
  /** Left out: what the node's daemon takes. */
  readonly subnet?: string
  /** Left out: the kernel's own. */
  readonly mtu?: number
  readonly hairpin: boolean
  /** No bridge: every pod has a route of its own. */
  readonly isRouted?: true
}

/** Undefined where nodes do not encapsulate or route by a backend. */
export interface OverlayPlan {
  readonly leases: readonly Lease[]
  readonly state: State
}

/** `overlab daemon` on a node. */
export interface DaemonPlan {
  readonly backend: BackendConfig['type']
  /** The link by which other nodes know it. */
  readonly link: string
}

/** What the pods of the `index`th carrier are attached to. */
export function planPodNetwork(
  cluster: Cluster | undefined,
  index: number,
  carriers: readonly Carrier[],
): PodNetworkPlan {
  const cni = cluster?.cni
  const network = cni?.network ?? POD_NETWORK
  if (cni?.plugin === 'calico') {
    return { subnet: podSubnet(network, index + 1, BLOCK_PREFIX_LENGTH), hairpin: false, isRouted: true }
  }
  // A bridge alone leaves the network's first /24 free; flannel's nodes are numbered as Kubernetes hands out ranges.
  if (cni?.plugin !== 'flannel') return { subnet: podSubnet(network, index + 1), hairpin: false }
  const config = configOf(cluster, network)
  if (cni.daemons) return { hairpin: true }
  const carrier = carriers[index]
  return {
    subnet: podSubnet(network, index),
    hairpin: true,
    ...(carrier && { mtu: backendOf(config).mtu(uplinkOf(carrier), config) }),
  }
}

/** What the node is given, or its daemon. RangeError when a node cannot be reached by the backend. */
export function planOverlay(
  cluster: Cluster | undefined,
  node: string,
  carriers: readonly Carrier[],
): { readonly overlay?: OverlayPlan; readonly daemon?: DaemonPlan } {
  if (cluster?.cni?.plugin !== 'flannel') return {}
  const index = carriers.findIndex(({ name }) => name === node)
  if (index < 0) return {}
  const network = cluster.cni.network ?? POD_NETWORK
  const config = configOf(cluster, network)
  const backend = backendOf(config)
  const leases = carriers.map((carrier, i) => leaseOf(carrier, i, config))
  const uplink = uplinkOf(carriers[index]!)
  const lease = leases[index]!
  const input = { uplink, lease, peers: leases.filter((other) => other !== lease), config }
  const [unreachable] = backend.leftOut(input)
  if (unreachable) {
    throw new RangeError(
      `Cannot reach node "${unreachable.lease.node}" from "${node}" by ${config.backend.type}: ${unreachable.reason} (${carriers[index]!.address}); use vxlan`,
    )
  }
  if (cluster.cni.daemons) return { daemon: { backend: config.backend.type, link: uplink.link } }
  return { overlay: { leases, state: backend.plan(input) } }
}

/** net-conf.json, for daemons. RangeError when they could not use it. */
export function planNetworkConfig({ cni }: Cluster): string {
  const { network = POD_NETWORK, vni, port, mtu, directRouting } = cni!
  const backend = overlayBackend(cni!)
  const options = {
    vxlan: { VNI: vni, Port: port, MTU: mtu, DirectRouting: directRouting },
    udp: { Port: port },
    'host-gw': {},
  }
  const json = { Network: network, Backend: { Type: backend, ...options[backend] } }
  const text = `${JSON.stringify(json, undefined, 2)}\n`
  try {
    parseConfig(text)
    return text
  } catch (error) {
    if (!(error instanceof JsonError)) throw error
    throw new RangeError(`Cannot make an overlay of cluster.cni: ${error.message}`, { cause: error })
  }
}

/** check-topology.ts has refused what is no backend here. */
function configOf(cluster: Cluster | undefined, network: string): NetworkConfig {
  return {
    ipv4: { network, subnetMin: network, subnetMax: network, subnetLen: NODE_PREFIX_LENGTH },
    nftables: false,
    backend: backendConfigOf(cluster?.cni ?? {}),
  }
}

function backendConfigOf(cni: Partial<NonNullable<Cluster['cni']>>): BackendConfig {
  const { vni = VNI, port, mtu, directRouting = false } = cni
  const backend = overlayBackend(cni)
  if (backend === 'host-gw') return { type: backend }
  if (backend === 'udp') return { type: backend, port: port ?? UDP_PORT }
  return {
    type: backend,
    vni,
    port: port ?? VXLAN_PORT,
    ...(mtu !== undefined && { mtu }),
    gbp: false,
    learning: false,
    directRouting,
  }
}

/** check-bgp.ts has refused what is none. */
function overlayBackend({ backend = 'vxlan' }: Partial<NonNullable<Cluster['cni']>>) {
  if (backend === 'bgp') throw new RangeError('Cannot make an overlay of cluster.cni: BGP makes none')
  return backend
}

function uplinkOf({ link, mtu, address }: Carrier): Uplink {
  return { link, mtu, ipv4: { address, publicIp: hostOf(address) } }
}

function leaseOf(carrier: Carrier, index: number, config: NetworkConfig): Lease {
  const { backend, ipv4 } = backendOf(config).attributes(uplinkOf(carrier), config, { ipv4: vtepMac(index + 1) })
  return { node: carrier.name, backend, ipv4: { ...ipv4!, subnet: podSubnet(config.ipv4!.network, index) } }
}

/** Locally administered, and the same in every run: `02:f1:00:00:02:01` is the second node's. */
function vtepMac(number: number): string {
  const byte = (value: number) => (value & 0xff).toString(16).padStart(2, '0')
  return `02:f1:00:${byte(number >> 8)}:${byte(number)}:01`
}

/** The numbered /24 of the network, as flannel and Kubernetes hand them to nodes; or the first so long part of it. */
function podSubnet(network: string, number: number, length = NODE_PREFIX_LENGTH): string {
  const first = ipToBigInt(networkOf(parsePrefix(network)).address)
  const subnet = ipFromBigInt(first + BigInt(number) * 2n ** BigInt(32 - NODE_PREFIX_LENGTH), 'ipv4')
  return `${formatIp(subnet)}/${length}`
}
