/**
 * What this host learned of the way to single destinations: smaller path MTUs (ICMP 3/4) and better gateways (redirects).
 * Each is kept at the next hop that it was learned of, and goes with it: fib_nh_exception. Source: net/ipv4/route.c.
 */
import { type Microseconds, SECOND } from '../clock.ts'
import type { Namespace } from '../namespace.ts'
import type { FibNextHop } from './fib-route.ts'
import type { Ipv4Route } from './route.ts'

export interface PathException {
  /** 0: the gateway that the route has. */
  gateway: number
  /** 0: none was learned. */
  mtu: number
  /** The router said less than min_pmtu: packets are sent without DF. */
  locked: boolean
  expires: Microseconds
}

/** ip_rt_redirect's: how long a redirect is believed, ip_rt_gc_timeout. */
const REDIRECT_TIME = 300 * SECOND

/** Addresses for which one hop remembers something: FNHE_HASH_SIZE times FNHE_RECLAIM_DEPTH. */
const LIMIT = 2048 * 5

export class PathMtus {
  readonly #namespace: Namespace

  constructor(namespace: Namespace) {
    this.#namespace = namespace
  }

  /** find_exception: what is known of this destination by way of this hop, unless it has expired. */
  find(hop: FibNextHop, destination: number): PathException | undefined {
    const known = hop.exceptions?.get(destination | 0)
    return known && known.expires > this.#namespace.model.clock.now ? known : undefined
  }

  /** __ip_rt_update_pmtu: a router says that no more than `mtu` bytes get to `destination` by this route. */
  update(route: Ipv4Route, destination: number, mtu: number): void {
    const { hop } = route
    if (hop === undefined || route.mtuLocked) return
    const { settings } = this.#namespace.ipv4
    const old = route.mtu
    if (old < mtu) return
    const least = settings['route/min_pmtu']
    const locked = mtu < least
    const learned = locked ? Math.min(old, least) : mtu
    const { now } = this.#namespace.model.clock
    const expires = now + settings['route/mtu_expires'] * SECOND
    const known = this.find(hop, destination)
    // A route that has lost but half of its time is not told anew.
    if (known && known.mtu === learned && !locked && now < known.expires - (settings['route/mtu_expires'] * SECOND) / 2)
      return
    this.#set(hop, destination, { gateway: known?.gateway ?? 0, mtu: learned, locked, expires })
  }

  /** __ip_do_redirect: packets to `destination` go by `gateway` from now on. */
  redirect(hop: FibNextHop, destination: number, gateway: number): void {
    const known = this.find(hop, destination)
    const expires = this.#namespace.model.clock.now + REDIRECT_TIME
    this.#set(hop, destination, { gateway, mtu: known?.mtu ?? 0, locked: known?.locked ?? false, expires })
  }

  #set(hop: FibNextHop, destination: number, exception: PathException): void {
    hop.exceptions ??= new Map()
    if (hop.exceptions.size >= LIMIT) hop.exceptions.delete(hop.exceptions.keys().next().value!)
    hop.exceptions.set(destination | 0, exception)
    // Packets that share an entry without it must not any longer.
    this.#namespace.fib.flush()
  }
}
