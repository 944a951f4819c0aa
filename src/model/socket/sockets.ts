/**
 * The endpoints of a namespace: what kernel/socket.ts states, and where the network layer delivers.
 *
 *      udp.ts    UDP, and tunnels' sockets
 *      tcp.ts    TCP: listeners, connections
 *      ping.ts   ICMP echo
 *      ipv4.ts   what they ask of the network layer: network.ts
 */
import type { Family } from '../../address/ip.ts'
import type { EchoAnswer, EchoRequest, Subscription } from '../../kernel/live.ts'
import type {
  Sockets as KernelSockets,
  Listener,
  TcpConnection,
  TcpEvents,
  TcpTarget,
  UdpEvents,
  UdpSocket,
} from '../../kernel/socket.ts'
import { IpProtocol } from '../../wire/ipv4.ts'
import type { Model } from '../model.ts'
import type { Namespace } from '../namespace.ts'
import type { Packet } from '../packet.ts'
import { networkOf } from './networks.ts'
import { Echoes } from './ping.ts'
import { TcpSockets } from './tcp.ts'
import { type Encapsulated, UdpSockets } from './udp.ts'

export class Sockets implements KernelSockets {
  readonly udp: UdpSockets
  readonly tcp: TcpSockets
  readonly #echoes: Echoes

  constructor(namespace: Namespace) {
    this.udp = new UdpSockets(namespace)
    this.tcp = new TcpSockets(namespace)
    this.#echoes = new Echoes(namespace)
  }

  listenTcp(at: Parameters<KernelSockets['listenTcp']>[0], accept: (connection: TcpConnection) => TcpEvents): Listener {
    return this.tcp.listen(at, accept)
  }

  connectTcp(to: TcpTarget, events: TcpEvents): TcpConnection {
    return this.tcp.connect(to, events)
  }

  bindUdp(at: Parameters<KernelSockets['bindUdp']>[0], events: UdpEvents): UdpSocket {
    return this.udp.bind(at, events)
  }

  /** A tunnel's socket: `receive` takes every packet that comes to the port, `packet.transport` at its UDP header. */
  bindEncapsulation(port: number, receive: Encapsulated, family: Family = 'ipv4'): Subscription {
    return this.udp.bindEncapsulation(port, receive, family)
  }

  /** As LiveKernel.ping, for who moves the clock himself: `onAnswer` is called once. */
  ping(destination: string, request: EchoRequest, onAnswer: (answer: EchoAnswer) => void): void {
    this.#echoes.request(destination, request, onAnswer)
  }

  /** An echo reply has come, of ICMP or ICMPv6; `packet.transport` is at its header. */
  receiveEchoReply(packet: Packet, family: Family): void {
    const network = networkOf(family)
    if (network) this.#echoes.receiveReply(packet, network)
  }

  /** An ICMP error that quotes ICMP; as TransportProtocol.error. */
  echoError(packet: Packet, family: Family, type: number, code: number, info: number, quoted: number): void {
    const network = networkOf(family)
    if (network) this.#echoes.error(packet, network, type, code, info, quoted)
  }
}

/** UDP and TCP over the families that there are. */
export function registerTransports(model: Model): void {
  const families = [
    [model.ipv4Protocols, networkOf('ipv4')],
    [model.ipv6Protocols, networkOf('ipv6')],
  ] as const
  for (const [protocols, network] of families) {
    if (!network) continue
    protocols[IpProtocol.udp] = {
      receive: (packet) => packet.device.namespace.sockets.udp.receive(packet, network),
      error: (packet, type, code, info, quoted) =>
        packet.device.namespace.sockets.udp.error(packet, network, type, code, info, quoted),
    }
    protocols[IpProtocol.tcp] = {
      receive: (packet) => packet.device.namespace.sockets.tcp.receive(packet, network),
      error: (packet, type, code, info, quoted) =>
        packet.device.namespace.sockets.tcp.error(packet, network, type, code, info, quoted),
    }
  }
}
