/**
 * How an established TCP connection sends: tcp_write_xmit, tcp_transmit_skb, tcp_retransmit_timer, tcp_probe_timer,
 * tcp_select_window. The two
 * queues are here; what a segment that came means to the connection stands in tcp-socket.ts.
 */
import type { Microseconds, Timer } from '../clock.ts'
import type { Journey } from '../observer.ts'
import { type Agreed, DEFAULT_MSS, TIMESTAMPS_LENGTH } from './tcp-agreement.ts'
import { ReceiveQueue } from './tcp-receive.ts'
import { RoundTrip, timeoutAfter } from './tcp-rtt.ts'
import {
  add,
  distance,
  encodeOptions,
  Flag,
  isBefore,
  type Segment,
  SIGNATURE_LENGTH,
  TCP_HEADER,
  type Tuple,
} from './tcp-segment.ts'
import { SendQueue, type Sent } from './tcp-send.ts'
import { looksOf, type TcpSettings, type TcpStack } from './tcp-stack.ts'

/** As many as a header has room for. */
const SACK_BLOCKS = { withTimestamps: 3, signed: 2, without: 4 }
/** Below this nobody goes: tcp_min_snd_mss. */
const MIN_MSS = 48

export class Transmission {
  readonly agreed: Agreed
  readonly send: SendQueue
  readonly receive: ReceiveQueue
  /** Their last timestamp: ts_recent. */
  recentTimestamp: number
  /** What goes out now answers a packet that somebody follows. */
  cause: Journey | undefined = undefined
  readonly #stack: TcpStack
  readonly #tuple: Tuple
  readonly #settings: TcpSettings
  readonly #onTimeout: () => void
  readonly #roundTrip: RoundTrip
  #identification: number
  #flowHash: number
  #timer: Timer | undefined = undefined
  /** When the segment that is waited for was sent again first. */
  #firstRetransmission: Microseconds | undefined = undefined
  /** RCV.WND as it was told last, and RCV.NXT then: rcv_wnd, rcv_wup. */
  #window: number
  #windowAt: number
  /** The longest segment that came, as far as it matters: rcv_mss. */
  #largest: number
  /** Bytes that came and that nobody has read. */
  #unread = 0
  /** The timer asks for a window, and does not send again. */
  #isProbing = false
  #mss = 0

  /** `onTimeout`: the other side was not heard for too long. */
  constructor(
    stack: TcpStack,
    tuple: Tuple,
    settings: TcpSettings,
    agreed: Agreed,
    { identification, flowHash }: { readonly identification: number; readonly flowHash: number },
    onTimeout: () => void,
  ) {
    this.#stack = stack
    this.#tuple = tuple
    this.#settings = settings
    this.agreed = agreed
    this.#onTimeout = onTimeout
    this.#identification = identification
    this.#flowHash = flowHash
    this.#roundTrip = new RoundTrip(stack.timeouts)
    this.send = new SendQueue(add(agreed.iss, 1))
    this.receive = new ReceiveQueue(add(agreed.irs, 1))
    this.recentTimestamp = agreed.recentTimestamp
    this.#window = agreed.ours.window
    this.#windowAt = this.receive.next
    this.#largest = Math.min(agreed.mss, agreed.ours.mss, DEFAULT_MSS)
  }

  /** The last number of the window that the other side may fill: rcv_wup + rcv_wnd. */
  get windowEnd(): number {
    return add(this.#windowAt, this.#window)
  }

  get windowStart(): number {
    return this.#windowAt
  }

  /** Sends what may go out now: whether there was something. */
  push(): boolean {
    let pushed = false
    for (;;) {
      const mss = this.#currentMss()
      const segment = this.send.take(mss, this.#stack.now, pushed)
      if (!segment) break
      this.#transmit(segment)
      pushed = true
    }
    if (pushed && this.#isProbing) this.stop()
    // That the window opens may be told in a segment that is lost.
    this.#isProbing = this.send.sent.length === 0 && this.send.hasUnsent
    if (this.send.sent.length === 0 && !this.#isProbing) this.stop()
    else if (!this.#timer?.pending) this.#startTimer()
    return pushed
  }

  acknowledge(): void {
    this.control(Flag.ack)
  }

  /** A segment without data: ACK, or RST with ACK. */
  control(flags: number): void {
    this.#emit(this.send.next, flags, undefined, this.cause, 'reply')
  }

  /** tcp_ack: SND.UNA moves, the timer starts anew. */
  heard({ acknowledgement, sack, dataLength }: Segment): void {
    if (this.#isProbing) this.#firstRetransmission = undefined
    this.#largest = Math.max(this.#largest, dataLength)
    const isNew = isBefore(this.send.una, acknowledgement)
    const sentAt = this.send.acknowledge(acknowledgement, (this.agreed.hasSack && sack) || [])
    if (!isNew) return
    this.#firstRetransmission = undefined
    if (sentAt === undefined) this.#roundTrip.restore()
    else this.#roundTrip.measured(this.#stack.now - sentAt)
    this.stop()
  }

  /** How long the handshake took. */
  measured(roundTrip: Microseconds): void {
    this.#roundTrip.measured(roundTrip)
  }

  /** A shorter path MTU is known: tcp_v4_mtu_reduced. */
  resegment(): void {
    const before = this.#mss
    const mss = this.#currentMss()
    if (mss < before) this.send.shrink(mss)
    this.push()
  }

  stop(): void {
    this.#stack.namespace.model.clock.cancel(this.#timer)
    this.#timer = undefined
  }

  /** What the other side is told of our window; what was told before stays true. tcp_select_window, __tcp_select_window. */
  selectWindow(): number {
    const { scale } = this.agreed
    const space = this.#space
    const current = Math.max(0, distance(this.receive.next, this.windowEnd))
    let window = current
    if (scale > 0) window = Math.max(alignUp(space, scale), alignUp(current, scale))
    else if (current <= space - this.#largest) window = Math.max(current, space - (space % this.#largest))
    this.#window = window
    this.#windowAt = this.receive.next
    return scale > 0 ? Math.min(window >>> scale, 0xffff) : window
  }

  /** Bytes that came wait to be read. */
  keep(bytes: number): void {
    this.#unread += bytes
  }

  /** All was read: tcp_cleanup_rbuf. The other side is told when that opens the window by much. */
  readAll(): void {
    this.#unread = 0
    const told = Math.max(0, distance(this.receive.next, this.windowEnd))
    if (!this.receive.hasEnded && 2 * told <= this.agreed.ours.window) this.acknowledge()
  }

  /** What there is room for: __tcp_select_window. Less than a segment is nothing. */
  get #space(): number {
    const space = Math.max(0, this.agreed.ours.window - this.#unread)
    return this.#unread > 0 && space < this.#largest ? 0 : space
  }

  #startTimer(): void {
    const { clock } = this.#stack.namespace.model
    this.#timer = clock.after(this.#roundTrip.timeout, () => this.#timedOut())
  }

  #timedOut(): void {
    const { now } = this.#stack
    const { settings } = this.#stack.namespace.ipv4
    if (
      this.#firstRetransmission !== undefined &&
      now - this.#firstRetransmission >= timeoutAfter(settings.tcp_retries2, this.#stack.timeouts)
    ) {
      this.#onTimeout()
      return
    }
    this.#firstRetransmission ??= now
    this.#roundTrip.double()
    if (this.#isProbing) {
      // tcp_xmit_probe_skb: a number that was acknowledged is answered with the window.
      this.#emit(add(this.send.una, -1), Flag.ack, undefined, undefined, 'retransmission')
      this.#startTimer()
      this.#stack.namespace.model.settle()
      return
    }
    this.send.timeOut()
    // sk_rethink_txhash: perhaps another way is better.
    this.#flowHash = this.#stack.drawFlowHash()
    this.cause = undefined
    this.push()
    this.#stack.namespace.model.settle()
  }

  #transmit(segment: Sent): void {
    const isAgain = segment.retransmissions > 0
    const flags = Flag.ack | (this.send.hasPush(segment) ? Flag.psh : 0) | (this.send.hasFin(segment) ? Flag.fin : 0)
    const parent = isAgain ? (segment.journey ?? this.cause) : this.cause
    const data = this.send.bytesOf(segment)
    segment.journey = this.#emit(segment.from, flags, data, parent, isAgain ? 'retransmission' : 'reply')
  }

  #emit(
    sequence: number,
    flags: number,
    data: Uint8Array | undefined,
    parent: Journey | undefined,
    cause: 'reply' | 'retransmission',
  ): Journey | undefined {
    const identification = this.#identification
    this.#identification = (identification + 1) & 0xffff
    return this.#stack.send(
      this.#tuple,
      {
        sequence,
        acknowledgement: this.receive.next,
        flags,
        window: this.selectWindow(),
        options: this.#options(),
        ...(data && { data }),
      },
      { cause, parent, identification, flowHash: this.#flowHash, ...looksOf(this.#settings) },
    )
  }

  #options(): Uint8Array {
    const { hasTimestamps, hasSack, ours } = this.agreed
    return encodeOptions({
      ...(hasTimestamps && {
        timestamps: { value: this.#stack.timestamp(ours.timestampOffset), echo: this.recentTimestamp },
      }),
      ...(hasSack && {
        sack: this.receive.takeBlocks(
          this.#mostBlocks,
          this.#stack.namespace.sysctl.number('net/ipv4/tcp_dsack') !== 0,
        ),
      }),
    })
  }

  /** tcp_current_mss, tcp_sync_mss: bytes of data that a segment may have now. */
  #currentMss(): number {
    const { network } = this.#tuple
    const route = this.#stack.route(this.#tuple)
    if (typeof route === 'string') return this.#mss || DEFAULT_MSS
    const { agreed, send } = this
    let mss = Math.min(route.mtu - network.headerLength - TCP_HEADER, agreed.mss)
    mss = Math.max(mss, MIN_MSS) - (agreed.hasTimestamps ? TIMESTAMPS_LENGTH : 0)
    if (this.#settings.key) mss -= SIGNATURE_LENGTH
    // tcp_bound_to_half_wnd
    const half = send.widestWindow > DEFAULT_MSS ? Math.floor(send.widestWindow / 2) : send.widestWindow
    if (half > 0) mss = Math.min(mss, Math.max(half, MIN_MSS))
    this.#mss = mss
    if (!agreed.hasSack || this.receive.blockCount === 0) return mss
    return mss - (4 + 8 * Math.min(this.receive.blockCount, this.#mostBlocks))
  }

  get #mostBlocks(): number {
    if (this.agreed.hasTimestamps) return SACK_BLOCKS.withTimestamps
    return this.#settings.key ? SACK_BLOCKS.signed : SACK_BLOCKS.without
  }
}

/** The window, up to the next number that has `scale` zero bits at its end. */
function alignUp(window: number, scale: number): number {
  const unit = 1 << scale
  return Math.ceil(window / unit) * unit
}
