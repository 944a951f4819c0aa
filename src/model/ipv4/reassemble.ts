/**
 * Fragments on their way to becoming one datagram: ip_defrag, net/ipv4/ip_fragment.c; inet_frag_queue_insert,
 * inet_fragment.c. Whoever asks (local delivery, conntrack at each of its hooks) has queues of its own.
 */
import { setU16, u16, u32 } from '../bytes.ts'
import { SECOND, type Timer } from '../clock.ts'
import type { Namespace } from '../namespace.ts'
import { delivered, drop, note } from '../observer.ts'
import { newPacket, type Packet } from '../packet.ts'
import {
  DESTINATION_AT,
  DONT_FRAGMENT,
  FRAGMENT_AT,
  hasDontFragment,
  headerLength,
  IDENTIFICATION_AT,
  LENGTH_AT,
  MORE_FRAGMENTS,
  OFFSET_MASK,
  PROTOCOL_AT,
  SOURCE_AT,
  TOS_AT,
  writeChecksum,
} from './header.ts'
import type { Ipv4Route } from './route.ts'
import { routeInput } from './route-input.ts'

/** IP_DEFRAG_LOCAL_DELIVER. Others are conntrack's. */
export const LOCAL_DELIVERY = 0

const ICMP = 1
const TIME_EXCEEDED = 11
const REASSEMBLY_TIME = 1
const MAX_LENGTH = 0xffff
/** Sources whose fragments are counted. */
const SOURCES = 65_536

interface Fragment {
  readonly packet: Packet
  readonly offset: number
  readonly end: number
}

interface Queue {
  readonly key: string
  readonly user: number
  /** By offset, without overlaps. */
  readonly fragments: Fragment[]
  readonly timer: Timer
  /** Fragments of its source when the last of it came. */
  count: number
  length: number
  hasLast: boolean
  bytes: number
  maxSize: number
  maxDontFragmentSize: number
  /** IPFRAG_ECN_*: which codepoints have been seen. */
  ecn: number
}

export class Reassembly {
  readonly #namespace: Namespace
  readonly #queues = new Map<string, Queue>()
  /** Fragments that came of each source: inet_peer's rid. */
  readonly #counts = new Map<number, number>()

  constructor(namespace: Namespace) {
    this.#namespace = namespace
  }

  /** How many datagrams are not whole. */
  get size(): number {
    return this.#queues.size
  }

  /**
   * Takes a fragment. True: it has completed its datagram, and is all of it now. False: it waits, or has ended.
   */
  gather(packet: Packet, user: number): boolean {
    const queue = this.#find(packet, user)
    const { bytes, network } = packet
    if (this.#isTooFar(queue, u32(bytes, network + SOURCE_AT))) this.#restart(queue)
    const word = u16(bytes, network + FRAGMENT_AT)
    const offset = (word & OFFSET_MASK) * 8
    const header = headerLength(packet)
    let end = offset + (packet.end - network - header)
    if ((word & MORE_FRAGMENTS) === 0) {
      if (end < queue.length || (queue.hasLast && end !== queue.length)) return this.#discard(queue, packet)
      queue.hasLast = true
      queue.length = end
    } else {
      end &= ~7
      if (end > queue.length) {
        if (queue.hasLast) return this.#discard(queue, packet)
        queue.length = end
      }
    }
    if (end === offset) return this.#discard(queue, packet)
    packet.end = network + header + (end - offset)
    const place = placeFor(queue.fragments, offset, end)
    if (place === 'duplicate') {
      drop(packet, 'DUP_FRAG', 'ip_defrag', { what: 'this part is there already' })
      return false
    }
    if (place === 'overlap') return this.#discard(queue, packet)
    queue.fragments.splice(place, 0, { packet, offset, end })
    queue.bytes += end - offset
    queue.ecn |= 1 << (bytes[network + TOS_AT]! & 3)
    const size = end - offset + header
    queue.maxSize = Math.max(queue.maxSize, size)
    if (hasDontFragment(packet)) queue.maxDontFragmentSize = Math.max(queue.maxDontFragmentSize, size)
    if (queue.hasLast && queue.bytes === queue.length) return this.#complete(queue, packet)
    packet.route = undefined
    if (packet.journey)
      note(packet, packet.device, 'defrag', `waits for the rest: bytes ${offset} to ${end}`, {
        kernel: 'ip_frag_queue',
      })
    return false
  }

  /** ip_frag_too_far: so many others of this source have come since that the number may be in use again. */
  #isTooFar(queue: Queue, source: number): boolean {
    const { ipfrag_max_dist: limit } = this.#namespace.ipv4.settings
    if (limit === 0) return false
    const before = queue.count
    if (this.#counts.size >= SOURCES && !this.#counts.has(source)) this.#counts.clear()
    queue.count = (this.#counts.get(source) ?? 0) + 1
    this.#counts.set(source, queue.count)
    return queue.fragments.length > 0 && queue.count - before > limit
  }

  /** ip_frag_reinit: what is there does not belong to what comes. */
  #restart(queue: Queue): void {
    for (const { packet } of queue.fragments.splice(0))
      drop(packet, 'NOT_SPECIFIED', 'inet_frag_rbtree_purge', {
        own: 'OVL_FRAGMENT',
        what: 'too old for what comes now',
      })
    Object.assign(queue, { length: 0, hasLast: false, bytes: 0, maxSize: 0, maxDontFragmentSize: 0, ecn: 0 })
  }

  #find(packet: Packet, user: number): Queue {
    const { bytes, network } = packet
    const source = u32(bytes, network + SOURCE_AT)
    const destination = u32(bytes, network + DESTINATION_AT)
    const key = `${user} ${source} ${destination} ${bytes[network + PROTOCOL_AT]} ${u16(bytes, network + IDENTIFICATION_AT)}`
    const known = this.#queues.get(key)
    if (known) return known
    const { clock } = this.#namespace.model
    const queue: Queue = {
      key,
      user,
      fragments: [],
      timer: clock.after(this.#namespace.ipv4.settings.ipfrag_time * SECOND, () => this.#expire(queue)),
      count: 0,
      length: 0,
      hasLast: false,
      bytes: 0,
      maxSize: 0,
      maxDontFragmentSize: 0,
      ecn: 0,
    }
    this.#queues.set(key, queue)
    return queue
  }

  /** inet_frag_kill: nothing more is expected. */
  #kill(queue: Queue): void {
    this.#queues.delete(queue.key)
    this.#namespace.model.clock.cancel(queue.timer)
  }

  /** What contradicts itself is given up as a whole. */
  #discard(queue: Queue, packet: Packet): false {
    this.#kill(queue)
    const what = 'fragments that contradict each other'
    drop(packet, 'NOT_SPECIFIED', 'ip_defrag', { own: 'OVL_FRAGMENT', what })
    for (const each of queue.fragments)
      drop(each.packet, 'NOT_SPECIFIED', 'inet_frag_rbtree_purge', { own: 'OVL_FRAGMENT', what })
    return false
  }

  /** ip_frag_reasm: `packet`, the last that came, becomes all of it. */
  #complete(queue: Queue, packet: Packet): boolean {
    this.#kill(queue)
    const first = queue.fragments[0]!.packet
    const header = headerLength(first)
    const ecn = combinedEcn(queue.ecn)
    if (ecn === undefined || header + queue.length > MAX_LENGTH) {
      for (const each of queue.fragments)
        drop(each.packet, 'NOT_SPECIFIED', 'ip_frag_reasm', { own: 'OVL_FRAGMENT', what: 'cannot be put together' })
      return false
    }
    const whole = newPacket(header + queue.length, packet.device, packet.protocol)
    const { bytes, network } = whole
    const link = network - (first.network - first.link)
    bytes.set(first.bytes.subarray(first.link, first.network + header), link)
    for (const { packet: part, offset, end } of queue.fragments) {
      const from = part.network + headerLength(part)
      bytes.set(part.bytes.subarray(from, from + end - offset), network + header + offset)
    }
    for (const { packet: part } of queue.fragments)
      if (part !== packet && part.journey) delivered(part, 'ip_frag_reasm')
    packet.takeRoom(whole)
    packet.link = link
    packet.network = network
    packet.transport = network + header
    packet.end = whole.end
    packet.for = first.for
    packet.mark = first.mark
    packet.checksum = first.checksum === 'summed' ? 'summed' : 'none'
    packet.fragmentMaxSize = Math.max(queue.maxSize, queue.maxDontFragmentSize)
    packet.fragmentsDontFragment = queue.maxDontFragmentSize === queue.maxSize
    packet.ignoreDontFragment = true
    // A first one that was put together itself is not told apart again: inet_frag_reasm_prepare splits it elsewhere.
    const sizes = queue.fragments.map(({ offset, end }) => end - offset)
    packet.fragmentSizes = first.fragmentSizes === undefined ? sizes : []
    setU16(bytes, network + LENGTH_AT, header + queue.length)
    setU16(bytes, network + FRAGMENT_AT, packet.fragmentsDontFragment ? DONT_FRAGMENT : 0)
    bytes[network + TOS_AT]! |= ecn
    writeChecksum(packet)
    if (packet.journey)
      note(packet, packet.device, 'defrag', `${queue.fragments.length} fragments are ${header + queue.length} bytes`, {
        kernel: 'ip_frag_reasm',
      })
    return true
  }

  /** ip_expire: the rest has not come. Only an end host says so, RFC 792, and only if it can quote the first part. */
  #expire(queue: Queue): void {
    this.#kill(queue)
    const { model } = this.#namespace
    const [head] = queue.fragments
    if (head?.offset === 0) {
      const { packet } = head
      const refused = packet.device.up ? routeInput(packet) : 'NOT_SPECIFIED'
      const isForUs = queue.user === LOCAL_DELIVERY || (packet.route as Ipv4Route | undefined)?.type === 'local'
      if (refused === undefined && isForUs)
        model.ipv4Protocols[ICMP]?.refuse?.(packet, TIME_EXCEEDED, REASSEMBLY_TIME, 0)
    }
    for (const [i, { packet }] of queue.fragments.entries()) {
      const kernel = i === 0 && head?.offset === 0 ? 'ip_expire' : 'inet_frag_rbtree_purge'
      drop(packet, 'FRAG_REASM_TIMEOUT', kernel, { what: 'the rest has not come' })
    }
  }
}

/** Where it goes among the others. What is wholly there is a duplicate; any other overlap ends the datagram. */
function placeFor(fragments: readonly Fragment[], offset: number, end: number): number | 'duplicate' | 'overlap' {
  // Fragments that follow each other without a gap are one run.
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

/** ip_frag_ecn_table: congestion in one is congestion in all; Not-ECT beside ECT cannot be. Bit n: codepoint n was seen. */
function combinedEcn(seen: number): number | undefined {
  const notEct = 1
  const congested = 8
  if ((seen & notEct) !== 0 && seen !== notEct) return undefined
  return (seen & congested) !== 0 && seen !== congested ? 3 : 0
}
