/**
 * What sessions ask of TCP. memory-transport.ts is one in memory; one of sockets lives where sockets are.
 *
 * What every transport must promise, and sessions rely upon:
 *
 * - *Nothing is told from within a call.* Events come later, from the loop, and none after close().
 * - *send() does not wait.* What the system takes, it takes within the call: a KEEPALIVE that a timer sends leaves in that
 *   moment, however many routes wait to be computed. What the system does not take is kept, in order, and counts as `backlog`.
 * - *Timers run between two pieces.* received() is called with no more than some 64 KiB at a time, and after pause() not again:
 *   a session that has read for long enough says so and goes on by a timer, so that those of others have their turn.
 * - *closed() is the last event*, and comes behind all octets that the peer sent, also when they had to wait for resume().
 *
 * A promise that no transport can make is that the thread is free. Who computes for long (routing tables, the kernel) must do
 * so in steps well below a third of the shortest hold time.
 */

export interface Endpoint {
  /** As address/ip.ts formats it: without a zone, and IPv4 as IPv4 also on a socket of IPv6. */
  readonly address: string
  readonly port: number
}

/** What is set on a socket, by system call. */
export interface SocketOptions {
  /** IP_TTL or IPV6_UNICAST_HOPS; undefined: as the system has it. */
  readonly ttl: number | undefined
  /** RFC 5082: packets with less are not taken (IP_MINTTL, IPV6_MINHOPCOUNT); undefined: all are. */
  readonly minTtl: number | undefined
  /** TCP MD5, RFC 2385; undefined: none, and segments with a signature are not taken. */
  readonly md5: string | undefined
}

export const PLAIN: SocketOptions = { ttl: undefined, minTtl: undefined, md5: undefined }

export interface Target extends SocketOptions {
  readonly remote: Endpoint
  /** Source address; undefined: as the routing table says. */
  readonly localAddress: string | undefined
}

export interface Connection {
  /** undefined until it is known: a connection that is being made may have none yet. */
  readonly local: Endpoint | undefined
  readonly remote: Endpoint
  /** Octets that were sent and that the system has not taken. */
  readonly backlog: number
  /** The octets are the transport's from now on. */
  send(octets: Uint8Array): void
  /** No more received() until resume(); the peer notices, since its window fills. */
  pause(): void
  resume(): void
  /**
   * Ends the connection, or the attempt to make it. What was sent before goes out first, but is not waited for longer than some
   * seconds. May be called again.
   */
  close(): void
}

export interface ConnectionEvents {
  /** Of a connection that we make: it is there. */
  connected(): void
  /** The octets are the receiver's from now on. */
  received(octets: Uint8Array): void
  /** The system has taken some of the backlog. */
  taken(): void
  /** The connection has ended, or could not be made: `why` in words ("connection refused"). Not after our own close(). */
  closed(why: string): void
}

export interface Listener {
  /**
   * Options for connections from this address or prefix, which the system must know before they come. Of several that fit the
   * longest counts. Answers what takes it back. A changed password needs no other listener.
   */
  allow(from: string, options: SocketOptions): () => void
  close(): void
}

/** undefined: the connection is not wanted, and is closed without a word. */
export type Accept = (connection: Connection) => ConnectionEvents | undefined

export interface Transport {
  /** What cannot be done is told by closed(). */
  connect(target: Target, events: ConnectionEvents): Connection
  /** Throws when the address or port cannot be had. `address` undefined: all, of both families. */
  listen(local: { readonly address: string | undefined; readonly port: number }, accept: Accept): Listener
}
