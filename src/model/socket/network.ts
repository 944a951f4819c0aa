/**
 * The network layer as transports see it, one object for each family: what differs between IPv4 and IPv6 below UDP, TCP
 * and ICMP. Addresses are bytes in network order, as address/ip.ts has them.
 */
import type { Family, Ip } from '../../address/ip.ts'
import type { Device } from '../device/device.ts'
import type { Namespace } from '../namespace.ts'
import type { Packet } from '../packet.ts'

/** What a route tells a socket. */
export interface SocketRoute {
  readonly source: Ip
  /** What fits now: the device's, the route's, or one that was learned. */
  readonly mtu: number
  /** The MTU is so small that routers may cut up packets: ip_mtu_locked. */
  readonly isMtuLocked: boolean
  /** What a SYN says that the other side may send: dst_metric_advmss. */
  readonly advertisedMss: number
  readonly broadcast: boolean
  /** The family's own object, to be handed back to `send`. */
  readonly of: unknown
}

/** What routes of several ways, and rules, look at besides addresses. */
export interface Flow {
  readonly protocol: number
  readonly sourcePort: number
  readonly destinationPort: number
  /** The only way out, where the addresses mean something on one link only. */
  readonly outputDevice?: Device | undefined
}

export interface Sending {
  readonly source: Ip
  readonly destination: Ip
  /** IpProtocol. */
  readonly protocol: number
  /** The namespace's default where it is left out. */
  readonly ttl?: number | undefined
  readonly tos?: number
  readonly dontFragment: boolean
  /** IPv4; drawn where it is left out. */
  readonly identification?: number
  /** One that `route` answered for the same source and destination. */
  readonly route?: SocketRoute
  /** IPv6; drawn where it is left out. */
  readonly flowLabel?: number | undefined
}

/** What an ICMP error means to a socket: icmp_err_convert, icmpv6_err_convert. */
export interface IcmpMeaning {
  readonly errno: string
  /** Ends a connection that is being set up for good, rather than being noted. */
  readonly fatal: boolean
}

export interface Network {
  readonly family: Family
  /** EtherType. */
  readonly protocol: number
  /** IpProtocol of its ICMP. */
  readonly icmp: number
  readonly addressLength: number
  /** Without options. */
  readonly headerLength: number
  /** Offsets within the header. */
  readonly sourceAt: number
  readonly destinationAt: number
  readonly ttlAt: number
  /** ICMP types of an echo. */
  readonly echoRequest: number
  readonly echoReply: number
  /** The kernel's: `tcp_v4_rcv`, `tcp_v4_do_rcv`, `__udp4_lib_rcv`. */
  readonly functions: { readonly tcp: string; readonly tcpSocket: string; readonly udp: string }
  /** The route of a packet of our own; an errno where there is none. */
  route(namespace: Namespace, destination: Ip, source: Ip | undefined, flow?: Flow): SocketRoute | string
  /** From `packet.transport` on it is finished. An errno where it could not be sent. */
  send(namespace: Namespace, packet: Packet, sending: Sending): string | undefined
  /** Whether a socket may be bound to it. */
  isOurs(namespace: Namespace, address: Ip): boolean
  /** Whether a packet that came is for many: its destination is a broadcast or multicast address. */
  isForMany(packet: Packet): boolean
  /** Whether a packet that came is for one address of this host, which is not that of a subnet's routers. */
  isForOne(packet: Packet): boolean
  /** Length of the header at `at`, options and extension headers included. */
  lengthOfHeader(bytes: Uint8Array, at: number, end: number): number
  /** The device that an answer to this packet must go out by: IPv6's, where the sender's address belongs to a link. */
  deviceForAnswer(packet: Packet): Device | undefined
  /** IPv6: the flow label of a reset that answers this packet, where it is the packet's. */
  labelOfReset(packet: Packet): number | undefined
  /** Type of service, or traffic class, of the header at `at`. */
  tosOf(bytes: Uint8Array, at: number): number
  /** Says to the sender that nobody listens: an ICMP error. The packet is still the caller's to end. */
  refusePort(packet: Packet): void
  /** Undefined: it is no error that a socket hears of. */
  meaningOf(type: number, code: number): IcmpMeaning | undefined
  isTooBig(type: number, code: number): boolean
  /** A router said that no more than `mtu` fits on the way of this route. */
  learnMtu(namespace: Namespace, destination: Ip, source: Ip, mtu: number): void
}
