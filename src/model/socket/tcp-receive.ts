/**
 * What a TCP connection has received: in order it goes on, out of order it waits. RFC 9293 §3.10.7.4, RFC 2018.
 * net/ipv4/tcp_input.c: tcp_data_queue, tcp_data_queue_ofo.
 */
import { add, distance, isAfter, isBefore, type Range } from './tcp-segment.ts'

interface Early {
  readonly from: number
  readonly to: number
  readonly bytes: Uint8Array
}

export class ReceiveQueue {
  /** RCV.NXT */
  next: number
  /** Where the other side's FIN stands, once it has come. */
  #finAt: number | undefined = undefined
  #hasEnded = false
  /** By sequence number, without overlaps. */
  #early: Early[] = []
  /** A sequence number in the block that grew last: RFC 2018 §4 has that block first. */
  #latest = 0

  constructor(next: number) {
    this.next = next
  }

  /** Whether something waits for what is missing before it. */
  get hasGap(): boolean {
    return this.#early.length > 0 || (this.#finAt !== undefined && !this.#hasEnded)
  }

  /** The other side's FIN has come, and everything before it. */
  get hasEnded(): boolean {
    return this.#hasEnded
  }

  /** Whether all of [from, to) has come before its time already. */
  has(from: number, to: number): boolean {
    return this.blocks(Number.POSITIVE_INFINITY).some(([start, end]) => !isBefore(from, start) && !isAfter(to, end))
  }

  /** Takes the bytes at `sequence`; answers those that are in order now. They are copies. */
  take(sequence: number, data: Uint8Array, hasFin: boolean): Uint8Array {
    const to = add(sequence, data.length)
    if (hasFin && this.#finAt === undefined) this.#finAt = to
    const skip = Math.max(0, distance(sequence, this.next))
    if (isAfter(sequence, this.next)) this.#keep(sequence, to, data)
    const inOrder: Uint8Array[] = []
    if (!isAfter(sequence, this.next) && skip < data.length) this.#append(data.slice(skip), inOrder)
    while (this.#early.length > 0 && !isAfter(this.#early[0]!.from, this.next)) {
      const { from, bytes } = this.#early.shift()!
      const known = distance(from, this.next)
      if (known < bytes.length) this.#append(bytes.subarray(known), inOrder)
    }
    if (this.#finAt === this.next && !this.#hasEnded) {
      this.next = add(this.next, 1)
      this.#hasEnded = true
    }
    return inOrder.length === 1 ? inOrder[0]! : joined(inOrder)
  }

  /** The blocks of a SACK option, at most so many. */
  blocks(most: number): Range[] {
    const blocks: [number, number][] = []
    for (const { from, to } of this.#early) {
      const last = blocks.at(-1)
      if (last?.[1] === from) last[1] = to
      else blocks.push([from, to])
    }
    const latest = blocks.findIndex(([from, to]) => !isAfter(from, this.#latest) && isAfter(to, this.#latest))
    if (latest > 0) blocks.unshift(...blocks.splice(latest, 1))
    return blocks.slice(0, most)
  }

  #append(bytes: Uint8Array, to: Uint8Array[]): void {
    to.push(bytes)
    this.next = add(this.next, bytes.length)
  }

  /** Keeps what is new of it. */
  #keep(from: number, to: number, data: Uint8Array): void {
    if (from === to) return
    this.#latest = from
    const kept: Early[] = []
    let start = from
    for (const early of this.#early) {
      if (isBefore(start, early.from) && isBefore(start, to)) {
        const until = isBefore(to, early.from) ? to : early.from
        kept.push(part(start, until, from, data))
      }
      kept.push(early)
      if (isAfter(early.to, start)) start = early.to
    }
    if (isBefore(start, to)) kept.push(part(start, to, from, data))
    this.#early = kept.sort((a, b) => distance(b.from, a.from))
  }
}

function part(from: number, to: number, base: number, data: Uint8Array): Early {
  return { from, to, bytes: data.slice(distance(base, from), distance(base, to)) }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const each of parts) {
    bytes.set(each, at)
    at += each.length
  }
  return bytes
}
