/**
 * The second kernel: the Linux data path in userspace.
 *
 * Discrete events on a virtual clock. A packet's bytes are the truth, and it passes stages that are named as the kernel's
 * functions are; what the kernel decides there, and with which reason it drops, is decided here in the same order, from the
 * same tables. Chance is seeded, defaults come from a profile of one kernel version: a run repeats exactly.
 *
 *      device/      loopback, veth, bridge, vxlan, tun            net/core/dev.c, drivers/net, net/bridge
 *      path/        receive and transmit, between device and protocol
 *      ipv4/ ipv6/  input, route, forward, deliver, output, fragments, ICMP
 *      neighbour.ts ARP's and NDP's entries
 *      netfilter/   hooks, nftables' machine, conntrack, NAT, br_netfilter
 *      socket/      UDP, TCP, ICMP endpoints
 *      kernel/      all of it as src/kernel states it
 *
 * Work is done in two ways only: a packet in the backlog (what softirq does, in the order in which packets came), and a
 * timer. `settle` works off the backlog; the clock moves only when somebody asks (`advance`, `runUntil`).
 *
 * What is not modelled ends as `unsupported`, by name.
 */
import { Clock, type Microseconds } from './clock.ts'
import type { Device, DeviceEvent } from './device/device.ts'
import type { Namespace } from './namespace.ts'
import { type Cause, type Drop, Journey, unsupported } from './observer.ts'
import type { Packet } from './packet.ts'
import type { Profile } from './profile/profile.ts'
import { Random } from './random.ts'
import type { TransportProtocols } from './transport.ts'

/** Packets that one event may cause. What causes more goes round for ever: a loop of bridges. */
const STORM = 1_000_000

export interface ModelOptions {
  readonly profile: Profile
  readonly seed?: number
}

export class Model {
  readonly profile: Profile
  readonly seed: number
  readonly clock = new Clock()
  readonly random: Random
  /** By path. */
  readonly namespaces = new Map<string, Namespace>()
  /** Called for every packet that is dropped. */
  onDrop: ((packet: Packet, drop: Drop) => void) | undefined = undefined
  onUnsupported: ((packet: Packet, thing: string) => void) | undefined = undefined
  /** Called for every packet that sets out: from a socket, a capture's other end, a TUN. While it is set, packets are followed. */
  onJourney: ((journey: Journey, packet: Packet) => void) | undefined = undefined
  /** Who takes what IPv4 and IPv6 deliver, by protocol number. create.ts fills them. */
  readonly ipv4Protocols: TransportProtocols = new Array(256).fill(undefined)
  readonly ipv6Protocols: TransportProtocols = new Array(256).fill(undefined)
  /** How many frames links have refused: NET_XMIT_DROP of a veth whose other end does not take them. */
  refusals = 0
  /** How many captures are open: while there is none, nothing is stamped. */
  captures = 0
  #stamp = 0
  readonly #journeys = { next: 1, ended: 0 }
  /** Called when a device goes up or down, gets or loses its carrier, another MTU or MAC: the netdevice notifier chain. */
  readonly deviceListeners: ((device: Device, event: DeviceEvent) => void)[] = []
  /** Called for every namespace that is made: register_pernet_subsys. */
  readonly namespaceListeners: ((namespace: Namespace) => void)[] = []
  /** netif_receive_skb: the packet is received at once, on `packet.device`. A bridge hands up so; who else sends calls `enqueue`. */
  readonly receive: (packet: Packet) => void
  /** Its slots are used again: an array that is emptied loses its memory. */
  readonly #backlog: (Packet | undefined)[] = []
  #head = 0
  #tail = 0
  #working = false

  /** `receive` is the stack's way in: path/receive.ts. */
  constructor({ profile, seed = 1 }: ModelOptions, receive: (packet: Packet) => void) {
    this.profile = profile
    this.seed = seed
    this.random = new Random(seed)
    this.receive = receive
  }

  /**
   * Nanoseconds, for Packet.stamp: the clock's time, but never the same twice, so that what happens at one moment of the
   * virtual clock still has its order.
   */
  nextStamp(): number {
    const now = Math.floor(this.clock.now * 1000)
    this.#stamp = now > this.#stamp ? now : this.#stamp + 1
    return this.#stamp
  }

  /** Where a packet sets out that nothing has caused: it gets a journey if somebody follows. */
  begin(packet: Packet, cause: Cause): void {
    if (this.onJourney === undefined || packet.journey !== undefined) return
    packet.journey = new Journey(cause, undefined, this.#journeys)
    this.onJourney(packet.journey, packet)
  }

  /** netif_rx: the packet will be received on `packet.device`, after those that came before it. */
  enqueue(packet: Packet): void {
    if (packet.stamp === 0 && (this.captures > 0 || packet.journey !== undefined)) packet.stamp = this.nextStamp()
    // Most often it is the packet that stood there before: to write it again costs V8's garbage collector.
    if (this.#backlog[this.#tail] !== packet) this.#backlog[this.#tail] = packet
    this.#tail++
  }

  /** Works off the backlog. Does nothing when called from within: the outer call goes on until nothing is left. */
  settle(): void {
    if (this.#working) return
    this.#working = true
    let left = STORM
    try {
      while (this.#head < this.#tail) {
        const packet = this.#backlog[this.#head]!
        // What has been in the first slot stays there until another comes; the others are let go.
        if (this.#head > 0) this.#backlog[this.#head] = undefined
        this.#head++
        if (this.#head === this.#tail) this.#head = this.#tail = 0
        if (left-- > 0) this.receive(packet)
        else unsupported(packet, 'a storm: packets go round in a loop')
      }
    } finally {
      this.#working = false
    }
  }

  /** Lets time pass: every timer up to then runs, and what it sends arrives. */
  advance(duration: Microseconds): void {
    this.runUntil(() => false, this.clock.now + duration)
  }

  /**
   * Works until `done` is true, or nothing happens before `limit` (when the clock is then set to). Answers `done()`.
   */
  runUntil(done: () => boolean, limit: Microseconds): boolean {
    this.settle()
    while (!done()) {
      if (!this.clock.step(limit)) {
        if (limit !== Number.POSITIVE_INFINITY) this.clock.moveTo(limit)
        return done()
      }
      this.settle()
    }
    return true
  }
}
