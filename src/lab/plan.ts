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
import { faultsOf, podNames, type Topology } from './topology.ts'

/** Where `ip netns` and src/linux keep namespaces by name. */
export const NAMESPACES = '/run/netns'

/** Length of every node's part of the pod network. */
const NODE_PREFIX_LENGTH = 24

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
  readonly podSubnet: string
}

export interface PodPlan {
  readonly name: string
  readonly namespace: string
  readonly node: string
}

export interface LinkEnd {
  readonly node: string
  readonly ifName: string
  /** With its prefix length. */
  readonly address: string
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
  if (faults.length > 0) throw new RangeError(`Cannot build lab "${topology.name}": ${faults.join('; ')}`)

  const { name, cluster } = topology
  const nodes = Object.keys(topology.topology.nodes).map((node, i) => ({
    name: node,
    namespace: namespaceOf(node, name),
    podSubnet: podSubnet(cluster.cni.network, i + 1),
  }))
  const pods = Object.entries(cluster.pods).flatMap(([pod, options]) =>
    podNames({ [pod]: options }).map((replica) => ({
      name: replica,
      namespace: namespaceOf(replica, name),
      node: options.node,
    })),
  )
  const links = topology.topology.links.map(({ endpoints, ipv4, mtu = 1500 }) => ({
    ends: [linkEnd(endpoints[0], ipv4[0]), linkEnd(endpoints[1], ipv4[1])] as const,
    mtu,
  }))
  return { name, nodes, pods, links, routes: links.flatMap((link) => routesOver(link, nodes)) }
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

function linkEnd(endpoint: string, address: string): LinkEnd {
  const [node, ifName] = endpoint.split(':') as [string, string]
  return { node, ifName, address }
}

/** A route each way, to the pods at the other end. Nodes that share no link do not know of each other. */
function routesOver({ ends }: LinkPlan, nodes: readonly NodePlan[]): RoutePlan[] {
  const [a, b] = ends
  return [
    [a, b],
    [b, a],
  ].map(([from, to]) => ({
    node: from!.node,
    destination: nodes.find(({ name }) => name === to!.node)!.podSubnet,
    gateway: bare(to!.address),
  }))
}
