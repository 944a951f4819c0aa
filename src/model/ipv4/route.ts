/**
 * Where a packet goes from here: struct rtable, as it hangs on a packet (`packet.route`). Entries are shared by all packets
 * that take the same next hop.
 */
import type { Microseconds } from '../clock.ts'
import type { Device } from '../device/device.ts'
import type { Neighbour } from '../neighbour/entry.ts'
import { type FibNextHop, type FibRoute, type RouteError, RtScope } from './fib-route.ts'
import type { PathException } from './path-mtu.ts'
import type { RouteNote } from './route-text.ts'

/** IP_MAX_MTU */
const MAX_MTU = 0xffff
const LEAST_MTU_OF_A_GATEWAY = 576

export interface Ipv4RouteParts {
  readonly type: Ipv4Route['type']
  readonly device: Device
  readonly gateway: number
  readonly source: number
  readonly isInput: boolean
  readonly isLocal: boolean
  readonly fib?: FibRoute | undefined
  readonly hop?: FibNextHop | undefined
  readonly error?: RouteError | undefined
  readonly rule?: string | undefined
  readonly redirects?: boolean
  readonly exception?: PathException | undefined
}

export class Ipv4Route {
  readonly type: 'unicast' | 'local' | 'broadcast' | 'multicast' | 'unreachable'
  /** By which it leaves; the loopback for what is for this host. */
  readonly device: Device
  /** 0: the destination is on the link. */
  readonly gateway: number
  /** The gateway where it is an IPv6 neighbour: 32 hexadecimal digits. */
  readonly gateway6: string | undefined
  /** For packets of this host that have none yet. */
  readonly source: number
  /** Found for a packet that came in. */
  readonly isInput: boolean
  /** RTCF_LOCAL: this host takes it, too. */
  readonly isLocal: boolean
  readonly fib: FibRoute | undefined
  readonly hop: FibNextHop | undefined
  /** Packets that have it end in ip_error. */
  readonly error: RouteError | undefined
  /** The policy rule that refused. */
  readonly rule: string | undefined
  /** IPSKB_DOREDIRECT: the sender is to be told of a shorter way. */
  readonly redirects: boolean
  /** For this host, but not for it alone. */
  readonly isForMany: boolean
  readonly #exception: PathException | undefined
  readonly #hasOwnMtu: boolean
  /** Who was last sent to by this route, and at which address: a neighbour that is dead is none. */
  neighbour: Neighbour | undefined = undefined
  neighbourAddress = 0
  /** See noteOf. */
  note: RouteNote | undefined = undefined

  constructor(parts: Ipv4RouteParts) {
    const { hop, exception } = parts
    this.type = parts.type
    this.isForMany = parts.type === 'broadcast' || parts.type === 'multicast'
    this.device = parts.device
    // rt_set_nexthop: who is farther away than the link, or nearer, is no neighbour to send to.
    const isNeighbour = hop === undefined || hop.scope === RtScope.link
    this.gateway = exception?.gateway || (isNeighbour ? parts.gateway : 0)
    this.gateway6 = exception?.gateway ? undefined : hop?.gateway6
    this.source = parts.source
    this.isInput = parts.isInput
    this.isLocal = parts.isLocal
    this.fib = parts.fib
    this.hop = hop
    this.error = parts.error
    this.rule = parts.rule
    this.redirects = parts.redirects ?? false
    this.#exception = exception
    this.#hasOwnMtu = exception !== undefined || parts.fib?.metrics !== undefined
  }

  /** ip_mtu_locked: what is learned of the path does not count. */
  get mtuLocked(): boolean {
    return this.fib?.metrics?.mtuLocked === true || this.#exception?.locked === true
  }

  /** The MTU that was learned of the path; undefined where none was, or it has expired. */
  get pathMtu(): number | undefined {
    const exception = this.#exception
    if (exception === undefined || exception.mtu === 0) return undefined
    return exception.expires > this.device.namespace.model.clock.now ? exception.mtu : undefined
  }

  /** Microseconds for which what was learned of the path still counts; undefined where nothing was. */
  get expiresIn(): Microseconds | undefined {
    const left = (this.#exception?.expires ?? 0) - this.device.namespace.model.clock.now
    return left > 0 ? left : undefined
  }

  /** Bytes of IP that fit, for what this host sends: ipv4_mtu. */
  get mtu(): number {
    return this.mtuFor(false)
  }

  /** ip_dst_mtu_maybe_forward: what was learned of the path does not bind a router, unless ip_forward_use_pmtu. */
  mtuFor(forwarding: boolean): number {
    return this.#hasOwnMtu ? this.#mtuByMetrics(forwarding) : Math.min(this.device.mtu, MAX_MTU)
  }

  #mtuByMetrics(forwarding: boolean): number {
    const { device, fib } = this
    if (this.#exception !== undefined) {
      const counts = !forwarding || this.mtuLocked || device.namespace.ipv4.settings.ip_forward_use_pmtu !== 0
      const learned = counts ? this.pathMtu : undefined
      if (learned !== undefined) return Math.min(learned, MAX_MTU)
    }
    const metric = fib?.metrics?.mtu
    if (metric !== undefined && metric > 0) return Math.min(metric, MAX_MTU)
    if (this.mtuLocked && this.gateway !== 0 && device.mtu > LEAST_MTU_OF_A_GATEWAY) return LEAST_MTU_OF_A_GATEWAY
    return Math.min(device.mtu, MAX_MTU)
  }

  /** Largest TCP segment that the other side may send: ipv4_default_advmss. */
  get advertisedMss(): number {
    const { advmss } = this.fib?.metrics ?? {}
    if (advmss) return advmss
    const least = this.device.namespace.ipv4.settings['route/min_adv_mss']
    return Math.min(Math.max(this.mtu - 40, least), MAX_MTU - 40)
  }
}
