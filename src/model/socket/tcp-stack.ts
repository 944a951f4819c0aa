/** What the parts of TCP share: the table of connections, the way out, the clock of timestamps. */
import type { Ip } from '../../address/ip.ts'
import type { TcpOptions } from '../../kernel/socket.ts'
import { IpProtocol } from '../../wire/ipv4.ts'
import { sameBytes, u16 } from '../bytes.ts'
import { MILLISECOND, type Microseconds } from '../clock.ts'
import type { Namespace } from '../namespace.ts'
import { type Cause, delivered, drop, type Journey } from '../observer.ts'
import type { Packet } from '../packet.ts'
import type { Network, SocketRoute } from './network.ts'
import { endpointText } from './ports.ts'
import type { Key } from './tcp-md5.ts'
import type { TimeoutBounds } from './tcp-rtt.ts'
import { Flag, type Header, newTcpPacket, type Segment, type Tuple, tupleOf } from './tcp-segment.ts'

/** What is set on a socket. */
export interface TcpSettings {
  options: TcpOptions
  /** All segments are signed with it, both ways; undefined: none is. */
  readonly key: Key | undefined
}

/** What stands in the table under its tuple: a connection, one that is being made, one that was. */
export interface Entry {
  readonly tuple: Tuple
  /** By which segments are let in; undefined: all are. */
  readonly admits: Partial<TcpSettings> | undefined
  receive(segment: Segment): void
  /** An ICMP error that quotes a segment of ours, from `sequence` on. */
  error(packet: Packet, sequence: number, type: number, code: number, mtu: number): void
}

/** Who takes connections. */
export interface Acceptor {
  /** With what a connection from this address begins. */
  settingsFor(address: Ip): TcpSettings
  /** A SYN came; `iss` where the number that we begin with follows from an older connection. */
  open(segment: Segment, iss?: number): void
}

export interface Outgoing {
  readonly cause: Cause
  readonly parent: Journey | undefined
  /** Left out: 0, where no number is needed. */
  readonly identification?: number
  readonly flowHash?: number
  readonly ttl?: number | undefined
  readonly tos?: number | undefined
  readonly key?: Key | undefined
  /** Left out: drawn. */
  readonly flowLabel?: number | undefined
}

const SYN_ACK = Flag.syn | Flag.ack

export class TcpStack {
  readonly namespace: Namespace
  /** The listener that a segment is for. */
  readonly listenerFor: (segment: Segment) => Acceptor | undefined
  /** By both ports. */
  readonly #entries = new Map<number, Entry[]>()

  constructor(namespace: Namespace, listenerFor: (segment: Segment) => Acceptor | undefined) {
    this.namespace = namespace
    this.listenerFor = listenerFor
  }

  add(entry: Entry): void {
    const key = keyOf(entry.tuple.localPort, entry.tuple.remotePort)
    const bucket = this.#entries.get(key)
    if (bucket) bucket.push(entry)
    else this.#entries.set(key, [entry])
  }

  remove(entry: Entry): void {
    const key = keyOf(entry.tuple.localPort, entry.tuple.remotePort)
    const bucket = this.#entries.get(key)
    const at = bucket?.indexOf(entry) ?? -1
    if (!bucket || at < 0) return
    bucket.splice(at, 1)
    if (bucket.length === 0) this.#entries.delete(key)
  }

  isTaken({ local, localPort, remote, remotePort }: Tuple): boolean {
    return this.find(local, 0, localPort, remote, 0, remotePort, local.length) !== undefined
  }

  find(
    localBytes: Uint8Array,
    localAt: number,
    localPort: number,
    remoteBytes: Uint8Array,
    remoteAt: number,
    remotePort: number,
    length: number,
  ): Entry | undefined {
    const bucket = this.#entries.get(keyOf(localPort, remotePort))
    if (!bucket) return undefined
    for (const entry of bucket) {
      const { local, remote } = entry.tuple
      if (local.length !== length || !sameBytes(localBytes, localAt, local, 0, length)) continue
      if (sameBytes(remoteBytes, remoteAt, remote, 0, length)) return entry
    }
    return undefined
  }

  /** An errno where no route leads there. */
  route({ network, local, localPort, remote, remotePort, outputDevice }: Tuple): SocketRoute | string {
    const flow = { protocol: IpProtocol.tcp, sourcePort: localPort, destinationPort: remotePort, outputDevice }
    return network.route(this.namespace, remote, local, flow)
  }

  /** Sends a segment; answers its journey. That it could not be sent is not told: a timer will try again. */
  send(tuple: Tuple, header: Header, outgoing: Outgoing) {
    const { cause, parent, identification = 0, flowHash = 0, ttl, tos = 0, key, flowLabel } = outgoing
    const packet = newTcpPacket(this.namespace, tuple, header, key)
    packet.flowHash = flowHash
    if (parent) packet.journey = parent.spawn(cause)
    else this.namespace.model.begin(packet, 'sent')
    const { journey } = packet
    const route = this.route(tuple)
    if (typeof route === 'string') {
      drop(packet, 'IP_OUTNOROUTES', '__ip_queue_xmit', { what: `no route: ${route}` })
      return journey
    }
    // ip_dont_fragment; but ip_build_and_send_pkt and ip_send_unicast_reply always set it.
    const isOfNoSocket = (header.flags & SYN_ACK) === SYN_ACK || (cause === 'reply' && (header.flags & Flag.rst) !== 0)
    const discovers = this.namespace.ipv4.settings.ip_no_pmtu_disc === 0 && !route.isMtuLocked
    const dontFragment = isOfNoSocket || discovers
    tuple.network.send(this.namespace, packet, {
      source: tuple.local,
      destination: tuple.remote,
      protocol: IpProtocol.tcp,
      ttl,
      tos,
      dontFragment,
      ...(dontFragment && { identification }),
      route,
      flowLabel,
    })
    return journey
  }

  /** tcp_v4_send_reset: of a segment that meets nobody, and was meant for one. RFC 9293 §3.10.7.1. `key`: the segment's. */
  reset(segment: Segment, key?: Key): void {
    const { packet, network, flags, acknowledgement, end } = segment
    if (flags & Flag.rst || !network.isForOne(packet)) return
    const tuple = tupleOf(segment)
    // ip_send_unicast_reply makes nothing where there is no way back.
    if (typeof this.route(tuple) === 'string') return
    const header: Header =
      flags & Flag.ack
        ? { sequence: acknowledgement, acknowledgement: 0, flags: Flag.rst, window: 0 }
        : { sequence: 0, acknowledgement: end, flags: Flag.rst | Flag.ack, window: 0 }
    const tos = network.tosOf(packet.bytes, packet.network)
    const flowLabel = network.labelOfReset(packet)
    this.send(tuple, header, { cause: 'reply', parent: packet.journey, tos, key, flowLabel })
  }

  get now(): Microseconds {
    return this.namespace.model.clock.now
  }

  /** The value of the timestamps option, which counts milliseconds. */
  timestamp(offset: number): number {
    return (Math.floor(this.now / MILLISECOND) + offset) >>> 0
  }

  /** tcp_rto_min_us, tcp_rto_max_ms. */
  get timeouts(): TimeoutBounds {
    const { sysctl } = this.namespace
    return {
      least: sysctl.number('net/ipv4/tcp_rto_min_us'),
      most: sysctl.number('net/ipv4/tcp_rto_max_ms') * MILLISECOND,
    }
  }

  /** net_tx_rndhash: never 0, which says that there is none. */
  drawFlowHash(): number {
    return this.namespace.model.random.bits('flowHash') || 1
  }

  /** The window that a connection begins with, and its scale: tcp_select_initial_window. `mss` without options. */
  initialWindow(mss: number): { readonly window: number; readonly scale: number } {
    const { sysctl } = this.namespace
    const [, start = 131_072, most = 0] = sysctl.numbers('net/ipv4/tcp_rmem')
    const space = Math.floor(start / 2)
    const whole = space > mss ? space - (space % mss) : space
    const widest = Math.max(most, sysctl.number('net/core/rmem_max'), whole)
    const scale = Math.min(Math.max(Math.floor(Math.log2(widest)) - 15, 0), 14)
    return { window: Math.min(whole, 0xffff), scale }
  }
}

/**
 * How often segments that fit nowhere are answered: tcp_oow_rate_limited, net/ipv4/tcp_invalid_ratelimit. Two that answer each
 * other would go on for ever; data is always answered.
 */
export class RateLimit {
  readonly #stack: TcpStack
  #last: Microseconds | undefined = undefined

  constructor(stack: TcpStack) {
    this.#stack = stack
  }

  allows({ sequence, end, flags }: Segment): boolean {
    return (sequence !== end && (flags & Flag.syn) === 0) || this.allowsAny()
  }

  /** Of a challenge, for which data makes no difference. */
  allowsAny(): boolean {
    const { now, namespace } = this.#stack
    const interval = namespace.sysctl.number('net/ipv4/tcp_invalid_ratelimit') * MILLISECOND
    if (this.#last !== undefined && now - this.#last < interval) return false
    this.#last = now
    return true
  }
}

const keyOf = (localPort: number, remotePort: number): number => remotePort * 0x10000 + localPort

/** How the packets of a socket look. */
export function looksOf({ options: { ttl, tos }, key }: TcpSettings): Pick<Outgoing, 'ttl' | 'tos' | 'key'> {
  return { ttl, tos, key }
}

export function tookSegment({ packet }: Segment, { local, localPort, network }: Tuple): void {
  if (!packet.journey) return
  delivered(packet, endpointText('tcp', { address: local, port: localPort, family: network.family }))
}

/** The addresses and ports of an ICMP error's quotation, and the sequence number in it; undefined where it is too short. */
export function quotedTuple(
  packet: Packet,
  network: Network,
  quoted: number,
): { readonly localPort: number; readonly remotePort: number; readonly at: number } | undefined {
  const at = quoted + network.lengthOfHeader(packet.bytes, quoted, packet.end)
  if (at + 8 > packet.end) return undefined
  return { localPort: u16(packet.bytes, at), remotePort: u16(packet.bytes, at + 2), at }
}
