/**
 * What a TCP connection has to send: bytes that were written, cut into segments as they go out, kept until they are
 * acknowledged. RFC 9293 §3.7, RFC 6675 in short; net/ipv4/tcp_output.c.
 *
 *      una          next                end
 *       │ sent       │ written           │ FIN
 *       ├────┬────┬──┼───────────────────┤
 *
 * There is no congestion control: the window of ten segments opens by one for each that is acknowledged, closes to one when
 * the timer runs out, and nothing else changes it.
 */
import type { Microseconds } from '../clock.ts'
import type { Journey } from '../observer.ts'
import { add, distance, isAfter, isBefore, type Range } from './tcp-segment.ts'

/** TCP_INIT_CWND, RFC 6928. */
const INITIAL_WINDOW = 10
/** Segments beyond a gap that make it a loss: tcp_reordering. */
const DUPLICATE_THRESHOLD = 3

export interface Sent {
  from: number
  /** Behind its last byte; a FIN counts. */
  to: number
  sentAt: Microseconds
  /** How often it was sent again. */
  retransmissions: number
  isSacked: boolean
  /** It is to be sent again. */
  isLost: boolean
  journey: Journey | undefined
}

export class SendQueue {
  /** SND.UNA, SND.NXT. */
  una: number
  next: number
  /** The other side's window, and the widest that it has been. */
  window = 0
  widestWindow = 0
  congestionWindow = INITIAL_WINDOW
  /** Short segments do not wait: TCP_NODELAY. */
  noDelay = false
  #bytes = new Uint8Array(0)
  /** Sequence number of the first of #bytes. */
  #base: number
  /** Where written bytes end, and whether FIN follows. */
  #end: number
  #isEnding = false
  /** Where writes ended that are not acknowledged: PSH goes with the bytes before. */
  #pushes: number[] = []
  /** Behind the last segment that was shorter than it could have been: tp->snd_sml. */
  #smallEnd: number
  #duplicates = 0
  #sent: Sent[] = []

  constructor(first: number) {
    this.una = first
    this.next = first
    this.#base = first
    this.#end = first
    this.#smallEnd = first
  }

  get sent(): readonly Sent[] {
    return this.#sent
  }

  /** Nothing is left: all is acknowledged, FIN too. */
  get isDone(): boolean {
    return this.#isEnding && this.una === add(this.#end, 1)
  }

  get hasUnsent(): boolean {
    return isBefore(this.next, this.#isEnding ? add(this.#end, 1) : this.#end)
  }

  /** Written and not acknowledged. */
  get kept(): number {
    return Math.max(0, distance(this.una, this.#end))
  }

  write(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    const kept = distance(this.#base, this.#end)
    const all = new Uint8Array(kept + bytes.length)
    all.set(this.#bytes.subarray(0, kept))
    all.set(bytes, kept)
    this.#bytes = all
    this.#end = add(this.#end, bytes.length)
    this.#pushes.push(this.#end)
  }

  finish(): void {
    this.#isEnding = true
  }

  /** The bytes of a segment, without its FIN. */
  bytesOf({ from, to }: Pick<Sent, 'from' | 'to'>): Uint8Array {
    const end = isAfter(to, this.#end) ? this.#end : to
    return this.#bytes.subarray(distance(this.#base, from), distance(this.#base, end))
  }

  hasFin({ to }: Pick<Sent, 'to'>): boolean {
    return isAfter(to, this.#end)
  }

  hasPush({ from, to }: Pick<Sent, 'from' | 'to'>): boolean {
    const end = this.hasFin({ to }) ? this.#end : to
    return from !== end && this.#pushes.includes(end)
  }

  /**
   * The next segment that may go out: lost ones first. Undefined when nothing may. tcp_write_xmit, tcp_xmit_retransmit_queue.
   * `isBurst`: it follows one that was taken a moment ago.
   */
  take(mss: number, now: Microseconds, isBurst: boolean): Sent | undefined {
    if (this.#inFlight(mss) >= this.congestionWindow) return undefined
    const lost = this.#sent.find(({ isLost }) => isLost)
    if (lost) return this.#again(lost, mss, now)
    return this.#takeNew(mss, now, isBurst)
  }

  #takeNew(mss: number, now: Microseconds, isBurst: boolean): Sent | undefined {
    const unsent = Math.max(0, distance(this.next, this.#end))
    const fin = this.#isEnding && this.hasUnsent
    const room = distance(this.next, add(this.una, this.window))
    const wanted = Math.min(unsent, mss)
    // What the window cuts short goes along with a full one, or not at all: tcp_snd_wnd_test, tcp_mss_split_point.
    const length = room < wanted && isBurst ? Math.max(0, room) : wanted
    if (length > Math.max(0, room) || (length === 0 && (unsent > 0 || !fin))) return undefined
    const isLast = length === unsent
    // Nagle as Minshall has it: a short one waits while another short one is on its way. The end does not wait.
    const isShort = length < mss
    if (isShort && !this.noDelay && !(fin && isLast) && isAfter(this.#smallEnd, this.una)) return undefined
    const to = add(this.next, length + (fin && isLast ? 1 : 0))
    if (isShort && length > 0) this.#smallEnd = to
    const segment: Sent = {
      from: this.next,
      to,
      sentAt: now,
      retransmissions: 0,
      isSacked: false,
      isLost: false,
      journey: undefined,
    }
    this.#sent.push(segment)
    this.next = to
    return segment
  }

  #again(lost: Sent, mss: number, now: Microseconds): Sent {
    const length = distance(lost.from, lost.to)
    if (length > mss && this.bytesOf(lost).length > mss) {
      const rest: Sent = { ...lost, from: add(lost.from, mss) }
      lost.to = rest.from
      this.#sent.splice(this.#sent.indexOf(lost) + 1, 0, rest)
    }
    lost.isLost = false
    lost.retransmissions++
    lost.sentAt = now
    return lost
  }

  /**
   * tcp_ack: everything before `to` has come, and the blocks behind it. Answers when the newest segment that this tells of
   * was sent, where that is certain (Karn); undefined else.
   */
  acknowledge(to: number, blocks: readonly Range[]): Microseconds | undefined {
    const isNew = isAfter(to, this.una)
    let sentAt: Microseconds | undefined
    let certain = true
    if (isNew) {
      let count = 0
      while (this.#sent.length > 0 && !isAfter(this.#sent[0]!.to, to)) {
        const segment = this.#sent.shift()!
        count++
        if (segment.retransmissions > 0) certain = false
        if (!segment.isSacked) sentAt = segment.sentAt
      }
      const first = this.#sent[0]
      if (first && isBefore(first.from, to)) first.from = to
      this.una = to
      this.congestionWindow += count
      this.#pushes = this.#pushes.filter((push) => isAfter(push, to))
      this.#forget()
      this.#duplicates = 0
    } else if (this.#sent.length > 0 && blocks.length === 0) this.#duplicates++
    for (const segment of this.#sent) {
      if (blocks.some(([from, end]) => !isBefore(segment.from, from) && !isAfter(segment.to, end))) {
        segment.isSacked = true
        segment.isLost = false
      }
    }
    this.#detectLosses()
    return certain ? sentAt : undefined
  }

  /** Everything that is not known to have come is lost: tcp_enter_loss. */
  timeOut(): void {
    for (const segment of this.#sent) segment.isLost = !segment.isSacked
    this.congestionWindow = 1
    this.#duplicates = 0
  }

  /** tcp_simple_retransmit: what does not fit any more has not arrived. It is joined, to be cut up anew. */
  shrink(mss: number): void {
    const kept: Sent[] = []
    for (const segment of this.#sent) {
      const isTooLong = !segment.isSacked && this.bytesOf(segment).length > mss
      const last = kept.at(-1)
      if (isTooLong && last?.isLost && last.to === segment.from) last.to = segment.to
      else kept.push(segment)
      if (isTooLong) kept.at(-1)!.isLost = true
    }
    this.#sent = kept
  }

  /** RFC 6675 §4 IsLost, for segments; without SACK three duplicate acknowledgements stand for it. */
  #detectLosses(): void {
    let above = 0
    for (let i = this.#sent.length - 1; i >= 0; i--) {
      const segment = this.#sent[i]!
      if (segment.isSacked) above++
      else if (above >= DUPLICATE_THRESHOLD && segment.retransmissions === 0) segment.isLost = true
    }
    const first = this.#sent[0]
    if (first && this.#duplicates === DUPLICATE_THRESHOLD && first.retransmissions === 0) first.isLost = true
  }

  /** Segments on their way: tcp_packets_in_flight. */
  #inFlight(mss: number): number {
    let count = 0
    for (const segment of this.#sent) {
      if (!segment.isSacked && !segment.isLost)
        count += Math.max(1, Math.ceil(distance(segment.from, segment.to) / mss))
    }
    return count
  }

  /** Gives acknowledged bytes back, when they are half of what there is: each is moved once or twice, not with every segment. */
  #forget(): void {
    const end = isAfter(this.una, this.#end) ? this.#end : this.una
    const count = distance(this.#base, end)
    if (2 * count < this.#bytes.length) return
    this.#bytes = this.#bytes.slice(count)
    this.#base = end
  }
}
