/**
 * BFD of a node over UDP sockets, beside whoever wants to know of dead neighbours soon: RFC 5881 (one hop), RFC 5883 (several),
 * RFC 5882 (what routing protocols make of it).
 *
 *   port 3784 or 4784, one socket for all ──> sessions.ts ──> session.ts ──> a socket per session, port 49152 to 65535
 *
 * What is promised. All of it runs in the caller's event loop, and with 100 ms × 3 a neighbour waits for 300 ms at the most:
 * - A loop that stands still for less than 200 ms (multiplier − 1, times the interval) costs nothing.
 * - One that stands still for longer is no false alarm on this side: packets that wait are read before silence is believed.
 * - On the other side it is one, since our packets were late. A speaker that reads a full table, writes a hundred thousand routes
 *   or collects garbage cannot promise 200 ms; so it has this in a thread of its own, cli/bfd-thread.ts.
 *
 * A socket that cannot be had is asked for again with every packet, so an address may come later than its session.
 */
import { familyOf, parseIp } from '../address/ip.ts'
import { isErrno, KernelError } from '../kernel/errors.ts'
import type { Sockets, UdpSocket } from '../kernel/socket.ts'
import type { Clock } from '../store/clock.ts'
import { BFD_MULTIHOP_PORT, BFD_SINGLE_HOP_PORT, type BfdState } from '../wire/bfd.ts'
import type { BfdEvents, BfdSettings, Session, SessionStatus } from './session.ts'
import { GTSM_TTL, type Refusals, Sessions } from './sessions.ts'

/** RFC 5881 §4: "The source port MUST be in the range 49152 through 65535." */
const SOURCE_PORTS = { first: 49_152, count: 16_384 }
/** How many of them are tried. */
const ATTEMPTS = 32
/** CS6, RFC 4594 §3.1: with routing protocols, before what they route. */
const OPTIONS = { ttl: GTSM_TTL, tos: 0xc0, priority: 6 }

export interface BfdOptions {
  readonly sockets: Sockets
  /** One that does not jump. */
  readonly clock: Clock
  /** From 0 to below 1. */
  readonly random: () => number
  readonly log: (text: string) => void
}

export interface BfdTarget {
  /** undefined: as the routing table says. */
  readonly local: string | undefined
  readonly remote: string
  readonly multihop: boolean
}

export interface BfdWatch {
  readonly state: BfdState
  readonly status: SessionStatus
  /** Other settings for the same session, which stays up. */
  change(settings: BfdSettings): void
  /** Nothing is told any more. The neighbour is told AdminDown, for as long as it takes to be sure that it knows. */
  close(): void
}

interface Watch {
  readonly target: BfdTarget
  readonly session: Session
  socket: UdpSocket | undefined
  /** The errno that sending has failed with, so that it is said once. */
  trouble: string | undefined
  /** Closed, but the neighbour may not know yet. */
  cancelEnd: (() => void) | undefined
}

export class Bfd {
  readonly #options: BfdOptions
  readonly #sessions: Sessions
  readonly #watches = new Set<Watch>()
  /** By port. */
  readonly #listening = new Map<number, UdpSocket>()

  constructor(options: BfdOptions) {
    this.#options = options
    this.#sessions = new Sessions(options.random)
  }

  /** Packets that were not taken. */
  get refusals(): Refusals {
    return this.#sessions.refusals
  }

  /** Throws RangeError when the neighbour is watched already, or for settings that no packet can tell. */
  readonly start = (target: BfdTarget, settings: BfdSettings, events: BfdEvents): BfdWatch => {
    const { clock, random } = this.#options
    for (const watch of this.#watches) if (watch.cancelEnd && isSame(watch.target, target)) this.#end(watch)
    let isTold = true
    const session = this.#sessions.add(target, {
      settings,
      clock,
      random,
      send: (packet) => this.#send(watch, packet),
      readWaiting: () => this.#listening.get(portOf(target))?.receive(),
      events: {
        up: () => isTold && events.up(),
        down: (why) => isTold && events.down(why),
        changed: (state) => isTold && events.changed?.(state),
      },
    })
    const watch: Watch = { target, session, socket: undefined, trouble: undefined, cancelEnd: undefined }
    this.#watches.add(watch)
    this.#listen(watch)
    return {
      get state() {
        return session.state
      },
      get status() {
        return session.status
      },
      change: (changed) => session.change(changed),
      close: () => {
        isTold = false
        if (this.#watches.has(watch) && !watch.cancelEnd) this.#close(watch)
      },
    }
  }

  /** The node takes part no more: every neighbour is told so, once. */
  close(): void {
    for (const watch of this.#watches) {
      watch.session.disable()
      this.#end(watch)
    }
  }

  /** §6.8.16: "for at least a Detection Time after transitioning to AdminDown". */
  #close(watch: Watch): void {
    const { session } = watch
    const isHeard = session.isRemoteKnown
    session.disable()
    if (isHeard) watch.cancelEnd = this.#options.clock.after(session.remoteDetectionTime, () => this.#end(watch))
    else this.#end(watch)
  }

  #end(watch: Watch): void {
    watch.cancelEnd?.()
    this.#sessions.remove(watch.session)
    watch.socket?.close()
    this.#watches.delete(watch)
    const port = portOf(watch.target)
    if ([...this.#watches].some(({ target }) => portOf(target) === port)) return
    this.#listening.get(port)?.close()
    this.#listening.delete(port)
  }

  #send(watch: Watch, packet: Uint8Array): void {
    if (!this.#listen(watch)) return
    const { remote, multihop } = watch.target
    this.#attempt(watch, () => {
      watch.socket ??= this.#bindSource(watch.target)
      watch.socket.send({ address: remote, port: portOf({ multihop }) }, packet)
    })
  }

  #listen(watch: Watch): boolean {
    const { multihop } = watch.target
    const port = portOf(watch.target)
    if (this.#listening.has(port)) return true
    return this.#attempt(watch, () => {
      const socket = this.#options.sockets.bindUdp(
        { port },
        { datagram: ({ address: from }, bytes, ttl) => this.#sessions.receive(bytes, { from, ttl, multihop }) },
      )
      this.#listening.set(port, socket)
    })
  }

  /** "The same UDP source port number MUST be used for all BFD Control packets associated with a particular session." */
  #bindSource({ local, remote }: BfdTarget): UdpSocket {
    const { sockets, random } = this.#options
    const family = familyOf(parseIp(remote))
    const offset = Math.floor(random() * SOURCE_PORTS.count)
    for (let attempt = 0; ; attempt++) {
      const port = SOURCE_PORTS.first + ((offset + attempt) % SOURCE_PORTS.count)
      try {
        return sockets.bindUdp({ address: local, family, port, options: OPTIONS }, {})
      } catch (error) {
        if (!isErrno(error, 'EADDRINUSE') || attempt === ATTEMPTS) throw error
      }
    }
  }

  /** What fails is said once, until it is something else or works again. */
  #attempt(watch: Watch, run: () => void): boolean {
    try {
      run()
      watch.trouble = undefined
      return true
    } catch (error) {
      if (!(error instanceof KernelError)) throw error
      if (watch.trouble !== error.errno) this.#options.log(`BFD with ${watch.target.remote}: ${error.message}`)
      watch.trouble = error.errno
      return false
    }
  }
}

function portOf({ multihop }: Pick<BfdTarget, 'multihop'>): number {
  return multihop ? BFD_MULTIHOP_PORT : BFD_SINGLE_HOP_PORT
}

function isSame(a: BfdTarget, b: BfdTarget): boolean {
  return a.remote === b.remote && a.multihop === b.multihop
}
