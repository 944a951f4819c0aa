/** What an explanation starts from, and what it comes to. Nothing here asks which kernel it was. */
import { parseIp } from '../../address/ip.ts'
import { contains, hostOf, parsePrefix } from '../../address/prefix.ts'
import { isErrno } from '../../kernel/errors.ts'
import type { Link } from '../../kernel/link.ts'
import type { LiveKernel } from '../../kernel/live.ts'
import type { Route } from '../../kernel/route.ts'

/** A node or pod of the lab. */
export interface Place {
  readonly name: string
  /** Its namespace's name: `ip netns`. */
  readonly namespace: string
  readonly kernel: LiveKernel
}

export interface World {
  readonly places: readonly Place[]
  /** Who made an object of a node's kernel; `ref` is in iproute2's words. Undefined where nobody knows. */
  originOf(node: string, ref: string): string | undefined
  readonly services: readonly Service[]
  readonly pods: readonly Pod[]
  /** Of places that speak BGP. */
  readonly speakers: readonly WorldSpeaker[]
  /** All pods' addresses: `10.244.0.0/16`. Undefined where there is no cluster. */
  readonly network?: string | undefined
  /** The pod that was given the address when it was attached. */
  givenTo?(address: string): string | undefined
}

/** A place's BGP speaker. */
export interface WorldSpeaker {
  readonly node: string
  readonly isRunning: boolean
  /** Prefixes that it announces of its own. */
  readonly networks: readonly string[]
  /** `Not established with n2 (192.168.56.12) from 192.168.56.11 (Active): connection refused`. */
  readonly problems: readonly string[]
}

export interface Pod {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  /** `tcp/8080`. */
  readonly listen: readonly string[]
}

/** A service of the cluster, with the pods that its selector matches. */
export interface Service {
  readonly name: string
  readonly clusterIp: string
  readonly selector: Readonly<Record<string, string>>
  readonly ports: readonly { readonly port: number; readonly targetPort: number; readonly protocol: 'tcp' | 'udp' }[]
  readonly pods: readonly string[]
}

/** A packet that was lost. */
export interface Loss {
  readonly place: Place
  /** The link at which it was seen last, or that it was to leave by. */
  readonly device: string
  /** SKB_DROP_REASON_* without its prefix, or OVL_*. */
  readonly reason: string
  /** Function of Linux. */
  readonly kernel: string
  /** The object that decided, where it is known: `rule ip filter FORWARD handle 7`. */
  readonly ref: string | undefined
  /** The frame as it was seen last; from the network header on where the link has no other. */
  readonly frame: Uint8Array
  /** Offset of the network header in it. */
  readonly network: number
  /** Where the conversation began. */
  readonly client: Place
  /** The loss that this one kept the sender from hearing of. */
  readonly before: Loss | undefined
  /** Names of the places that it came to, in their order; one that it came to again is there again. */
  readonly path: readonly string[]
}

/** A command, and where to run it. */
export interface Fix {
  readonly node: string
  readonly run: string
}

export interface Explanation {
  /** Cause, object and value, and what was expected instead. */
  readonly why: string
  readonly fixes: readonly Fix[]
}

/** Undefined where it has nothing to say of this loss. */
export type Explainer = (loss: Loss, world: World) => Explanation | undefined

/** The first place that has this address. */
export function ownerOfAddress(address: string, world: World): Place | undefined {
  return ownersOfAddress(address, world)[0]
}

/** Every place that has this address, in the order of the places. */
export function ownersOfAddress(address: string, { places }: World): Place[] {
  return places.filter(({ kernel }) => kernel.addresses.list().some(({ prefix }) => hostOf(prefix) === address))
}

/** What is at the other end of a veth; undefined where that is no place of the world. */
export function farEndOf(name: string, device: string, { places }: World) {
  const near = places.find((place) => place.name === name)
  const link = near?.kernel.links.get(device)
  if (!near || !link) return undefined
  for (const place of places) {
    const far = place.kernel.links.list().find((each) => isPair({ place: near, link }, { place, link: each }))
    if (far) return { place, link: far }
  }
  return undefined
}

export interface LinkEnd {
  readonly place: Place
  readonly link: Link
}

/**
 * Whether the two are the ends of one veth. Each tells the index of its peer, but every namespace counts for itself, and pairs
 * that were made alike have the same indices: what tells them apart is the namespace that each says its peer is in.
 */
export function isPair(one: LinkEnd, other: LinkEnd): boolean {
  return leadsTo(one, other) && leadsTo(other, one)
}

function leadsTo({ place: near, link }: LinkEnd, { place: far, link: peer }: LinkEnd): boolean {
  if (link.kind !== 'veth' || link.parent !== peer.index) return false
  if (link.parentNamespaceId === undefined) return near === far
  // A namespace that no name was found for is any other.
  return link.parentNamespace === undefined ? near !== far : link.parentNamespace === far.namespace
}

/** The place and link that have this MAC. */
export function ownerOfMac(mac: string, { places }: World) {
  for (const place of places) {
    const link = place.kernel.links.list().find((each) => each.mac === mac)
    if (link) return { place, link }
  }
  return undefined
}

/** The way that a packet there would take; undefined where there is none, and where the route says no. */
export function routeTo(destination: string, { routes }: LiveKernel): Route | undefined {
  try {
    return routes.lookup(destination)
  } catch (error) {
    if (isErrno(error, 'EINVAL', 'EACCES', 'EHOSTUNREACH')) return undefined
    throw error
  }
}

/** ` (flannel lease n2)`, or nothing. */
export function madeBy(world: World, node: string, ref: string): string {
  const origin = world.originOf(node, ref)
  return origin ? ` (${origin})` : ''
}

/** Whether the address is in the prefix; never of another family. */
export function covers(prefix: string, address: string): boolean {
  return contains(parsePrefix(prefix), parseIp(address))
}

/** A name with dots, as sysctl(8) takes it: dots and slashes have changed places. */
export function sysctlName(path: string): string {
  return path.replace(/[./]/g, (separator) => (separator === '.' ? '/' : '.'))
}
