/** What is wrong with the BGP of a topology. */
import type { TopologyFault } from '../check-topology.ts'
import { endpointsOf, hasBgp, type Topology } from '../topology.ts'
import { AS, asOf, isRouter, racksOf, sharedNetwork } from './speaker-plan.ts'

export function bgpFaults(topology: Topology): TopologyFault[] {
  const { cluster } = topology
  const backendFaults: TopologyFault[] =
    cluster?.cni?.backend === 'bgp' && cluster.cni.plugin !== 'calico'
      ? [
          {
            path: ['cluster', 'cni', 'backend'],
            message: `cluster.cni.backend "bgp" goes with plugin calico, not ${cluster.cni.plugin}`,
          },
        ]
      : []
  return hasBgp(topology) ? [...rackFaults(topology), ...speakerFaults(topology)] : backendFaults
}

function rackFaults(topology: Topology): TopologyFault[] {
  const { nodes } = topology.topology
  const { as: commonAs = AS, racks = {} } = topology.cluster?.bgp ?? {}
  const faults: TopologyFault[] = []
  for (const [rack, { as = commonAs, nodes: members, routers }] of Object.entries(racks)) {
    const say = (list: 'nodes' | 'routers', i: number, message: string) =>
      faults.push({
        path: ['cluster', 'bgp', 'racks', rack, list, i],
        message: `cluster.bgp.racks.${rack}.${list}[${i}] ${message}`,
      })
    for (const [i, name] of members.entries()) {
      if (!nodes[name]) say('nodes', i, `"${name}" is not among the nodes (${Object.keys(nodes).join(', ')})`)
      else if (nodes[name].kind === 'bridge') say('nodes', i, `"${name}" is a bridge, which speaks no BGP`)
      else if (isRouter(topology, name)) say('nodes', i, `"${name}" is a router`)
      else if (racksOf(topology, name)[0] !== rack)
        say('nodes', i, `"${name}" is in rack "${racksOf(topology, name)[0]}", too`)
    }
    for (const [i, name] of routers.entries()) {
      const kind = nodes[name]?.kind
      if (!nodes[name]) say('routers', i, `"${name}" is not among the nodes (${Object.keys(nodes).join(', ')})`)
      else if (kind === 'bridge' || kind === 'k8s-node') say('routers', i, `"${name}" is a ${kind}, and no router`)
      else if (nodes[name].bgp?.as === undefined && asOf(topology, name) !== as)
        say('routers', i, `"${name}" is in racks of different AS: say its own, topology.nodes.${name}.bgp.as`)
      for (const [j, node] of members.entries()) {
        if (!nodes[name] || !nodes[node] || sharedNetwork(addressesIn(topology, name), addressesIn(topology, node)))
          continue
        say('nodes', j, `"${node}" shares no IPv4 network with router "${name}"`)
      }
    }
  }
  return faults
}

function speakerFaults(topology: Topology): TopologyFault[] {
  return Object.entries(topology.topology.nodes).flatMap(([name, { kind, bgp }]): TopologyFault[] => {
    const path = ['topology', 'nodes', name, 'bgp']
    const said = `topology.nodes.${name}.bgp`
    if (!bgp) return []
    if (kind === 'bridge') return [{ path, message: `${said}: a bridge speaks no BGP` }]
    const { router, programs, reflector } = bgp
    if (router && kind === 'k8s-node')
      return [{ path: [...path, 'router'], message: `${said}.router: a k8s-node is none` }]
    if (reflector && isRouter(topology, name)) {
      return [{ path: [...path, 'reflector'], message: `${said}.reflector: a router passes on what it hears anyway` }]
    }
    if (programs !== undefined && (router ?? 'overlab') === 'overlab') {
      return [{ path: [...path, 'programs'], message: `${said}.programs: only bird and frr are programs of others` }]
    }
    if (!reflector) return []
    return Object.keys(topology.topology.nodes)
      .filter(
        (other) =>
          topology.topology.nodes[other]!.kind === 'k8s-node' && asOf(topology, other) !== asOf(topology, name),
      )
      .map((other) => ({
        path: [...path, 'reflector'],
        message: `${said}.reflector: AS ${asOf(topology, name)} is not that of "${other}", ${asOf(topology, other)}`,
      }))
  })
}

/** IPv4, as the file has them: with prefix lengths. */
function addressesIn({ topology }: Topology, name: string): string[] {
  return (topology.links ?? [])
    .flatMap(endpointsOf)
    .filter(({ node }) => node === name)
    .flatMap(({ addresses }) => addresses.filter((address) => !address.includes(':') && address.includes('/')))
}
