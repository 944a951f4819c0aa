/**
 * Transports of several hosts in one process, on a given clock: links with latency that are cut and come back, hosts that
 * crash, readers that are slow. What TCP would do shows as it would to a socket:
 *
 * - on a link that is cut nothing arrives and nothing is lost: TCP sends it again when the link is back
 * - who sends to a host that has forgotten the connection is told so one round trip later
 * - octets that nobody reads fill the receiver's window, and then the sender's backlog
 */
import { readIp } from '../address/ip.ts'
import { contains, type Prefix, readPrefix } from '../address/prefix.ts'
import type { Clock } from '../store/clock.ts'
import {
  type Accept,
  type Connection,
  type ConnectionEvents,
  type Endpoint,
  type Listener,
  PLAIN,
  type SocketOptions,
  type Target,
  type Transport,
} from './transport.ts'

/** Octets that wait for a receiver which does not read. */
const WINDOW = 65_536
const FIRST_PORT = 49_152
const TTL = 64

/** Between two addresses, in both directions. */
export class MemoryLink {
  /** Milliseconds in one direction, of every message anew. Nothing overtakes within a connection. */
  latency: () => number
  /** Routers on the way, and one: what a packet's TTL loses. */
  hops = 1
  /** Octets of the largest piece that arrives at once. */
  segment = WINDOW
  #up = true
  readonly #waiting = new Set<() => void>()

  constructor(latency: () => number) {
    this.latency = latency
  }

  get up(): boolean {
    return this.#up
  }

  cut(): void {
    this.#up = false
  }

  heal(): void {
    this.#up = true
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const goOn of waiting) goOn()
  }

  /** Calls `goOn` when the link is up again. */
  whenUp(goOn: () => void): void {
    this.#waiting.add(goOn)
  }
}

export class MemoryNetwork {
  readonly clock: Clock
  readonly #latency: () => number
  readonly #hosts = new Map<string, MemoryHost>()
  readonly #links = new Map<string, MemoryLink>()

  /** `latency`: milliseconds in one direction, of links that are given none of their own. */
  constructor(clock: Clock, latency: () => number = () => 1) {
    this.clock = clock
    this.#latency = latency
  }

  host(...addresses: readonly string[]): MemoryHost {
    const host = new MemoryHost(this, addresses)
    for (const address of addresses) this.#hosts.set(address, host)
    return host
  }

  /** The way between two addresses, whichever is named first. */
  link(a: string, b: string): MemoryLink {
    const key = a < b ? `${a} ${b}` : `${b} ${a}`
    let link = this.#links.get(key)
    if (!link) {
      link = new MemoryLink(this.#latency)
      this.#links.set(key, link)
    }
    return link
  }

  hostOf(address: string): MemoryHost | undefined {
    return this.#hosts.get(address)
  }
}

interface Allowed {
  readonly from: Prefix
  readonly options: SocketOptions
}

export class MemoryHost implements Transport {
  readonly network: MemoryNetwork
  readonly #addresses: readonly string[]
  readonly #listeners = new Set<MemoryListener>()
  readonly #ends = new Set<End>()
  #port = FIRST_PORT

  constructor(network: MemoryNetwork, addresses: readonly string[]) {
    this.network = network
    this.#addresses = addresses
  }

  /** Connections of this host, also those that are being made. */
  get connections(): number {
    return this.#ends.size
  }

  connect(target: Target, events: ConnectionEvents): Connection {
    const address = target.localAddress ?? this.#sourceFor(target.remote.address)
    const local = { address, port: this.#port++ }
    const end = new End(this, local, target.remote)
    this.#ends.add(end)
    end.events = events
    end.say(() => {
      const host = this.network.hostOf(target.remote.address)
      if (!host) return
      const listener = host.#listenerAt(target.remote)
      const options = listener?.optionsFor(address)
      if (!listener || !options) end.hear(() => end.end('connection refused'))
      else if (options.md5 === target.md5 && end.passes(target, options)) host.#accept(listener, end)
    })
    return end
  }

  listen(local: { readonly address: string | undefined; readonly port: number }, accept: Accept): Listener {
    const listener = new MemoryListener(local, accept, () => this.#listeners.delete(listener))
    this.#listeners.add(listener)
    return listener
  }

  /** The host forgets its connections and listeners without a word: power failure. */
  crash(): void {
    for (const end of [...this.#ends]) end.forget()
    this.#listeners.clear()
  }

  /** Every connection of the host ends as if the other side had reset it: its links have no carrier. */
  loseConnections(why = 'network is down'): void {
    for (const end of [...this.#ends]) end.end(why)
  }

  remove(end: End): void {
    this.#ends.delete(end)
  }

  #accept(listener: MemoryListener, caller: End): void {
    const end = new End(this, caller.remote, caller.local)
    this.#ends.add(end)
    end.join(caller)
    end.events = listener.accept(end)
    if (!end.events) end.close()
  }

  #listenerAt({ address, port }: Endpoint): MemoryListener | undefined {
    return [...this.#listeners].find(
      ({ local }) => local.port === port && (local.address === undefined || local.address === address),
    )
  }

  #sourceFor(remote: string): string {
    const isIpv6 = remote.includes(':')
    return this.#addresses.find((address) => address.includes(':') === isIpv6) ?? this.#addresses[0]!
  }
}

class MemoryListener implements Listener {
  readonly local: { readonly address: string | undefined; readonly port: number }
  readonly accept: Accept
  readonly close: () => void
  readonly #allowed = new Set<Allowed>()

  constructor(local: MemoryListener['local'], accept: Accept, close: () => void) {
    this.local = local
    this.accept = accept
    this.close = close
  }

  allow(from: string, options: SocketOptions): () => void {
    const prefix = readPrefix(from.includes('/') ? from : `${from}/${from.includes(':') ? 128 : 32}`)
    if (!prefix) throw new RangeError(`Cannot allow connections from "${from}": neither an address nor a prefix`)
    const allowed = { from: prefix, options }
    this.#allowed.add(allowed)
    return () => this.#allowed.delete(allowed)
  }

  optionsFor(address: string): SocketOptions {
    const ip = readIp(address)
    const fitting = [...this.#allowed].filter(({ from }) => ip && contains(from, ip))
    const longest = fitting.reduce<Allowed | undefined>(
      (best, each) => (best && best.from.length >= each.from.length ? best : each),
      undefined,
    )
    return longest?.options ?? PLAIN
  }
}

/** One end of a connection. */
class End implements Connection {
  readonly local: Endpoint
  readonly remote: Endpoint
  events: ConnectionEvents | undefined
  /** undefined until the connection is made. */
  other: End | undefined
  readonly #host: MemoryHost
  readonly #link: MemoryLink
  /** What this end has to say to the other host, in order: each item runs there when it arrives. */
  readonly #outgoing: (() => void)[] = []
  #lastArrival = 0
  /** Items that would have arrived, were the link not cut. */
  #stalled = 0
  #open = true
  #paused = false
  /** Arrived and not read. */
  readonly #unread: (Uint8Array | { readonly end: string })[] = []
  /** Sent, and beyond the window of the receiver. */
  readonly #kept: Uint8Array[] = []
  #keptOctets = 0
  #inFlight = 0

  constructor(host: MemoryHost, local: Endpoint, remote: Endpoint) {
    this.#host = host
    this.local = local
    this.remote = remote
    this.#link = host.network.link(local.address, remote.address)
  }

  get isOpen(): boolean {
    return this.#open
  }

  get backlog(): number {
    return this.#keptOctets
  }

  send(octets: Uint8Array): void {
    if (!this.#open || octets.length === 0) return
    this.#kept.push(octets)
    this.#keptOctets += octets.length
    this.#push()
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#host.network.clock.after(0, () => this.#deliver())
  }

  close(): void {
    if (!this.#open) return
    this.#push(Number.POSITIVE_INFINITY)
    this.#leave()
    this.say(() => this.other?.arrived({ end: 'closed by the peer' }))
  }

  /** The end is gone without a word: what its host has to say is that it knows of no such connection. */
  forget(): void {
    this.#outgoing.length = 0
    this.#leave()
  }

  /** The connection has failed here. */
  end(why: string): void {
    if (!this.#open) return
    const events = this.events
    this.#leave()
    this.#host.network.clock.after(0, () => events?.closed(why))
  }

  #leave(): void {
    this.#open = false
    this.#host.remove(this)
    this.events = undefined
  }

  /** Tells the caller that it is connected; one that is gone resets the connection. */
  join(caller: End): void {
    this.other = caller
    this.say(() => {
      caller.other = this
      if (caller.isOpen) caller.events?.connected()
      else this.hear(() => this.end('connection reset by peer'))
    })
  }

  /** `run` happens at the other host, when the link has carried it there, behind all that was said before. */
  say(run: () => void): void {
    const { clock } = this.#host.network
    this.#outgoing.push(run)
    this.#lastArrival = Math.max(this.#lastArrival, clock.now() + this.#link.latency())
    clock.after(this.#lastArrival - clock.now(), () => this.#carry())
  }

  #carry(): void {
    if (this.#link.up) this.#outgoing.shift()?.()
    else if (this.#stalled++ === 0) this.#link.whenUp(() => this.#sendAgain())
  }

  #sendAgain(): void {
    const items = this.#stalled
    this.#stalled = 0
    for (let i = 0; i < items; i++) this.#host.network.clock.after(this.#link.latency(), () => this.#carry())
  }

  /** `run` happens here, when the link has carried the answer back. */
  hear(run: () => void): void {
    const back = () => this.#host.network.clock.after(this.#link.latency(), arrive)
    const arrive = () => {
      if (!this.#link.up) this.#link.whenUp(back)
      else if (this.#open) run()
    }
    back()
  }

  /** Whether packets between sockets with these options get through, there and back. */
  passes(here: SocketOptions, there: SocketOptions): boolean {
    const arrives = (from: SocketOptions, to: SocketOptions) => {
      const left = (from.ttl ?? TTL) - (this.#link.hops - 1)
      return left > 0 && left >= (to.minTtl ?? 0)
    }
    return arrives(here, there) && arrives(there, here)
  }

  /** Sends what the receiver's window has room for. */
  #push(window = WINDOW): void {
    while (this.#kept.length > 0 && this.#inFlight < window) {
      const piece = cut(this.#kept, Math.min(this.#link.segment, window - this.#inFlight))
      this.#keptOctets -= piece.length
      this.#inFlight += piece.length
      this.say(() => {
        const { other } = this
        if (other?.isOpen) other.arrived(piece)
        else this.hear(() => this.end('connection reset by peer'))
      })
    }
  }

  arrived(what: Uint8Array | { readonly end: string }): void {
    if (!this.#open) return
    this.#unread.push(what)
    this.#deliver()
  }

  #deliver(): void {
    while (this.#open && !this.#paused && this.#unread.length > 0) {
      const what = this.#unread.shift()!
      if (!(what instanceof Uint8Array)) {
        const { events } = this
        this.#leave()
        events?.closed(what.end)
      } else {
        this.#acknowledge(what.length)
        this.events?.received(what)
      }
    }
  }

  /** The sender may send so many octets more. */
  #acknowledge(octets: number): void {
    const sender = this.other
    sender?.hear(() => {
      sender.#inFlight -= octets
      const before = sender.#keptOctets
      sender.#push()
      if (sender.#keptOctets < before) sender.events?.taken()
    })
  }
}

/** The first octets of what is kept, copied: sender and receiver share nothing. */
function cut(pieces: Uint8Array[], most: number): Uint8Array {
  const first = pieces[0]!
  if (first.length > most) {
    pieces[0] = first.subarray(most)
    return first.slice(0, most)
  }
  pieces.shift()
  return first.slice()
}
