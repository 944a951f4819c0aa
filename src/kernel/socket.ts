/**
 * TCP and UDP endpoints of a namespace: socket(7), tcp(7), udp(7). They call back; nothing here waits. A test's client and
 * server, a trace's probe, and a routing daemon's sessions are made of these.
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
  /** Called once, last. `errno` is absent after an orderly end: ECONNREFUSED, ECONNRESET, ETIMEDOUT, EHOSTUNREACH … */
  closed?(connection: TcpConnection, errno: string | undefined): void
}

export interface TcpConnection {
  readonly local: Endpoint
  readonly remote: Endpoint
  /** Sends what fits, keeps the rest. KernelError EPIPE after `end`. */
  write(bytes: Uint8Array): void
  /** Sends FIN behind everything written. */
  end(): void
  /** Sends RST, forgets the connection. */
  abort(): void
}

export interface UdpEvents {
  datagram?(from: Endpoint, bytes: Uint8Array): void
  /** An ICMP error came for a datagram of this socket: ECONNREFUSED, EHOSTUNREACH, EMSGSIZE … and from whom. */
  error?(errno: string, from: string): void
}

export interface UdpSocket extends Subscription {
  readonly local: Endpoint
  /** KernelError ENETUNREACH, EMSGSIZE, EPERM … */
  send(to: Endpoint, bytes: Uint8Array): void
}

export interface Listener extends Subscription {
  readonly local: Endpoint
}

export interface Sockets {
  /** Port 0: any that is free. KernelError EADDRINUSE, EADDRNOTAVAIL. */
  listenTcp(
    at: { readonly address?: string; readonly port: number },
    accept: (connection: TcpConnection) => TcpEvents,
  ): Listener
  /** KernelError ENETUNREACH where no route leads there, EADDRNOTAVAIL for a source that is not ours. */
  connectTcp(
    to: Endpoint & { readonly source?: string; readonly sourcePort?: number },
    events: TcpEvents,
  ): TcpConnection
  /** Address left out: any. Port 0 or left out: one that is free. KernelError EADDRINUSE, EADDRNOTAVAIL. */
  bindUdp(at: { readonly address?: string; readonly port?: number }, events: UdpEvents): UdpSocket
}
