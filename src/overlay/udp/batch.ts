/**
 * Packets on their way to other nodes, as messages for sendmmsg(2).
 *
 * A message is a run: consecutive packets to one node, all of one length but the last, which may be shorter. The kernel
 * makes a datagram of each (UDP_SEGMENT), so that on the wire there is one packet per datagram whatever the message
 * was. A packet is in pieces, which lie anywhere in the arena.
 *
 *   message ──> node, and the length of a packet
 *      └──────> header ── payload ── header ── payload ── …     struct iovec each
 */
import { type Arena, IOVEC_SIZE } from './arena.ts'
import { swap16, swap32 } from './checksum.ts'
import {
  ADDRESS,
  AF_INET,
  CONTROL,
  CONTROL_LENGTH,
  CONTROL_LEVEL,
  CONTROL_MESSAGE,
  CONTROL_TYPE,
  CONTROL_VALUE,
  IOVEC_COUNT,
  IOVECS,
  MESSAGE,
  NAME,
  NAME_LENGTH,
  PORT,
  SOCKET_ADDRESS,
  SOL_UDP,
  UDP_SEGMENT,
} from './message.ts'

/** Packets in a batch. */
const CAPACITY = 2048
/** An IPv4 and a TCP header at their longest are 120 bytes. */
const HEADER_SLOT = 128
/** UDP_MAX_SEGMENTS, linux/udp.h; 128 since Linux 6.9. */
export const MAX_RUN = 64
/** What fits in an IPv4 packet beside its header and that of UDP. */
const MAX_MESSAGE = 65_507

/** CMSG_LEN of the segment's length, a number of two bytes. */
const SEGMENT_CONTROL = CONTROL_VALUE + 2

export class Batch {
  /** Whether the kernel takes trains. */
  takesTrains = true
  readonly #arena: Arena
  readonly #headers: number
  readonly #iovecs: number
  readonly #messages: number
  readonly #names: number
  readonly #controls: number
  #packets = 0
  #pieces = 0
  #count = 0
  // The open run, which is the last message's.
  #open = false
  #node = 0
  #length = 0
  #run = 0
  #bytes = 0
  #firstPiece = 0

  /** `port`: of every node. */
  constructor(arena: Arena, port: number) {
    this.#arena = arena
    this.#headers = arena.allocate(CAPACITY * HEADER_SLOT)
    this.#iovecs = arena.allocate(2 * CAPACITY * IOVEC_SIZE)
    this.#messages = arena.allocate(CAPACITY * MESSAGE)
    this.#names = arena.allocate(CAPACITY * SOCKET_ADDRESS)
    this.#controls = arena.allocate(CAPACITY * CONTROL_MESSAGE)
    const { longs, words } = arena
    for (let i = 0; i < CAPACITY; i++) {
      const message = this.#messages + i * MESSAGE
      const name = this.#names + i * SOCKET_ADDRESS
      const control = this.#controls + i * CONTROL_MESSAGE
      arena.point(message + NAME, name)
      longs[(message + NAME_LENGTH) >> 2] = SOCKET_ADDRESS
      arena.point(message + CONTROL, control)
      words[name >> 1] = AF_INET
      words[(name + PORT) >> 1] = swap16(port)
      longs[control >> 2] = SEGMENT_CONTROL
      longs[(control + CONTROL_LEVEL) >> 2] = SOL_UDP
      longs[(control + CONTROL_TYPE) >> 2] = UDP_SEGMENT
    }
  }

  /** So many packets more, of two pieces at most. */
  get room(): number {
    return CAPACITY - this.#packets
  }

  /** Messages, the open run's too. */
  get count(): number {
    return this.#count
  }

  /** Where the messages begin. */
  get messages(): number {
    return this.#messages
  }

  /** The next packet, of `length` bytes; its pieces are added next. `node`: as RouteTable has it. */
  add(node: number, length: number): void {
    if (
      !this.#open ||
      node !== this.#node ||
      length > this.#length ||
      this.#run === MAX_RUN ||
      this.#bytes + length > MAX_MESSAGE
    ) {
      this.#begin(node, length)
    }
    this.#packets++
    this.#run++
    this.#bytes += length
    if (length < this.#length || !this.takesTrains) this.#open = false
  }

  addPiece(at: number, length: number): void {
    this.#arena.iovec(this.#iovecs + this.#pieces * IOVEC_SIZE, at, length)
    this.#pieces++
  }

  /** Room for the header of the packet that was added last. */
  get header(): number {
    return this.#headers + (this.#packets - 1) * HEADER_SLOT
  }

  /** To be called before the messages are sent. */
  finish(): void {
    if (this.#count === 0) return
    const { longs, words } = this.#arena
    const i = this.#count - 1
    const message = this.#messages + i * MESSAGE
    longs[(message + IOVEC_COUNT) >> 2] = this.#pieces - this.#firstPiece
    // A run of one is no train: told a length that is more than the path's MTU, the kernel would refuse what it can fragment.
    longs[(message + CONTROL_LENGTH) >> 2] = this.#run > 1 ? CONTROL_MESSAGE : 0
    words[(this.#controls + i * CONTROL_MESSAGE + CONTROL_VALUE) >> 1] = this.#length
  }

  clear(): void {
    this.#packets = 0
    this.#pieces = 0
    this.#count = 0
    this.#open = false
  }

  #begin(node: number, length: number): void {
    this.finish()
    const { longs } = this.#arena
    longs[(this.#names + this.#count * SOCKET_ADDRESS + ADDRESS) >> 2] = swap32(node)
    this.#arena.point(this.#messages + this.#count * MESSAGE + IOVECS, this.#iovecs + this.#pieces * IOVEC_SIZE)
    this.#count++
    this.#open = true
    this.#node = node
    this.#length = length
    this.#run = 0
    this.#bytes = 0
    this.#firstPiece = this.#pieces
  }
}
