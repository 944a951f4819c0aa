/**
 * TCP of a namespace: RFC 9293, net/ipv4/tcp_ipv4.c.
 *
 *      tcp-stack.ts         the table of connections, the way out, resets
 *      tcp-socket.ts        a connection from ESTABLISHED on ── tcp-transmission.ts, tcp-send.ts, tcp-receive.ts, tcp-rtt.ts
 *      tcp-opening.ts       SYN_SENT
 *      tcp-request.ts       SYN_RECEIVED
 *      tcp-time-wait.ts     TIME_WAIT
 *      tcp-agreement.ts     what SYNs settle
 *      tcp-segment.ts       bytes ── tcp-md5.ts, md5.ts
 *
 * What is left out: congestion control, tail loss probes, delayed acknowledgements, urgent data, keep-alive, ECN,
 * Fast Open, SYN cookies. The receive window is what it was at the start, less what is not read.
 */
import { familyOf } from '../../address/ip.ts'
import { parsePrefix } from '../../address/prefix.ts'
import { KernelError } from '../../kernel/errors.ts'
import type { Sockets as KernelSockets, Listener, TcpConnection, TcpEvents, TcpTarget } from '../../kernel/socket.ts'
import { IpProtocol } from '../../wire/ipv4.ts'
import { u32 } from '../bytes.ts'
import type { Namespace } from '../namespace.ts'
import { drop } from '../observer.ts'
import { type Packet, PacketFor } from '../packet.ts'
import type { Network } from './network.ts'
import { requireNetwork } from './networks.ts'
import { type Bound, choosePort, familyBound, localEndpoint, Ports, requireOurs } from './ports.ts'
import { destinationIp, destinationOf, isChecksumRight, sourceOf } from './segment.ts'
import { allowedOptions, type Offer, TIMESTAMPS_LENGTH } from './tcp-agreement.ts'
import { type Key, keyFor, Md5Keys, refuseSignature, signatureOf } from './tcp-md5.ts'
import { TcpRequest } from './tcp-request.ts'
import { Flag, readSegment, type Segment, type Tuple, tupleOf } from './tcp-segment.ts'
import { TcpSocket } from './tcp-socket.ts'
import { type Acceptor, quotedTuple, type TcpSettings, TcpStack } from './tcp-stack.ts'

interface TcpListener extends Bound, Acceptor {}

export class TcpSockets {
  readonly #namespace: Namespace
  readonly #listeners = new Ports<TcpListener>()
  readonly #stack: TcpStack

  constructor(namespace: Namespace) {
    this.#namespace = namespace
    this.#stack = new TcpStack(namespace, ({ packet, network, destinationPort }) =>
      this.#listeners.find(packet.bytes, packet.network + network.destinationAt, network.family, destinationPort),
    )
  }

  listen(
    { address: text, family: only, port: wanted, options: first = {} }: Parameters<KernelSockets['listenTcp']>[0],
    accept: (connection: TcpConnection) => TcpEvents,
  ): Listener {
    const call = `listen on ${text ?? 'any address'}, TCP port ${wanted}`
    const address = requireOurs(this.#namespace, text, call)
    const family = familyBound(address) ?? only
    const port = this.#listeners.claim(this.#namespace, address, family, wanted, call, 'odd')
    const requests = new Set<TcpRequest>()
    const keys = new Md5Keys()
    let options = first
    const listener: TcpListener = {
      address,
      family,
      port,
      settingsFor: (remote) => ({ options, key: keys.get(remote) }),
      open: (segment, iss) => {
        const settings = listener.settingsFor(sourceOf(segment.packet, segment.network))
        const request = this.#request(segment, iss, settings, (connection) => accept(connection))
        if (request) requests.add(request)
      },
    }
    this.#listeners.add(listener)
    let open = true
    const required = (setting: string) => {
      if (!open) throw new KernelError('EBADF', setting, 'the listener is closed')
      return setting
    }
    return {
      local: localEndpoint(address, family, port),
      set: (next) => {
        required(`set options of the listener on TCP port ${port}`)
        options = next
      },
      setMd5Key: (from, key) =>
        keys.set(parsePrefix(from), key, required(`set the TCP MD5 key for connections from ${from}`)),
      close: () => {
        open = false
        this.#listeners.remove(listener)
        for (const request of requests) request.close()
        requests.clear()
      },
    }
  }

  /** tcp_v4_connect */
  connect(to: TcpTarget, events: TcpEvents): TcpConnection {
    const call = `connect to ${to.address}, TCP port ${to.port}`
    const remote = destinationIp(to.address)
    const network = requireNetwork(familyOf(remote), call)
    const bound = requireOurs(this.#namespace, to.source, call)
    if (to.sourcePort && this.#listeners.isTaken(bound, familyBound(bound), to.sourcePort)) {
      throw new KernelError('EADDRINUSE', call, `somebody listens on port ${to.sourcePort}`)
    }
    const route = network.route(this.#namespace, remote, bound)
    if (typeof route === 'string') throw new KernelError(route, call)
    if (route.broadcast) throw new KernelError('ENETUNREACH', call, 'it is no address of one host')
    const local = bound ?? route.source
    const tupleAt = (localPort: number): Tuple => ({ network, local, localPort, remote, remotePort: to.port })
    const port =
      to.sourcePort ||
      choosePort(
        this.#namespace,
        'even',
        (candidate) =>
          this.#listeners.isTaken(local, network.family, candidate) || this.#stack.isTaken(tupleAt(candidate)),
      )
    if (port === undefined || this.#stack.isTaken(tupleAt(port))) throw new KernelError('EADDRNOTAVAIL', call)

    const settings = { options: to.options ?? {}, key: keyFor(remote, to.md5, call) }
    const connection = new TcpSocket(this.#stack, tupleAt(port), settings)
    connection.connect(this.#offer(route.advertisedMss, route.advertisedMss, settings.key), events)
    this.#namespace.model.settle()
    return connection
  }

  /** tcp_v4_rcv */
  receive(packet: Packet, network: Network): void {
    const kernel = network.functions.tcp
    if (packet.for !== PacketFor.host) {
      drop(packet, 'NOT_SPECIFIED', kernel, { own: 'OVL_TCP_FOR_MANY', what: 'not sent to this host alone' })
      return
    }
    const segment = readSegment(packet, network)
    if (typeof segment === 'string') {
      const own = segment === 'NOT_SPECIFIED' ? 'OVL_TCP_TRUNCATED' : undefined
      drop(packet, segment, kernel, { own, what: 'the TCP header does not fit' })
      return
    }
    if (!isChecksumRight(packet, network, IpProtocol.tcp, packet.end - packet.transport)) {
      drop(packet, 'TCP_CSUM', kernel, { what: 'TCP checksum is wrong' })
      return
    }
    const { bytes } = packet
    const entry = this.#stack.find(
      bytes,
      packet.network + network.destinationAt,
      segment.destinationPort,
      bytes,
      packet.network + network.sourceAt,
      segment.sourcePort,
      network.addressLength,
    )
    if (entry) {
      if (isAdmitted(segment, entry.admits)) entry.receive(segment)
      return
    }
    const listener = this.#stack.listenerFor(segment)
    if (listener) {
      if (isAdmitted(segment, listener.settingsFor(sourceOf(packet, network))))
        this.#receiveAtListener(segment, listener)
    } else {
      this.#stack.reset(segment)
      drop(packet, 'NO_SOCKET', kernel, {
        ...(packet.journey && { what: `nobody listens on TCP port ${segment.destinationPort}` }),
      })
    }
  }

  error(packet: Packet, network: Network, type: number, code: number, info: number, quoted: number): void {
    const found = quotedTuple(packet, network, quoted)
    if (!found) return
    const { bytes } = packet
    this.#stack
      .find(
        bytes,
        quoted + network.sourceAt,
        found.localPort,
        bytes,
        quoted + network.destinationAt,
        found.remotePort,
        network.addressLength,
      )
      ?.error(packet, u32(bytes, found.at + 4), type, code, info)
  }

  /** tcp_rcv_state_process in LISTEN: RFC 9293 §3.10.7.2. */
  #receiveAtListener(segment: Segment, listener: Acceptor): void {
    const { flags, packet } = segment
    if (flags & Flag.rst) drop(packet, 'TCP_RESET', 'tcp_rcv_state_process')
    else if (flags & Flag.ack) {
      this.#stack.reset(segment)
      drop(packet, 'TCP_FLAGS', segment.network.functions.tcpSocket, { what: 'acknowledges what was not sent' })
    } else if (!(flags & Flag.syn) || flags & Flag.fin) drop(packet, 'TCP_FLAGS', 'tcp_rcv_state_process')
    else listener.open(segment)
  }

  /** tcp_conn_request */
  #request(
    segment: Segment,
    iss: number | undefined,
    settings: TcpSettings,
    accept: (connection: TcpConnection) => TcpEvents,
  ): TcpRequest | undefined {
    const { packet, network } = segment
    const tuple = tupleOf(segment)
    const route = this.#stack.route(tuple)
    if (typeof route === 'string') {
      drop(packet, 'NOT_SPECIFIED', 'tcp_conn_request', { what: `no route back: ${route}` })
      return undefined
    }
    const { hasTimestamps } = allowedOptions(this.#namespace, settings.key !== undefined)
    const room = hasTimestamps && segment.timestamps ? TIMESTAMPS_LENGTH : 0
    const offer = this.#offer(route.advertisedMss, route.advertisedMss - room, settings.key)
    const synTtl = packet.bytes[packet.network + network.ttlAt]
    return new TcpRequest(
      this.#stack,
      tuple,
      offer,
      settings,
      segment,
      iss ?? this.#namespace.model.random.bits('isn'),
      (agreed, last, roundTrip, flowHash) =>
        new TcpSocket(this.#stack, tuple, { ...settings }).accept(
          agreed,
          last,
          { roundTrip, flowHash, synTtl },
          accept,
        ),
    )
  }

  /** `dataMss`: what is left of the MSS where every segment has options. */
  #offer(mss: number, dataMss: number, key: Key | undefined): Offer {
    const { window, scale } = this.#stack.initialWindow(dataMss)
    const timestampOffset = this.#namespace.model.random.bits('tcpTimestamp')
    return { ...allowedOptions(this.#namespace, key !== undefined), mss, window, scale, timestampOffset }
  }
}

/** The least TTL, and the signature: tcp_v4_rcv, tcp_inbound_hash. A segment that is not let in ends here. */
function isAdmitted(segment: Segment, admits: Partial<TcpSettings> | undefined): boolean {
  if (!admits) return true
  const { packet, network, signature, dataAt } = segment
  const ttl = packet.bytes[packet.network + network.ttlAt]!
  const { options: { minTtl = 0 } = {}, key } = admits
  if (ttl < minTtl) {
    drop(packet, 'TCP_MINTTL', network.functions.tcp, { what: `a TTL of ${ttl}, and ${minTtl} is the least` })
    return false
  }
  const way = { source: sourceOf(packet, network), destination: destinationOf(packet, network) }
  const reason = refuseSignature(key && signatureOf(packet, network, way, dataAt, key), signature)
  if (reason) drop(packet, reason, network.functions.tcp, { what: WRONG_SIGNATURE[reason] })
  return reason === undefined
}

const WRONG_SIGNATURE = {
  TCP_MD5NOTFOUND: 'it is not signed, and must be',
  TCP_MD5UNEXPECTED: 'it is signed, and no key is known',
  TCP_MD5FAILURE: 'it is signed with another key',
} as const
