/**
 * One BFD session in asynchronous mode: RFC 5880 §6. It performs what fsm.ts decides, and keeps time.
 *
 *   packet ─> receive() ─> react() ─> state, reason ─> owner
 *                 └─> detection timer        transmit timer ─> send()
 *
 * We are active, never ask for demand mode, and take no echo packets. What the remote system asks for is done: demand mode, and
 * answers to its Poll Sequences.
 *
 * Both ends are told of every interval, and each uses the slower of the two that concern it:
 *
 *   we send every     max(our desired min TX, their required min RX), less 0 to 25 %
 *   we wait for       their multiplier × max(our required min RX, their desired min TX)
 *
 * A change that would make the other end too impatient, or us, is used only when a Poll Sequence has shown that it is known.
 *
 * The clock must not jump. When we were busy, packets wait to be read, and the detection timer runs late: so it reads before it
 * believes in silence. Our own packets are late then, too, and nothing here can help that: bfd.ts says what is promised.
 */
import type { Clock } from '../store/clock.ts'
import { type BfdControl, BfdDiagnostic, type BfdState, encodeBfd, formatBfdDiagnostic } from '../wire/bfd.ts'
import { type Event, react, type Step } from './fsm.ts'

/** Milliseconds, in what is set as in all that is kept here; the packets' microseconds are made of them on the way out. */
const MICROSECONDS = 1000
/** "not less than one second", unless the session is up: §6.8.3. */
const SLOW = 1000
const MAX_INTERVAL = 0xffff_ffff / MICROSECONDS

export interface BfdSettings {
  /** Between packets that we want to send, and that we can take. */
  readonly minTx: number
  readonly minRx: number
  /** Of our packets so many may be lost, less one. 1 to 255. */
  readonly multiplier: number
}

export interface BfdEvents {
  up(): void
  /** It was up, and is not. Not told when the remote system has switched it off. */
  down(why: string): void
  /** Told first, with every change of state. */
  changed?(state: BfdState): void
}

export interface SessionOptions {
  /** Ours: not 0, and no other session's. */
  readonly discriminator: number
  readonly settings: BfdSettings
  readonly clock: Clock
  /** From 0 to below 1. */
  readonly random: () => number
  readonly send: (packet: Uint8Array) => void
  /** Reads what has arrived and hands it to receive(), within the call. */
  readonly readWaiting: () => void
  readonly events: BfdEvents
}

/** For people and for those who watch it. Milliseconds. */
export interface SessionStatus {
  readonly state: BfdState
  readonly discriminator: number
  readonly diagnostic: string
  /** undefined: nothing has been heard of it lately. */
  readonly remote: { readonly state: BfdState; readonly discriminator: number; readonly diagnostic: string } | undefined
  readonly transmitInterval: number
  /** undefined: as long as nothing has been heard. */
  readonly detectionTime: number | undefined
  readonly sent: number
  readonly received: number
  /** Why the last packet was not taken that should not have been. */
  readonly lastRefusal: string | undefined
}

/** What the remote system has said last: bfd.RemoteDiscr, bfd.RemoteSessionState, … of §6.8.1, with their initial values. */
interface Remote {
  readonly discriminator: number
  readonly state: BfdState
  readonly diagnostic: number
  readonly multiplier: number
  readonly minTx: number
  readonly minRx: number
  readonly demand: boolean
}

const UNKNOWN: Remote = {
  discriminator: 0,
  state: 'Down',
  diagnostic: BfdDiagnostic.none,
  multiplier: 0,
  minTx: 0,
  minRx: 1 / MICROSECONDS,
  demand: false,
}

interface Intervals {
  readonly minTx: number
  readonly minRx: number
}

const RECEIVED = {
  AdminDown: 'receive AdminDown',
  Down: 'receive Down',
  Init: 'receive Init',
  Up: 'receive Up',
} as const satisfies Record<BfdState, Event>

export class Session {
  readonly discriminator: number
  readonly #options: SessionOptions
  #settings: BfdSettings
  #state: BfdState = 'Down'
  #diagnostic: number = BfdDiagnostic.none
  #remote = UNKNOWN
  /** What our packets say: bfd.DesiredMinTxInterval and bfd.RequiredMinRxInterval. */
  #told: Intervals
  /** What we go by: the same, unless a Poll Sequence has to come first. */
  #used: Intervals
  #polling = false
  /** There was another change meanwhile, which needs a sequence of its own. */
  #pollAgain = false

  #sentAt = Number.NEGATIVE_INFINITY
  /** For which the transmit timer runs; undefined: it does not. */
  #interval: number | undefined
  #cancelTransmit: (() => void) | undefined

  #heardAt = Number.NEGATIVE_INFINITY
  /** When the clock's timer runs, which may be before the detection time is over. */
  #detectionAt = 0
  #cancelDetection: (() => void) | undefined

  #sent = 0
  #received = 0
  #lastRefusal: string | undefined

  constructor(options: SessionOptions) {
    requireSettings(options.settings)
    this.discriminator = options.discriminator
    this.#options = options
    this.#settings = options.settings
    this.#told = this.#wanted()
    this.#used = this.#told
    this.#schedule()
  }

  get state(): BfdState {
    return this.#state
  }

  get status(): SessionStatus {
    const { discriminator, state, diagnostic } = this.#remote
    const isKnown = discriminator !== 0
    return {
      state: this.#state,
      discriminator: this.discriminator,
      diagnostic: formatBfdDiagnostic(this.#diagnostic),
      remote: isKnown ? { state, discriminator, diagnostic: formatBfdDiagnostic(diagnostic) } : undefined,
      transmitInterval: this.transmitInterval,
      detectionTime: isKnown ? this.#detectionTime : undefined,
      sent: this.#sent,
      received: this.#received,
      lastRefusal: this.#lastRefusal,
    }
  }

  /** Less jitter. */
  get transmitInterval(): number {
    return Math.max(this.#used.minTx, this.#remote.minRx)
  }

  /** How long the remote system waits for us, as far as we can know. */
  get remoteDetectionTime(): number {
    return this.#settings.multiplier * this.transmitInterval
  }

  get isRemoteKnown(): boolean {
    return this.#remote.discriminator !== 0
  }

  /** A packet that was demultiplexed to this session: §6.8.6 from there on. */
  receive(packet: BfdControl): void {
    this.#received++
    this.#remote = {
      discriminator: packet.myDiscriminator,
      state: packet.state,
      diagnostic: packet.diagnostic,
      multiplier: packet.detectMultiplier,
      minTx: packet.desiredMinTx / MICROSECONDS,
      minRx: packet.requiredMinRx / MICROSECONDS,
      demand: packet.demand,
    }
    this.#heardAt = this.#options.clock.now()
    if (packet.final && this.#polling) this.#endPoll()
    const tell = this.#happens(RECEIVED[packet.state])
    if (packet.poll && this.#state !== 'AdminDown') this.#transmit({ final: true })
    this.#schedule()
    this.#watch()
    this.#tell(tell, `the neighbour says ${packet.state}, ${formatBfdDiagnostic(packet.diagnostic)}`)
  }

  /** A packet was not taken. */
  refused(why: string): void {
    this.#lastRefusal = why
  }

  /** Other settings, in effect as soon as that does no harm. The session stays as it is. */
  change(settings: BfdSettings): void {
    requireSettings(settings)
    this.#settings = settings
    this.#negotiate()
    this.#schedule()
  }

  /** §6.8.16. Packets go on, so that the remote system hears of it: "for at least a Detection Time". */
  disable(): void {
    this.#happens('disable')
    this.#schedule()
  }

  enable(): void {
    this.#happens('enable')
    this.#schedule()
  }

  /** No packets, no timers, nothing is told any more. */
  stop(): void {
    this.#cancelTransmit?.()
    this.#cancelDetection?.()
  }

  /** Answers what is to be told, last: whoever hears it may end the session. */
  #happens(event: Event): Step['tell'] {
    const { next, diagnostic, tell } = react(this.#state, event)
    if (next === this.#state) return undefined
    this.#state = next
    this.#diagnostic = diagnostic
    this.#negotiate()
    this.#options.events.changed?.(next)
    // "in order to more rapidly communicate a change in state": §6.8.7.
    this.#transmit()
    return tell
  }

  #tell(tell: Step['tell'], why: string): void {
    if (tell === 'up') this.#options.events.up()
    else if (tell === 'down') this.#options.events.down(why)
  }

  /** bfd.RemoteDiscr is zero after a detection time of silence, in any state; and nobody would answer a Poll Sequence: §6.8.1. */
  #forget(): void {
    this.#remote = UNKNOWN
    this.#polling = false
    this.#pollAgain = false
    this.#used = this.#told
  }

  // Intervals: §6.8.3 and §6.5

  #wanted(): Intervals {
    const { minTx, minRx } = this.#settings
    return { minTx: this.#state === 'Up' ? minTx : Math.max(minTx, SLOW), minRx }
  }

  #negotiate(): void {
    const wanted = this.#wanted()
    if (wanted.minTx === this.#told.minTx && wanted.minRx === this.#told.minRx) return
    this.#told = wanted
    // "the actual transmission interval used MUST NOT change until the Poll Sequence … has terminated", when it would grow; of
    // the detection time the same, when it would shrink.
    this.#used =
      this.#state === 'Up'
        ? { minTx: Math.min(this.#used.minTx, wanted.minTx), minRx: Math.max(this.#used.minRx, wanted.minRx) }
        : wanted
    if (!this.isRemoteKnown) this.#used = wanted
    else if (this.#polling) this.#pollAgain = true
    else this.#polling = true
  }

  #endPoll(): void {
    this.#polling = this.#pollAgain
    this.#pollAgain = false
    if (!this.#polling) this.#used = this.#told
  }

  // Sending: §6.8.7

  get #transmits(): boolean {
    const { demand, state, minRx } = this.#remote
    const isOnDemand = demand && state === 'Up' && this.#state === 'Up'
    return minRx !== 0 && (!isOnDemand || this.#polling)
  }

  /** Whenever something has changed that the interval follows from. */
  #schedule(): void {
    const interval = this.#transmits ? this.transmitInterval : undefined
    if (interval !== this.#interval) this.#restart(interval)
  }

  #restart(interval: number | undefined): void {
    this.#cancelTransmit?.()
    this.#cancelTransmit = undefined
    this.#interval = interval
    if (interval === undefined) return
    const { clock } = this.#options
    const rest = this.#sentAt + this.#jittered(interval) - clock.now()
    this.#cancelTransmit = clock.after(Math.max(0, rest), () => this.#transmit())
  }

  #transmit({ final = false } = {}): void {
    this.#sent++
    // The answer to a Poll Sequence is sent "without respect to the transmission timer".
    if (!final) {
      this.#sentAt = this.#options.clock.now()
      this.#restart(this.#transmits ? this.transmitInterval : undefined)
    }
    this.#options.send(
      encodeBfd({
        diagnostic: this.#diagnostic,
        state: this.#state,
        poll: this.#polling && !final,
        final,
        controlPlaneIndependent: false,
        demand: false,
        detectMultiplier: this.#settings.multiplier,
        myDiscriminator: this.discriminator,
        yourDiscriminator: this.#remote.discriminator,
        desiredMinTx: Math.round(this.#told.minTx * MICROSECONDS),
        requiredMinRx: Math.round(this.#told.minRx * MICROSECONDS),
        requiredMinEchoRx: 0,
        authentication: undefined,
      }),
    )
  }

  /** "reduced by a random value of 0 to 25%"; with a multiplier of 1 "no more than 90% … and no less than 75%". */
  #jittered(interval: number): number {
    const most = this.#settings.multiplier === 1 ? 0.9 : 1
    return interval * (0.75 + (most - 0.75) * this.#options.random())
  }

  // Detection: §6.8.4

  get #detectionTime(): number {
    const { multiplier, minTx } = this.#remote
    return multiplier * Math.max(this.#used.minRx, minTx)
  }

  #watch(): void {
    const deadline = this.#heardAt + this.#detectionTime
    // One that runs earlier finds out, and waits for the rest: a packet costs no timer.
    if (this.#cancelDetection && this.#detectionAt <= deadline) return
    this.#cancelDetection?.()
    const { clock } = this.#options
    this.#detectionAt = deadline
    this.#cancelDetection = clock.after(deadline - clock.now(), () => this.#look())
  }

  #look(): void {
    this.#cancelDetection = undefined
    if (this.#isSilent()) this.#options.readWaiting()
    if (!this.#isSilent()) {
      this.#watch()
      return
    }
    const why = `no packet came for ${Math.round(this.#detectionTime)} ms`
    this.#forget()
    const tell = this.#happens('detection time expires')
    this.#schedule()
    this.#tell(tell, why)
  }

  #isSilent(): boolean {
    return this.#options.clock.now() >= this.#heardAt + this.#detectionTime
  }
}

function requireSettings({ minTx, minRx, multiplier }: BfdSettings): void {
  const isInterval = (value: number) => value > 0 && value <= MAX_INTERVAL
  if (!isInterval(minTx) || !isInterval(minRx)) {
    throw new RangeError(`Cannot use BFD intervals of ${minTx} and ${minRx} ms: from above 0 to ${MAX_INTERVAL} ms`)
  }
  if (!Number.isInteger(multiplier) || multiplier < 1 || multiplier > 255) {
    throw new RangeError(`Cannot use a BFD multiplier of ${multiplier}: from 1 to 255`)
  }
}
