/**
 * Merges received packets into super-packets, so that the kernel handles one for forty: what GRO does for a network card,
 * net/core/gro.c, net/ipv4/tcp_offload.c (tcp_gro_receive) and udp_offload.c (udp_gro_receive_segment).
 *
 *   header │ part   header │ part   header │ part        received, one after the other
 *   vnet │ header' │ part │ part │ part                  written, gathered by writev(2)
 *
 * One group is open at a time, of consecutive packets of one flow: the same header but for length, ID, checksum and sequence
 * number. A packet that does not fit ends it, so that nothing overtakes anything.
 *
 * The kernel believes the checksums of what is written as a group (VNET_NEEDS_CHECKSUM). So both checksums of every
 * packet are verified before it joins one. What is wrong is written alone, and the kernel drops it.
 */
import { IpProtocol } from '../../wire/ipv4.ts'
import { TcpFlag } from '../../wire/tcp.ts'
import { type Arena, IOVEC_SIZE } from './arena.ts'
import { fold, type Sum, swap16 } from './checksum.ts'
import { Counter } from './counters.ts'
import {
  DONT_FRAGMENT,
  GSO_TCPV4,
  GSO_UDP_L4,
  IP_CHECKSUM,
  IP_DESTINATION,
  IP_FLAGS,
  IP_HEADER,
  IP_ID,
  IP_LENGTH,
  IP_PROTOCOL,
  IP_SOURCE,
  IP_TOS,
  IP_TTL,
  IS_FRAGMENT,
  TCP_ACKNOWLEDGMENT,
  TCP_CHECKSUM,
  TCP_FLAGS,
  TCP_HEADER,
  TCP_OFFSET,
  TCP_SEQUENCE,
  TCP_URGENT,
  TCP_WINDOW,
  UDP_CHECKSUM,
  UDP_HEADER,
  UDP_LENGTH,
  VNET_CHECKSUM_OFFSET,
  VNET_CHECKSUM_START,
  VNET_FLAGS,
  VNET_GSO_SIZE,
  VNET_GSO_TYPE,
  VNET_HEADER,
  VNET_HEADER_LENGTH,
  VNET_NEEDS_CHECKSUM,
} from './header.ts'

/** What an IPv4 packet's length can say. */
const MAX_LENGTH = 65_535
/** UDP_MAX_SEGMENTS before Linux 6.9; TCP has no such limit, but writev(2) takes 1024 iovecs. */
const MAX_UDP = 64
const MAX_TCP = 1000

/** Version 4, no options. */
const PLAIN_HEADER = 0x45

/** Writes one packet: so many iovecs, the first of them a virtio_net_hdr. */
export type WritePacket = (iovecs: number, count: number) => void

export class Merger {
  readonly #arena: Arena
  readonly #sum: Sum
  readonly #counts: Float64Array
  readonly #write: WritePacket
  readonly #mergesUdp: boolean
  /** The virtio_net_hdr of a single packet is all zero; that of a group is filled in. */
  readonly #plain: number
  readonly #vnet: number
  readonly #single: number
  readonly #gathered: number
  // The open group.
  #count = 0
  #first = 0
  #protocol = 0
  /** Bytes of the first packet's headers, and of its payload. */
  #header = 0
  #size = 0
  #total = 0
  #next = 0
  #id = 0
  #push = 0
  #isVerified = false
  #isClosed = false

  /** `mergesUdp`: whether the TUN device takes GSO_UDP_L4, as since Linux 6.2. */
  constructor(arena: Arena, sum: Sum, counts: Float64Array, mergesUdp: boolean, write: WritePacket) {
    this.#arena = arena
    this.#sum = sum
    this.#counts = counts
    this.#write = write
    this.#mergesUdp = mergesUdp
    this.#plain = arena.allocate(VNET_HEADER)
    this.#vnet = arena.allocate(VNET_HEADER)
    this.#single = arena.allocate(2 * IOVEC_SIZE)
    this.#gathered = arena.allocate((1 + MAX_TCP) * IOVEC_SIZE)
    arena.iovec(this.#single, this.#plain, VNET_HEADER)
    arena.iovec(this.#gathered, this.#vnet, VNET_HEADER)
  }

  /** The next packet: IPv4, whole, `length` bytes. It must stay where it is until `flush`. */
  add(at: number, length: number): void {
    const header = this.#joinable(at, length)
    if (header === 0) {
      this.flush()
      this.#writeSingle(at, length)
      return
    }
    if (this.#count > 0 && this.#continues(at, length, header) && this.#isFirstRight()) {
      if (this.#isRight(at, length)) this.#join(at, length, header)
      else {
        this.flush()
        this.#writeSingle(at, length)
      }
      return
    }
    this.flush()
    this.#begin(at, length, header)
  }

  /** Writes what is held back. */
  flush(): void {
    if (this.#count === 0) return
    if (this.#count === 1) this.#writeSingle(this.#first, this.#total)
    else this.#writeGroup()
    this.#count = 0
  }

  /** Length of the packet's headers when it is one that can be part of a group, or 0. */
  #joinable(at: number, length: number): number {
    const { bytes, view } = this.#arena
    if (bytes[at] !== PLAIN_HEADER || (view.getUint16(at + IP_FLAGS) & IS_FRAGMENT) !== 0) return 0
    const transport = at + IP_HEADER
    if (bytes[at + IP_PROTOCOL] === IpProtocol.tcp) {
      if (length < IP_HEADER + TCP_HEADER) return 0
      const own = (bytes[transport + TCP_OFFSET]! >> 4) * 4
      if (own < TCP_HEADER || IP_HEADER + own >= length) return 0
      return (bytes[transport + TCP_FLAGS]! & ~TcpFlag.psh) === TcpFlag.ack ? IP_HEADER + own : 0
    }
    if (bytes[at + IP_PROTOCOL] === IpProtocol.udp && this.#mergesUdp) {
      if (length <= IP_HEADER + UDP_HEADER) return 0
      const isWhole = view.getUint16(transport + UDP_LENGTH) === length - IP_HEADER
      return isWhole && view.getUint16(transport + UDP_CHECKSUM) !== 0 ? IP_HEADER + UDP_HEADER : 0
    }
    return 0
  }

  #begin(at: number, length: number, header: number): void {
    const { bytes, view } = this.#arena
    this.#count = 1
    this.#first = at
    this.#protocol = bytes[at + IP_PROTOCOL]!
    this.#header = header
    this.#size = length - header
    this.#total = length
    this.#id = view.getUint16(at + IP_ID)
    this.#isVerified = false
    this.#push = 0
    this.#isClosed = false
    if (this.#protocol === IpProtocol.tcp) {
      this.#next = (view.getInt32(at + IP_HEADER + TCP_SEQUENCE) + this.#size) | 0
      this.#isClosed = (bytes[at + IP_HEADER + TCP_FLAGS]! & TcpFlag.psh) !== 0
    }
  }

  /** Whether the packet is the next of the open group, whatever its checksums are. */
  #continues(at: number, length: number, header: number): boolean {
    const payload = length - header
    const isTcp = this.#protocol === IpProtocol.tcp
    return (
      !this.#isClosed &&
      header === this.#header &&
      payload <= this.#size &&
      this.#total + payload <= MAX_LENGTH &&
      this.#count < (isTcp ? MAX_TCP : MAX_UDP) &&
      this.#sameIp(at) &&
      (!isTcp || this.#sameTcp(at, header))
    )
  }

  /** The same but for length, ID and checksum; ports, which follow, are the same too. */
  #sameIp(at: number): boolean {
    const { bytes, view } = this.#arena
    const first = this.#first
    const flags = view.getUint16(at + IP_FLAGS)
    return (
      bytes[at + IP_TOS] === bytes[first + IP_TOS] &&
      flags === view.getUint16(first + IP_FLAGS) &&
      view.getUint16(at + IP_TTL) === view.getUint16(first + IP_TTL) && // and the protocol
      view.getInt32(at + IP_SOURCE) === view.getInt32(first + IP_SOURCE) &&
      view.getInt32(at + IP_DESTINATION) === view.getInt32(first + IP_DESTINATION) &&
      view.getInt32(at + IP_HEADER) === view.getInt32(first + IP_HEADER) &&
      // "Originating sources MAY set the IPv4 ID field of atomic datagrams to any value": RFC 6864 §4.1.
      ((flags & DONT_FRAGMENT) !== 0 || view.getUint16(at + IP_ID) === ((this.#id + 1) & 0xffff))
    )
  }

  /** The next in sequence; the same but for checksum and PSH. */
  #sameTcp(at: number, header: number): boolean {
    const { bytes, view } = this.#arena
    const own = at + IP_HEADER
    const first = this.#first + IP_HEADER
    if (
      view.getInt32(own + TCP_SEQUENCE) !== this.#next ||
      view.getInt32(own + TCP_ACKNOWLEDGMENT) !== view.getInt32(first + TCP_ACKNOWLEDGMENT) ||
      bytes[own + TCP_OFFSET] !== bytes[first + TCP_OFFSET] ||
      view.getUint16(own + TCP_WINDOW) !== view.getUint16(first + TCP_WINDOW) ||
      view.getUint16(own + TCP_URGENT) !== view.getUint16(first + TCP_URGENT)
    ) {
      return false
    }
    for (let i = TCP_HEADER; i < header - IP_HEADER; i += 4) {
      if (view.getInt32(own + i) !== view.getInt32(first + i)) return false
    }
    return true
  }

  /** Asked when there is a second one, since many packets stay alone. */
  #isFirstRight(): boolean {
    this.#isVerified ||= this.#isRight(this.#first, this.#total)
    return this.#isVerified
  }

  #isRight(at: number, length: number): boolean {
    const pseudo = (this.#protocol << 8) + swap16(length - IP_HEADER)
    // The rest of the pseudo-header, the addresses, stands just before the transport's header.
    const right =
      this.#sum(at, IP_HEADER) === 0xffff && fold(pseudo + this.#sum(at + IP_SOURCE, length - IP_SOURCE)) === 0xffff
    if (!right) this.#counts[Counter.wrongChecksums]!++
    return right
  }

  #join(at: number, length: number, header: number): void {
    const { bytes, view } = this.#arena
    const payload = length - header
    if (this.#count === 1) this.#arena.iovec(this.#gathered + IOVEC_SIZE, this.#first, this.#total)
    this.#count++
    this.#arena.iovec(this.#gathered + this.#count * IOVEC_SIZE, at + header, payload)
    this.#total += payload
    this.#id = view.getUint16(at + IP_ID)
    this.#isClosed = payload < this.#size
    if (this.#protocol === IpProtocol.tcp) {
      this.#next = (this.#next + payload) | 0
      this.#push = bytes[at + IP_HEADER + TCP_FLAGS]! & TcpFlag.psh
      if (this.#push) this.#isClosed = true
    }
  }

  #writeSingle(at: number, length: number): void {
    this.#arena.iovec(this.#single + IOVEC_SIZE, at, length)
    this.#write(this.#single, 2)
  }

  #writeGroup(): void {
    const { bytes, view, words } = this.#arena
    const first = this.#first
    const transport = first + IP_HEADER
    const isTcp = this.#protocol === IpProtocol.tcp
    const own = this.#total - IP_HEADER
    view.setUint16(first + IP_LENGTH, this.#total)
    view.setUint16(first + IP_CHECKSUM, 0)
    view.setUint16(first + IP_CHECKSUM, ~swap16(this.#sum(first, IP_HEADER)) & 0xffff)
    // Of the transport's checksum the kernel wants the pseudo-header's part.
    const pseudo = fold(this.#sum(first + IP_SOURCE, 8) + (this.#protocol << 8) + swap16(own))
    const field = isTcp ? TCP_CHECKSUM : UDP_CHECKSUM
    view.setUint16(transport + field, swap16(pseudo))
    if (isTcp) bytes[transport + TCP_FLAGS]! |= this.#push
    else view.setUint16(transport + UDP_LENGTH, own)

    const vnet = this.#vnet
    bytes[vnet + VNET_FLAGS] = VNET_NEEDS_CHECKSUM
    bytes[vnet + VNET_GSO_TYPE] = isTcp ? GSO_TCPV4 : GSO_UDP_L4
    words[(vnet + VNET_HEADER_LENGTH) >> 1] = this.#header
    words[(vnet + VNET_GSO_SIZE) >> 1] = this.#size
    words[(vnet + VNET_CHECKSUM_START) >> 1] = IP_HEADER
    words[(vnet + VNET_CHECKSUM_OFFSET) >> 1] = field
    this.#counts[Counter.packetsMerged]! += this.#count
    this.#write(this.#gathered, 1 + this.#count)
  }
}
