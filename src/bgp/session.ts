/**
 * A session performs what fsm.ts decides: one state machine, at most one connection, the timers of RFC 4271 §8.1.3 and §10.
 *
 *   octets ─> MessageInput ─> events ─> react() ─> actions ─> Connection, timers, owner
 *
 * KEEPALIVEs do not wait for routing tables: they are sent by the session's own timer straight to the connection, and what
 * reads a full table stops now and then (message-input.ts). Nor is a peer taken for dead because *we* were busy: when HoldTimer
 * has expired, what waits to be read counts as a sign of life, and the loop is given the time to read what has arrived.
 *
 * What a session cannot know is its owner's to decide: which of two connections stays (collision.ts), which routes are kept
 * (retention.ts), whether there is another attempt (peer.ts).
 */
import type { Clock } from '../store/clock.ts'
import type { SessionKind } from './attribute/attribute.ts'
import type { AttributeInterner } from './attribute/interner.ts'
import { type Expected, type Negotiated, negotiate } from './capability/negotiation.ts'
import { BgpError, CeaseError, ErrorCode, OpenError } from './errors.ts'
import { type Action, type Event, type Notify, react, type State } from './fsm.ts'
import { MAX_EXTENDED_MESSAGE, MessageType, messageType } from './message/header.ts'
import { encodeKeepalive } from './message/keepalive.ts'
import {
  decodeNotification,
  encodeNotification,
  formatNotification,
  type Notification,
  notificationOf,
} from './message/notification.ts'
import { decodeOpen, encodeOpen, type Open } from './message/open.ts'
import { decodeRouteRefresh, type RouteRefresh } from './message/route-refresh.ts'
import { decodeUpdate, type Receiving, type Update } from './message/update.ts'
import { MessageInput } from './message-input.ts'
import { jittered, Timer } from './timer.ts'
import type { Connection, ConnectionEvents } from './transport.ts'

const SECOND = 1000
/** "a HoldTimer value of 4 minutes is suggested": RFC 4271 §8.2.2. */
const LARGE_HOLD_TIME = 240 * SECOND
/** "KEEPALIVE messages MUST NOT be sent more frequently than one per second": §4.4. */
const MIN_KEEPALIVE = 1 * SECOND
/** RFC 9687 §5: "the greater of 8 minutes and 2 times the negotiated HoldTime". */
const MIN_SEND_HOLD_TIME = 480 * SECOND
/** In which the loop comes to read what has arrived. */
const LAST_LOOK = 50
/** Octets that wait in the connection, above which routes had better wait where they are. */
const HIGH_WATER = 262_144
const NO_DATA = new Uint8Array(0)

/** Seconds. */
export interface SessionTimes {
  /** What we offer; 0: no KEEPALIVEs. */
  readonly holdTime: number
  /** undefined: a third of the negotiated hold time, which also is the most. */
  readonly keepalive: number | undefined
  readonly connectRetry: number
}

export interface SessionOptions {
  readonly clock: Clock
  /** From 0 to below 1. */
  readonly random: () => number
  readonly times: SessionTimes
  /** undefined: this session waits to be called. */
  readonly connect: ((events: ConnectionEvents) => Connection) | undefined
  /** What we say, asked for with every connection. */
  readonly open: () => Open
  readonly expected: Expected
  readonly asSets: SessionKind['asSets']
  /** One for all sessions of a kind. */
  readonly attributes: (kind: SessionKind) => AttributeInterner
}

/** What a session tells its owner. */
export interface SessionOwner {
  /** §6.8: a valid OPEN has come. The owner may dump this session or another, or hold this one back. */
  opened(session: Session): void
  established(session: Session): void
  update(session: Session, update: Update): void
  refresh(session: Session, refresh: RouteRefresh): void
  /** There is room again, where send() has answered that there was none. */
  writable(session: Session): void
  /** The connection has failed, or could not be made, and the session waits for another. */
  disconnected(session: Session, why: string): void
  /** The session is in Idle again. */
  ended(session: Session, end: SessionEnd): void
}

export interface SessionEnd {
  readonly from: State
  readonly event: Event
  /** For people. */
  readonly why: string
  /** What the state machine says of the routes that have come. */
  readonly routes: 'none' | 'delete' | 'delete or retain'
  readonly sent: Notification | undefined
  readonly received: Notification | undefined
}

/** What an event brings with it. */
interface Cause {
  /** For people; unless a NOTIFICATION says it. */
  readonly why?: string
  /** What is sent where the table says "of the error", "of the stop". */
  readonly notification?: Notification
  readonly received?: Notification
  /** Type of the message that came. */
  readonly type?: number
  readonly update?: Update
  readonly refresh?: RouteRefresh
}

export class Session {
  readonly counts = { messagesReceived: 0, messagesSent: 0, updatesReceived: 0, updatesSent: 0 }
  readonly #options: SessionOptions
  readonly #owner: SessionOwner
  #state: State = 'Idle'
  #initiator: 'we' | 'peer' = 'we'
  #connection: Connection | undefined
  #localAddress: string | undefined
  #input: MessageInput | undefined
  #own: Open | undefined
  #negotiated: Negotiated | undefined
  #receiving: Receiving | undefined
  /** How much of the backlog is too much: whether the owner waits for room. */
  #isFull = false
  #routes: SessionEnd['routes'] = 'none'
  #sent: Notification | undefined

  readonly #connectRetryTimer: Timer
  readonly #holdTimer: Timer
  readonly #lastLook: Timer
  readonly #keepaliveTimer: Timer
  readonly #sendHoldTimer: Timer

  constructor(options: SessionOptions, owner: SessionOwner) {
    this.#options = options
    this.#owner = owner
    const timer = (expired: () => void) => new Timer(options.clock, expired)
    this.#connectRetryTimer = timer(() => this.#happens('ConnectRetryTimerExpires', { why: 'no connection in time' }))
    this.#holdTimer = timer(() => this.#lastLook.start(LAST_LOOK))
    this.#lastLook = timer(() => this.#holdTimeIsOver())
    this.#keepaliveTimer = timer(() => this.#happens('KeepaliveTimerExpires', {}))
    this.#sendHoldTimer = timer(() => this.#happens('SendHoldTimerExpires', {}))
  }

  get state(): State {
    return this.#state
  }

  /** Who has dialled. */
  get initiator(): 'we' | 'peer' {
    return this.#initiator
  }

  get dials(): boolean {
    return this.#options.connect !== undefined
  }

  /** Source address of the last connection. */
  get localAddress(): string | undefined {
    return this.#localAddress
  }

  /** From the peer's OPEN on. */
  get negotiated(): Negotiated | undefined {
    return this.#negotiated
  }

  get isHeldBack(): boolean {
    return this.#input?.isHeld ?? false
  }

  start(event: 'ManualStart' | 'ManualStartPassive' | 'AutomaticStart' | 'AutomaticStartPassive'): void {
    this.#happens(event, {})
  }

  /** The peer has dialled; this session, in Connect or Active, takes its connection. */
  accept(connection: Connection): ConnectionEvents {
    this.#dropConnection()
    this.#initiator = 'peer'
    this.#connection = connection
    const events = this.#eventsOf(() => connection)
    this.#happens('TcpConnectionConfirmed', {})
    return events
  }

  /** By an operator. */
  stop(notification: Notification): void {
    this.#happens('ManualStop', { notification })
  }

  /** By ourselves: too many prefixes, BFD, another configuration. */
  fail(notification: Notification): void {
    this.#happens('AutomaticStop', { notification })
  }

  /** §6.8: another connection with this peer stays. */
  dump(): void {
    this.#happens('OpenCollisionDump', { why: 'another connection with the peer stays' })
  }

  /** The connection is known to be of no use. */
  lose(why: string): void {
    this.#happens('TcpConnectionFails', { why })
  }

  /** What the peer says is not heard until release(). */
  holdBack(): void {
    this.#input?.hold()
  }

  release(): void {
    this.#input?.release()
  }

  /**
   * An UPDATE or ROUTE-REFRESH, in Established. False: so much waits for the peer that it is better to make the next ones
   * later; writable() tells when.
   */
  send(message: Uint8Array): boolean {
    this.#write(message)
    if (messageType(message) === MessageType.update) {
      this.counts.updatesSent++
      // "Each time the local system sends a KEEPALIVE or UPDATE message, it restarts its KeepaliveTimer": §8.2.2.
      this.#startKeepaliveTimer()
    }
    this.#isFull = (this.#connection?.backlog ?? 0) > HIGH_WATER
    return !this.#isFull
  }

  #happens(event: Event, cause: Cause): void {
    const from = this.#state
    const { next, actions } = react(from, event)
    this.#state = next
    for (const action of actions) {
      this.#perform(action, cause)
      // The owner has ended the session meanwhile, or another event has.
      if (this.#state !== next) return
    }
    if (next === from) return
    if (next === 'Established') this.#owner.established(this)
    else if (next === 'Idle') this.#owner.ended(this, this.#endBy(from, event, cause))
    else if (event === 'TcpConnectionFails') this.#owner.disconnected(this, cause.why!)
  }

  #endBy(from: State, event: Event, { why, received }: Cause): SessionEnd {
    const said = received
      ? `received ${formatNotification(received)}`
      : this.#sent && `sent ${formatNotification(this.#sent)}`
    return {
      from,
      event,
      why: [said, why].filter(Boolean).join(', ') || 'stopped',
      routes: this.#routes,
      sent: this.#sent,
      received,
    }
  }

  #perform(action: Action, cause: Cause): void {
    if (isNotify(action)) return this.#notify(action, cause)
    switch (action) {
      case 'initialize BGP resources':
      // The owner listens for every neighbour, knows both connections, and counts failures over many sessions.
      case 'listen for the peer':
      case 'track the second connection':
      case 'zero ConnectRetryCounter':
      case 'increment ConnectRetryCounter':
        return
      case 'release BGP resources':
        return this.#release()
      case 'start ConnectRetryTimer':
        if (this.dials) this.#connectRetryTimer.start(this.#jittered(this.#options.times.connectRetry * SECOND))
        return
      case 'stop ConnectRetryTimer':
        return this.#connectRetryTimer.stop()
      case 'initiate TCP connection':
        return this.#connect()
      case 'drop TCP connection':
        return this.#dropConnection()
      case 'send OPEN':
        return this.#sendOpen()
      case 'send KEEPALIVE':
        return this.#write(encodeKeepalive())
      case 'start HoldTimer with a large value':
        return this.#holdTimer.start(LARGE_HOLD_TIME)
      case 'start HoldTimer':
        this.#lastLook.stop()
        return this.#holdTimer.start(this.#negotiated!.holdTime * SECOND)
      case 'start KeepaliveTimer':
        return this.#startKeepaliveTimer()
      case 'start SendHoldTimer':
        return this.#watchBacklog()
      case 'detect connection collision':
        return this.#owner.opened(this)
      case 'process UPDATE':
        return this.#owner.update(this, cause.update!)
      case 'process ROUTE-REFRESH':
        return this.#owner.refresh(this, cause.refresh!)
      case 'delete routes':
        this.#routes = 'delete'
        return
      case 'delete or retain routes':
        this.#routes = 'delete or retain'
        return
    }
  }

  // Connection

  #connect(): void {
    this.#initiator = 'we'
    const connection: Connection = this.#options.connect!(this.#eventsOf(() => connection))
    this.#connection = connection
  }

  /** `connection` is asked for in events only, which come behind the call that makes it. */
  #eventsOf(connection: () => Connection): ConnectionEvents {
    const input = new MessageInput({
      clock: this.#options.clock,
      connection,
      message: (message) => this.#received(message),
      error: (error) => this.#happens('BgpHeaderError', { notification: notificationOf(error), why: error.reason }),
      ended: (why) => this.#happens('TcpConnectionFails', { why }),
    })
    this.#input = input
    const current = (then: () => void) => {
      if (this.#input === input) then()
    }
    return {
      connected: () => current(() => this.#happens('TcpConnectionAcknowledged', {})),
      received: (octets) => current(() => input.push(octets)),
      taken: () => current(() => this.#taken()),
      closed: (why) => current(() => input.end(why)),
    }
  }

  #dropConnection(): void {
    this.#input?.stop()
    this.#input = undefined
    this.#connection?.close()
    this.#connection = undefined
  }

  #release(): void {
    for (const timer of [this.#holdTimer, this.#lastLook, this.#keepaliveTimer, this.#sendHoldTimer]) timer.stop()
  }

  // Sending

  #write(message: Uint8Array): void {
    if (!this.#connection) return
    this.counts.messagesSent++
    this.#connection.send(message)
    if (this.#state === 'Established' && !this.#sendHoldTimer.running) this.#watchBacklog()
  }

  #sendOpen(): void {
    this.#localAddress = this.#connection?.local?.address
    this.#own = this.#options.open()
    // RFC 8654 §4: who has offered to take longer messages must, whatever the peer says.
    if (this.#own.capabilities.some(({ name }) => name === 'extended-message')) {
      this.#input!.longest = MAX_EXTENDED_MESSAGE
    }
    this.#write(encodeOpen(this.#own))
  }

  #notify(action: Notify, { notification, type }: Cause): void {
    this.#sent = notificationFor(action, notification, type)
    this.#write(encodeNotification(this.#sent))
  }

  #startKeepaliveTimer(): void {
    const { holdTime } = this.#negotiated!
    if (holdTime === 0) return this.#keepaliveTimer.stop()
    const third = holdTime / 3
    const interval = this.#jittered(Math.min(this.#options.times.keepalive ?? third, third) * SECOND)
    this.#keepaliveTimer.start(Math.max(interval, MIN_KEEPALIVE))
  }

  /** RFC 9687: SendHoldTimer runs while something waits to be sent, and starts anew whenever some of it is. */
  #watchBacklog(): void {
    const { holdTime } = this.#negotiated!
    if (!this.#connection?.backlog || holdTime === 0) return this.#sendHoldTimer.stop()
    this.#sendHoldTimer.start(Math.max(MIN_SEND_HOLD_TIME, 2 * holdTime * SECOND))
  }

  #taken(): void {
    if (this.#state !== 'Established') return
    this.#watchBacklog()
    if (!this.#isFull || this.#connection!.backlog > HIGH_WATER / 2) return
    this.#isFull = false
    this.#owner.writable(this)
  }

  #jittered(milliseconds: number): number {
    return jittered(milliseconds, this.#options.random)
  }

  // Receiving

  #holdTimeIsOver(): void {
    if (this.#input?.isBehind) this.#holdTimer.start((this.#negotiated?.holdTime ?? 0) * SECOND || LARGE_HOLD_TIME)
    else this.#happens('HoldTimerExpires', {})
  }

  #received(message: Uint8Array): void {
    this.counts.messagesReceived++
    const type = messageType(message)
    switch (type) {
      case MessageType.open:
        return this.#receivedOpen(message)
      case MessageType.update:
        return this.#receivedUpdate(message)
      case MessageType.notification:
        return this.#receivedNotification(decodeNotification(message))
      case MessageType.keepalive:
        return this.#happens('KeepaliveMessage', { type })
      default:
        return this.#receivedRefresh(message)
    }
  }

  #receivedOpen(message: Uint8Array): void {
    const type = MessageType.open
    if (this.#state !== 'OpenSent') return this.#happens('BgpOpen', { type })
    const negotiated = this.#decoded('BgpOpenMessageError', type, () =>
      negotiate(this.#own!, decodeOpen(message), this.#options.expected),
    )
    if (!negotiated) return
    this.#negotiated = negotiated
    const { internal, as4, addPathReceived } = negotiated
    const attributes = this.#options.attributes({ internal, as4, asSets: this.#options.asSets })
    this.#receiving = { attributes, addPath: addPathReceived }
    this.#happens('BgpOpen', { type })
  }

  #receivedUpdate(message: Uint8Array): void {
    const type = MessageType.update
    this.counts.updatesReceived++
    if (this.#state !== 'Established') return this.#happens('UpdateMessage', { type })
    const update = this.#decoded('UpdateMessageError', type, () => decodeUpdate(message, this.#receiving!))
    if (update) this.#happens('UpdateMessage', { type, update })
  }

  #receivedRefresh(message: Uint8Array): void {
    const type = messageType(message)
    if (this.#state !== 'Established') return this.#happens('RouteRefreshMessage', { type })
    const refresh = this.#decoded('RouteRefreshMessageError', type, () => decodeRouteRefresh(message))
    if (refresh) this.#happens('RouteRefreshMessage', { type, refresh })
  }

  #receivedNotification(received: Notification): void {
    const { code, subcode } = received
    const isVersion = code === ErrorCode.openMessage && subcode === OpenError.unsupportedVersionNumber
    this.#happens(isVersion ? 'NotificationVersionError' : 'NotificationMessage', { received })
  }

  /** undefined: what came is wrong, and `event` has happened. */
  #decoded<T>(event: Event, type: number, decode: () => T): T | undefined {
    try {
      return decode()
    } catch (error) {
      if (!(error instanceof BgpError)) throw error
      this.#happens(event, { type, notification: notificationOf(error), why: error.reason })
      return undefined
    }
  }
}

function isNotify(action: Action): action is Notify {
  return typeof action === 'object' || action.startsWith('send NOTIFICATION')
}

function notificationFor(action: Notify, given: Notification | undefined, type: number | undefined): Notification {
  if (typeof action === 'object') {
    const [code, subcode] = action.notify
    return { code, subcode, data: 'data' in action && type !== undefined ? Uint8Array.of(type) : NO_DATA }
  }
  if (action !== 'send NOTIFICATION of the collision') return given!
  return { code: ErrorCode.cease, subcode: CeaseError.connectionCollisionResolution, data: NO_DATA }
}
