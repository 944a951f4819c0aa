/**
 * A topology's part of BGP: who speaks with whom, and what each of them is told.
 *
 *   mesh         every node with every other; where there are neither reflectors nor racks
 *   reflectors   every node with each reflector, and these with each other: RFC 4456
 *   racks        every node of a rack with each of its routers; routers with the routers that they share a link with
 *
 * A node announces its block. A router announces the networks that its links are on, so that nodes are reached, too, and says
 * of every route that it leads to itself: nodes behind it know no other next hop.
 */
import { contains, formatPrefix, hostOf, networkOf, parsePrefix } from '../../address/prefix.ts'
import type { LinkPlan } from '../plan.ts'
import type { RouterKind, Topology } from '../topology.ts'

export interface SpeakerPlan {
  readonly kind: RouterKind
  /** Where the programs are; undefined: where PATH and Debian have them. */
  readonly programs?: string
  readonly config: SpeakerConfig
}

/** A configuration as schema/bgp.schema.json has it, as far as labs say anything. */
export interface SpeakerConfig {
  readonly name: string
  readonly routerId: string
  readonly as: number
  readonly families: readonly ['ipv4']
  readonly networks: readonly { readonly prefix: string; readonly blackhole: boolean }[]
  readonly neighbors: readonly NeighbourConfig[]
}

export interface NeighbourConfig {
  readonly name: string
  readonly address: string
  readonly remoteAs: number
  readonly localAddress: string
  readonly holdTime: number
  readonly connectRetry: number
  readonly rrClient: boolean
  readonly nextHopSelf: boolean
  /** Nodes say nothing of what they have learned: they are no way for others. */
  readonly exportAll: boolean
  readonly allowAsIn: number
  readonly multihop?: number
  readonly gracefulRestart?: { readonly time: number }
}

/** Where nothing is said: of RFC 6996, and what Calico has, too. */
export const AS = 64_512
/** Seconds. A lab is there to be broken: nobody wants to wait for 90. */
const HOLD_TIME = 9
const CONNECT_RETRY = 2
/** Calico's. */
const RESTART_TIME = 120
/** For eBGP over routers. */
const MULTIHOP = 64

/** Somebody who speaks BGP. */
interface Member {
  readonly name: string
  readonly role: 'node' | 'reflector' | 'router'
  readonly as: number
  readonly racks: readonly string[]
  /** IPv4, with prefix lengths, in the order of links. */
  readonly addresses: readonly string[]
}

/** By name of the node. `blocks`: what each node has of the pods' network. RangeError for who cannot speak BGP. */
export function planSpeakers(
  topology: Topology,
  links: readonly LinkPlan[],
  blocks: ReadonlyMap<string, string>,
): Map<string, SpeakerPlan> {
  const members = membersOf(topology, links)
  return new Map(
    members.map((member) => {
      const { router, programs } = topology.topology.nodes[member.name]?.bgp ?? {}
      const block = blocks.get(member.name)
      const config: SpeakerConfig = {
        name: member.name,
        routerId: hostOf(member.addresses[0]!),
        as: member.as,
        families: ['ipv4'],
        networks: [
          ...(block === undefined ? [] : [{ prefix: block, blackhole: true }]),
          ...(member.role === 'router' ? linksOf(member) : []),
        ],
        neighbors: members
          .filter((other) => other !== member && areNeighbours(member, other, members, topology))
          .map((other) => neighbourOf(member, other, members, topology)),
      }
      return [member.name, { kind: router ?? 'overlab', ...(programs !== undefined && { programs }), config }]
    }),
  )
}

/** Of a router there may be several. */
export function racksOf({ cluster }: Topology, name: string): string[] {
  return Object.entries(cluster?.bgp?.racks ?? {}).flatMap(([rack, { nodes, routers }]) =>
    nodes.includes(name) || routers.includes(name) ? [rack] : [],
  )
}

export function isRouter({ topology, cluster }: Topology, name: string): boolean {
  const racks = Object.values(cluster?.bgp?.racks ?? {})
  return topology.nodes[name]?.bgp?.router !== undefined || racks.some(({ routers }) => routers.includes(name))
}

/** Nodes that carry pods, routers, and whoever has a word about BGP in the file. */
export function speaksBgp(topology: Topology, name: string): boolean {
  const { kind, bgp } = topology.topology.nodes[name] ?? {}
  return kind === 'k8s-node' || bgp !== undefined || isRouter(topology, name)
}

export function asOf(topology: Topology, name: string): number {
  const { as = AS, racks = {} } = topology.cluster?.bgp ?? {}
  const [ofRack = as] = racksOf(topology, name).map((rack) => racks[rack]?.as ?? as)
  return topology.topology.nodes[name]?.bgp?.as ?? ofRack
}

/** Addresses of the two by which each finds the other without a router; undefined: they share no network. */
export function sharedNetwork(a: readonly string[], b: readonly string[]): readonly [string, string] | undefined {
  for (const ours of a.map(parsePrefix)) {
    for (const theirs of b.map(parsePrefix)) {
      if (contains(networkOf(ours), theirs.address) && contains(networkOf(theirs), ours.address)) {
        return [formatPrefix(ours), formatPrefix(theirs)]
      }
    }
  }
  return undefined
}

/** IPv4, with prefix lengths. */
export function addressesOf(name: string, links: readonly LinkPlan[]): string[] {
  const ends = links.flatMap((link) => link.ends).filter(({ node }) => node === name)
  return ends.flatMap(({ addresses }) => addresses.filter((address) => !address.includes(':')))
}

function membersOf(topology: Topology, links: readonly LinkPlan[]): Member[] {
  const names = Object.keys(topology.topology.nodes).filter((name) => speaksBgp(topology, name))
  return names.map((name): Member => {
    const addresses = addressesOf(name, links)
    if (addresses.length === 0)
      throw new RangeError(`Cannot speak BGP on node "${name}": no link of it has an IPv4 address`)
    const isReflector = topology.topology.nodes[name]?.bgp?.reflector ?? false
    const role = isRouter(topology, name) ? 'router' : isReflector ? 'reflector' : 'node'
    return { name, role, as: asOf(topology, name), racks: racksOf(topology, name), addresses }
  })
}

function areNeighbours(a: Member, b: Member, all: readonly Member[], { cluster }: Topology): boolean {
  const roles = [a.role, b.role]
  if (roles.every((role) => role === 'router')) return sharedNetwork(a.addresses, b.addresses) !== undefined
  if (roles.includes('router')) return a.racks.some((rack) => b.racks.includes(rack))
  if (roles.includes('reflector')) return true
  const isMeshed = !all.some(({ role }) => role === 'reflector') && Object.keys(cluster?.bgp?.racks ?? {}).length === 0
  return cluster?.bgp?.mesh ?? isMeshed
}

function neighbourOf(self: Member, other: Member, all: readonly Member[], { cluster }: Topology): NeighbourConfig {
  const { holdTime = HOLD_TIME, gracefulRestart = RESTART_TIME } = cluster?.bgp ?? {}
  const shared = sharedNetwork(self.addresses, other.addresses)
  const [ours, theirs] = shared ?? [self.addresses[0]!, other.addresses[0]!]
  const isInternal = self.as === other.as
  const isHub =
    (self.role === 'reflector' && other.role === 'node') || (self.role === 'router' && other.role !== 'router')
  // What comes back from a router of another AS has been in ours, when other nodes are in it.
  const hasPeers = self.role !== 'router' && all.some((each) => each !== self && each.as === self.as)
  return {
    name: other.name,
    address: hostOf(theirs),
    remoteAs: other.as,
    localAddress: hostOf(ours),
    holdTime,
    connectRetry: CONNECT_RETRY,
    rrClient: isInternal && isHub,
    nextHopSelf: isInternal && self.role === 'router',
    exportAll: self.role !== 'node',
    allowAsIn: !isInternal && hasPeers ? 1 : 0,
    ...(!isInternal && !shared && { multihop: MULTIHOP }),
    ...(gracefulRestart !== false && { gracefulRestart: { time: gracefulRestart } }),
  }
}

function linksOf({ addresses }: Member) {
  const networks = addresses.map((address) => formatPrefix(networkOf(parsePrefix(address))))
  return [...new Set(networks)].map((prefix) => ({ prefix, blackhole: false }))
}
