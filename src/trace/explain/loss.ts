/** What an explanation starts from, and what it comes to. Nothing here asks which kernel it was. */
import { isErrno } from '../../kernel/errors.ts'
import type { LiveKernel } from '../../kernel/live.ts'
import type { Route } from '../../kernel/route.ts'

/** A node or pod of the lab. */
export interface Place {
  readonly name: string
  readonly kernel: LiveKernel
}

export interface World {
  readonly places: readonly Place[]
  /** Who made an object of a node's kernel; `ref` is in iproute2's words. Undefined where nobody knows. */
  originOf(node: string, ref: string): string | undefined
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

/** The place that has this address, on the link of this name if it is given. */
export function ownerOfAddress(address: string, { places }: World): Place | undefined {
  return places.find(({ kernel }) => kernel.addresses.list().some(({ prefix }) => bare(prefix) === address))
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

export function bare(prefix: string): string {
  const slash = prefix.indexOf('/')
  return slash < 0 ? prefix : prefix.slice(0, slash)
}

/** A name with dots, as sysctl(8) takes it: dots and slashes have changed places. */
export function sysctlName(path: string): string {
  return path.replace(/[./]/g, (separator) => (separator === '.' ? '/' : '.'))
}
