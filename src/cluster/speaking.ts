/**
 * What a node's speaker is set to, as far as the store says: worked out anew, as a whole, whenever anything changes. Nothing of it
 * is edited in place, so whatever the way from mesh to reflectors and back was, what comes out depends on where it ended alone.
 *
 *   file                  neighbours and networks that it names            as they are; one at the address of a node counts instead
 *   nodes (pool/mesh.ts)  a neighbour for each that there is a session with
 *   routers of the file   those whose selector means this node
 *   own blocks            announced, blackholed                            pool/node-routes.ts
 *   pools not to be told  rejected towards everybody, whoever announces them; the node's blocks of them are blackholed all the same
 *
 * A node tells others of its own blocks alone: what it has learned it passes on as a reflector, or where it is told to.
 */
import { familyOf } from '../address/ip.ts'
import { hostOf, parsePrefix } from '../address/prefix.ts'
import { parseBgpId } from '../bgp/bgp-id.ts'
import type { FilterRule } from '../bgp/policy/filter.ts'
import type { NeighbourFilters, NeighbourSettings, Network, SpeakerSettings } from '../bgp/speaker-settings.ts'
import { type MeshNeighbour, meshOf } from '../pool/mesh.ts'
import { isSameSubnet, type NodeHoldings, type NodeRoutes, nodeRoutes } from '../pool/node-routes.ts'
import type { Node } from '../pool/nodes.ts'
import { type Pool, poolHolding } from '../pool/pool.ts'
import type { ClusterSettings } from './settings.ts'

/** What the store says. */
export interface ClusterView {
  readonly pools: readonly Pool[]
  readonly holdings: NodeHoldings
  /** With or without the node itself. */
  readonly nodes: readonly Node[]
}

/** `file`: what is set without a store. */
export function speakerSettingsOf(
  file: SpeakerSettings,
  cluster: ClusterSettings,
  self: Node,
  { pools, holdings, nodes }: ClusterView,
): SpeakerSettings {
  const routes = nodeRoutes(holdings, pools)
  const withheld = rejecting(pools, routes)
  const neighbours = new Map<string, NeighbourSettings>()
  for (const each of [...file.neighbours, ...neighboursOf(file, cluster, self, nodes)]) {
    const { address } = each.session
    if (!neighbours.has(address)) neighbours.set(address, each)
  }
  return {
    ...file,
    routerId: cluster.isRouterIdAddress && self.ipv4 !== undefined ? parseBgpId(hostOf(self.ipv4)) : file.routerId,
    networks: networksOf(file, routes),
    neighbours: [...neighbours.values()].map((each) => ({ ...each, filters: joined(withheld, each.filters) })),
  }
}

/** Of a prefix that is in the file, too, the file counts. */
function networksOf({ networks, families }: SpeakerSettings, { announced, blackholes }: NodeRoutes): Network[] {
  const given = new Set(networks.map(({ prefix }) => prefix))
  const all = [...announced, ...blackholes.map((prefix) => ({ prefix, blackhole: true }))]
  const own = all.filter(({ prefix }) => !given.has(prefix) && families.includes(familyIn(prefix)))
  return [...networks, ...own.map((each) => ({ ...each, communities: [] }))]
}

function neighboursOf(
  file: SpeakerSettings,
  cluster: ClusterSettings,
  self: Node,
  nodes: readonly Node[],
): NeighbourSettings[] {
  // Racks may have the same address for their routers: what a router is called here is its place in the list.
  const routers = cluster.routers.map(({ nodes: names, nodeSelector, neighbour: { session } }, i) => {
    return { name: `${i}`, address: session.address, as: session.remoteAs!, nodes: names, nodeSelector }
  })
  const mesh = meshOf(self, nodes, { nodeToNodeMesh: cluster.mesh, routers })
  const reflects = self.routeReflectorClusterId !== undefined
  return mesh.flatMap((each) => {
    if (each.kind === 'router') return cluster.routers[Number(each.name)]!.neighbour
    const other = nodes.find(({ name }) => name === each.name)!
    return nodeNeighbour(file, cluster.peers, each, isDistant(self, other), reflects) ?? []
  })
}

/** TTL towards nodes of another AS behind routers. */
const MULTIHOP = 64

/** undefined: the speaker has none of its families. */
function nodeNeighbour(
  file: SpeakerSettings,
  peers: NeighbourSettings,
  { name, address, remoteAs, localAddress, families, isClient, clusterId }: MeshNeighbour,
  isBehindRouters: boolean,
  reflects: boolean,
): NeighbourSettings | undefined {
  const offered = families.filter((family) => file.families.includes(family))
  if (offered.length === 0) return undefined
  const { multihop, ttlSecurity } = peers.session
  const isExternal = remoteAs !== file.as
  const hops = isExternal && isBehindRouters && ttlSecurity === undefined ? (multihop ?? MULTIHOP) : multihop
  return {
    ...peers,
    session: { ...peers.session, name, address, remoteAs, localAddress, families: offered, multihop: hops },
    isClient,
    clusterId: clusterId === undefined ? undefined : parseBgpId(clusterId),
    exportAll: reflects,
  }
}

function isDistant(self: Node, other: Node): boolean {
  const family = self.ipv4 !== undefined && other.ipv4 !== undefined ? 'ipv4' : 'ipv6'
  const [ours, theirs] = [self[family], other[family]]
  return ours === undefined || theirs === undefined || !isSameSubnet(ours, theirs)
}

/** Calico rejects these before anything else is asked. Blocks that are withheld may be of a pool that is gone. */
function rejecting(pools: readonly Pool[], { withheld }: NodeRoutes): NeighbourFilters {
  const closed = pools.filter(({ disabled, disableBGPExport }) => disabled || disableBGPExport).map(({ cidr }) => cidr)
  const inNone = withheld.map(({ prefix }) => prefix).filter((prefix) => !poolHolding(pools, prefix))
  const rules = (family: 'ipv4' | 'ipv6') =>
    [...closed, ...inNone]
      .filter((cidr) => familyIn(cidr) === family)
      .map((cidr): FilterRule => ({ action: 'Reject', cidr, matchOperator: 'In' }))
  return { importV4: [], exportV4: rules('ipv4'), importV6: [], exportV6: rules('ipv6') }
}

function joined(first: NeighbourFilters, second: NeighbourFilters): NeighbourFilters {
  return {
    importV4: second.importV4,
    exportV4: [...first.exportV4, ...second.exportV4],
    importV6: second.importV6,
    exportV6: [...first.exportV6, ...second.exportV6],
  }
}

function familyIn(prefix: string): 'ipv4' | 'ipv6' {
  return familyOf(parsePrefix(prefix).address)
}
