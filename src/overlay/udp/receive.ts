/**
 * UDP → TUN: datagrams of other nodes, each one IPv4 packet.
 *
 *   receive ──> from a node? ──> each datagram of the train ──> whole IPv4? ──> TTL − 1 ──> merge.ts ──> write
 *                                                                                 └──> icmp.ts
 *
 * A packet that is longer than the link it goes to is the kernel's: it fragments it, or answers with that link's MTU.
 */

import type { DataPath } from '../../kernel/data-path.ts'
import { EINTR } from '../../kernel/data-path.ts'
import type { Arena } from './arena.ts'
import type { Sum } from './checksum.ts'
import { Counter } from './counters.ts'
import { IP_HEADER, IP_LENGTH } from './header.ts'
import type { IcmpSender } from './icmp.ts'
import { Inbox, MAX_MESSAGES } from './inbox.ts'
import type { RouteTable } from './lookup.ts'
import { Merger } from './merge.ts'
import { decrementTtl, mayGoOn } from './ttl.ts'

/** When trains come, fewer messages are received at once: what is written next should still be in the core's cache. */
const MANY_BYTES = 128 << 10
const FEW_MESSAGES = 8

export interface Incoming {
  readonly arena: Arena
  readonly sum: Sum
  readonly path: DataPath
  readonly counts: Float64Array
  readonly icmp: IcmpSender
  readonly mergesUdp: boolean
}

export class Receiver {
  readonly #arena: Arena
  readonly #path: DataPath
  readonly #counts: Float64Array
  readonly #icmp: IcmpSender
  readonly #merger: Merger
  readonly #inbox: Inbox
  #atOnce = MAX_MESSAGES

  constructor({ arena, sum, path, counts, icmp, mergesUdp }: Incoming) {
    this.#arena = arena
    this.#path = path
    this.#counts = counts
    this.#icmp = icmp
    this.#inbox = new Inbox(arena)
    this.#merger = new Merger(arena, sum, counts, mergesUdp, (iovecs, count) => {
      counts[Counter.tunWrites]!++
      if (path.writeTun(iovecs, count) < 0) counts[Counter.writeErrors]!++
    })
  }

  /** Whether there may be more to receive. */
  drain(routes: RouteTable): boolean {
    const inbox = this.#inbox
    const wanted = this.#atOnce
    const count = this.#path.receive(inbox.messages, wanted)
    this.#counts[Counter.receiveCalls]!++
    if (count <= 0) return count === -EINTR
    let received = 0
    for (let i = 0; i < count; i++) {
      received += inbox.lengthOf(i)
      this.#take(i, routes)
    }
    this.#merger.flush()
    inbox.clear(count)
    this.#counts[Counter.messagesReceived]! += count
    this.#atOnce = received > MANY_BYTES ? FEW_MESSAGES : MAX_MESSAGES
    return count === wanted
  }

  #take(i: number, routes: RouteTable): void {
    const inbox = this.#inbox
    if (!routes.isNode(inbox.senderOf(i))) {
      this.#counts[Counter.strangers]!++
      return
    }
    if (inbox.isTruncated(i)) {
      this.#counts[Counter.truncated]!++
      return
    }
    const start = inbox.dataOf(i)
    const end = start + inbox.lengthOf(i)
    const segment = inbox.segmentOf(i)
    const step = segment > 0 ? segment : end - start
    if (start === end) this.#counts[Counter.malformed]!++
    for (let at = start; at < end; at += step) this.#takeDatagram(at, Math.min(step, end - at))
  }

  #takeDatagram(at: number, size: number): void {
    const { bytes, view } = this.#arena
    this.#counts[Counter.packetsReceived]!++
    const ipHeader = (bytes[at]! & 15) * 4
    // What follows the packet is left out.
    const length = size < IP_HEADER ? 0 : view.getUint16(at + IP_LENGTH)
    if (bytes[at]! >> 4 !== 4 || ipHeader < IP_HEADER || length < ipHeader || length > size) {
      this.#counts[Counter.malformed]!++
      return
    }
    if (!mayGoOn(bytes, at)) {
      this.#counts[Counter.ttlExceeded]!++
      this.#icmp.send('time exceeded', at, length)
      return
    }
    decrementTtl(bytes, at)
    this.#merger.add(at, length)
  }
}
