/**
 * How many ICMP errors may leave: icmp_global_allow and icmpv4_xrlim_allow (net/ipv4/icmp.c), inet_peer_xrlim_allow
 * (net/ipv4/inetpeer.c), and ip_error's second bucket on the same counter (net/ipv4/route.c).
 */
import { MILLISECOND, type Microseconds, SECOND } from '../clock.ts'
import type { Namespace } from '../namespace.ts'

/** XRLIM_BURST_FACTOR */
const BURST_FACTOR = 6
/** ip_rt_error_burst and ip_rt_error_cost. */
const ERROR_BURST = 5 * SECOND
const ERROR_COST = SECOND
/** icmp_global_allow refills its bucket when so much time has passed. */
const REFILL_AFTER = SECOND / 50
/** ip_rt_redirect_number, ip_rt_redirect_load and ip_rt_redirect_silence. */
const REDIRECTS = 9
const REDIRECT_LOAD = SECOND / 50
const REDIRECT_SILENCE = REDIRECT_LOAD * 2 ** (REDIRECTS + 1)
/** Peers that are remembered: beyond, those that were asked about longest ago are forgotten. */
const PEERS = 65_536

/** struct inet_peer: tokens are worth a microsecond each. */
interface Peer {
  tokens: Microseconds
  last: Microseconds
  /** Redirects that were sent. */
  redirects: number
}

export class IcmpLimits {
  readonly #namespace: Namespace
  readonly #peers = new Map<number, Peer>()
  #credit = 0
  /** Long ago: the first question finds a full bucket. */
  #refilled: Microseconds = -SECOND

  constructor(namespace: Namespace) {
    this.#namespace = namespace
  }

  /** icmpv4_mask_allow: whether messages of this kind are never limited. */
  isFree(type: number, code: number): boolean {
    if (type > 18 || (type === 3 && code === 4)) return true
    return ((1 << type) & this.#namespace.ipv4.settings.icmp_ratemask) === 0
  }

  /** icmp_global_allow: the bucket of all errors of this host. */
  allowGlobally(): boolean {
    if (this.#credit > 0) return true
    const { settings } = this.#namespace.ipv4
    const { now } = this.#namespace.model.clock
    const passed = Math.min(now - this.#refilled, SECOND)
    if (passed < REFILL_AFTER) return false
    const more = Math.floor((settings.icmp_msgs_per_sec * passed) / SECOND)
    this.#refilled = now
    this.#credit = Math.min(this.#credit + more, settings.icmp_msgs_burst)
    return true
  }

  /** icmpv4_xrlim_allow: the bucket of this destination. What it allows is taken from the bucket of all. */
  allow(destination: number): boolean {
    const cost = this.#namespace.ipv4.settings.icmp_ratelimit * MILLISECOND
    const peer = this.#peer(destination)
    this.#fill(peer, BURST_FACTOR * cost)
    if (peer.tokens < cost) return false
    peer.tokens -= cost
    this.consumeGlobally()
    return true
  }

  /** icmp_global_consume: so that nobody can count along. */
  consumeGlobally(): void {
    this.#credit -= this.#namespace.model.random.below('icmpBurst', 3)
  }

  /** ip_error: what an unroutable packet's sender may be told, from the same tokens. */
  allowError(source: number): boolean {
    const peer = this.#peer(source)
    const { now } = this.#namespace.model.clock
    peer.tokens = Math.min(peer.tokens + (now - peer.last), ERROR_BURST)
    peer.last = now
    if (peer.tokens < ERROR_COST) return false
    peer.tokens -= ERROR_COST
    return true
  }

  /** ip_rt_send_redirect: whether this neighbour is told once more; it seems not to listen. */
  allowRedirect(source: number): boolean {
    const peer = this.#peer(source)
    const { now } = this.#namespace.model.clock
    if (now > peer.last + REDIRECT_SILENCE) {
      peer.tokens = 0
      peer.redirects = 0
    }
    if (peer.redirects >= REDIRECTS) {
      peer.last = now
      return false
    }
    if (peer.redirects > 0 && now <= peer.last + REDIRECT_LOAD * 2 ** peer.redirects) return false
    peer.last = now
    peer.redirects++
    return true
  }

  /** A bucket that no time has passed for stays as full as it is, be it above its rim. */
  #fill(peer: Peer, rim: Microseconds): void {
    const { now } = this.#namespace.model.clock
    if (now === peer.last) return
    peer.tokens = Math.min(peer.tokens + (now - peer.last), rim)
    peer.last = now
  }

  #peer(address: number): Peer {
    const known = this.#peers.get(address | 0)
    if (known) return known
    if (this.#peers.size >= PEERS) this.#peers.delete(this.#peers.keys().next().value!)
    const peer: Peer = { tokens: 0, last: this.#namespace.model.clock.now - 60 * SECOND, redirects: 0 }
    this.#peers.set(address | 0, peer)
    return peer
  }
}
