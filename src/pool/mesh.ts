/**
 * Who speaks BGP with whom, from the nodes that are there:
 *
 *   no node reflects     every node with every other: the mesh, unless it is switched off
 *   some reflect         they with each other and with all nodes, which are their clients; the others with them alone
 *
 * and besides with the routers that are configured for the node by its name or labels. Both ends of a session work out the same,
 * and both dial: of two connections that cross, RFC 4271 §6.8 keeps one. (Calico makes the lower address passive, for the sake of
 * BIRD's graceful restart; then a lower node that restarts waits until the other one dials.)
 */
import type { Family } from '../address/ip.ts'
import { compareIp, parseIp } from '../address/ip.ts'
import { hostOf } from '../address/prefix.ts'
import { FAMILIES } from './keys.ts'
import type { Node } from './nodes.ts'
import { parseSelector } from './selector.ts'

export interface MeshSettings {
  /** Calico's `nodeToNodeMeshEnabled`. */
  readonly nodeToNodeMesh: boolean
  readonly routers: readonly Router[]
}

/** A router that some nodes have a session with: Calico's BGPPeer. */
export interface Router {
  readonly name: string | undefined
  readonly address: string
  readonly as: number
  /** These nodes by name; undefined: those that `nodeSelector` says. */
  readonly nodes: readonly string[] | undefined
  /** selector.ts; `all()` for every node. */
  readonly nodeSelector: string
}

export interface MeshNeighbour {
  readonly kind: 'node' | 'router'
  /** The node's, or what the router is called. */
  readonly name: string | undefined
  readonly address: string
  readonly remoteAs: number
  /** By which of our own it is reached; undefined: as the routing table says. */
  readonly localAddress: string | undefined
  readonly families: readonly Family[]
  /** RFC 4456: it is a client of ours, in the cluster of this id. */
  readonly isClient: boolean
  readonly clusterId: string | undefined
}

/** By address. Nodes of the same name as `self` are itself. */
export function meshOf(self: Node, nodes: readonly Node[], { nodeToNodeMesh, routers }: MeshSettings): MeshNeighbour[] {
  const others = nodes.filter(({ name }) => name !== self.name)
  const reflects = ({ routeReflectorClusterId }: Node) => routeReflectorClusterId !== undefined
  const hasReflectors = reflects(self) || others.some(reflects)
  const speaks = (other: Node) => (hasReflectors ? reflects(self) || reflects(other) : nodeToNodeMesh)
  const neighbours = [
    ...others.filter(speaks).flatMap((other) => nodeNeighbour(self, other) ?? []),
    ...routers.filter((router) => isFor(router, self)).map((router) => routerNeighbour(self, router)),
  ]
  return neighbours.sort((a, b) => compareIp(parseIp(a.address), parseIp(b.address)))
}

/** One session for all families that both have; undefined when they have none in common. */
function nodeNeighbour(self: Node, other: Node): MeshNeighbour | undefined {
  const families = FAMILIES.filter((family) => self[family] !== undefined && other[family] !== undefined)
  const [by] = families
  if (by === undefined) return undefined
  const { routeReflectorClusterId: clusterId } = self
  // Reflectors among themselves are no clients; towards another AS nothing is reflected.
  const isClient = clusterId !== undefined && other.routeReflectorClusterId === undefined && self.as === other.as
  return {
    kind: 'node',
    name: other.name,
    address: hostOf(other[by]!),
    remoteAs: other.as,
    localAddress: hostOf(self[by]!),
    families,
    isClient,
    clusterId: isClient ? clusterId : undefined,
  }
}

function routerNeighbour(self: Node, { name, address, as }: Router): MeshNeighbour {
  return {
    kind: 'router',
    name,
    address,
    remoteAs: as,
    localAddress: undefined,
    families: FAMILIES.filter((family) => self[family] !== undefined),
    isClient: false,
    clusterId: undefined,
  }
}

function isFor({ nodes, nodeSelector }: Router, { name, labels }: Node): boolean {
  return nodes ? nodes.includes(name) : parseSelector(nodeSelector)(labels)
}
