/** A connection that we ask for: SYN_SENT, tcp_connect and tcp_rcv_synsent_state_process. */
import { MILLISECOND, type Microseconds, SECOND, type Timer } from '../clock.ts'
import { drop, type Journey, unsupported } from '../observer.ts'
import { type Agreed, agree, encodeOffer, type Offer } from './tcp-agreement.ts'
import { add, distance, Flag, type Segment, type Tuple } from './tcp-segment.ts'
import { looksOf, type TcpSettings, type TcpStack, tookSegment } from './tcp-stack.ts'

/** TCP_TIMEOUT_INIT. */
const FIRST_TIMEOUT = SECOND
/** TCP_TIMEOUT_MIN, two ticks of a kernel with 1000 a second. */
const RETRY_TIMEOUT = 2 * MILLISECOND

export interface OpeningEvents {
  /** The other side's SYN and ACK have come, `roundTrip` after ours went out; undefined where ours went out twice. */
  agreed(agreed: Agreed, segment: Segment, roundTrip: Microseconds | undefined): void
  failed(errno: string): void
}

export class Opening {
  readonly iss: number
  readonly flowHash: number
  readonly #stack: TcpStack
  readonly #tuple: Tuple
  readonly #offer: Offer
  readonly #settings: TcpSettings
  readonly #events: OpeningEvents
  #identification: number
  #journey: Journey | undefined = undefined
  #timer: Timer | undefined = undefined
  #timeout: Microseconds = FIRST_TIMEOUT
  #retransmissions = 0
  #sentAt: Microseconds = 0

  constructor(stack: TcpStack, tuple: Tuple, offer: Offer, settings: TcpSettings, events: OpeningEvents) {
    const { random } = stack.namespace.model
    this.#stack = stack
    this.#tuple = tuple
    this.#offer = offer
    this.#settings = settings
    this.#events = events
    this.iss = random.bits('isn')
    this.flowHash = stack.drawFlowHash()
    this.#identification = random.below('ipId', 0x10000)
  }

  /** Number of the next IPv4 packet. */
  get identification(): number {
    return this.#identification
  }

  send(): void {
    const isAgain = this.#retransmissions > 0
    this.#sentAt = this.#stack.now
    const identification = this.#identification
    this.#identification = (identification + 1) & 0xffff
    this.#journey = this.#stack.send(
      this.#tuple,
      {
        sequence: this.iss,
        acknowledgement: 0,
        flags: Flag.syn,
        window: this.#offer.window,
        options: encodeOffer(this.#offer, this.#stack.timestamp(this.#offer.timestampOffset), 0),
      },
      {
        cause: isAgain ? 'retransmission' : 'sent',
        parent: isAgain ? this.#journey : undefined,
        identification,
        flowHash: this.flowHash,
        ...looksOf(this.#settings),
      },
    )
    this.#startTimer()
  }

  receive(segment: Segment): void {
    const { flags, acknowledgement, packet, timestamps, sequence } = segment
    const isAcknowledged = (flags & Flag.ack) !== 0
    // "If SEG.ACK =< ISS or SEG.ACK > SND.NXT, send a reset": RFC 9293 §3.10.7.3.
    if (isAcknowledged && acknowledgement !== add(this.iss, 1)) {
      this.#stack.reset(segment, this.#settings.key)
      // What remains of an older connection answered, and is reset now: it is worth another try.
      if (this.#retransmissions === 0) this.#startTimer(RETRY_TIMEOUT)
      drop(packet, 'TCP_INVALID_ACK_SEQUENCE', this.#tuple.network.functions.tcpSocket)
      return
    }
    if (isAcknowledged && timestamps?.echo && !this.#couldHaveSent(timestamps.echo)) {
      this.#stack.reset(segment, this.#settings.key)
      drop(packet, 'TCP_RFC7323_TSECR', this.#tuple.network.functions.tcpSocket)
      return
    }
    if (flags & Flag.rst) {
      if (isAcknowledged) {
        tookSegment(segment, this.#tuple)
        this.#events.failed('ECONNREFUSED')
      } else drop(packet, 'TCP_RESET', 'tcp_rcv_state_process')
      return
    }
    if (!(flags & Flag.syn)) {
      const details = { own: isAcknowledged ? undefined : 'OVL_TCP_NO_SYN', what: 'an answer to a SYN without SYN' }
      drop(packet, isAcknowledged ? 'TCP_FLAGS' : 'NOT_SPECIFIED', 'tcp_rcv_state_process', details)
      return
    }
    if (!isAcknowledged) {
      unsupported(packet, 'TCP simultaneous open')
      return
    }
    this.stop()
    const roundTrip = this.#retransmissions > 0 ? undefined : this.#stack.now - this.#sentAt
    this.#events.agreed(agree(true, this.iss, sequence, this.#offer, segment), segment, roundTrip)
  }

  stop(): void {
    this.#stack.namespace.model.clock.cancel(this.#timer)
  }

  /** A timestamp that we sent: RFC 7323 §5.4. */
  #couldHaveSent(echo: number): boolean {
    const now = this.#stack.timestamp(this.#offer.timestampOffset)
    const since = Math.floor((this.#stack.now - this.#sentAt) / 1000) + 1
    return distance(echo, now) >= 0 && (this.#retransmissions > 0 || distance(echo, now) <= since)
  }

  /** tcp_retransmit_timer: the first few times it waits no longer than before, tcp_syn_linear_timeouts. */
  #startTimer(timeout = this.#timeout): void {
    const { model, ipv4 } = this.#stack.namespace
    const { tcp_syn_retries, tcp_syn_linear_timeouts } = ipv4.settings
    this.stop()
    this.#timer = model.clock.after(timeout, () => {
      if (this.#retransmissions >= tcp_syn_retries + tcp_syn_linear_timeouts) {
        this.#events.failed('ETIMEDOUT')
        return
      }
      if (this.#retransmissions >= tcp_syn_linear_timeouts) this.#timeout *= 2
      this.#retransmissions++
      this.send()
      model.settle()
    })
  }
}
