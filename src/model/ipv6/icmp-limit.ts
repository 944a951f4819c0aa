/** How many ICMPv6 errors may leave: icmpv6_global_allow and icmpv6_xrlim_allow, net/ipv6/icmp.c. The bucket of all is IPv4's, too. */
import { MILLISECOND, type Microseconds, SECOND } from '../clock.ts'
import type { Namespace } from '../namespace.ts'
import type { Ipv6Route } from './route.ts'

/** XRLIM_BURST_FACTOR */
const BURST_FACTOR = 6
/** Peers that are remembered: beyond, those that were asked about longest ago are forgotten. */
const PEERS = 65_536

/** struct inet_peer: tokens are worth a microsecond each. */
interface Peer {
  tokens: Microseconds
  last: Microseconds
}

export class Icmpv6Limits {
  readonly #namespace: Namespace
  readonly #peers = new Map<string, Peer>()

  constructor(namespace: Namespace) {
    this.#namespace = namespace
  }

  /** icmpv6_mask_allow: whether messages of this type are never limited; `0-1,3-127` are, as a namespace is born. */
  isFree(type: number): boolean {
    const text = this.#namespace.sysctl.get('net/ipv6/icmp/ratemask') ?? ''
    return !text.split(',').some((range) => {
      const [low = '', high = low] = range.split('-')
      return low !== '' && type >= Number(low) && type <= Number(high)
    })
  }

  /** icmp_global_allow */
  allowGlobally(): boolean {
    return this.#namespace.ipv4.icmpLimits.allowGlobally()
  }

  /**
   * icmpv6_xrlim_allow. `key`: who would be told. Up to 6.12 a wider prefix may have more; 6.18 makes no difference, as was seen
   * with routes of 0, 16, 64 and 128 bits.
   */
  allow(route: Ipv6Route, key: string): boolean {
    const { loopback, ipv4, ipv6 } = this.#namespace
    if (route.device !== loopback) {
      if (!this.take(key, ipv6.settings['icmp/ratelimit'] * MILLISECOND)) return false
    }
    ipv4.icmpLimits.consumeGlobally()
    return true
  }

  /** inet_peer_xrlim_allow */
  take(key: string, cost: Microseconds): boolean {
    const { now } = this.#namespace.model.clock
    let peer = this.#peers.get(key)
    if (!peer) {
      if (this.#peers.size >= PEERS) this.#peers.delete(this.#peers.keys().next().value!)
      peer = { tokens: 0, last: now - 60 * SECOND }
      this.#peers.set(key, peer)
    }
    peer.tokens = Math.min(peer.tokens + (now - peer.last), BURST_FACTOR * cost)
    peer.last = now
    if (peer.tokens < cost) return false
    peer.tokens -= cost
    return true
  }
}
