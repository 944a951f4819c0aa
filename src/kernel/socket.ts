/**
 * TCP and UDP endpoints of a namespace: socket(7), tcp(7), udp(7). They call back; nothing here waits. A test's client and
 * server, a trace's probe, and a routing daemon's sessions are made of these.
 *
 * A callback may come before the call that caused it has returned (in the model, where an answer takes no time): what it
 * needs, it is given.
 */
import type { Family } from '../address/ip.ts'
import type { Subscription } from './live.ts'

export interface Endpoint {
  readonly address: string
  readonly port: number
}

/** Of a socket: ip(7), ipv6(7), socket(7). What is left out is as the system has it. */
export interface SocketOptions {
  /** Of packets that are sent, 1 to 255: IP_TTL, IPV6_UNICAST_HOPS. */
  readonly ttl?: number | undefined
  /** Packets of TCP with less are not taken, RFC 5082: IP_MINTTL, IPV6_MINHOPCOUNT. UDP takes all, and tells the TTL. */
  readonly minTtl?: number | undefined
  /** The whole octet, DSCP in its upper six bits: IP_TOS, IPV6_TCLASS. TCP sees to the lower two. */
  readonly tos?: number | undefined
  /** Where packets queue on their way out, 0 to 6, with CAP_NET_ADMIN more: SO_PRIORITY. */
  readonly priority?: number | undefined
}

export interface TcpOptions extends SocketOptions {
  /** Short segments do not wait until earlier ones are acknowledged: TCP_NODELAY. */
  readonly noDelay?: boolean | undefined
}

export interface TcpEvents {
  /** The handshake is done. Not called for connections that a listener hands over: those are. */
  established?(connection: TcpConnection): void
  /** Bytes in their order. They are the receiver's to keep. */
  data?(connection: TcpConnection, bytes: Uint8Array): void
  /** The other side has sent everything: its FIN. */
  end?(connection: TcpConnection): void
  /** The system has taken some of the backlog. */
  taken?(connection: TcpConnection): void
  /**
   * Called once, last: both sides have ended, or it broke; what had come before is told first. `errno` is absent after an orderly end: ECONNREFUSED, ECONNRESET,
   * ETIMEDOUT, EHOSTUNREACH … Not called for one that was aborted here.
   */
  closed?(connection: TcpConnection, errno: string | undefined): void
}

export interface TcpConnection {
  readonly local: Endpoint
  readonly remote: Endpoint
  /** With what TTL the SYN came, of a connection that a listener hands over: TCP_SAVED_SYN. */
  readonly synTtl: number | undefined
  /** Bytes that were written and that the system has not taken, since its own buffer is full. */
  readonly backlog: number
  /** All of them anew. */
  set(options: TcpOptions): void
  /** Sends what fits, keeps the rest. KernelError EPIPE after `end`, and when the connection is no more. */
  write(bytes: Uint8Array): void
  /** Neither `data` nor `end` nor `closed` are told until `resume`: the window fills, and the other side has to wait. */
  pause(): void
  resume(): void
  /** Sends FIN behind everything written. What the other side still sends is heard. */
  end(): void
  /** Sends RST, forgets the connection. No callback comes after it. */
  abort(): void
}

/** An ICMP error about a datagram of this socket: IP_RECVERR, ip(7). */
export interface UdpError {
  /** ECONNREFUSED, EHOSTUNREACH, EMSGSIZE … */
  readonly errno: string
  /** Who sent the ICMP error. */
  readonly from: string
  readonly type: number
  readonly code: number
  /** The MTU that fragmentation-needed and packet-too-big tell, else 0. */
  readonly mtu: number
  /** Where the datagram was going. */
  readonly to: Endpoint
}

export interface UdpEvents {
  /** `ttl`: what was left of it, or of the hop limit. */
  datagram?(from: Endpoint, bytes: Uint8Array, ttl: number): void
  error?(error: UdpError): void
}

export interface UdpSocket extends Subscription {
  /** Where it is bound to no address, that is `::`. */
  readonly local: Endpoint
  /** KernelError ENETUNREACH, EMSGSIZE, EPERM, EACCES (broadcast) … */
  send(to: Endpoint, bytes: Uint8Array): void
  /** Hands over, within the call, what has come and waits for the loop's turn: for who must not believe in silence too early. */
  receive(): void
}

export interface Listener extends Subscription {
  /** Where it listens on all addresses, that is `::`. */
  readonly local: Endpoint
  /** All of them anew. Connections that come later begin with them, and their handshakes are made with them. */
  set(options: TcpOptions): void
  /**
   * RFC 2385, TCP_MD5SIG_EXT: connections from this prefix must be signed with this key of 1 to 80 octets, those from elsewhere
   * must not be signed. Of several prefixes the longest counts. undefined takes the key away. Connections that
   * are there keep theirs. KernelError EINVAL, ENOENT where there was no key, ENOPROTOOPT where the system has no TCP MD5.
   */
  setMd5Key(from: string, key: Uint8Array | undefined): void
}

export interface TcpTarget extends Endpoint {
  readonly source?: string | undefined
  readonly sourcePort?: number | undefined
  readonly options?: TcpOptions | undefined
  /** RFC 2385, TCP_MD5SIG: both sides must have the same key, or neither any; else there is no answer. */
  readonly md5?: Uint8Array | undefined
}

/** Address left out, or unspecified: all of `family`; where that is left out too, of both. */
export interface Binding {
  readonly address?: string | undefined
  readonly family?: Family | undefined
}

export interface Sockets {
  /** Port 0: any that is free. Connections that came before `close` live on. KernelError EADDRINUSE, EADDRNOTAVAIL. */
  listenTcp(
    at: Binding & { readonly port: number; readonly options?: TcpOptions | undefined },
    accept: (connection: TcpConnection) => TcpEvents,
  ): Listener
  /** KernelError ENETUNREACH where no route leads there, EADDRNOTAVAIL for a source that is not ours. */
  connectTcp(to: TcpTarget, events: TcpEvents): TcpConnection
  /** Port 0 or left out: one that is free. KernelError EADDRINUSE, EADDRNOTAVAIL. */
  bindUdp(
    at: Binding & { readonly port?: number | undefined; readonly options?: SocketOptions | undefined },
    events: UdpEvents,
  ): UdpSocket
}
