/**
 * From a topology to everything that will be made of it, each thing under its final name. Pure, and written to the lab's
 * state before anything is made: whoever takes the lab down knows what to look for, however far `up` had come.
 *
 *   lab "two-nodes", node "n1"   namespace  ovl-n1@two-nodes
 *                                state in   <state directory>/two-nodes/n1/     net.d/ cni/ ipam/
 *   its pod "web-0"              namespace  ovl-web-0@two-nodes
 */
import { hostOf } from '../address/prefix.ts'
import { planSpeakers, type SpeakerPlan } from './bgp/speaker-plan.ts'
import { faultsOf, unsupportedIn } from './check-topology.ts'
import {
  type Carrier,
  type DaemonPlan,
  type OverlayPlan,
  POD_NETWORK,
  type PodNetworkPlan,
  planNetworkConfig,
  planOverlay,
  planPodNetwork,
} from './cluster.ts'
import { selectPods } from './service.ts'
import {
  type EndpointInFull,
  endpointsOf,
  hasBgp,
  hasDaemons,
  type Impair,
  podNames,
  podNodes,
  type Topology,
  type TopologyLink,
  type TopologyNode,
} from './topology.ts'
import { UnsupportedError } from './unsupported-error.ts'

/** Where `ip netns` and src/linux keep namespaces by name. */
export const NAMESPACES = '/run/netns'

const MTU = 1500

export interface LabPlan {
  readonly name: string
  readonly nodes: readonly NodePlan[]
  readonly pods: readonly PodPlan[]
  readonly links: readonly LinkPlan[]
  readonly routes: readonly RoutePlan[]
  readonly services: readonly ServicePlan[]
  /** All pods' addresses. Left out, where there are no pods. */
  readonly podNetwork?: string
  /** net-conf.json, of a lab whose nodes have daemons. */
  readonly networkConfig?: string
}

export interface NodePlan {
  readonly name: string
  readonly namespace: string
  /** What the file says of it, with the defaults of all nodes. */
  readonly description: TopologyNode
  /** Of a node that carries pods. */
  readonly podNetwork?: PodNetworkPlan
  readonly overlay?: OverlayPlan
  readonly daemon?: DaemonPlan
  /** Of a node that speaks BGP. */
  readonly speaker?: SpeakerPlan
}

export interface PodPlan {
  readonly name: string
  readonly namespace: string
  readonly node: string
  readonly labels: Readonly<Record<string, string>>
  /** `tcp/8080`: where something answers. */
  readonly listen: readonly string[]
  /** Bytes; left out, the network's. */
  readonly mtu?: number
}

export interface LinkEnd {
  readonly node: string
  readonly ifName: string
  readonly mac?: string
  /** With their prefix lengths. */
  readonly addresses: readonly string[]
  /** The bridge that it is a port of. */
  readonly master?: string
}

export interface LinkPlan {
  readonly ends: readonly [LinkEnd, LinkEnd]
  readonly mtu: number
  readonly impair?: Impair
}

/** On `node`: the pods of another node are behind this address. */
export interface RoutePlan {
  readonly node: string
  readonly destination: string
  readonly gateway: string
}

export interface ServicePlan {
  readonly name: string
  readonly clusterIp: string
  readonly ports: readonly {
    readonly port: number
    readonly targetPort: number
    readonly protocol: 'tcp' | 'udp'
  }[]
  readonly selector: Readonly<Record<string, string>>
  /** Names of those behind it. */
  readonly pods: readonly string[]
}

/** RangeError that names everything which is wrong with the topology; UnsupportedError that names what nothing builds yet. */
export function planLab(topology: Topology): LabPlan {
  const faults = faultsOf(topology)
  if (faults.length > 0) {
    throw new RangeError(`Cannot build lab "${topology.name}": ${faults.map(({ message }) => message).join('; ')}`)
  }
  const unsupported = unsupportedIn(topology)
  if (unsupported.length > 0) throw new UnsupportedError(`unsupported: ${unsupported.join(', ')}`)
  const { name, cluster } = topology
  const { defaults, links: described = [] } = topology.topology
  const links = described.map((link) => planLink(link, defaults?.mtu ?? MTU, topology.topology.nodes))
  const nodes = planNodes(topology, links)
  const pods = planPods(topology)
  const isRouted = cluster?.cni?.plugin === 'flannel' || hasBgp(topology)
  const routes = isRouted ? [] : links.flatMap((link) => routesOver(link, nodes))
  const services = planServices(topology, pods)
  const networkConfig = hasDaemons(topology) && planNetworkConfig(cluster!)
  const podNetwork = pods.length > 0 && (cluster?.cni?.network ?? POD_NETWORK)
  return {
    name,
    nodes,
    pods,
    links,
    routes,
    services,
    ...(podNetwork && { podNetwork }),
    ...(networkConfig && { networkConfig }),
  }
}

function planNodes(topology: Topology, links: readonly LinkPlan[]): NodePlan[] {
  const { nodes, defaults } = topology.topology
  const names = podNodes(topology)
  const carriers = names.flatMap((name) => carrierOf(name, links) ?? [])
  const podNetworks = new Map(names.map((name, i) => [name, planPodNetwork(topology.cluster, i, carriers)]))
  const blocks = new Map(
    [...podNetworks].flatMap(([name, { subnet }]) => (subnet === undefined ? [] : [[name, subnet]])),
  )
  const speakers = hasBgp(topology) ? planSpeakers(topology, links, blocks) : new Map<string, SpeakerPlan>()
  return Object.entries(nodes).map(([node, description]) => {
    const podNetwork = podNetworks.get(node)
    const speaker = speakers.get(node)
    if (hasDaemons(topology) && names.includes(node) && !carriers.some(({ name }) => name === node)) {
      throw new RangeError(`Cannot run a daemon on node "${node}": no link of it has an IPv4 address`)
    }
    return {
      name: node,
      namespace: namespaceOf(node, topology.name),
      description: { ...description, sysctls: { ...defaults?.sysctls, ...description.sysctls } },
      ...(podNetwork && { podNetwork }),
      ...planOverlay(topology.cluster, node, carriers),
      ...(speaker && { speaker }),
    }
  })
}

/** Its first link with an IPv4 address. */
function carrierOf(name: string, links: readonly LinkPlan[]): Carrier | undefined {
  for (const { ends, mtu } of links) {
    const end = ends.find(({ node, addresses }) => node === name && addresses.some(isIpv4))
    if (end) return { name, link: end.ifName, address: end.addresses.find(isIpv4)!, mtu }
  }
  return undefined
}

function planPods({ name: lab, cluster }: Topology): PodPlan[] {
  return Object.entries(cluster?.pods ?? {}).flatMap(([pod, options]) =>
    podNames({ [pod]: options }).map((replica) => ({
      name: replica,
      namespace: namespaceOf(replica, lab),
      node: options.node,
      labels: options.labels ?? {},
      listen: options.listen ?? [],
      ...(options.mtu !== undefined && { mtu: options.mtu }),
    })),
  )
}

/** The first service of a cluster gets this address, where none is given: Kubernetes' 10.96.0.0/12, behind its own API and DNS. */
const FIRST_SERVICE = 10

function planServices({ cluster }: Topology, pods: readonly PodPlan[]): ServicePlan[] {
  return Object.entries(cluster?.services ?? {}).map(([name, { selector, ports, clusterIP }], i) => ({
    name,
    clusterIp: clusterIP ?? `10.96.0.${FIRST_SERVICE + i}`,
    ports: ports.map(parsePort),
    selector,
    pods: selectPods(selector, pods),
  }))
}

/** `80:8080/udp`; the target is the port, and TCP the protocol, where left out. */
function parsePort(text: string): ServicePlan['ports'][number] {
  const [ports = '', protocol = 'tcp'] = text.split('/')
  const [port, targetPort = port] = ports.split(':').map(Number)
  return { port: port!, targetPort: targetPort!, protocol: protocol === 'udp' ? 'udp' : 'tcp' }
}

function planLink(link: TopologyLink, mtu: number, nodes: Topology['topology']['nodes']): LinkPlan {
  const [a, b] = endpointsOf(link)
  const { impair } = link
  return { ends: [linkEnd(a, nodes), linkEnd(b, nodes)], mtu: link.mtu ?? mtu, ...(impair && { impair }) }
}

/** Whatever leads to a node that is a bridge becomes a port of it. */
function linkEnd(
  { node, interface: ifName, mac, addresses }: EndpointInFull,
  nodes: Topology['topology']['nodes'],
): LinkEnd {
  const bridge = nodes[node]?.kind === 'bridge' ? { master: node } : {}
  return { node, ifName, ...(mac !== undefined && { mac }), addresses, ...bridge }
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

const isIpv4 = (address: string) => !address.includes(':')

/** A route each way, to the pods at the other end. Nodes that share no link do not know of each other. */
function routesOver({ ends: [a, b] }: LinkPlan, nodes: readonly NodePlan[]): RoutePlan[] {
  return [[a, b] as const, [b, a] as const].flatMap(([from, to]) => {
    const subnetOf = (end: LinkEnd) => nodes.find(({ name }) => name === end.node)!.podNetwork?.subnet
    const destination = subnetOf(to)
    const gateway = to.addresses.find(isIpv4)
    if (!destination || !subnetOf(from) || !gateway) return []
    return [{ node: from.node, destination, gateway: hostOf(gateway) }]
  })
}
