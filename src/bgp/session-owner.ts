/** What a session needs of whoever owns it, and what it tells. */
import type { Clock } from '../store/clock.ts'
import type { SessionKind } from './attribute/attribute.ts'
import type { AttributeInterner } from './attribute/interner.ts'
import type { Expected } from './capability/negotiation.ts'
import type { Event, State } from './fsm.ts'
import type { Notification } from './message/notification.ts'
import type { Open } from './message/open.ts'
import type { RouteRefresh } from './message/route-refresh.ts'
import type { Update } from './message/update.ts'
import type { Observers } from './observer.ts'
import type { PeerSettings } from './peer-settings.ts'
import type { ReadingTurns } from './reading-turns.ts'
import type { Session } from './session.ts'
import type { Connection, ConnectionEvents } from './transport.ts'

/** Seconds. */
export interface SessionTimes {
  /** What we offer; 0: no KEEPALIVEs. */
  readonly holdTime: number
  /** undefined: a third of the negotiated hold time, which also is the most. */
  readonly keepalive: number | undefined
  readonly connectRetry: number
}

export interface SessionOptions {
  readonly settings: PeerSettings
  readonly observers: Observers
  readonly clock: Clock
  /** One for all sessions. */
  readonly turns: ReadingTurns
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

export interface SessionCounts {
  readonly messagesReceived: number
  readonly messagesSent: number
  readonly updatesReceived: number
  readonly updatesSent: number
}

export const NO_COUNTS: SessionCounts = { messagesReceived: 0, messagesSent: 0, updatesReceived: 0, updatesSent: 0 }
