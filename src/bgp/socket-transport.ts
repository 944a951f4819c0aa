/**
 * The transport over the sockets of a kernel (kernel/socket.ts), Linux's or the model's.
 *
 *   Connection ── SocketConnection ── TcpConnection           a peer that was allowed ── SocketListener ── Listener
 *                        └── Turns: what is told from within a call of ours waits until it has returned
 *
 * All segments are marked as network control, DSCP CS6 (RFC 4594 §3.1), and none waits for an acknowledgement of the one before.
 */
import { KernelError } from '../kernel/errors.ts'
import type { Sockets, TcpConnection, TcpEvents, TcpOptions } from '../kernel/socket.ts'
import type { Clock } from '../store/clock.ts'
import { SocketListener } from './socket-listener.ts'
import type {
  Accept,
  Connection,
  ConnectionEvents,
  Endpoint,
  Listener,
  SocketOptions,
  Target,
  Transport,
} from './transport.ts'
import { encodeUtf8 } from './utf8.ts'

/** CS6 and no ECN; of SO_PRIORITY the highest that needs no capability, which pfifo_fast sends first. */
const NETWORK_CONTROL = { tos: 0xc0, priority: 6 }
/** For the last words of a connection. Milliseconds. */
const LINGER = 3000

export class SocketTransport implements Transport {
  readonly #sockets: Sockets
  readonly #clock: Clock
  readonly #turns: Turns

  constructor(sockets: Sockets, clock: Clock) {
    this.#sockets = sockets
    this.#clock = clock
    this.#turns = new Turns(clock)
  }

  connect(target: Target, events: ConnectionEvents): Connection {
    const { remote, localAddress, md5 } = target
    const connection = new SocketConnection(this.#turns, this.#clock, remote, (errno) => whyNot(errno, target))
    connection.events = events
    this.#turns.within(() => {
      try {
        connection.tcp = this.#sockets.connectTcp(
          {
            ...remote,
            source: localAddress,
            options: optionsOf(target),
            md5: md5 === undefined ? md5 : encodeUtf8(md5),
          },
          connection.heard,
        )
      } catch (error) {
        if (!(error instanceof KernelError)) throw error
        connection.cannotBegin(whyNot(error.errno, target))
      }
    })
    return connection
  }

  listen({ address, port }: { readonly address: string | undefined; readonly port: number }, accept: Accept): Listener {
    const binding =
      address === '0.0.0.0' ? { family: 'ipv4' as const } : address === '::' ? { family: 'ipv6' as const } : { address }
    const listener = new SocketListener((options) => optionsOf(options))
    listener.socket = this.#sockets.listenTcp({ ...binding, port, options: listener.options }, (tcp) => {
      const options = listener.optionsFor(tcp.remote.address)
      // The kernel knows one least TTL for all who connect; the SYN tells whether that of this peer was kept.
      if ((tcp.synTtl ?? 0) < (options.minTtl ?? 0)) {
        tcp.abort()
        return {}
      }
      tcp.set(optionsOf(options))
      const connection = new SocketConnection(this.#turns, this.#clock, tcp.remote, whyLost)
      connection.accepted(tcp, accept)
      return connection.heard
    })
    return listener
  }
}

function optionsOf({ ttl, minTtl }: Pick<SocketOptions, 'ttl' | 'minTtl'>): TcpOptions {
  return { ttl, minTtl, ...NETWORK_CONTROL, noDelay: true }
}

class SocketConnection implements Connection {
  readonly remote: Endpoint
  tcp: TcpConnection | undefined = undefined
  events: ConnectionEvents | undefined = undefined
  readonly #turns: Turns
  readonly #clock: Clock
  readonly #why: (errno: string) => string
  #isOpen = true
  #isConnected = false
  /** The kernel has told the end. */
  #isGone = false
  #isPaused = false
  /** What came while it was paused. */
  readonly #unheard: (() => void)[] = []
  #stopLingering = () => {}

  /** `why`: an errno in words. */
  constructor(turns: Turns, clock: Clock, remote: Endpoint, why: (errno: string) => string) {
    this.#turns = turns
    this.#clock = clock
    this.remote = remote
    this.#why = why
  }

  get local(): Endpoint | undefined {
    return this.tcp?.local
  }

  get backlog(): number {
    return (this.#isOpen && this.tcp?.backlog) || 0
  }

  /** What the kernel tells. */
  readonly heard: TcpEvents = {
    established: () => {
      this.#isConnected = true
      this.#turns.tell(() => this.events?.connected())
    },
    data: (_, octets) => this.#hear(() => this.events?.received(octets)),
    taken: () => this.#turns.tell(() => this.events?.taken()),
    end: () => this.#hear(() => this.#end('closed by the peer')),
    closed: (_, errno) => {
      this.#isGone = true
      this.#stopLingering()
      this.#hear(() => this.#end(errno === undefined ? 'closed by the peer' : this.#why(errno)))
    },
  }

  accepted(tcp: TcpConnection, accept: Accept): void {
    this.tcp = tcp
    this.#isConnected = true
    this.#turns.tell(() => {
      const events = accept(this)
      if (this.#isOpen) this.events = events
      // A stranger is told so by FIN: with a RST its OPEN, which is on its way, would fail as if the way there were broken.
      if (!events && this.#isOpen) this.#leave()
    })
  }

  cannotBegin(why: string): void {
    this.#turns.tell(() => this.#end(why))
  }

  send(octets: Uint8Array): void {
    if (!this.#isOpen) return
    this.#turns.within(() => {
      try {
        this.tcp?.write(octets)
      } catch (error) {
        // It has just broken, which is told next.
        if (!(error instanceof KernelError)) throw error
      }
    })
  }

  pause(): void {
    if (!this.#isOpen) return
    this.#isPaused = true
    this.tcp?.pause()
  }

  resume(): void {
    if (!this.#isOpen || !this.#isPaused) return
    this.#isPaused = false
    this.#turns.within(() => {
      if (this.#unheard.length > 0) this.#turns.tell(() => this.#goOn())
      this.tcp?.resume()
    })
  }

  close(): void {
    if (this.#isOpen) this.#leave()
  }

  #end(why: string): void {
    const { events } = this
    if (this.#isOpen) this.#leave()
    events?.closed(why)
  }

  /** Says what was sent, and then FIN; nobody listens any more. */
  #leave(): void {
    this.#isOpen = false
    this.events = undefined
    this.#unheard.length = 0
    const { tcp } = this
    if (!tcp || this.#isGone) return
    this.#turns.within(() => {
      if (!this.#isConnected) return tcp.abort()
      // What still comes is read and forgotten: their end is behind it, and with that the connection is over before its time.
      tcp.resume()
      tcp.end()
      if (!this.#isGone) this.#stopLingering = this.#clock.after(LINGER, () => tcp.abort())
    })
  }

  /** In order, and not while it is paused. */
  #hear(what: () => void): void {
    if (!this.#isOpen) return
    this.#turns.tell(() => {
      this.#unheard.push(what)
      this.#goOn()
    })
  }

  #goOn(): void {
    while (!this.#isPaused && this.#unheard.length > 0) this.#unheard.shift()!()
  }
}

/** Nothing is told from within a call: what happens there waits for the clock, and all that happens later waits behind it. */
class Turns {
  readonly #clock: Clock
  #calls = 0
  readonly #waiting: (() => void)[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  within<T>(call: () => T): T {
    this.#calls++
    try {
      return call()
    } finally {
      this.#calls--
    }
  }

  tell(what: () => void): void {
    if (this.#calls === 0 && this.#waiting.length === 0) what()
    else if (this.#waiting.push(what) === 1) this.#clock.after(0, () => this.#tellNext())
  }

  #tellNext(): void {
    try {
      this.#waiting[0]!()
    } finally {
      this.#waiting.shift()
      if (this.#waiting.length > 0) this.#clock.after(0, () => this.#tellNext())
    }
  }
}

const LOST: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset by peer',
  EPIPE: 'connection reset by peer',
  ETIMEDOUT: 'connection timed out',
  EHOSTUNREACH: 'no route to host',
  EHOSTDOWN: 'host is down',
  ENETUNREACH: 'network is unreachable',
  ENETDOWN: 'network is down',
  EADDRINUSE: 'the port is in use',
  EACCES: 'not permitted',
  EPERM: 'not permitted',
}

/** A connection that was there. */
function whyLost(errno: string): string {
  return LOST[errno] ?? errno
}

/** A connection that is made. */
function whyNot(errno: string, { localAddress, md5 }: Target): string {
  if (errno === 'ETIMEDOUT') return md5 === undefined ? 'no answer' : 'no answer: TCP MD5 password or filter?'
  if (errno === 'EADDRNOTAVAIL' && localAddress !== undefined) return `${localAddress} is no address of this host`
  if (errno === 'ENOPROTOOPT' && md5 !== undefined) return 'this kernel has no TCP MD5'
  if (errno === 'EINVAL' && md5 !== undefined) return 'a TCP MD5 password has 1 to 80 octets'
  return whyLost(errno)
}
