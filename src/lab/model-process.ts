/**
 * A process of the model, as far as its end is concerned: killed, it has no timers any more and hears nothing, and the kernel
 * closes its sockets. What it has made in the kernel stays.
 */
import type { Subscription } from '../kernel/live.ts'
import type { Sockets, TcpConnection, TcpEvents, UdpEvents, UdpSocket } from '../kernel/socket.ts'
import type { Clock } from '../store/clock.ts'

export class ModelProcess {
  readonly clock: Clock
  readonly sockets: Sockets
  readonly #timers = new Set<() => void>()
  /** Listeners, and sockets of UDP. */
  readonly #open: Subscription[] = []
  readonly #connections = new Set<TcpConnection>()
  #isAlive = true

  constructor(clock: Clock, sockets: Sockets) {
    this.clock = { now: () => clock.now(), after: (milliseconds, run) => this.#after(clock, milliseconds, run) }
    this.sockets = {
      listenTcp: (at, accept) => this.#listen(sockets, at, accept),
      connectTcp: (to, events) => this.#keep(sockets.connectTcp(to, this.#heard(events))),
      bindUdp: (at, events) => this.#bind(sockets, at, events),
    }
  }

  kill(): void {
    this.#isAlive = false
    for (const cancel of this.#timers) cancel()
    for (const socket of this.#open) socket.close()
    for (const connection of this.#connections) connection.end()
  }

  #after(clock: Clock, milliseconds: number, run: () => void): () => void {
    if (!this.#isAlive) return () => {}
    const cancel = clock.after(milliseconds, () => {
      this.#timers.delete(cancel)
      run()
    })
    this.#timers.add(cancel)
    return () => {
      this.#timers.delete(cancel)
      cancel()
    }
  }

  #listen(sockets: Sockets, ...[at, accept]: Parameters<Sockets['listenTcp']>): ReturnType<Sockets['listenTcp']> {
    const listener = sockets.listenTcp(at, (connection) => this.#heard(accept(this.#keep(connection))))
    this.#open.push(listener)
    return listener
  }

  #bind(sockets: Sockets, at: Parameters<Sockets['bindUdp']>[0], events: UdpEvents): UdpSocket {
    const socket = sockets.bindUdp(at, events)
    this.#open.push(socket)
    return socket
  }

  #keep(connection: TcpConnection): TcpConnection {
    this.#connections.add(connection)
    return connection
  }

  #heard(events: TcpEvents): TcpEvents {
    const whileAlive = (tell: () => void) => {
      if (this.#isAlive) tell()
    }
    return {
      established: (connection) => whileAlive(() => events.established?.(connection)),
      data: (connection, bytes) => whileAlive(() => events.data?.(connection, bytes)),
      end: (connection) => whileAlive(() => events.end?.(connection)),
      taken: (connection) => whileAlive(() => events.taken?.(connection)),
      closed: (connection, errno) => {
        this.#connections.delete(connection)
        whileAlive(() => events.closed?.(connection, errno))
      },
    }
  }
}
