/**
 * Datagrams as recvmmsg(2) gives them. With UDP_GRO a message may be a train: datagrams of one sender, all of one length but
 * the last, one behind the other.
 */
import { type Arena, IOVEC_SIZE } from './arena.ts'
import { swap32 } from './checksum.ts'
import {
  ADDRESS,
  CONTROL,
  CONTROL_LENGTH,
  CONTROL_LEVEL,
  CONTROL_MESSAGE,
  CONTROL_TYPE,
  CONTROL_VALUE,
  FLAGS,
  IOVEC_COUNT,
  IOVECS,
  LENGTH,
  MESSAGE,
  MSG_TRUNC,
  NAME,
  NAME_LENGTH,
  SOCKET_ADDRESS,
  SOL_UDP,
  UDP_GRO,
} from './message.ts'

/** Received with one call at most. */
export const MAX_MESSAGES = 64
/** A train is no longer than an IPv4 packet. */
const BUFFER = 65_536

export class Inbox {
  readonly #arena: Arena
  readonly #buffers: number
  readonly #messages: number
  readonly #names: number
  readonly #controls: number

  constructor(arena: Arena) {
    this.#arena = arena
    const iovecs = arena.allocate(MAX_MESSAGES * IOVEC_SIZE)
    this.#messages = arena.allocate(MAX_MESSAGES * MESSAGE)
    this.#names = arena.allocate(MAX_MESSAGES * SOCKET_ADDRESS)
    this.#controls = arena.allocate(MAX_MESSAGES * CONTROL_MESSAGE)
    this.#buffers = arena.allocate(MAX_MESSAGES * BUFFER)
    for (let i = 0; i < MAX_MESSAGES; i++) {
      const message = this.#messages + i * MESSAGE
      arena.iovec(iovecs + i * IOVEC_SIZE, this.dataOf(i), BUFFER)
      arena.point(message + NAME, this.#names + i * SOCKET_ADDRESS)
      arena.point(message + IOVECS, iovecs + i * IOVEC_SIZE)
      arena.longs[(message + IOVEC_COUNT) >> 2] = 1
      arena.point(message + CONTROL, this.#controls + i * CONTROL_MESSAGE)
    }
    this.clear(MAX_MESSAGES)
  }

  /** Where the messages are, ready for the call. */
  get messages(): number {
    return this.#messages
  }

  /** Makes the first `count` messages ready again: the kernel has written over the lengths of what there is room for. */
  clear(count: number): void {
    const { longs } = this.#arena
    for (let message = this.#messages; message < this.#messages + count * MESSAGE; message += MESSAGE) {
      longs[(message + NAME_LENGTH) >> 2] = SOCKET_ADDRESS
      longs[(message + CONTROL_LENGTH) >> 2] = CONTROL_MESSAGE
    }
  }

  /** The sender's address, as RouteTable has it. */
  senderOf(i: number): number {
    return swap32(this.#arena.longs[(this.#names + i * SOCKET_ADDRESS + ADDRESS) >> 2]!)
  }

  dataOf(i: number): number {
    return this.#buffers + i * BUFFER
  }

  lengthOf(i: number): number {
    return this.#arena.longs[(this.#messages + i * MESSAGE + LENGTH) >> 2]!
  }

  isTruncated(i: number): boolean {
    return (this.#arena.longs[(this.#messages + i * MESSAGE + FLAGS) >> 2]! & MSG_TRUNC) !== 0
  }

  /** Length of a datagram of the train; 0 when the message is a single one. */
  segmentOf(i: number): number {
    const { longs } = this.#arena
    const control = this.#controls + i * CONTROL_MESSAGE
    if (longs[(this.#messages + i * MESSAGE + CONTROL_LENGTH) >> 2]! < CONTROL_VALUE + 4) return 0
    const isTrain =
      longs[(control + CONTROL_LEVEL) >> 2] === SOL_UDP && longs[(control + CONTROL_TYPE) >> 2] === UDP_GRO
    return isTrain ? longs[(control + CONTROL_VALUE) >> 2]! : 0
  }
}
