/** TCP and UDP of a namespace; what a subscription has opened lives on when the handle is closed. */
import type { Listener, Sockets, TcpConnection, TcpEvents, TcpTarget, UdpEvents, UdpSocket } from '../kernel/socket.ts'
import type { Namespace } from './netns.ts'
import { connectTcp, listenTcp } from './tcp.ts'
import { bindUdp } from './udp.ts'

export class LinuxSockets implements Sockets {
  readonly #namespace: Namespace

  constructor(namespace: Namespace) {
    this.#namespace = namespace
  }

  listenTcp(at: Parameters<Sockets['listenTcp']>[0], accept: (connection: TcpConnection) => TcpEvents): Listener {
    return listenTcp(this.#namespace, at, accept)
  }

  connectTcp(to: TcpTarget, events: TcpEvents): TcpConnection {
    return connectTcp(this.#namespace, to, events)
  }

  bindUdp(at: Parameters<Sockets['bindUdp']>[0], events: UdpEvents): UdpSocket {
    return bindUdp(this.#namespace, at, events)
  }
}
