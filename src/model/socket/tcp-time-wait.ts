/** A connection that was: TIME_WAIT of RFC 9293 §3.10.7.4, tcp_timewait_state_process. */
import { SECOND, type Timer } from '../clock.ts'
import { drop } from '../observer.ts'
import { add, encodeOptions, Flag, isAfter, isBefore, type Segment, type Tuple } from './tcp-segment.ts'
import { type Entry, type Outgoing, RateLimit, type TcpStack } from './tcp-stack.ts'

/** TCP_TIMEWAIT_LEN. */
const LENGTH = 60 * SECOND
/** How far ahead a new connection begins that takes the old one's place: RFC 9293 §3.4.3. */
const NEW_BEGINNING = 65_535 + 2

/** What is kept of the connection. */
export interface Remains {
  readonly sendNext: number
  readonly receiveNext: number
  /** As it goes into headers. */
  readonly window: number
  readonly timestamps: { readonly offset: number; readonly recent: number } | undefined
  /** tw_tos, tw_md5_key */
  readonly looks: Pick<Outgoing, 'tos' | 'key'>
}

export class TcpTimeWait implements Entry {
  readonly tuple: Tuple
  readonly admits = undefined
  readonly #stack: TcpStack
  readonly #remains: Remains
  readonly #limit: RateLimit
  #timer: Timer | undefined = undefined

  constructor(stack: TcpStack, tuple: Tuple, remains: Remains) {
    this.#stack = stack
    this.tuple = tuple
    this.#remains = remains
    this.#limit = new RateLimit(stack)
    stack.add(this)
    this.#start()
  }

  receive(segment: Segment): void {
    const { sequence, end, flags, timestamps } = segment
    const { receiveNext, sendNext, timestamps: ours } = this.#remains
    const isOld = ours !== undefined && timestamps !== undefined && isBefore(timestamps.value, ours.recent)
    if (!isOld && sequence === receiveNext && (sequence === end || flags & Flag.rst)) {
      // RFC 1337 is not followed: net/ipv4/tcp_rfc1337 is 0.
      if (flags & Flag.rst) this.#end()
      else this.#start()
      this.#drop(segment)
      return
    }
    const isNewer =
      isAfter(sequence, receiveNext) ||
      (ours !== undefined && timestamps !== undefined && isAfter(timestamps.value, ours.recent))
    if (flags & Flag.syn && !(flags & (Flag.rst | Flag.ack)) && !isOld && isNewer) {
      const listener = this.#stack.listenerFor(segment)
      if (listener) {
        this.#end()
        listener.open(segment, add(sendNext, NEW_BEGINNING))
        return
      }
    }
    if (!(flags & Flag.rst)) {
      if (isOld || flags & Flag.ack) this.#start()
      if (this.#limit.allows(segment)) this.#acknowledge(segment)
    }
    this.#drop(segment)
  }

  error(): void {}

  /** The kernel has no reason of its own for it. */
  #drop({ packet }: Segment): void {
    drop(packet, 'NOT_SPECIFIED', this.tuple.network.functions.tcp, {
      own: 'OVL_TCP_TIME_WAIT',
      what: 'the connection has ended',
    })
  }

  #acknowledge({ packet }: Segment): void {
    const { sendNext, receiveNext, window, timestamps, looks } = this.#remains
    const options = encodeOptions(
      timestamps ? { timestamps: { value: this.#stack.timestamp(timestamps.offset), echo: timestamps.recent } } : {},
    )
    this.#stack.send(
      this.tuple,
      { sequence: sendNext, acknowledgement: receiveNext, flags: Flag.ack, window, options },
      { cause: 'reply', parent: packet.journey, ...looks },
    )
  }

  #start(): void {
    const { clock } = this.#stack.namespace.model
    clock.cancel(this.#timer)
    this.#timer = clock.after(LENGTH, () => this.#end())
  }

  #end(): void {
    this.#stack.namespace.model.clock.cancel(this.#timer)
    this.#stack.remove(this)
  }
}
