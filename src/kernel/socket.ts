/**
 * TCP and UDP endpoints of a namespace: socket(7), tcp(7), udp(7). They call back; nothing here waits. A test's client and
 * server, a trace's probe, and a routing daemon's sessions are made of these.
 *
 * A callback may come before the call that caused it has returned (in the model, where an answer takes no time): what it
 * needs, it is given.
 */
import type { Subscription } from './live.ts'

export interface Endpoint {
  readonly address: string
  readonly port: number
}

export interface TcpEvents {
  /** The handshake is done. Not called for connections that a listener hands over: those are. */
  established?(connection: TcpConnection): void
  /** Bytes in their order. They are the receiver's to keep. */
  data?(connection: TcpConnection, bytes: Uint8Array): void
  /** The other side has sent everything: its FIN. */
  end?(connection: TcpConnection): void
  /**
   * Called once, last: both sides have ended, or it broke. `errno` is absent after an orderly end: ECONNREFUSED, ECONNRESET,
   * ETIMEDOUT, EHOSTUNREACH … Not called for one that was aborted here.
   */
  closed?(connection: TcpConnection, errno: string | undefined): void
}

export interface TcpConnection {
  readonly local: Endpoint
  readonly remote: Endpoint
  /** Sends what fits, keeps the rest. KernelError EPIPE after `end`, and when the connection is no more. */
  write(bytes: Uint8Array): void
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
  datagram?(from: Endpoint, bytes: Uint8Array): void
  error?(error: UdpError): void
}

export interface UdpSocket extends Subscription {
  /** Where it is bound to no address, that is `::`. */
  readonly local: Endpoint
  /** KernelError ENETUNREACH, EMSGSIZE, EPERM, EACCES (broadcast) … */
  send(to: Endpoint, bytes: Uint8Array): void
}

export interface Listener extends Subscription {
  /** Where it listens on all addresses, that is `::`. */
  readonly local: Endpoint
}

export interface Sockets {
  /**
   * Address left out: all, of both families. Port 0: any that is free. Connections that came before `close` live on.
   * KernelError EADDRINUSE, EADDRNOTAVAIL.
   */
  listenTcp(
    at: { readonly address?: string; readonly port: number },
    accept: (connection: TcpConnection) => TcpEvents,
  ): Listener
  /** KernelError ENETUNREACH where no route leads there, EADDRNOTAVAIL for a source that is not ours. */
  connectTcp(
    to: Endpoint & { readonly source?: string; readonly sourcePort?: number },
    events: TcpEvents,
  ): TcpConnection
  /**
   * Address left out: any, of both families. Port 0 or left out: one that is free. KernelError EADDRINUSE,
   * EADDRNOTAVAIL.
   */
  bindUdp(at: { readonly address?: string; readonly port?: number }, events: UdpEvents): UdpSocket
}
