/** Where an IPv6 packet goes from here: struct rt6_info, as it hangs on a packet (`packet.route`). Packets of one next hop share it. */
import type { Microseconds } from '../clock.ts'
import type { Device } from '../device/device.ts'
import { keyOf } from './address.ts'
import type { Fib6Route } from './fib-route.ts'
import { MIN_MTU } from './header.ts'

/** IP6_MAX_MTU */
const MAX_MTU = 0xffff + 40
const MAX_PAYLOAD = 0xffff

export type RouteError6 = 'EINVAL' | 'EHOSTUNREACH' | 'EACCES' | 'ENETUNREACH'

/** What was learned of the way to one destination: rt6_exception. */
export interface PathException6 {
  mtu: number
  expires: Microseconds
}

export interface Ipv6RouteParts {
  readonly type: Ipv6Route['type']
  /** The loopback for what is for this host. */
  readonly device: Device
  readonly fib?: Fib6Route | undefined
  readonly error?: RouteError6 | undefined
  /** The policy rule that refused. */
  readonly rule?: string | undefined
  readonly exception?: PathException6 | undefined
}

export class Ipv6Route {
  readonly type: 'unicast' | 'local' | 'anycast' | 'multicast' | 'unreachable'
  readonly device: Device
  /** Undefined: the destination is on the link. */
  readonly gateway: Uint8Array | undefined
  /** As neighbour tables have it. */
  readonly gatewayKey: string | undefined
  readonly fib: Fib6Route | undefined
  readonly error: RouteError6 | undefined
  readonly rule: string | undefined
  readonly #exception: PathException6 | undefined

  constructor({ type, device, fib, error, rule, exception }: Ipv6RouteParts) {
    this.type = type
    this.device = device
    this.gateway = fib?.gateway
    this.gatewayKey = fib?.gateway && keyOf(fib.gateway)
    this.fib = fib
    this.error = error
    this.rule = rule
    this.#exception = exception
  }

  /** ip6_input: this host takes it. */
  get isLocal(): boolean {
    return this.type === 'local' || this.type === 'anycast'
  }

  get pathMtu(): number | undefined {
    const exception = this.#exception
    return exception && exception.expires > this.device.namespace.model.clock.now ? exception.mtu : undefined
  }

  /** Microseconds for which what was learned of the path still counts. */
  get expiresIn(): Microseconds | undefined {
    const left = (this.#exception?.expires ?? 0) - this.device.namespace.model.clock.now
    return left > 0 ? left : undefined
  }

  /** ip6_mtu */
  get mtu(): number {
    const told = this.pathMtu ?? this.fib?.metrics?.mtu
    return Math.min(told || Math.max(MIN_MTU, this.device.ipv6.conf.mtu), MAX_MTU)
  }

  /** ip6_dst_mtu_maybe_forward: what is known of the path does not bind a router before the packet leaves, unless it is locked. */
  get forwardMtu(): number {
    const { mtu, mtuLocked } = this.fib?.metrics ?? {}
    return Math.min(mtuLocked && mtu ? mtu : this.device.ipv6.conf.mtu, MAX_MTU)
  }

  /** ip6_dst_hoplimit */
  get hopLimit(): number {
    return this.fib?.metrics?.hoplimit || this.device.ipv6.conf.hop_limit
  }

  /** Largest TCP segment that the other side may send: ip6_default_advmss. */
  get advertisedMss(): number {
    const { advmss } = this.fib?.metrics ?? {}
    if (advmss) return advmss
    const least = this.device.namespace.ipv6.settings['route/min_adv_mss']
    const mss = Math.max(this.mtu - 60, least)
    return mss > MAX_PAYLOAD - 20 ? MAX_PAYLOAD : mss
  }
}
