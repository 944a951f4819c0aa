/**
 * UDP: RFC 768. net/ipv4/udp.c, net/ipv6/udp.c.
 *
 * A tunnel's socket takes packets, not datagrams: it is bound with `receive`, as udp_tunnel does.
 */
import { type Family, familyOf, formatIp, type Ip } from '../../address/ip.ts'
import { KernelError } from '../../kernel/errors.ts'
import type { Subscription } from '../../kernel/live.ts'
import type { Endpoint, Sockets as KernelSockets, SocketOptions, UdpEvents, UdpSocket } from '../../kernel/socket.ts'
import { IpProtocol } from '../../wire/ipv4.ts'
import { copyOf, sameBytes, setU16, u16 } from '../bytes.ts'
import type { Namespace } from '../namespace.ts'
import { delivered, drop } from '../observer.ts'
import type { Packet } from '../packet.ts'
import type { Network } from './network.ts'
import { requireNetwork } from './networks.ts'
import { type Bound, endpointText, familyBound, localEndpoint, Ports, requireOurs } from './ports.ts'
import {
  destinationIp,
  destinationPort,
  fillChecksum,
  isChecksumRight,
  newSegment,
  sourceOf,
  sourcePort,
} from './segment.ts'

const HEADER = 8
const LENGTH_AT = 4
const CHECKSUM_AT = 6
/** What the length field of IPv4 leaves for data. */
const MAX_DATA = 0xffff - HEADER - 20

/** What a tunnel does with a packet: `packet.transport` is at the UDP header. */
export type Encapsulated = (packet: Packet) => void

interface UdpEndpoint extends Bound {
  readonly receive?: Encapsulated
  readonly events?: UdpEvents
  /** IP_PMTUDISC_WANT, which is what a socket is made with; IP_PMTUDISC_DONT under ip_no_pmtu_disc. */
  readonly discoversMtu: boolean
  readonly options: SocketOptions
  /** Whom it heard last, as bytes and as text: most sockets hear the same again and again. */
  peer: { readonly address: Ip; readonly endpoint: Endpoint } | undefined
}

export class UdpSockets {
  readonly #namespace: Namespace
  readonly #ports = new Ports<UdpEndpoint>()

  constructor(namespace: Namespace) {
    this.#namespace = namespace
  }

  bind(
    { address: text, family: only, port: wanted = 0, options = {} }: Parameters<KernelSockets['bindUdp']>[0],
    events: UdpEvents,
  ): UdpSocket {
    const call = `bind a UDP socket to ${text ?? 'any address'}, port ${wanted}`
    const address = requireOurs(this.#namespace, text, call)
    const family = familyBound(address) ?? only
    const port = this.#ports.claim(this.#namespace, address, family, wanted, call)
    const discoversMtu = this.#namespace.ipv4.settings.ip_no_pmtu_disc === 0
    const endpoint: UdpEndpoint = { address, family, port, events, discoversMtu, options, peer: undefined }
    this.#ports.add(endpoint)
    let open = true
    return {
      local: localEndpoint(address, family, port),
      send: (to, bytes) => {
        if (!open) throw new KernelError('EBADF', 'send a datagram', 'the socket is closed')
        this.#send(endpoint, to, bytes)
        this.#namespace.model.settle()
      },
      receive: () => this.#namespace.model.settle(),
      close: () => {
        open = false
        this.#ports.remove(endpoint)
      },
    }
  }

  /** A tunnel's socket, for one family. KernelError EADDRINUSE. */
  bindEncapsulation(port: number, receive: Encapsulated, family: Family): Subscription {
    const call = `bind a tunnel to UDP port ${port}`
    const endpoint: UdpEndpoint = {
      address: undefined,
      family,
      port: this.#ports.claim(this.#namespace, undefined, family, port, call),
      receive,
      discoversMtu: false,
      options: {},
      peer: undefined,
    }
    this.#ports.add(endpoint)
    return { close: () => this.#ports.remove(endpoint) }
  }

  /** udp_sendmsg with IP_PMTUDISC_WANT: what fits must not be cut up on its way, what does not fit is cut up here. */
  #send(from: UdpEndpoint, to: Endpoint, data: Uint8Array): void {
    const call = `send a datagram to ${to.address}, port ${to.port}`
    const destination = destinationIp(to.address)
    const network = requireNetwork(familyOf(destination), call)
    if (from.family !== undefined && from.family !== network.family) throw new KernelError('EAFNOSUPPORT', call)
    if (to.port === 0) throw new KernelError('EINVAL', call)
    if (data.length > MAX_DATA) throw new KernelError('EMSGSIZE', call)
    const route = network.route(this.#namespace, destination, from.address, {
      protocol: IpProtocol.udp,
      sourcePort: from.port,
      destinationPort: to.port,
    })
    if (typeof route === 'string') throw new KernelError(route, call)
    if (route.broadcast) throw new KernelError('EACCES', call, 'the address is a broadcast address')

    const source = from.address ?? route.source
    const packet = newSegment(this.#namespace, network, HEADER + data.length)
    const { bytes, transport } = packet
    setU16(bytes, transport, from.port)
    setU16(bytes, transport + 2, to.port)
    setU16(bytes, transport + LENGTH_AT, HEADER + data.length)
    bytes.set(data, transport + HEADER)
    fillChecksum(packet, CHECKSUM_AT, IpProtocol.udp, source, destination)
    // "If the computed checksum is zero, it is transmitted as all ones": RFC 768.
    if (u16(bytes, transport + CHECKSUM_AT) === 0) setU16(bytes, transport + CHECKSUM_AT, 0xffff)
    this.#namespace.model.begin(packet, 'sent')
    const dontFragment =
      from.discoversMtu && !route.isMtuLocked && network.headerLength + HEADER + data.length <= route.mtu
    const refused = network.send(this.#namespace, packet, {
      source,
      destination,
      protocol: IpProtocol.udp,
      ttl: from.options.ttl,
      tos: from.options.tos ?? 0,
      dontFragment,
      route,
    })
    if (refused !== undefined) throw new KernelError(refused, call)
  }

  /** __udp4_lib_rcv, __udp6_lib_rcv */
  receive(packet: Packet, network: Network): void {
    const { bytes, view, transport } = packet
    const room = packet.end - transport
    const length = room < HEADER ? 0 : view.getUint16(transport + LENGTH_AT)
    if (length < HEADER || length > room) {
      dropTruncated(packet, network, length, room)
      return
    }
    // What a tunnel of the model has just summed up is right.
    if (packet.checksum !== 'verified' && !isSumRight(packet, network, length)) {
      drop(packet, 'UDP_CSUM', network.functions.udp, WRONG_SUM)
      return
    }
    packet.end = transport + length
    if (network.isForMany(packet)) {
      this.#receiveForMany(packet, network)
      return
    }
    const endpoint = this.#ports.find(
      bytes,
      packet.network + network.destinationAt,
      network.family,
      view.getUint16(transport + 2),
    )
    if (endpoint === undefined) {
      network.refusePort(packet)
      drop(packet, 'NO_SOCKET', network.functions.udp, {
        ...(packet.journey && { what: `nobody listens on UDP port ${destinationPort(packet)}` }),
      })
    } else if (endpoint.receive) endpoint.receive(packet)
    else deliver(endpoint, packet, network)
  }

  /** __udp4_lib_mcast_deliver: every socket of the port hears it; there is no error where there is none. */
  #receiveForMany(packet: Packet, network: Network): void {
    const bound = (this.#ports.at(destinationPort(packet)) ?? []).filter(
      ({ address, family }) => address === undefined && (family ?? network.family) === network.family,
    )
    const tunnel = bound.find(({ receive }) => receive)
    if (tunnel) {
      tunnel.receive!(packet)
      return
    }
    const listening = bound.filter(({ events }) => events)
    if (listening.length === 0) {
      drop(packet, 'NOT_SPECIFIED', network.functions.udp, {
        own: 'OVL_UDP_NOBODY_OF_MANY',
        ...(packet.journey && { what: `nobody listens on UDP port ${destinationPort(packet)}` }),
      })
    }
    for (const endpoint of listening) deliver(endpoint, packet, network)
  }

  /** __udp4_lib_err: the quoted datagram was ours where a socket is bound to its source. */
  error(packet: Packet, network: Network, type: number, code: number, info: number, quoted: number): void {
    const at = quoted + network.lengthOfHeader(packet.bytes, quoted, packet.end)
    if (at + HEADER > packet.end) return
    const { bytes } = packet
    const find = (port: number) => this.#ports.find(bytes, quoted + network.sourceAt, network.family, port)
    const address = (from: number): Ip => bytes.slice(from, from + network.addressLength)
    const destination = address(quoted + network.destinationAt)
    // A tunnel sends from ports that are not bound; it is known by the port that it sends to: __udp4_lib_err_encap.
    const far = find(u16(bytes, at + 2))
    const endpoint = find(u16(bytes, at)) ?? (far?.receive && far)
    const meaning = network.meaningOf(type, code)
    if (!endpoint || !meaning) return
    if (network.isTooBig(type, code)) {
      network.learnMtu(this.#namespace, destination, address(quoted + network.sourceAt), info)
    }
    if (endpoint.port !== u16(bytes, at) || !endpoint.events) return
    if (packet.journey) delivered(packet, endpointText('udp', endpoint))
    endpoint.events.error?.({
      errno: meaning.errno,
      from: formatIp(sourceOf(packet, network)),
      type,
      code,
      mtu: info,
      to: { address: formatIp(destination), port: u16(bytes, at + 2) },
    })
  }
}

const WRONG_SUM = { what: 'UDP checksum is wrong' }

/** A checksum of zero is none, which IPv4 allows: RFC 768. */
function isSumRight(packet: Packet, network: Network, length: number): boolean {
  if (u16(packet.bytes, packet.transport + CHECKSUM_AT) === 0) return network.family === 'ipv4'
  return isChecksumRight(packet, network, IpProtocol.udp, length)
}

function dropTruncated(packet: Packet, { functions }: Network, length: number, room: number): void {
  if (room < HEADER) {
    const what = 'the UDP header does not fit'
    drop(packet, 'NOT_SPECIFIED', functions.udp, { own: 'OVL_UDP_TRUNCATED', what })
  } else drop(packet, 'PKT_TOO_SMALL', functions.udp, { what: `UDP length ${length} of ${room} bytes` })
}

function deliver(endpoint: UdpEndpoint, packet: Packet, network: Network): void {
  if (packet.journey) delivered(packet, endpointText('udp', endpoint))
  endpoint.events?.datagram?.(
    senderOf(endpoint, packet, network),
    copyOf(packet.bytes, packet.transport + HEADER, packet.end),
    packet.bytes[packet.network + network.ttlAt]!,
  )
}

/** The sender as text, which is made anew only where it is another than before. */
function senderOf(endpoint: UdpEndpoint, packet: Packet, network: Network): Endpoint {
  const { peer } = endpoint
  const { addressLength, sourceAt } = network
  const port = sourcePort(packet)
  if (
    peer !== undefined &&
    peer.endpoint.port === port &&
    peer.address.length === addressLength &&
    sameBytes(packet.bytes, packet.network + sourceAt, peer.address, 0, addressLength)
  ) {
    return peer.endpoint
  }
  const address = sourceOf(packet, network)
  endpoint.peer = { address, endpoint: { address: formatIp(address), port } }
  return endpoint.peer.endpoint
}
