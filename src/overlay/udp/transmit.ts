/**
 * TUN → UDP: packets of the kernel's, each to the node that has its destination.
 *
 *   read ──> whole IPv4? ──> route? ──> TTL − 1 ──> one packet: finish its checksum ──┐
 *                              │          │         a super-packet: cut.ts ───────────┴──> batch.ts ──> sender.ts
 *                              └──────────┴──> icmp.ts
 */

import { type DataPath, EAGAIN, EBADFD } from '../../kernel/data-path.ts'
import type { Arena } from './arena.ts'
import { Batch } from './batch.ts'
import { complement, type Sum } from './checksum.ts'
import { Counter } from './counters.ts'
import { cut, MAX_SEGMENTS, segmentsOf, superPacketAt } from './cut.ts'
import {
  GSO_ECN,
  GSO_NONE,
  GSO_TCPV4,
  GSO_UDP_L4,
  IP_DESTINATION,
  IP_HEADER,
  IP_LENGTH,
  VNET_CHECKSUM_OFFSET,
  VNET_CHECKSUM_START,
  VNET_FLAGS,
  VNET_GSO_SIZE,
  VNET_GSO_TYPE,
  VNET_HEADER,
  VNET_NEEDS_CHECKSUM,
} from './header.ts'
import type { IcmpSender } from './icmp.ts'
import { NOBODY, type RouteTable } from './lookup.ts'
import { Sender } from './sender.ts'
import { decrementTtl, mayGoOn } from './ttl.ts'

/** Before packets are sent, so many are read, or so many bytes: what fits in a core's cache. */
const PACKETS_AT_ONCE = 64
const BYTES_AT_ONCE = 128 << 10
/** With its virtio_net_hdr. */
const MAX_READ = VNET_HEADER + 65_535
/** The IPv4 header is at a multiple of this. */
const ALIGNMENT = 16

export interface Outgoing {
  readonly arena: Arena
  readonly sum: Sum
  readonly path: DataPath
  readonly counts: Float64Array
  readonly icmp: IcmpSender
  readonly port: number
}

export class Transmitter {
  readonly #arena: Arena
  readonly #sum: Sum
  readonly #path: DataPath
  readonly #counts: Float64Array
  readonly #icmp: IcmpSender
  readonly #batch: Batch
  readonly #sender: Sender
  readonly #buffer: number
  #blocked = false

  constructor({ arena, sum, path, counts, icmp, port }: Outgoing) {
    this.#arena = arena
    this.#sum = sum
    this.#path = path
    this.#counts = counts
    this.#icmp = icmp
    this.#batch = new Batch(arena, port)
    this.#sender = new Sender(arena, this.#batch, path, counts)
    this.#buffer = arena.allocate(BYTES_AT_ONCE + MAX_READ + ALIGNMENT * PACKETS_AT_ONCE)
  }

  /** Whether packets wait for room in the socket. */
  get blocked(): boolean {
    return this.#blocked
  }

  /** Sends what waits. */
  resume(): void {
    this.#blocked = !this.#sender.send()
  }

  /** Whether there may be more to read. */
  drain(routes: RouteTable): boolean {
    if (this.#blocked) return false
    const start = this.#buffer + ALIGNMENT - (VNET_HEADER % ALIGNMENT)
    let more = true
    for (let at = start, i = 0; i < PACKETS_AT_ONCE && at - start < BYTES_AT_ONCE; i++) {
      if (this.#batch.room < MAX_SEGMENTS) break
      const length = this.#path.readTun(at, MAX_READ)
      if (length <= 0) {
        if (length === -EBADFD) throw new Error('Cannot read packets: the TUN device was deleted')
        more = length !== -EAGAIN && length !== 0
        break
      }
      this.#counts[Counter.tunReads]!++
      this.#take(at, length, routes)
      at += (length + ALIGNMENT - 1) & -ALIGNMENT
    }
    this.#batch.finish()
    if (this.#batch.count > 0) this.resume()
    return more && !this.#blocked
  }

  #take(read: number, readLength: number, routes: RouteTable): void {
    const { bytes, view, words } = this.#arena
    const at = read + VNET_HEADER
    const length = view.getUint16(at + IP_LENGTH)
    const ipHeader = (bytes[at]! & 15) * 4
    // An IPv6 link has something to say of its own accord: router solicitations.
    const isIpv4 = readLength >= VNET_HEADER + IP_HEADER && bytes[at]! >> 4 === 4 && ipHeader >= IP_HEADER
    if (!isIpv4 || length < ipHeader || length > readLength - VNET_HEADER) {
      this.#counts[Counter.malformed]!++
      return
    }
    const node = routes.nodeOf(view.getInt32(at + IP_DESTINATION))
    if (node === NOBODY) {
      this.#counts[Counter.noRoute]!++
      this.#icmp.send('no route', at, length)
      return
    }
    if (!mayGoOn(bytes, at)) {
      this.#counts[Counter.ttlExceeded]!++
      this.#icmp.send('time exceeded', at, length)
      return
    }
    const kind = bytes[read + VNET_GSO_TYPE]! & ~GSO_ECN
    if (kind === GSO_NONE) {
      if (bytes[read + VNET_FLAGS]! & VNET_NEEDS_CHECKSUM) this.#finishChecksum(read, at, length)
      decrementTtl(bytes, at)
      this.#counts[Counter.packetsSent]!++
      this.#batch.add(node, length)
      this.#batch.addPiece(at, length)
      return
    }
    const protocol = kind === GSO_TCPV4 ? 'tcp' : kind === GSO_UDP_L4 ? 'udp' : undefined
    const packet = protocol && superPacketAt(this.#arena, at, length, protocol, words[(read + VNET_GSO_SIZE) >> 1]!)
    const segments = packet ? segmentsOf(packet) : Infinity
    if (!packet || segments > MAX_SEGMENTS) {
      this.#counts[Counter.malformed]!++
      return
    }
    decrementTtl(bytes, at)
    this.#counts[Counter.superPackets]!++
    this.#counts[Counter.packetsSent]! += segments
    cut(packet, node, this.#arena, this.#sum, this.#batch)
  }

  /** The field holds the pseudo-header's sum; what follows from csum_start on is to be added. */
  #finishChecksum(read: number, at: number, length: number): void {
    const { words } = this.#arena
    const start = words[(read + VNET_CHECKSUM_START) >> 1]!
    const field = start + words[(read + VNET_CHECKSUM_OFFSET) >> 1]!
    if (start > length || field + 2 > length || field & 1) return
    words[(at + field) >> 1] = complement(this.#sum(at + start, length - start))
  }
}
