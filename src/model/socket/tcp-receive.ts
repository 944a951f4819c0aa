/**
 * What a TCP connection has received: in order it goes on, out of order it waits. RFC 9293 §3.10.7.4, RFC 2018.
 * net/ipv4/tcp_input.c: tcp_data_queue, tcp_data_queue_ofo.
 */
import { add, distance, isAfter, isBefore, type Range } from './tcp-segment.ts'

/** TCP_NUM_SACKS */
const MOST_BLOCKS = 4

/** What came before its time; a FIN counts behind its bytes. */
interface Early {
  readonly from: number
  readonly to: number
  readonly bytes: Uint8Array
}

export class ReceiveQueue {
  /** RCV.NXT */
  next: number
  #hasEnded = false
  /** By sequence number, without overlaps. */
  #early: Early[] = []
  /** What of it SACK tells, the block that grew last first: RFC 2018 §4, tcp_sack_new_ofo_skb. */
  #blocks: Range[] = []
  /** What has come more than once, and was not told yet. */
  #duplicate: Range | undefined = undefined

  constructor(next: number) {
    this.next = next
  }

  /** The other side's FIN has come, and everything before it. */
  get hasEnded(): boolean {
    return this.#hasEnded
  }

  /** Whether all of [from, to) has come before its time already. */
  has(from: number, to: number): boolean {
    let missing = from
    for (const early of this.#early) if (!isAfter(early.from, missing) && isAfter(early.to, missing)) missing = early.to
    return !isBefore(missing, to)
  }

  /** Takes the bytes at `sequence`; answers those that are in order now. They are copies. */
  take(sequence: number, data: Uint8Array, hasFin: boolean): Uint8Array {
    const to = add(sequence, data.length + (hasFin ? 1 : 0))
    if (isBefore(sequence, this.next)) this.cameTwice(sequence, to)
    const inOrder: Uint8Array[] = []
    if (isAfter(sequence, this.next)) this.#keep(sequence, to, data)
    else this.#accept({ from: sequence, to, bytes: data }, inOrder)
    const reached = this.next
    while (this.#early.length > 0 && !isAfter(this.#early[0]!.from, this.next)) {
      const early = this.#early.shift()!
      // tcp_ofo_queue
      if (isBefore(early.from, reached))
        this.#cameTwiceToo(early.from, isBefore(early.to, reached) ? early.to : reached)
      this.#accept(early, inOrder)
    }
    if (this.#hasEnded) this.#early = []
    this.#blocks = this.#early.length === 0 ? [] : this.#blocks.filter(([, end]) => isAfter(end, this.next))
    return inOrder.length === 1 ? inOrder[0]! : joined(inOrder)
  }

  /** The blocks of a SACK option, at most so many: a duplicate first (RFC 2883, if that is wanted), which is told once. */
  takeBlocks(most: number, withDuplicate: boolean): Range[] {
    const blocks = withDuplicate && this.#duplicate ? [this.#duplicate, ...this.#blocks] : this.#blocks
    this.#duplicate = undefined
    return blocks.slice(0, most)
  }

  get blockCount(): number {
    return this.#blocks.length + (this.#duplicate ? 1 : 0)
  }

  /** What of [from, to) has come before: tcp_dsack_set. */
  cameTwice(from: number, to: number): void {
    const end = isAfter(to, this.next) && !isAfter(from, this.next) ? this.next : to
    if (isBefore(from, end)) this.#duplicate = [from, end]
  }

  /** tcp_dsack_extend: beside what is to be told anyway, if it goes on there. */
  #cameTwiceToo(from: number, to: number): void {
    const known = this.#duplicate
    if (!known) this.#duplicate = [from, to]
    else if (touch(known, [from, to])) this.#duplicate = union(known, [from, to])
  }

  /** What is new of it is in order now. */
  #accept({ from, to, bytes }: Early, inOrder: Uint8Array[]): void {
    if (this.#hasEnded) return
    const known = distance(from, this.next)
    if (known < bytes.length) {
      inOrder.push(bytes.slice(known))
      this.next = add(from, bytes.length)
    }
    const hasFin = distance(from, to) > bytes.length
    if (!hasFin || this.next !== add(from, bytes.length)) return
    this.next = to
    this.#hasEnded = true
  }

  /** The block that it is part of comes first; blocks that it joins become one. */
  #tell(from: number, to: number): void {
    let block: Range = [from, to]
    const others = this.#blocks.filter((other) => {
      if (!touch(block, other)) return true
      block = union(block, other)
      return false
    })
    this.#blocks = [block, ...others].slice(0, MOST_BLOCKS)
  }

  /** Keeps what is new of it. */
  #keep(from: number, to: number, data: Uint8Array): void {
    if (from === to) return
    this.#tell(from, to)
    const kept: Early[] = []
    let start = from
    for (const early of this.#early) {
      if (isBefore(from, early.to) && isBefore(early.from, to)) {
        this.cameTwice(isBefore(from, early.from) ? early.from : from, isBefore(to, early.to) ? to : early.to)
      }
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

/** Whether both have a number in common, or one goes on where the other ends. */
function touch([from, to]: Range, [otherFrom, otherTo]: Range): boolean {
  return !isAfter(from, otherTo) && !isAfter(otherFrom, to)
}

function union([from, to]: Range, [otherFrom, otherTo]: Range): Range {
  return [isBefore(otherFrom, from) ? otherFrom : from, isAfter(otherTo, to) ? otherTo : to]
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
