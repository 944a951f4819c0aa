/**
 * Echo requests of our own, and what comes back: RFC 792, RFC 4443 §4. net/ipv4/ping.c; requests are made as linux/ping.ts
 * has the kernel make them.
 */
import { type Family, familyOf, formatIp, type Ip, parseIp } from '../../address/ip.ts'
import type { EchoAnswer, EchoRequest } from '../../kernel/live.ts'
import { IpProtocol } from '../../wire/ipv4.ts'
import { fold, setU16, sumOf, u16 } from '../bytes.ts'
import { MILLISECOND, type Microseconds, type Timer } from '../clock.ts'
import type { Namespace } from '../namespace.ts'
import { delivered, drop } from '../observer.ts'
import type { Packet } from '../packet.ts'
import type { Network } from './network.ts'
import { networkOf } from './networks.ts'
import { destinationIp, fillChecksum, newSegment, sourceOf } from './segment.ts'

const HEADER = 8
const CHECKSUM_AT = 2
const IDENTIFIER_AT = 4
const SEQUENCE_AT = 6
const DEFAULT_SEQUENCE = 1
const DEFAULT_SIZE = 56
const DEFAULT_TIMEOUT = 1000

interface Waiting {
  readonly family: Family
  readonly sent: Microseconds
  readonly timer: Timer
  readonly onAnswer: (answer: EchoAnswer) => void
}

export class Echoes {
  readonly #namespace: Namespace
  /** By identifier and sequence: keyOf. */
  readonly #waiting = new Map<number, Waiting>()

  constructor(namespace: Namespace) {
    this.#namespace = namespace
  }

  /** Sends one request. `onAnswer` is called once, at the latest when the clock has moved on by the timeout. */
  request(destination: string, request: EchoRequest, onAnswer: (answer: EchoAnswer) => void): void {
    const to = destinationIp(destination)
    const { identifier = this.#freeIdentifier(), sequence = DEFAULT_SEQUENCE } = request
    const key = keyOf(identifier, sequence)
    const { clock } = this.#namespace.model
    const timer = clock.after((request.timeout ?? DEFAULT_TIMEOUT) * MILLISECOND, () =>
      this.#answer(key, { outcome: 'timeout' }),
    )
    this.#waiting.set(key, { family: familyOf(to), sent: clock.now, timer, onAnswer })
    const errno = this.#send(to, key, request)
    if (errno !== undefined) this.#answer(key, { outcome: 'refused', errno })
    this.#namespace.model.settle()
  }

  #send(destination: Ip, key: number, { source: from, size = DEFAULT_SIZE, ttl, dontFragment = false }: EchoRequest) {
    const network = networkOf(familyOf(destination))
    if (!network) return 'EAFNOSUPPORT'
    const bound = from === undefined ? undefined : parseIp(from)
    if (bound && !network.isOurs(this.#namespace, bound)) return 'EADDRNOTAVAIL'
    const route = network.route(this.#namespace, destination, bound)
    if (typeof route === 'string') return route
    if (route.broadcast) return 'EACCES'
    if (dontFragment && network.headerLength + HEADER + size > route.mtu) return 'EMSGSIZE'

    const source = bound ?? route.source
    const packet = newSegment(this.#namespace, network, HEADER + size)
    const { bytes, transport, end } = packet
    bytes[transport] = network.echoRequest
    setU16(bytes, transport + IDENTIFIER_AT, key >>> 16)
    setU16(bytes, transport + SEQUENCE_AT, key & 0xffff)
    for (let i = 0; i < size; i++) bytes[transport + HEADER + i] = i
    if (network.icmp === IpProtocol.icmpv6) fillChecksum(packet, CHECKSUM_AT, network.icmp, source, destination)
    else setU16(bytes, transport + CHECKSUM_AT, ~fold(sumOf(bytes, transport, end)) & 0xffff)
    this.#namespace.model.begin(packet, 'sent')
    return network.send(this.#namespace, packet, {
      source,
      destination,
      protocol: network.icmp,
      ttl,
      dontFragment,
      ...(dontFragment && { identification: 0 }),
      route,
    })
  }

  /** ping_rcv: an echo reply that has passed ICMP's checks. */
  receiveReply(packet: Packet, network: Network): void {
    const { bytes, transport } = packet
    const identifier = packet.end - transport < HEADER ? -1 : u16(bytes, transport + IDENTIFIER_AT)
    const key = identifier < 0 ? -1 : keyOf(identifier, u16(bytes, transport + SEQUENCE_AT))
    const waiting = this.#waiting.get(key)
    if (waiting?.family !== network.family) {
      drop(packet, 'NO_SOCKET', 'ping_rcv', packet.journey && { what: `nobody waits for echo ${identifier}` })
      return
    }
    if (packet.journey) delivered(packet, `ping ${identifier}`)
    this.#answer(key, {
      outcome: 'reply',
      from: formatIp(sourceOf(packet, network)),
      ttl: bytes[packet.network + network.ttlAt]!,
      milliseconds: (this.#namespace.model.clock.now - waiting.sent) / MILLISECOND,
    })
  }

  /** ping_err, raw_err: an ICMP error that quotes ICMP at `quoted`. */
  error(packet: Packet, network: Network, type: number, code: number, info: number, quoted: number): void {
    const { bytes } = packet
    const at = quoted + network.lengthOfHeader(bytes, quoted, packet.end)
    if (at + HEADER > packet.end || bytes[at] !== network.echoRequest) return
    const identifier = u16(bytes, at + IDENTIFIER_AT)
    const key = keyOf(identifier, u16(bytes, at + SEQUENCE_AT))
    if (this.#waiting.get(key)?.family !== network.family) return
    if (network.meaningOf(type, code) === undefined) return
    const address = (from: number): Ip => bytes.slice(from, from + network.addressLength)
    const tooBig = network.isTooBig(type, code)
    if (tooBig) {
      network.learnMtu(
        this.#namespace,
        address(quoted + network.destinationAt),
        address(quoted + network.sourceAt),
        info,
      )
    }
    if (packet.journey) delivered(packet, `ping ${identifier}`)
    const from = formatIp(sourceOf(packet, network))
    this.#answer(key, { outcome: 'error', from, type, code, ...(tooBig && { mtu: info }) })
  }

  #answer(key: number, answer: EchoAnswer): void {
    const waiting = this.#waiting.get(key)
    if (!waiting) return
    this.#waiting.delete(key)
    this.#namespace.model.clock.cancel(waiting.timer)
    waiting.onAnswer(answer)
  }

  #freeIdentifier(): number {
    for (;;) {
      const identifier = this.#namespace.model.random.below('echoId', 0x10000)
      if (!this.#waiting.has(keyOf(identifier, DEFAULT_SEQUENCE))) return identifier
    }
  }
}

function keyOf(identifier: number, sequence: number): number {
  return ((identifier << 16) | (sequence & 0xffff)) >>> 0
}
