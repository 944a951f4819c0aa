/**
 * From a topology to everything that will be made of it, each thing under its final name. Pure, and written to the lab's
 * state before anything is made: whoever takes the lab down knows what to look for, however far `up` had come.
 *
 *   lab "two-nodes", node "n1"   namespace  ovl-n1@two-nodes
 *                                state in   <state directory>/two-nodes/n1/     net.d/ cni/ ipam/
 *   its pod "web-0"              namespace  ovl-web-0@two-nodes
 */
import { formatIp, ipFromBigInt, ipToBigInt } from '../address/ip.ts'
import { networkOf, parsePrefix } from '../address/prefix.ts'
import { faultsOf, POD_NETWORK } from './check-topology.ts'
import {
  type EndpointInFull,
  endpointsOf,
  podNames,
  podNodes,
  type Topology,
  type TopologyLink,
  type TopologyNode,
} from './topology.ts'

/** Where `ip netns` and src/linux keep namespaces by name. */
export const NAMESPACES = '/run/netns'

/** Length of every node's part of the pod network. */
const NODE_PREFIX_LENGTH = 24
const MTU = 1500

export interface LabPlan {
  readonly name: string
  readonly nodes: readonly NodePlan[]
  readonly pods: readonly PodPlan[]
  readonly links: readonly LinkPlan[]
  readonly routes: readonly RoutePlan[]
}

export interface NodePlan {
  readonly name: string
  readonly namespace: string
  /** What the file says of it, with the defaults of all nodes. */
  readonly description: TopologyNode
  /** Of a node that carries pods. */
  readonly podSubnet?: string
}

export interface PodPlan {
  readonly name: string
  readonly namespace: string
  readonly node: string
}

export interface LinkEnd {
  readonly node: string
  readonly ifName: string
  readonly mac?: string
  /** With their prefix lengths. */
  readonly addresses: readonly string[]
}

export interface LinkPlan {
  readonly ends: readonly [LinkEnd, LinkEnd]
  readonly mtu: number
}

/** On `node`: the pods of another node are behind this address. */
export interface RoutePlan {
  readonly node: string
  readonly destination: string
  readonly gateway: string
}

/** RangeError that names everything which is wrong with the topology. */
export function planLab(topology: Topology): LabPlan {
  const faults = faultsOf(topology)
  if (faults.length > 0) {
    throw new RangeError(`Cannot build lab "${topology.name}": ${faults.map(({ message }) => message).join('; ')}`)
  }
  const { name, cluster } = topology
  const nodes = planNodes(topology)
  const pods = Object.entries(cluster?.pods ?? {}).flatMap(([pod, options]) =>
    podNames({ [pod]: options }).map((replica) => ({
      name: replica,
      namespace: namespaceOf(replica, name),
      node: options.node,
    })),
  )
  const { defaults, links: described = [] } = topology.topology
  const links = described.map((link) => planLink(link, defaults?.mtu ?? MTU))
  return { name, nodes, pods, links, routes: links.flatMap((link) => routesOver(link, nodes)) }
}

function planNodes(topology: Topology): NodePlan[] {
  const { nodes, defaults } = topology.topology
  const carriers = podNodes(topology)
  const network = topology.cluster?.cni?.network ?? POD_NETWORK
  return Object.entries(nodes).map(([node, description]) => ({
    name: node,
    namespace: namespaceOf(node, topology.name),
    description: { ...description, sysctls: { ...defaults?.sysctls, ...description.sysctls } },
    ...(carriers.includes(node) && { podSubnet: podSubnet(network, carriers.indexOf(node) + 1) }),
  }))
}

function planLink(link: TopologyLink, mtu: number): LinkPlan {
  const [a, b] = endpointsOf(link)
  return { ends: [linkEnd(a), linkEnd(b)], mtu: link.mtu ?? mtu }
}

function linkEnd({ node, interface: ifName, mac, addresses }: EndpointInFull): LinkEnd {
  return { node, ifName, ...(mac !== undefined && { mac }), addresses }
}

/** `@` may stand in no name, so what is before and behind it cannot run together. */
export function namespaceOf(name: string, lab: string): string {
  return `ovl-${name}@${lab}`
}

/** Whether the namespace is one of this lab's, also when the lab's state is lost. */
export function isNamespaceOf(namespace: string, lab: string): boolean {
  return namespace.startsWith('ovl-') && namespace.endsWith(`@${lab}`)
}

/** The node that this pod is on. */
export function nodeOf({ node }: PodPlan, { nodes }: LabPlan): NodePlan {
  return nodes.find(({ name }) => name === node)!
}

/** Address without its prefix length. */
export function bare(prefix: string): string {
  return prefix.slice(0, prefix.indexOf('/'))
}

/** The numbered /24 of the network, as flannel and Kubernetes hand them to nodes. */
function podSubnet(network: string, number: number): string {
  const first = ipToBigInt(networkOf(parsePrefix(network)).address)
  const subnet = ipFromBigInt(first + BigInt(number) * 2n ** BigInt(32 - NODE_PREFIX_LENGTH), 'ipv4')
  return `${formatIp(subnet)}/${NODE_PREFIX_LENGTH}`
}

/** A route each way, to the pods at the other end. Nodes that share no link do not know of each other. */
function routesOver({ ends: [a, b] }: LinkPlan, nodes: readonly NodePlan[]): RoutePlan[] {
  return [[a, b] as const, [b, a] as const].flatMap(([from, to]) => {
    const subnetOf = (end: LinkEnd) => nodes.find(({ name }) => name === end.node)!.podSubnet
    const destination = subnetOf(to)
    const gateway = to.addresses.find((address) => !address.includes(':'))
    if (!destination || !subnetOf(from) || !gateway) return []
    return [{ node: from.node, destination, gateway: bare(gateway) }]
  })
}
