/** What a topology's shape cannot say: that its names fit together, and that there is room for what it asks. */
import { familyOf } from '../address/ip.ts'
import { readPrefix } from '../address/prefix.ts'
import { isName } from '../cni/config.ts'
import { isInterfaceName } from '../cni/runtime/runtime.ts'
import { bgpFaults } from './bgp/check-bgp.ts'
import { POD_NETWORK } from './cluster.ts'
import { endpointsOf, hasBgp, podNames, podNodes, type Topology } from './topology.ts'

/** A sentence about the thing at this path of keys. */
export interface TopologyFault {
  readonly path: readonly (string | number)[]
  readonly message: string
}

const MIN_MTU = 68
const MAX_MTU = 65535

/** Everything that is wrong with it; nothing when it can be built. */
export function faultsOf(topology: Topology): TopologyFault[] {
  const faults = [
    ...nameFaults(topology),
    ...clusterFaults(topology),
    ...linkFaults(topology),
    ...faultFaults(topology),
  ]
  // Who shares a network with whom can be said of addresses alone.
  return faults.length > 0 ? faults : bgpFaults(topology)
}

/** Names of the things that are not supported, as paths in the file. */
export function unsupportedIn(whole: Topology): string[] {
  const { topology, cluster = {} } = whole
  const { cni, policies = [] } = cluster
  return [
    ...Object.entries(topology.nodes).flatMap(([node, { kind }]) =>
      kind === 'host' ? [`topology.nodes.${node}.kind: host`] : [],
    ),
    ...(cni?.plugin === 'calico' && !hasBgp(whole) ? ['cluster.cni.plugin: calico without backend bgp'] : []),
    ...(cni?.backend === 'udp' && !cni.daemons ? ['cluster.cni.backend: udp without daemons'] : []),
    ...(cni?.ipv6Network === undefined ? [] : ['cluster.cni.ipv6Network']),
    ...(policies.length > 0 ? ['cluster.policies'] : []),
    ...Object.entries(cluster.pods ?? {}).flatMap(([pod, { listen = [] }]) =>
      listen.filter((port) => port.startsWith('sctp/')).map((port) => `cluster.pods.${pod}.listen: ${port}`),
    ),
  ]
}

/** They become parts of namespaces' names and of paths. */
function nameFaults({ name, topology, cluster }: Topology): TopologyFault[] {
  const names = [
    { name, path: ['name'] },
    ...Object.keys(topology.nodes).map((node) => ({ name: node, path: ['topology', 'nodes', node] })),
    ...Object.keys(cluster?.pods ?? {}).map((pod) => ({ name: pod, path: ['cluster', 'pods', pod] })),
  ]
  const bridges = Object.entries(topology.nodes).filter(([, { kind }]) => kind === 'bridge')
  return [
    ...names
      .filter((each) => !isName(each.name))
      .map((each) => ({
        path: each.path,
        message: `name "${each.name}" may have letters, digits and "_.-", and begins with neither of these`,
      })),
    ...bridges
      .filter(([node]) => isName(node) && !isInterfaceName(node))
      .map(([node]) => ({
        path: ['topology', 'nodes', node],
        message: `name "${node}" of a bridge is no interface's: it has more than 15 letters`,
      })),
  ]
}

function clusterFaults(topology: Topology): TopologyFault[] {
  const { cluster } = topology
  if (!cluster) return []
  const faults: TopologyFault[] = []
  const nodes = podNodes(topology)
  const { network = POD_NETWORK } = cluster.cni ?? {}
  const prefix = readPrefix(network)
  if (!prefix || familyOf(prefix.address) !== 'ipv4' || prefix.length > 24 - bitsFor(nodes.length)) {
    faults.push({
      path: ['cluster', 'cni', 'network'],
      message: `cluster.cni.network "${network}" is no IPv4 network with a /24 for each of ${nodes.length} nodes`,
    })
  }
  const pods = cluster.pods ?? {}
  for (const [pod, { node, replicas = 1 }] of Object.entries(pods)) {
    const path = ['cluster', 'pods', pod]
    if (!nodes.includes(node)) {
      const message = `cluster.pods.${pod}.node "${node}" is not among the nodes of kind k8s-node (${nodes.join(', ')})`
      faults.push({ path: [...path, 'node'], message })
    }
    if (!Number.isInteger(replicas) || replicas < 1) {
      faults.push({ path: [...path, 'replicas'], message: `cluster.pods.${pod}.replicas is ${replicas}, at least 1` })
    }
  }
  for (const pod of podNames(pods)) {
    if (!(pod in topology.topology.nodes)) continue
    faults.push({ path: ['topology', 'nodes', pod], message: `name "${pod}" is a node's and a pod's` })
  }
  return faults
}

function linkFaults({ topology }: Topology): TopologyFault[] {
  const faults: TopologyFault[] = []
  const nodes = Object.keys(topology.nodes)
  const taken = new Set<string>()
  for (const [i, link] of (topology.links ?? []).entries()) {
    const path = ['topology', 'links', i]
    const say = (message: string) => faults.push({ path, message: `links[${i}]${message}` })
    for (const { node, interface: ifName, addresses } of endpointsOf(link)) {
      if (!nodes.includes(node)) say(` ends at "${node}", which is not among the nodes (${nodes.join(', ')})`)
      if (!isInterfaceName(ifName)) say(` ends at "${node}:${ifName}", which names no interface`)
      if (taken.has(`${node}:${ifName}`)) say(` ends at "${node}:${ifName}", where another link ends`)
      taken.add(`${node}:${ifName}`)
      for (const address of addresses) {
        if (!readPrefix(address)) say(` has the address "${address}", which is no address with a prefix length`)
      }
    }
    const { mtu = 1500 } = link
    if (!Number.isInteger(mtu) || mtu < MIN_MTU || mtu > MAX_MTU) say(`.mtu is ${mtu}, allowed ${MIN_MTU}…${MAX_MTU}`)
  }
  return faults
}

function faultFaults({ topology, cluster, faults = {} }: Topology): TopologyFault[] {
  const places = [...Object.keys(topology.nodes), ...podNames(cluster?.pods ?? {})]
  return Object.entries(faults)
    .filter(([, { node }]) => !places.includes(node))
    .map(([name, { node }]) => ({
      path: ['faults', name, 'node'],
      message: `faults.${name}.node "${node}" is no node or pod (${places.join(', ')})`,
    }))
}

/** Bits that number the nodes from 1. */
const bitsFor = (nodes: number) => Math.ceil(Math.log2(nodes + 1))
