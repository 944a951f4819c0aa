/**
 * Sends a batch, and knows what to do when the kernel will not.
 *
 * A full socket is waited for by whoever polls: what is left stays where it is. A message that is refused goes again,
 * datagram by datagram, fragmented where need be:
 *
 *   EINVAL, EMSGSIZE    a datagram is longer than the MTU of its path: net/ipv4/udp.c, udp_send_skb
 *   EIO                 trains need a link with checksum offload (before Linux 6.11): there are no more after that
 */

import { type DataPath, EAGAIN, EINTR, EINVAL, EIO, EMSGSIZE } from '../../kernel/data-path.ts'
import { type Arena, IOVEC_LENGTH, IOVEC_SIZE } from './arena.ts'
import { type Batch, MAX_RUN } from './batch.ts'
import { Counter } from './counters.ts'
import {
  CONTROL,
  CONTROL_LENGTH,
  CONTROL_VALUE,
  IOVEC_COUNT,
  IOVECS,
  MESSAGE,
  NAME,
  NAME_LENGTH,
  SOCKET_ADDRESS,
} from './message.ts'

export class Sender {
  readonly #arena: Arena
  readonly #batch: Batch
  readonly #path: DataPath
  readonly #counts: Float64Array
  /** The next message of the batch. */
  #next = 0
  /** The datagrams of a message that was taken apart. */
  readonly #singles: number
  #nextSingle = 0
  #singleCount = 0

  constructor(arena: Arena, batch: Batch, path: DataPath, counts: Float64Array) {
    this.#arena = arena
    this.#batch = batch
    this.#path = path
    this.#counts = counts
    this.#singles = arena.allocate(MAX_RUN * MESSAGE)
  }

  /** False when the socket takes no more now: call again when it does, and add nothing to the batch till then. */
  send(): boolean {
    const { count, messages } = this.#batch
    for (;;) {
      while (this.#nextSingle < this.#singleCount) {
        const result = this.#call(this.#singles, this.#nextSingle, this.#singleCount, true)
        if (result === -EAGAIN) return false
        if (result < 0) this.#counts[Counter.sendErrors]!++
        this.#nextSingle += Math.max(1, result)
      }
      if (this.#next === count) break
      const result = this.#call(messages, this.#next, count, false)
      if (result === -EAGAIN) return false
      if (result < 0) this.#refused(messages + this.#next * MESSAGE, result)
      this.#next += Math.max(1, result)
    }
    this.#counts[Counter.messagesSent]! += count
    this.#next = 0
    this.#batch.clear()
    return true
  }

  #call(messages: number, next: number, count: number, fragment: boolean): number {
    for (;;) {
      this.#counts[Counter.sendCalls]!++
      const result = this.#path.send(messages + next * MESSAGE, count - next, fragment)
      if (result !== -EINTR) return result
    }
  }

  #refused(message: number, result: number): void {
    if (result !== -EINVAL && result !== -EMSGSIZE && result !== -EIO) {
      this.#counts[Counter.sendErrors]!++
      return
    }
    if (result === -EIO) this.#batch.takesTrains = false
    this.#counts[Counter.messagesSplit]!++
    this.#split(message)
  }

  /** The message's iovecs make up single datagrams as well: no packet begins in the middle of one. */
  #split(message: number): void {
    const { longs, words } = this.#arena
    const isTrain = longs[(message + CONTROL_LENGTH) >> 2] !== 0
    const size = isTrain ? words[(this.#arena.pointed(message + CONTROL) + CONTROL_VALUE) >> 1]! : Infinity
    const name = this.#arena.pointed(message + NAME)
    const first = this.#arena.pointed(message + IOVECS)
    const end = first + longs[(message + IOVEC_COUNT) >> 2]! * IOVEC_SIZE
    let count = 0
    for (let iovec = first; iovec < end; count++) {
      const single = this.#singles + count * MESSAGE
      this.#arena.point(single + NAME, name)
      longs[(single + NAME_LENGTH) >> 2] = SOCKET_ADDRESS
      this.#arena.point(single + IOVECS, iovec)
      let pieces = 0
      for (let length = 0; length < size && iovec < end; iovec += IOVEC_SIZE) {
        length += longs[(iovec + IOVEC_LENGTH) >> 2]!
        pieces++
      }
      longs[(single + IOVEC_COUNT) >> 2] = pieces
    }
    this.#nextSingle = 0
    this.#singleCount = count
  }
}
