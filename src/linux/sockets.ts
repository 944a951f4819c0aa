/** TCP and UDP of a namespace; what a subscription has opened lives on when the handle is closed. */
import type { Endpoint, Listener, Sockets, TcpConnection, TcpEvents, UdpEvents, UdpSocket } from '../kernel/socket.ts'
import type { Namespace } from './netns.ts'
import { connectTcp, listenTcp } from './tcp.ts'
import { bindUdp } from './udp.ts'

export class LinuxSockets implements Sockets {
  readonly #namespace: Namespace

  constructor(namespace: Namespace) {
    this.#namespace = namespace
  }

  listenTcp(
    at: { readonly address?: string; readonly port: number },
    accept: (connection: TcpConnection) => TcpEvents,
  ): Listener {
    return listenTcp(this.#namespace, at, accept)
  }

  connectTcp(
    to: Endpoint & { readonly source?: string; readonly sourcePort?: number },
    events: TcpEvents,
  ): TcpConnection {
    return connectTcp(this.#namespace, to, events)
  }

  bindUdp(at: { readonly address?: string; readonly port?: number }, events: UdpEvents): UdpSocket {
    return bindUdp(this.#namespace, at, events)
  }
}
