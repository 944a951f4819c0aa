/** A connection that somebody asks a listener for: SYN_RECEIVED, struct request_sock, tcp_check_req. */
import { type Microseconds, SECOND, type Timer } from '../clock.ts'
import { drop, type Journey } from '../observer.ts'
import type { Packet } from '../packet.ts'
import { type Agreed, agree, encodeOffer, type Offer } from './tcp-agreement.ts'
import { add, Flag, isAfter, isBefore, type Segment, type Tuple } from './tcp-segment.ts'
import { type Entry, looksOf, RateLimit, type TcpSettings, type TcpStack, tookSegment } from './tcp-stack.ts'

/** TCP_TIMEOUT_INIT. */
const FIRST_TIMEOUT = SECOND

/** Who is given the connection when the handshake is done. */
export type Complete = (agreed: Agreed, segment: Segment, roundTrip: Microseconds, flowHash: number) => void

export class TcpRequest implements Entry {
  readonly tuple: Tuple
  readonly #stack: TcpStack
  readonly #offer: Offer
  readonly #settings: TcpSettings
  readonly #syn: Segment
  readonly #iss: number
  readonly #complete: Complete
  readonly #limit: RateLimit
  readonly #flowHash: number
  readonly #began: Microseconds
  #timer: Timer | undefined = undefined
  #retransmissions = 0
  #recentTimestamp: number

  constructor(
    stack: TcpStack,
    tuple: Tuple,
    offer: Offer,
    settings: TcpSettings,
    syn: Segment,
    iss: number,
    complete: Complete,
  ) {
    this.#stack = stack
    this.tuple = tuple
    this.#offer = offer
    this.#settings = settings
    this.#syn = syn
    this.#iss = iss
    this.#complete = complete
    this.#limit = new RateLimit(stack)
    this.#flowHash = stack.drawFlowHash()
    this.#began = stack.now
    this.#recentTimestamp = syn.timestamps?.value ?? 0
    stack.add(this)
    tookSegment(syn, this.tuple)
    this.#answer(syn.packet.journey)
    this.#startTimer()
  }

  /** A TTL is only asked of what comes to the listener, or to the connection: tcp_v4_rcv. */
  get admits(): Partial<TcpSettings> {
    return { key: this.#settings.key }
  }

  receive(segment: Segment): void {
    const { sequence, flags, packet, acknowledgement, timestamps, end } = segment
    const { functions } = this.tuple.network
    const expected = add(this.#syn.sequence, 1)
    const isOld = this.#hasTimestamps && timestamps !== undefined && isBefore(timestamps.value, this.#recentTimestamp)
    if (sequence === this.#syn.sequence && (flags & (Flag.syn | Flag.ack | Flag.rst)) === Flag.syn && !isOld) {
      if (this.#limit.allows(segment)) this.#answer(packet.journey)
      this.#end(packet, 'NOT_SPECIFIED', 'OVL_TCP_REPEATED_SYN')
      return
    }
    const isInside = isInWindow(sequence, end, expected, add(expected, this.#offer.window))
    // RFC 5961 §3.2: only the very next number resets.
    if (flags & Flag.rst && isInside && sequence !== expected) {
      if (this.#limit.allowsAny()) this.#acknowledge(packet)
      this.#end(packet, 'NOT_SPECIFIED', 'OVL_TCP_RESET')
      return
    }
    // RFC 9293 §3.10.7.4, fifth: an acknowledgement of something else is answered with a reset.
    if (flags & Flag.ack && acknowledgement !== add(this.#iss, 1)) {
      this.#stack.reset(segment, this.#settings.key)
      drop(packet, 'TCP_FLAGS', functions.tcpSocket, { what: 'acknowledges what was not sent' })
      return
    }
    if (isOld || !isInside) {
      if (!(flags & Flag.rst) && this.#limit.allows(segment)) this.#acknowledge(packet)
      this.#end(packet, isOld ? 'TCP_RFC7323_PAWS' : 'TCP_OVERWINDOW')
      return
    }
    if (flags & Flag.rst) {
      this.#end(packet, 'NOT_SPECIFIED', 'OVL_TCP_RESET')
      this.close()
      return
    }
    // The first SYN's own number is before the window; what follows it counts.
    if (flags & Flag.syn && sequence !== this.#syn.sequence) {
      this.#stack.reset(segment, this.#settings.key)
      this.#end(packet, 'NOT_SPECIFIED', 'OVL_TCP_INVALID_SYN')
      this.close()
      return
    }
    if (!(flags & Flag.ack)) {
      this.#end(packet, 'NOT_SPECIFIED', 'OVL_TCP_NO_ACK')
      return
    }
    this.close()
    const agreed = agree(false, this.#iss, this.#syn.sequence, this.#offer, this.#syn)
    this.#complete(
      { ...agreed, recentTimestamp: timestamps?.value ?? agreed.recentTimestamp },
      segment,
      this.#stack.now - this.#began,
      this.#flowHash,
    )
  }

  /** tcp_req_err */
  error(_packet: Packet, sequence: number, type: number, code: number): void {
    const { network } = this.tuple
    const meaning = network.meaningOf(type, code)
    if (sequence !== this.#iss || !meaning || network.isTooBig(type, code)) return
    if (!meaning.fatal || meaning.errno === 'EPROTO') this.close()
  }

  close(): void {
    this.#stack.namespace.model.clock.cancel(this.#timer)
    this.#stack.remove(this)
  }

  /** The packet ends here: tcp_check_req has no connection for it. */
  #end(packet: Packet, reason: string, own?: string): void {
    drop(packet, reason, this.tuple.network.functions.tcp, { own, what: 'the connection is not there yet' })
  }

  get #hasTimestamps(): boolean {
    return this.#offer.hasTimestamps && this.#syn.timestamps !== undefined
  }

  /** Sends SYN and ACK; what we offer is what was offered to us. */
  #answer(parent: Journey | undefined, cause: 'reply' | 'retransmission' = 'reply'): void {
    const { windowScale, sackPermitted } = this.#syn
    const offer = {
      ...this.#offer,
      hasTimestamps: this.#hasTimestamps,
      hasSack: this.#offer.hasSack && sackPermitted === true,
      hasScale: this.#offer.hasScale && windowScale !== undefined,
    }
    const timestamp = this.#stack.timestamp(offer.timestampOffset)
    this.#stack.send(
      this.tuple,
      {
        sequence: this.#iss,
        acknowledgement: add(this.#syn.sequence, 1),
        flags: Flag.syn | Flag.ack,
        window: offer.window,
        options: encodeOffer(offer, timestamp, this.#recentTimestamp),
      },
      { cause, parent, flowHash: this.#flowHash, ...looksOf(this.#settings) },
    )
  }

  /** tcp_v4_reqsk_send_ack */
  #acknowledge({ journey }: Packet): void {
    const scale = this.#offer.hasScale && this.#syn.windowScale !== undefined ? this.#offer.scale : 0
    this.#stack.send(
      this.tuple,
      {
        sequence: add(this.#iss, 1),
        acknowledgement: add(this.#syn.sequence, 1),
        flags: Flag.ack,
        window: this.#offer.window >>> scale,
      },
      { cause: 'reply', parent: journey, flowHash: this.#flowHash, ...looksOf(this.#settings) },
    )
  }

  #startTimer(): void {
    const { model, ipv4 } = this.#stack.namespace
    this.#timer = model.clock.after(FIRST_TIMEOUT * 2 ** this.#retransmissions, () => {
      if (this.#retransmissions >= ipv4.settings.tcp_synack_retries) {
        this.close()
        return
      }
      this.#retransmissions++
      this.#answer(this.#syn.packet.journey, 'retransmission')
      this.#startTimer()
      model.settle()
    })
  }
}

/** tcp_in_window */
function isInWindow(sequence: number, end: number, from: number, to: number): boolean {
  if (sequence === from) return true
  if (isAfter(end, from) && isBefore(sequence, to)) return true
  return sequence === to && end === sequence
}
