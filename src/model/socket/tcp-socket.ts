/**
 * A TCP connection: RFC 9293 §3.10.7.4, as tcp_rcv_established and tcp_rcv_state_process have it. SYN_SENT stands in
 * tcp-opening.ts, SYN_RECEIVED in tcp-request.ts, TIME_WAIT in tcp-time-wait.ts.
 *
 *      SYN_SENT ──> ESTABLISHED ──FIN──> CLOSE_WAIT ──end──> LAST_ACK ──> gone
 *                       │ end
 *                   FIN_WAIT1 ──ack──> FIN_WAIT2 ──FIN──> TIME_WAIT
 *                       └──FIN──> CLOSING ──ack──> TIME_WAIT
 *
 * A segment is worked off in the kernel's order: what may go out now, the acknowledgement, and last the application, which may
 * write, end or abort at once.
 */
import { formatIp } from '../../address/ip.ts'
import { KernelError } from '../../kernel/errors.ts'
import type { Endpoint, TcpConnection, TcpEvents, TcpOptions } from '../../kernel/socket.ts'
import type { Microseconds } from '../clock.ts'
import { drop } from '../observer.ts'
import type { Packet } from '../packet.ts'
import type { Agreed, Offer } from './tcp-agreement.ts'
import { Opening } from './tcp-opening.ts'
import { add, distance, Flag, isAfter, isBefore, type Segment, type Tuple } from './tcp-segment.ts'
import { type Entry, RateLimit, type TcpSettings, type TcpStack, tookSegment } from './tcp-stack.ts'
import { TcpTimeWait } from './tcp-time-wait.ts'
import { Transmission } from './tcp-transmission.ts'

export type TcpState =
  | 'SYN_SENT'
  | 'ESTABLISHED'
  | 'FIN_WAIT1'
  | 'FIN_WAIT2'
  | 'CLOSE_WAIT'
  | 'CLOSING'
  | 'LAST_ACK'
  | 'TIME_WAIT'
  | 'CLOSED'

const NOTHING = new Uint8Array(0)
const STATE_PROCESS = 'tcp_rcv_state_process'

/** How a connection came about that a listener hands over. */
export interface Handshake {
  readonly roundTrip: Microseconds
  readonly flowHash: number
  readonly synTtl: number | undefined
}

export class TcpSocket implements TcpConnection, Entry {
  readonly tuple: Tuple
  readonly local: Endpoint
  readonly remote: Endpoint
  synTtl: number | undefined = undefined
  readonly #settings: TcpSettings
  #state: TcpState = 'SYN_SENT'
  readonly #stack: TcpStack
  readonly #limit: RateLimit
  #events: TcpEvents = {}
  #opening: Opening | undefined = undefined
  #transmission: Transmission | undefined = undefined
  /** What was written and found no room: before the handshake was done there is none. */
  #waiting: Uint8Array[] = []
  #backlog = 0
  #hasEnded = false
  /** FIN is behind everything written. */
  #hasFinished = false
  #isClosed = false
  #isPaused = false
  /** What is to be told when it goes on. */
  #untold: (() => void)[] = []
  /** Segments up to here have told their window: tp->snd_wl1. */
  #windowToldAt = 0
  /** An ICMP error that did not end the connection: sk_err_soft. */
  #softError: string | undefined = undefined

  constructor(stack: TcpStack, tuple: Tuple, settings: TcpSettings) {
    this.#stack = stack
    this.tuple = tuple
    this.#settings = settings
    this.#limit = new RateLimit(stack)
    this.local = { address: formatIp(tuple.local), port: tuple.localPort }
    this.remote = { address: formatIp(tuple.remote), port: tuple.remotePort }
    stack.add(this)
  }

  get state(): TcpState {
    return this.#state
  }

  get admits(): TcpSettings {
    return this.#settings
  }

  get backlog(): number {
    return this.#backlog
  }

  set(options: TcpOptions): void {
    if (this.#state === 'CLOSED') throw new KernelError('EBADF', 'set options of a connection', 'it is closed')
    this.#settings.options = options
    if (this.#transmission) this.#transmission.send.noDelay = options.noDelay === true
  }

  /** tcp_connect */
  connect(offer: Offer, events: TcpEvents): void {
    this.#events = events
    this.#opening = new Opening(this.#stack, this.tuple, offer, this.#settings, {
      agreed: (agreed, segment, roundTrip) => this.#connected(agreed, segment, roundTrip),
      failed: (errno) => this.#fail(errno === 'ETIMEDOUT' ? (this.#softError ?? errno) : errno),
    })
    this.#opening.send()
  }

  /** The last segment of a handshake came to a listener: tcp_v4_syn_recv_sock. */
  accept(
    agreed: Agreed,
    segment: Segment,
    { roundTrip, flowHash, synTtl }: Handshake,
    accept: (connection: TcpConnection) => TcpEvents,
  ): void {
    this.synTtl = synTtl
    const identification = this.#stack.namespace.model.random.below('ipId', 0x10000)
    this.#establish(agreed, { identification, flowHash }).measured(roundTrip)
    this.#tellWindow(segment, agreed.theirScale)
    this.#events = accept(this)
    this.receive(segment)
  }

  write(bytes: Uint8Array): void {
    if (this.#hasEnded || this.#state === 'CLOSED') {
      throw new KernelError('EPIPE', `write to ${this.remote.address}, port ${this.remote.port}`)
    }
    this.#waiting.push(bytes.slice())
    this.#backlog += bytes.length
    this.#fill()
    this.#transmission?.push()
    this.#stack.namespace.model.settle()
  }

  end(): void {
    if (this.#hasEnded || this.#state === 'CLOSED') return
    this.#hasEnded = true
    this.#fill()
    this.#transmission?.push()
    this.#closeWhenDone()
    this.#stack.namespace.model.settle()
  }

  /** tcp_disconnect: what the other side knows of is reset. */
  abort(): void {
    const isKnown = ['ESTABLISHED', 'CLOSE_WAIT', 'FIN_WAIT1', 'FIN_WAIT2'].includes(this.#state)
    if (isKnown) this.#transmission?.control(Flag.rst | Flag.ack)
    this.#isClosed = true
    this.#leave()
    this.#stack.namespace.model.settle()
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    this.#isPaused = false
    const hasRead = this.#untold.length > 0
    while (!this.#isPaused && this.#untold.length > 0) this.#untold.shift()!()
    if (this.#isPaused || !hasRead || this.#state === 'CLOSED') return
    this.#transmission?.readAll()
    this.#stack.namespace.model.settle()
  }

  receive(segment: Segment): void {
    const transmission = this.#transmission
    if (!transmission) {
      this.#opening?.receive(segment)
      return
    }
    transmission.cause = segment.packet.journey
    if (this.#isAcceptable(segment, transmission)) this.#work(segment, transmission)
    transmission.cause = undefined
  }

  /** tcp_v4_err, tcp_v6_err */
  error(_packet: Packet, sequence: number, type: number, code: number, mtu: number): void {
    const { network, remote, local } = this.tuple
    const meaning = network.meaningOf(type, code)
    const first = this.#transmission?.send.una ?? this.#opening?.iss ?? 0
    const last = this.#transmission?.send.next ?? first
    if (!meaning || isBefore(sequence, first) || isAfter(sequence, last)) return
    if (network.isTooBig(type, code)) {
      network.learnMtu(this.#stack.namespace, remote, local, mtu)
      this.#transmission?.resegment()
    } else if (this.#state === 'SYN_SENT') this.#fail(meaning.errno)
    else this.#softError = meaning.errno
  }

  #connected(agreed: Agreed, segment: Segment, roundTrip: Microseconds | undefined): void {
    const { identification, flowHash } = this.#opening!
    this.#opening = undefined
    const transmission = this.#establish(agreed, { identification, flowHash })
    if (roundTrip !== undefined) transmission.measured(roundTrip)
    // The window of a SYN is not scaled: RFC 7323 §2.2.
    this.#tellWindow(segment, 0)
    transmission.cause = segment.packet.journey
    tookSegment(segment, this.tuple)
    transmission.acknowledge()
    this.#events.established?.(this)
    const before = this.#backlog
    this.#fill()
    transmission.push()
    if (this.#backlog < before) this.#events.taken?.(this)
    transmission.cause = undefined
  }

  #establish(agreed: Agreed, from: { readonly identification: number; readonly flowHash: number }): Transmission {
    this.#transmission = new Transmission(this.#stack, this.tuple, this.#settings, agreed, from, () =>
      this.#fail(this.#softError ?? 'ETIMEDOUT'),
    )
    this.#transmission.send.noDelay = this.#settings.options.noDelay === true
    this.#state = 'ESTABLISHED'
    return this.#transmission
  }

  /** tcp_validate_incoming: whether the segment is within the window and does not break the connection. */
  #isAcceptable(segment: Segment, transmission: Transmission): boolean {
    const { packet, flags, sequence, end, timestamps } = segment
    const refuse = (reason: string, challenge: 'duplicate' | 'challenge' | undefined): false => {
      const isAnswered =
        challenge && (challenge === 'duplicate' ? this.#limit.allows(segment) : this.#limit.allowsAny())
      // tcp_send_dupack
      const { receive } = transmission
      if (challenge === 'duplicate' && isBefore(sequence, receive.next)) receive.cameTwice(sequence, end)
      if (isAnswered) transmission.acknowledge()
      drop(packet, reason, 'tcp_validate_incoming')
      return false
    }
    const kernel = this.#state === 'ESTABLISHED' ? this.tuple.network.functions.tcpSocket : STATE_PROCESS
    if (!(flags & (Flag.ack | Flag.rst | Flag.syn))) {
      drop(packet, 'TCP_FLAGS', kernel)
      return false
    }
    const isReset = (flags & Flag.rst) !== 0
    if (transmission.agreed.hasTimestamps && timestamps && !isReset) {
      if (isBefore(timestamps.value, transmission.recentTimestamp)) return refuse('TCP_RFC7323_PAWS', 'duplicate')
    }
    const isOld = isBefore(end, transmission.windowStart)
    if (isOld || isAfter(sequence, transmission.windowEnd)) {
      const answer = isReset ? undefined : flags & Flag.syn ? 'challenge' : 'duplicate'
      const reason = isOld ? 'TCP_OLD_SEQUENCE' : 'TCP_INVALID_SEQUENCE'
      return refuse(answer === 'challenge' ? 'TCP_INVALID_SYN' : reason, answer)
    }
    if (isReset) {
      // RFC 5961 §3.2: only the very next number resets.
      if (sequence !== transmission.receive.next) return refuse('TCP_RESET', 'challenge')
      tookSegment(segment, this.tuple)
      this.#fail(this.#state === 'CLOSE_WAIT' ? 'EPIPE' : 'ECONNRESET')
      return false
    }
    if (flags & Flag.syn) return refuse('TCP_INVALID_SYN', 'challenge')
    const wrong = wrongAcknowledgement(segment, transmission)
    if (wrong === undefined) return true
    if (this.#limit.allowsAny()) transmission.acknowledge()
    drop(packet, wrong, kernel)
    return false
  }

  /** Acknowledgement, data, FIN; then what is to be sent; then the application. */
  #work(segment: Segment, transmission: Transmission): void {
    const { sequence, end, flags, timestamps, packet } = segment
    const { send, receive, agreed } = transmission
    // tcp_replace_ts_recent
    if (agreed.hasTimestamps && timestamps && !isAfter(sequence, transmission.windowStart)) {
      transmission.recentTimestamp = timestamps.value
    }
    const dataEnd = add(sequence, segment.dataLength)
    if (receive.hasEnded && isBefore(sequence, receive.next) && isAfter(dataEnd, receive.next)) {
      // More of what was said to be all: RFC 1122 §4.2.2.13.
      this.#stack.reset(segment, this.#settings.key)
      drop(packet, 'TCP_ABORT_ON_DATA', this.tuple.network.functions.tcpSocket)
      this.#fail(this.#state === 'CLOSE_WAIT' ? 'EPIPE' : 'ECONNRESET')
      return
    }
    const takesRoom = sequence !== end
    const refusal = takesRoom ? this.#refuseData(segment, transmission) : undefined
    if (refusal) drop(packet, refusal.reason, refusal.kernel, refusal)
    else tookSegment(segment, this.tuple)
    if (!isBefore(segment.acknowledgement, send.una)) this.#tellWindow(segment, agreed.theirScale)
    transmission.heard(segment)
    const before = this.#backlog
    this.#fill()
    if (send.isDone) this.#finWasHeard()

    const hadEnded = receive.hasEnded
    const data = packet.bytes.subarray(segment.dataAt, packet.end)
    const inOrder = !takesRoom || refusal?.isOutside ? NOTHING : receive.take(sequence, data, (flags & Flag.fin) !== 0)
    const ends = receive.hasEnded && !hadEnded
    if (ends) this.#finCame()
    if (this.#isPaused) transmission.keep(inOrder.length)
    // Whatever takes room among the sequence numbers is acknowledged at once, unless what is sent now does so.
    const pushed = transmission.push()
    if (takesRoom && refusal?.own === undefined && !pushed) transmission.acknowledge()

    if (this.#state === 'TIME_WAIT') this.#leaveRemains(transmission)
    if (this.#state === 'CLOSED') this.#leave()
    if (this.#backlog < before && !this.#isClosed) this.#events.taken?.(this)
    if (inOrder.length > 0) this.#tell(() => this.#events.data?.(this, inOrder))
    if (ends) this.#tell(() => this.#events.end?.(this))
    this.#closeWhenDone()
  }

  /** tcp_data_queue: why nothing of the segment is kept. `isOutside`: nothing is to be known of it, either. */
  #refuseData({ sequence, end }: Segment, { receive, windowEnd }: Transmission) {
    const kernel = this.#state === 'ESTABLISHED' ? 'tcp_rcv_established' : STATE_PROCESS
    if (receive.hasEnded && !isBefore(sequence, receive.next)) {
      return {
        reason: 'NOT_SPECIFIED',
        own: 'OVL_TCP_BEYOND_FIN',
        kernel,
        what: 'data behind the FIN',
        isOutside: true,
      }
    }
    if (!isAfter(end, receive.next)) return { reason: 'TCP_OLD_DATA', kernel, isOutside: false }
    if (!isBefore(sequence, windowEnd)) return { reason: 'TCP_OVERWINDOW', kernel, isOutside: true }
    if (receive.has(sequence, end)) return { reason: 'TCP_OFOMERGE', kernel: 'tcp_data_queue', isOutside: false }
    return undefined
  }

  /** Our FIN was acknowledged. */
  #finWasHeard(): void {
    if (this.#state === 'FIN_WAIT1') this.#state = 'FIN_WAIT2'
    else if (this.#state === 'CLOSING') this.#state = 'TIME_WAIT'
    else if (this.#state === 'LAST_ACK') this.#state = 'CLOSED'
  }

  /** tcp_fin: theirs came, and everything before it. */
  #finCame(): void {
    if (this.#state === 'ESTABLISHED') this.#state = 'CLOSE_WAIT'
    else if (this.#state === 'FIN_WAIT1') this.#state = 'CLOSING'
    else if (this.#state === 'FIN_WAIT2') this.#state = 'TIME_WAIT'
  }

  /** Takes what there is room for, and FIN behind everything written: tcp_sendmsg, tcp_shutdown. */
  #fill(): void {
    const send = this.#transmission?.send
    if (!send) return
    const [, , most = 0] = this.#stack.namespace.sysctl.numbers('net/ipv4/tcp_wmem')
    while (this.#waiting.length > 0 && send.kept < most) {
      const bytes = this.#waiting.shift()!
      this.#backlog -= bytes.length
      send.write(bytes)
    }
    if (!this.#hasEnded || this.#hasFinished || this.#waiting.length > 0) return
    this.#hasFinished = true
    send.finish()
    if (this.#state === 'ESTABLISHED') this.#state = 'FIN_WAIT1'
    else if (this.#state === 'CLOSE_WAIT') this.#state = 'LAST_ACK'
  }

  /** Later, when it is paused; not at all, when it is closed. */
  #tell(what: () => void): void {
    if (this.#isPaused || this.#untold.length > 0) this.#untold.push(() => this.#isClosed || what())
    else if (!this.#isClosed) what()
  }

  /** Both sides have said all: the application is done, whatever is still on its way. */
  #closeWhenDone(): void {
    if (!this.#hasFinished || !this.#transmission?.receive.hasEnded) return
    this.#tell(() => this.#close(undefined))
  }

  /** tcp_time_wait: another entry answers from now on. */
  #leaveRemains(transmission: Transmission): void {
    const { send, receive, agreed, recentTimestamp } = transmission
    this.#leave()
    new TcpTimeWait(this.#stack, this.tuple, {
      sendNext: send.next,
      receiveNext: receive.next,
      window: transmission.selectWindow(),
      looks: { tos: this.#settings.options.tos, key: this.#settings.key },
      timestamps: agreed.hasTimestamps ? { offset: agreed.ours.timestampOffset, recent: recentTimestamp } : undefined,
    })
  }

  #fail(errno: string): void {
    if (this.#state === 'CLOSED') return
    this.#leave()
    this.#tell(() => this.#close(errno))
  }

  #close(errno: string | undefined): void {
    this.#isClosed = true
    this.#events.closed?.(this, errno)
  }

  #leave(): void {
    this.#state = 'CLOSED'
    this.#waiting = []
    this.#backlog = 0
    this.#opening?.stop()
    this.#transmission?.stop()
    this.#stack.remove(this)
  }

  /** tcp_ack_update_window */
  #tellWindow({ window, sequence, acknowledgement }: Segment, scale: number): void {
    const { send } = this.#transmission!
    const told = window * 2 ** scale
    const isNew =
      send.widestWindow === 0 ||
      isAfter(acknowledgement, send.una) ||
      isAfter(sequence, this.#windowToldAt) ||
      (sequence === this.#windowToldAt && told > send.window)
    if (!isNew) return
    send.window = told
    send.widestWindow = Math.max(send.widestWindow, told)
    this.#windowToldAt = sequence
  }
}

/** tcp_ack: RFC 5961 §5.2. */
function wrongAcknowledgement({ acknowledgement }: Segment, { send, agreed }: Transmission): string | undefined {
  if (isAfter(acknowledgement, send.next)) return 'TCP_ACK_UNSENT_DATA'
  // tp->bytes_acked: a SYN counts where we sent it first.
  const acknowledged = distance(agreed.iss, send.una) - (agreed.isActive ? 0 : 1)
  const reach = Math.min(send.widestWindow, acknowledged)
  return isBefore(acknowledgement, add(send.una, -reach)) ? 'TCP_TOO_OLD_ACK' : undefined
}
