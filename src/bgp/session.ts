/**
 * A session performs what fsm.ts decides: one state machine, at most one connection, the timers of RFC 4271 §8.1.3 and §10.
 *
 *   octets ─> MessageInput ─> events ─> react() ─> actions ─> Connection, timers, owner
 *
 * KEEPALIVEs do not wait for routing tables: they are sent by the session's own timer straight to the connection, and what
 * reads a full table stops now and then (reading-turns.ts). Nor is a peer taken for dead because *we* were busy: when HoldTimer
 * has expired, what waits to be read counts as a sign of life, and the loop is given the time to read what has arrived.
 *
 * What a session cannot know is its owner's to decide: which of two connections stays (collision.ts), which routes are kept
 * (retention.ts), whether there is another attempt (peer.ts).
 */
import { type Negotiated, negotiate } from './capability/negotiation.ts'
import { BgpError } from './errors.ts'
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
import { MessageOutput } from './message-output.ts'
import { NO_OPENS, type ObservedSession } from './observer.ts'
import type { PeerSettings } from './peer-settings.ts'
import { ERROR_EVENT, isNotify, isOfVersion, notificationFor } from './session-answer.ts'
import { NO_COUNTS, type SessionEnd, type SessionOptions, type SessionOwner } from './session-owner.ts'
import { jittered, Timer } from './timer.ts'
import type { Connection, ConnectionEvents } from './transport.ts'

const SECOND = 1000
/** "a HoldTimer value of 4 minutes is suggested": RFC 4271 §8.2.2. */
const LARGE_HOLD_TIME = 240 * SECOND
/** "KEEPALIVE messages MUST NOT be sent more frequently than one per second": §4.4. */
const MIN_KEEPALIVE = 1 * SECOND
/** In which the loop comes to read what has arrived. */
const LAST_LOOK = 50

/** What an event brings with it. */
interface Cause {
  /** For people; unless a NOTIFICATION says it. */
  readonly why?: string
  /** What is sent where the table says "of the error", "of the stop". */
  readonly notification?: Notification
  readonly received?: Notification
  /** Type of the message that came. */
  readonly type?: number
  readonly update?: Update | undefined
  readonly refresh?: RouteRefresh | undefined
}

export class Session implements ObservedSession {
  readonly counts = { ...NO_COUNTS }
  readonly settings: PeerSettings
  opens: ObservedSession['opens'] = NO_OPENS
  readonly #options: SessionOptions
  readonly #owner: SessionOwner
  #state: State = 'Idle'
  #initiator: 'we' | 'peer' = 'we'
  #connection: Connection | undefined
  /** This one, or the one before. */
  #lastConnection: Connection | undefined
  #input: MessageInput | undefined
  #own: Open | undefined
  #negotiated: Negotiated | undefined
  #receiving: Receiving | undefined
  #routes: SessionEnd['routes'] = 'none'
  #sent: Notification | undefined

  readonly #connectRetryTimer: Timer
  readonly #holdTimer: Timer
  readonly #lastLook: Timer
  readonly #keepaliveTimer: Timer
  readonly #output: MessageOutput

  /** Every action of the table but the NOTIFICATIONs. */
  readonly #does: { readonly [A in Exclude<Action, Notify>]: (cause: Cause) => void } = {
    'initialize BGP resources': nothing,
    'release BGP resources': () => this.#release(),
    // How long a neighbour rests is a matter of many sessions, which the owner knows.
    'zero ConnectRetryCounter': nothing,
    'increment ConnectRetryCounter': nothing,
    'start ConnectRetryTimer': () => {
      if (this.dials) this.#connectRetryTimer.start(this.#jittered(this.#options.times.connectRetry * SECOND))
    },
    'stop ConnectRetryTimer': () => this.#connectRetryTimer.stop(),
    'initiate TCP connection': () => this.#connect(),
    'drop TCP connection': () => this.#dropConnection(),
    // The owner listens for all neighbours, and knows both connections of each.
    'listen for the peer': nothing,
    'track the second connection': nothing,
    'detect connection collision': () => this.#owner.opened(this),
    'send OPEN': () => this.#sendOpen(),
    'send KEEPALIVE': () => this.#write([encodeKeepalive()]),
    'start HoldTimer with a large value': () => this.#holdTimer.start(LARGE_HOLD_TIME),
    'start HoldTimer': () => this.#startHoldTimer(),
    'start KeepaliveTimer': () => this.#startKeepaliveTimer(),
    'start SendHoldTimer': () => this.#output.watch(this.#connection!, this.#negotiated!.holdTime),
    'process UPDATE': ({ update }) => this.#owner.update(this, update!),
    'process ROUTE-REFRESH': ({ refresh }) => this.#owner.refresh(this, refresh!),
    'delete routes': () => {
      this.#routes = 'delete'
    },
    'delete or retain routes': () => {
      this.#routes = 'delete or retain'
    },
  }

  constructor(options: SessionOptions, owner: SessionOwner) {
    this.settings = options.settings
    this.#options = options
    this.#owner = owner
    const timer = (expired: () => void) => new Timer(options.clock, expired)
    this.#connectRetryTimer = timer(() => this.#happens('ConnectRetryTimerExpires', { why: 'no connection in time' }))
    this.#holdTimer = timer(() => this.#lastLook.start(LAST_LOOK))
    this.#lastLook = timer(() => this.#holdTimeIsOver())
    this.#keepaliveTimer = timer(() => this.#happens('KeepaliveTimerExpires', {}))
    this.#output = new MessageOutput(options.clock, {
      expired: () => this.#happens('SendHoldTimerExpires', {}),
      writable: () => owner.writable(this),
    })
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

  /** Of the last connection, as far as they are known. */
  get ends(): ObservedSession['ends'] {
    return { local: this.#lastConnection?.local, remote: this.#lastConnection?.remote }
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
    this.#use(connection)
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
   * UPDATEs and ROUTE-REFRESHes, in Established. False: so much waits for the peer that it is better to make the next ones
   * later; writable() tells when.
   */
  send(messages: readonly Uint8Array[]): boolean {
    const hasRoom = this.#write(messages)
    const updates = messages.filter((message) => messageType(message) === MessageType.update).length
    this.counts.updatesSent += updates
    // "Each time the local system sends a KEEPALIVE or UPDATE message, it restarts its KeepaliveTimer": §8.2.2.
    if (updates > 0) this.#startKeepaliveTimer()
    return hasRoom
  }

  #happens(event: Event, cause: Cause): void {
    const from = this.#state
    const { next, actions } = react(from, event)
    this.#state = next
    if (next !== from) this.#options.observers.changed(this, from, next)
    for (const action of actions) {
      if (isNotify(action)) this.#notify(action, cause)
      else this.#does[action](cause)
      // The owner has ended the session meanwhile, or another event has.
      if (this.#state !== next) return
    }
    if (next === from) return
    if (next === 'Established') this.#owner.established(this)
    else if (next === 'Idle') this.#end(this.#endBy(from, event, cause))
    else if (event === 'TcpConnectionFails') this.#owner.disconnected(this, cause.why!)
  }

  #end(end: SessionEnd): void {
    if (end.from === 'Established') this.#options.observers.ended(this, end)
    this.#owner.ended(this, end)
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

  // Connection

  #connect(): void {
    this.#initiator = 'we'
    const connection: Connection = this.#options.connect!(this.#eventsOf(() => connection))
    this.#use(connection)
  }

  #use(connection: Connection): void {
    this.#connection = connection
    this.#lastConnection = connection
    this.opens = NO_OPENS
  }

  /** `connection` is asked for in events only, which come behind the call that makes it. */
  #eventsOf(connection: () => Connection): ConnectionEvents {
    const input = new MessageInput({
      turns: this.#options.turns,
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
      taken: () => current(() => this.#output.taken(this.#connection!)),
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
    for (const timer of [this.#holdTimer, this.#lastLook, this.#keepaliveTimer, this.#output]) timer.stop()
  }

  // Sending

  /** Whether there is room for more. */
  #write(messages: readonly Uint8Array[]): boolean {
    if (!this.#connection) return true
    this.counts.messagesSent += messages.length
    for (const message of messages) this.#options.observers.sent(this, message)
    return this.#output.write(this.#connection, messages)
  }

  #sendOpen(): void {
    this.#own = this.#options.open()
    // RFC 8654 §4: who has offered to take longer messages must, whatever the peer says.
    if (this.#own.capabilities.some(({ name }) => name === 'extended-message')) {
      this.#input!.longest = MAX_EXTENDED_MESSAGE
    }
    const open = encodeOpen(this.#own)
    this.opens = { ...this.opens, sent: open }
    this.#write([open])
  }

  #notify(action: Notify, { notification, type }: Cause): void {
    this.#sent = notificationFor(action, notification, type)
    this.#write([encodeNotification(this.#sent)])
  }

  #startKeepaliveTimer(): void {
    const { holdTime } = this.#negotiated!
    const third = holdTime / 3
    const interval = this.#jittered(Math.min(this.#options.times.keepalive ?? third, third) * SECOND)
    this.#keepaliveTimer.start(holdTime === 0 ? 0 : Math.max(interval, MIN_KEEPALIVE))
  }

  #jittered(milliseconds: number): number {
    return jittered(milliseconds, this.#options.random)
  }

  // Receiving

  #startHoldTimer(): void {
    this.#lastLook.stop()
    this.#holdTimer.start(this.#negotiated!.holdTime * SECOND)
  }

  #holdTimeIsOver(): void {
    if (this.#negotiated && this.#input?.isBehind) this.#startHoldTimer()
    else this.#happens('HoldTimerExpires', {})
  }

  #received(message: Uint8Array): void {
    const type = messageType(message)
    this.counts.messagesReceived++
    if (type === MessageType.open) this.opens = { ...this.opens, received: message.slice() }
    this.#options.observers.received(this, message)
    if (type === MessageType.update) this.counts.updatesReceived++
    const [event, cause] = this.#eventOf(type, message)
    this.#happens(event, cause)
  }

  /** What comes at the wrong time is not decoded: whatever is in it, it is an error. */
  #eventOf(type: number, message: Uint8Array): readonly [Event, Cause] {
    const isEstablished = this.#state === 'Established'
    try {
      switch (type) {
        case MessageType.open:
          if (this.#state === 'OpenSent') this.#negotiate(decodeOpen(message))
          return ['BgpOpen', { type }]
        case MessageType.update:
          return [
            'UpdateMessage',
            { type, update: isEstablished ? decodeUpdate(message, this.#receiving!) : undefined },
          ]
        case MessageType.keepalive:
          return ['KeepaliveMessage', { type }]
        case MessageType.notification: {
          const received = decodeNotification(message)
          return [isOfVersion(received) ? 'NotificationVersionError' : 'NotificationMessage', { received }]
        }
        default:
          return ['RouteRefreshMessage', { type, refresh: isEstablished ? decodeRouteRefresh(message) : undefined }]
      }
    } catch (error) {
      if (!(error instanceof BgpError)) throw error
      return [ERROR_EVENT[error.code]!, { type, notification: notificationOf(error), why: error.reason }]
    }
  }

  #negotiate(peer: Open): void {
    const negotiated = negotiate(this.#own!, peer, this.#options.expected)
    const { internal, as4, addPathReceived } = negotiated
    const attributes = this.#options.attributes({ internal, as4, asSets: this.#options.asSets })
    this.#negotiated = negotiated
    this.#receiving = { attributes, addPath: addPathReceived }
  }
}

const nothing = () => undefined
