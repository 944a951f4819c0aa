/**
 * A cluster's part of a plan: which pods' addresses a node has, how its pods are attached, and what its kernel needs so that
 * they reach the other nodes' pods.
 *
 *   bridge     a bridge per node, and a route to every node that a link joins it to
 *   flannel    the same bridge, and the overlay that flannel's backends make: overlay/backend
 */
import { formatIp, ipFromBigInt, ipToBigInt } from '../address/ip.ts'
import { networkOf, parsePrefix } from '../address/prefix.ts'
import { type BackendName, backends } from '../overlay/backend/backend.ts'
import type { Lease } from '../overlay/lease.ts'
import type { State } from '../reconcile/state.ts'
import type { Cluster } from './topology.ts'

export const POD_NETWORK = '10.244.0.0/16'

/** Length of every node's part of the pod network. */
const NODE_PREFIX_LENGTH = 24
/** flannel's defaults: net-conf.json. */
const VNI = 1
const PORT = 8472

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
  readonly subnet: string
  /** Left out: the kernel's own. */
  readonly mtu?: number
  readonly hairpin: boolean
}

/** Undefined where nodes do not encapsulate or route by a backend. */
export interface OverlayPlan {
  readonly leases: readonly Lease[]
  readonly state: State
}

/** What the pods of the `index`th carrier are attached to. */
export function planPodNetwork(
  cluster: Cluster | undefined,
  index: number,
  carriers: readonly Carrier[],
): PodNetworkPlan {
  const cni = cluster?.cni
  const network = cni?.network ?? POD_NETWORK
  // A bridge alone leaves the network's first /24 free; flannel's nodes are numbered as Kubernetes hands out ranges.
  if (cni?.plugin !== 'flannel') return { subnet: podSubnet(network, index + 1), hairpin: false }
  const backend = backends[backendOf(cluster)]
  const carrier = carriers[index]
  const uplink = carrier && uplinkOf(carrier, leaseOf(carrier, index, network, cluster))
  return {
    subnet: podSubnet(network, index),
    hairpin: true,
    ...(uplink && { mtu: backend.mtu(uplink, optionsOf(cluster)) }),
  }
}

/** RangeError when a node cannot be reached by the backend. */
export function planOverlay(
  cluster: Cluster | undefined,
  node: string,
  carriers: readonly Carrier[],
): OverlayPlan | undefined {
  if (cluster?.cni?.plugin !== 'flannel') return undefined
  const index = carriers.findIndex(({ name }) => name === node)
  if (index < 0) return undefined
  const network = cluster.cni.network ?? POD_NETWORK
  const leases = carriers.map((carrier, i) => leaseOf(carrier, i, network, cluster))
  const uplink = uplinkOf(carriers[index]!, leases[index]!)
  const peers = leases.filter((lease) => lease.node !== node)
  return { leases, state: backends[backendOf(cluster)].plan(uplink, peers, optionsOf(cluster)) }
}

/** check-topology.ts has refused what is no backend here. */
function backendOf(cluster: Cluster | undefined): BackendName {
  return (cluster?.cni?.backend ?? 'vxlan') as BackendName
}

function optionsOf(cluster: Cluster | undefined) {
  const { vni = VNI, port = PORT, mtu } = cluster?.cni ?? {}
  return { vni, port, mtu }
}

const uplinkOf = ({ link, mtu, address }: Carrier, lease: Lease) => ({ lease, link, mtu, prefix: address })

function leaseOf({ name, address }: Carrier, index: number, network: string, cluster: Cluster | undefined): Lease {
  return {
    node: name,
    backend: backendOf(cluster),
    ipv4: {
      subnet: podSubnet(network, index),
      publicIp: address.slice(0, address.indexOf('/')),
      vtep: { vni: optionsOf(cluster).vni, mac: vtepMac(index + 1) },
    },
  }
}

/** Locally administered, and the same in every run: `02:f1:00:00:02:01` is the second node's. */
function vtepMac(number: number): string {
  const byte = (value: number) => (value & 0xff).toString(16).padStart(2, '0')
  return `02:f1:00:${byte(number >> 8)}:${byte(number)}:01`
}

/** The numbered /24 of the network, as flannel and Kubernetes hand them to nodes. */
function podSubnet(network: string, number: number): string {
  const first = ipToBigInt(networkOf(parsePrefix(network)).address)
  const subnet = ipFromBigInt(first + BigInt(number) * 2n ** BigInt(32 - NODE_PREFIX_LENGTH), 'ipv4')
  return `${formatIp(subnet)}/${NODE_PREFIX_LENGTH}`
}
