/**
 * What senders are told about packets that go no further: RFC 792, with RFC 1122 §3.2.2 on what may not be answered, and RFC
 * 1812 §4.3.2 on how long and how often.
 *
 * The message goes out of a raw socket: the kernel chooses the source by its route. As a packet written into the TUN
 * device, with that device's address as its source, it would be dropped as a martian.
 */

import type { DataPath } from '../../kernel/data-path.ts'
import { IcmpType, icmpHeader, UnreachableCode } from '../../wire/icmp.ts'
import { IpProtocol } from '../../wire/ipv4.ts'
import type { Arena } from './arena.ts'
import type { Sum } from './checksum.ts'
import { Counter } from './counters.ts'
import { FRAGMENT_OFFSET, IP_DESTINATION, IP_FLAGS, IP_HEADER, IP_LENGTH, IP_PROTOCOL, IP_SOURCE } from './header.ts'
import { ADDRESS, AF_INET, SOCKET_ADDRESS } from './message.ts'

export type Complaint = 'no route' | 'time exceeded'

const MESSAGES: Readonly<Record<Complaint, { readonly type: number; readonly code: number }>> = {
  'no route': { type: IcmpType.destinationUnreachable, code: UnreachableCode.network },
  'time exceeded': { type: IcmpType.timeExceeded, code: 0 },
}

/** "Without the length of the ICMP datagram exceeding 576 bytes", RFC 1812 §4.3.2.3: less its two headers. */
const MAX_QUOTE = 576 - IP_HEADER - icmpHeader.size
/** Messages a second, and how many at once after a quiet while; the kernel's icmp_msgs_per_sec is as many. */
const RATE = 1000
const BURST = 100

/** Errors among the ICMP types, RFC 792: none is sent about another. Nor about types that nobody knows. */
const ERRORS: readonly number[] = [3, 4, 5, 11, 12]
const LAST_TYPE = 18

export class IcmpSender {
  readonly #arena: Arena
  readonly #sum: Sum
  readonly #path: DataPath
  readonly #counts: Float64Array
  readonly #clock: () => number
  readonly #message: number
  readonly #address: number
  #tokens = BURST
  #filled: number

  /** `clock`: milliseconds, from whenever. */
  constructor(arena: Arena, sum: Sum, path: DataPath, counts: Float64Array, clock: () => number) {
    this.#arena = arena
    this.#sum = sum
    this.#path = path
    this.#counts = counts
    this.#clock = clock
    this.#filled = clock()
    this.#message = arena.allocate(icmpHeader.size + MAX_QUOTE)
    this.#address = arena.allocate(SOCKET_ADDRESS)
    arena.words[this.#address >> 1] = AF_INET
  }

  /** Tells the sender of the IPv4 packet, of which there are `length` bytes, unless it must not be told. */
  send(complaint: Complaint, packet: number, length: number): void {
    const { bytes, view } = this.#arena
    if (!mayBeAnswered(bytes, packet, length)) return
    if (!this.#takeToken()) {
      this.#counts[Counter.icmpLimited]!++
      return
    }
    const quote = Math.min(view.getUint16(packet + IP_LENGTH), length, MAX_QUOTE)
    const { type, code } = MESSAGES[complaint]
    const at = this.#message
    bytes.fill(0, at, at + icmpHeader.size)
    bytes[at + icmpHeader.offsets.type] = type
    bytes[at + icmpHeader.offsets.code] = code
    bytes.copyWithin(at + icmpHeader.size, packet, packet + quote)
    const size = icmpHeader.size + quote
    this.#arena.words[(at + icmpHeader.offsets.checksum) >> 1] = ~this.#sum(at, size)
    bytes.copyWithin(this.#address + ADDRESS, packet + IP_SOURCE, packet + IP_SOURCE + 4)
    if (this.#path.sendIcmp(at, size, this.#address) >= 0) this.#counts[Counter.icmpSent]!++
  }

  #takeToken(): boolean {
    const now = this.#clock()
    this.#tokens = Math.min(BURST, this.#tokens + ((now - this.#filled) * RATE) / 1000)
    this.#filled = now
    if (this.#tokens < 1) return false
    this.#tokens--
    return true
  }
}

/**
 * RFC 1122 §3.2.2: none about an ICMP error, a broadcast or multicast, a later fragment, a source that is no single
 * host.
 */
export function mayBeAnswered(bytes: Uint8Array, packet: number, length: number): boolean {
  const offset = ((bytes[packet + IP_FLAGS]! << 8) | bytes[packet + IP_FLAGS + 1]!) & FRAGMENT_OFFSET
  if (offset !== 0 || bytes[packet + IP_DESTINATION]! >= 224) return false
  const network = bytes[packet + IP_SOURCE]!
  if (network === 0 || network === 127 || network >= 224) return false
  if (bytes[packet + IP_PROTOCOL] !== IpProtocol.icmp) return true
  const headerLength = (bytes[packet]! & 15) * 4
  if (headerLength >= length) return false
  const type = bytes[packet + headerLength]!
  return type <= LAST_TYPE && !ERRORS.includes(type)
}
