/**
 * Fragments on their way to becoming one datagram: ipv6_frag_rcv, net/ipv6/reassembly.c; nf_ct_frag6_gather,
 * netfilter/nf_conntrack_reasm.c; RFC 8200 §4.5, RFC 5722 (no overlaps). Whoever asks has queues of its own.
 */
import { u16, u32 } from '../bytes.ts'
import { SECOND, type Timer } from '../clock.ts'
import type { Namespace } from '../namespace.ts'
import { delivered, drop, note } from '../observer.ts'
import { newPacket, type Packet } from '../packet.ts'
import { keyAt } from './address.ts'
import {
  DESTINATION_AT,
  FRAGMENT_HEADER,
  findTransport,
  HEADER_LENGTH,
  MORE_FRAGMENTS,
  NextHeader,
  OFFSET_MASK,
  PAYLOAD_AT,
  SOURCE_AT,
  trafficClass,
  writePayloadLength,
} from './header.ts'

/** IP6_DEFRAG_LOCAL_DELIVER. Others are conntrack's. */
export const LOCAL_DELIVERY = 0

const MAX_PAYLOAD = 0xffff
const Icmp = { timeExceeded: 3, parameterProblem: 4 } as const
const REASSEMBLY_TIME = 1
const HEADERS_INCOMPLETE = 3

interface Fragment {
  readonly packet: Packet
  readonly offset: number
  readonly end: number
  /** Where its fragment header is, what names it (offsets from the network header), and where its payload is. */
  readonly header: number
  readonly namedAt: number
}

interface Queue {
  readonly key: string
  readonly user: number
  readonly fragments: Fragment[]
  readonly timer: Timer
  length: number
  hasLast: boolean
  bytes: number
  maxSize: number
  ecn: number
}

export class Reassembly6 {
  readonly #namespace: Namespace
  readonly #queues = new Map<string, Queue>()

  constructor(namespace: Namespace) {
    this.#namespace = namespace
  }

  /**
   * Takes a fragment, whose fragment header is at `at` and is named at `namedAt`. What it answers is where `packet` names what it
   * carries, an offset from its network header: it has completed its datagram and is all of it now, and `packet.transport` is what
   * it carries; or it has been left as it is. -1: it waits, or has ended.
   */
  gather(packet: Packet, user: number, at: number, namedAt: number): number {
    const { bytes, network } = packet
    // Conntrack leaves it to whom it is for: nf_ct_frag6_gather.
    if (user !== LOCAL_DELIVERY && endsInHeaders(packet)) return namedAt - network
    if (at + FRAGMENT_HEADER > packet.end)
      return this.#refuse(packet, user, at - network, 'the fragment header is cut off')
    if (user === LOCAL_DELIVERY && endsInHeaders(packet)) return this.#refuseHeaders(packet)
    const word = u16(bytes, at + 2)
    const queue = this.#find(packet, user, u32(bytes, at + 4))
    const offset = word & OFFSET_MASK
    const end = offset + (packet.end - at - FRAGMENT_HEADER)
    if (end > MAX_PAYLOAD) return this.#refuse(packet, user, at + 2 - network, 'it reaches too far')
    if ((word & MORE_FRAGMENTS) === 0) {
      if (end < queue.length || (queue.hasLast && end !== queue.length)) return this.#contradict(queue, packet)
      queue.hasLast = true
      queue.length = end
    } else {
      if ((end & 7) !== 0) {
        if (user === LOCAL_DELIVERY) return this.#refuse(packet, user, PAYLOAD_AT, 'its length is no multiple of 8')
        // Left to whom it is for, who says so: -EPROTO of nf_ct_frag6_gather.
        this.#kill(queue)
        return namedAt - network
      }
      if (end > queue.length) {
        if (queue.hasLast) return this.#contradict(queue, packet)
        queue.length = end
      }
    }
    if (end === offset) return this.#contradict(queue, packet)
    const place = placeFor(queue.fragments, offset, end)
    if (place === 'duplicate') {
      drop(packet, 'DUP_FRAG', 'ipv6_frag_rcv', { what: 'this part is there already' })
      return -1
    }
    if (place === 'overlap') return this.#discard(queue, packet)
    queue.fragments.splice(place, 0, { packet, offset, end, header: at - network, namedAt: namedAt - network })
    queue.bytes += end - offset
    queue.ecn |= 1 << (trafficClass(bytes, network) & 3)
    queue.maxSize = Math.max(queue.maxSize, packet.end - network)
    if (queue.hasLast && queue.bytes === queue.length) return this.#complete(queue, packet)
    if (packet.journey)
      note(packet, packet.device, 'defrag', `waits for the rest: bytes ${offset} to ${end}`, {
        kernel: 'ip6_frag_queue',
      })
    return -1
  }

  #find(packet: Packet, user: number, identification: number): Queue {
    const { bytes, network } = packet
    const key = `${user} ${keyAt(bytes, network + SOURCE_AT)} ${keyAt(bytes, network + DESTINATION_AT)} ${identification}`
    const known = this.#queues.get(key)
    if (known) return known
    const { clock } = this.#namespace.model
    const queue: Queue = {
      key,
      user,
      fragments: [],
      timer: clock.after(this.#namespace.ipv6.settings.ip6frag_time * SECOND, () => this.#expire(queue)),
      length: 0,
      hasLast: false,
      bytes: 0,
      maxSize: 0,
      ecn: 0,
    }
    this.#queues.set(key, queue)
    return queue
  }

  #kill(queue: Queue): void {
    this.#queues.delete(queue.key)
    this.#namespace.model.clock.cancel(queue.timer)
  }

  /** Parameter problem: the field at `pointer` is wrong. Conntrack says nothing. */
  #refuse(packet: Packet, user: number, pointer: number, what: string): -1 {
    if (user === LOCAL_DELIVERY)
      this.#namespace.model.ipv6Protocols[NextHeader.icmp]?.refuse?.(packet, Icmp.parameterProblem, 0, pointer)
    drop(packet, 'IP_INHDR', 'ipv6_frag_rcv', { what })
    return -1
  }

  /** RFC 8200 §4.5: parameter problem, code 3. */
  #refuseHeaders(packet: Packet): -1 {
    this.#namespace.model.ipv6Protocols[NextHeader.icmp]?.refuse?.(packet, Icmp.parameterProblem, HEADERS_INCOMPLETE, 0)
    drop(packet, 'NOT_SPECIFIED', 'icmpv6_param_prob_reason', { what: 'the first fragment ends within the headers' })
    return -1
  }

  /** It does not fit what is known of its datagram. Conntrack drops it alone, and goes on to wait: nf_ct_frag6_queue. */
  #contradict(queue: Queue, packet: Packet): -1 {
    if (queue.user === LOCAL_DELIVERY) return this.#discard(queue, packet)
    const what = 'it contradicts the fragments that came before'
    drop(packet, 'NETFILTER_DROP', 'nf_hook_slow', { what })
    return -1
  }

  /** What contradicts itself is given up as a whole. */
  #discard(queue: Queue, packet: Packet): -1 {
    this.#kill(queue)
    const what = 'fragments that contradict each other'
    drop(packet, 'NOT_SPECIFIED', 'ipv6_frag_rcv', { own: 'OVL_FRAGMENT', what })
    for (const each of queue.fragments)
      drop(each.packet, 'NOT_SPECIFIED', 'inet_frag_rbtree_purge', { own: 'OVL_FRAGMENT', what })
    return -1
  }

  /** ip6_frag_reasm: `packet`, the last that came, becomes all of it. */
  #complete(queue: Queue, packet: Packet): number {
    this.#kill(queue)
    const { packet: first, header, namedAt } = queue.fragments[0]!
    const ecn = combinedEcn(queue.ecn)
    if (ecn === undefined || header - HEADER_LENGTH + queue.length > MAX_PAYLOAD) {
      for (const each of queue.fragments)
        drop(each.packet, 'NOT_SPECIFIED', 'ip6_frag_reasm', { own: 'OVL_FRAGMENT', what: 'cannot be put together' })
      return -1
    }
    const whole = newPacket(header + queue.length, packet.device, packet.protocol)
    const { bytes, network } = whole
    const link = network - (first.network - first.link)
    bytes.set(first.bytes.subarray(first.link, first.network + header), link)
    bytes[network + namedAt] = first.bytes[first.network + header]!
    for (const part of queue.fragments) {
      const from = part.packet.network + part.header + FRAGMENT_HEADER
      bytes.set(part.packet.bytes.subarray(from, from + part.end - part.offset), network + header + part.offset)
    }
    for (const { packet: part } of queue.fragments)
      if (part !== packet && part.journey) delivered(part, 'ip6_frag_reasm')
    packet.takeRoom(whole)
    packet.link = link
    packet.network = network
    packet.transport = network + header
    packet.end = whole.end
    packet.for = first.for
    packet.mark = first.mark
    packet.checksum = 'none'
    packet.fragmentMaxSize = queue.maxSize
    packet.ignoreDontFragment = true
    packet.fragmentSizes = sizesOf(queue.fragments)
    writePayloadLength(packet)
    if (ecn !== 0) bytes[network + 1]! |= ecn << 4
    if (packet.journey)
      note(packet, packet.device, 'defrag', `${queue.fragments.length} fragments are ${whole.end - network} bytes`, {
        kernel: 'ip6_frag_reasm',
      })
    return namedAt
  }

  /** ip6frag_expire_frag_queue: the rest has not come. An end host says so if it can quote the first part. */
  #expire(queue: Queue): void {
    this.#kill(queue)
    const { model } = this.#namespace
    const [head] = queue.fragments
    if (head?.offset === 0 && queue.user === LOCAL_DELIVERY)
      model.ipv6Protocols[NextHeader.icmp]?.refuse?.(head.packet, Icmp.timeExceeded, REASSEMBLY_TIME, 0)
    for (const { packet } of queue.fragments)
      drop(packet, 'FRAG_REASM_TIMEOUT', 'ip6_frag_expire', { what: 'the rest has not come' })
    model.settle()
  }
}

/** ipv6frag_thdr_truncated: whether this first fragment lacks some of the headers up to the transport's. RFC 8200 §4.5. */
function endsInHeaders({ bytes, network, end }: Packet): boolean {
  const transport = findTransport(bytes, network, end)
  if (transport?.fragmentOffset !== 0 || transport.protocol === NextHeader.none) return false
  return transport.at + leastOf(transport.protocol) > end
}

/**
 * What ip6_fragment can tell apart again: not where the first was put together itself (inet_frag_reasm_prepare splits it elsewhere),
 * nor where another had less room before its payload than the first one's headers need.
 */
function sizesOf(fragments: readonly Fragment[]): number[] {
  const [first] = fragments
  if (first!.packet.fragmentSizes !== undefined) return []
  if (fragments.some(({ header }) => header < first!.header)) return []
  return fragments.map(({ offset, end }) => end - offset)
}

/** Bytes of a transport's header that a first fragment must have. */
function leastOf(protocol: number): number {
  if (protocol === NextHeader.tcp) return 20
  return protocol === NextHeader.udp || protocol === NextHeader.icmp ? 8 : 1
}

/** Where it goes among the others. What is wholly there is a duplicate; any other overlap ends the datagram. */
function placeFor(fragments: readonly Fragment[], offset: number, end: number): number | 'duplicate' | 'overlap' {
  let at = 0
  while (at < fragments.length) {
    let last = at
    while (last + 1 < fragments.length && fragments[last + 1]!.offset === fragments[last]!.end) last++
    const from = fragments[at]!.offset
    const to = fragments[last]!.end
    if (end <= from) return at
    if (offset < to) return offset >= from && end <= to ? 'duplicate' : 'overlap'
    at = last + 1
  }
  return at
}

/** ip_frag_ecn_table: congestion in one is congestion in all; Not-ECT beside ECT cannot be. */
function combinedEcn(seen: number): number | undefined {
  const notEct = 1
  const congested = 8
  if ((seen & notEct) !== 0 && seen !== notEct) return undefined
  return (seen & congested) !== 0 && seen !== congested ? 3 : 0
}
