/**
 * The BGP finite state machine: RFC 4271 §8, with RFC 6608 (subcodes of its errors) and RFC 9687 (SendHoldTimer).
 *
 * A row says: in this state, on this event, do these actions and go to that state. States, events and actions keep the RFC's
 * names, and rows its order, so that the table can be read beside §8.2.2. One machine is one connection: a neighbour that
 * dials while we dial has two, and who owns both resolves the collision. Nothing here opens sockets or starts timers.
 *
 * Left out, as the RFC allows: DelayOpen (events 12 and 20), the check of a TCP request before it is accepted (14 and 15: who
 * listens knows its neighbours), and SendNOTIFICATIONwithoutOPEN.
 *
 * Not as the RFC has it, and why:
 * - Connect, TcpConnectionFails: to Active as with DelayOpen, not to Idle. A refused connection is no reason not to be called.
 * - OpenSent, NotificationMessage: no NOTIFICATION in answer. The peer has closed the connection behind its own (§4.5).
 * - OpenConfirm, BgpOpen: the RFC means the OPEN of the other connection. A second one on this is an error (RFC 6608 §4).
 * - Established, BgpOpen: CollisionDetectEstablishedState is FALSE, for which the RFC has no row: an error (RFC 6608 §4).
 * - Established, BgpHeaderError: §6.1 wants the NOTIFICATION of the error, not that of an error of the state machine.
 */

export const STATES = ['Idle', 'Connect', 'Active', 'OpenSent', 'OpenConfirm', 'Established'] as const
export type State = (typeof STATES)[number]

/** With the number of §8.1. ROUTE-REFRESH has none: it may come where an UPDATE may. */
export const EVENTS = {
  ManualStart: 1,
  ManualStop: 2,
  ManualStartPassive: 4,
  /** After a rest in Idle, which grows with ConnectRetryCounter: so the counter stays, unlike in events 3 and 5. */
  AutomaticStart: 6,
  AutomaticStartPassive: 7,
  /** The reason is the session's to know: too many prefixes, BFD, a changed configuration. */
  AutomaticStop: 8,
  ConnectRetryTimerExpires: 9,
  HoldTimerExpires: 10,
  KeepaliveTimerExpires: 11,
  /** We have dialled. */
  TcpConnectionAcknowledged: 16,
  /** The peer has dialled, and was let in. */
  TcpConnectionConfirmed: 17,
  TcpConnectionFails: 18,
  BgpOpen: 19,
  BgpHeaderError: 21,
  BgpOpenMessageError: 22,
  /** §6.8: of two connections with a peer this is the one that goes. */
  OpenCollisionDump: 23,
  NotificationVersionError: 24,
  NotificationMessage: 25,
  KeepaliveMessage: 26,
  UpdateMessage: 27,
  /** One that RFC 7606 still ends the session for. */
  UpdateMessageError: 28,
  /** RFC 9687 §4.2. */
  SendHoldTimerExpires: 29,
  RouteRefreshMessage: undefined,
  /** RFC 7313 §5. */
  RouteRefreshMessageError: undefined,
} as const
export type Event = keyof typeof EVENTS

/** "releases all BGP resources" stops every timer but ConnectRetryTimer. Starting a timer whose time is 0 does nothing. */
export type Action =
  | 'initialize BGP resources'
  | 'release BGP resources'
  | 'zero ConnectRetryCounter'
  | 'increment ConnectRetryCounter'
  /** Also restarts it, with the initial value. A neighbour that is never dialled has none. */
  | 'start ConnectRetryTimer'
  | 'stop ConnectRetryTimer'
  | 'initiate TCP connection'
  | 'drop TCP connection'
  /** From here on connections of the peer are let in. */
  | 'listen for the peer'
  | 'track the second connection'
  | 'send OPEN'
  | 'send KEEPALIVE'
  /** Four minutes: until an OPEN has come nothing is negotiated. */
  | 'start HoldTimer with a large value'
  /** With the negotiated value; restarts it too, as the other two. */
  | 'start HoldTimer'
  | 'start KeepaliveTimer'
  | 'start SendHoldTimer'
  /** §6.8: looks at the other connection with this peer, and has one of the two dumped. */
  | 'detect connection collision'
  | 'process UPDATE'
  | 'process ROUTE-REFRESH'
  | 'delete routes'
  /** As graceful restart says: RFC 4724 §4.2, and for NOTIFICATIONs RFC 8538 §4. */
  | 'delete or retain routes'
  | Notify

export type Notify =
  /** The error that was found in a message. */
  | 'send NOTIFICATION of the error'
  /** A Cease (§6.7), whose subcode is the session's to know: RFC 4486. */
  | 'send NOTIFICATION of the stop'
  | 'send NOTIFICATION of the collision'
  | { readonly notify: readonly [code: number, subcode: number] }
  /** RFC 6608 §4: "The Data field is a 1-octet, unsigned integer that indicates the type of the unexpected message." */
  | { readonly notify: readonly [code: number, subcode: number]; readonly data: 'message type' }

export interface Step {
  readonly next: State
  /** To be done in this order. */
  readonly actions: readonly Action[]
}

/** Every event has a row in every state: a forgotten one does not compile. */
type Rows = { readonly [E in Event]: Step }

const step = (next: State, ...actions: Action[]): Step => ({ next, actions })

/** One step for several events. What "any other event" means is listed by the RFC, and so by us. */
const each = <const E extends Event>(events: readonly E[], step: Step) =>
  Object.fromEntries(events.map((event) => [event, step])) as { readonly [K in E]: Step }

const STARTS = ['ManualStart', 'ManualStartPassive', 'AutomaticStart', 'AutomaticStartPassive'] as const
const CONNECTED = ['TcpConnectionAcknowledged', 'TcpConnectionConfirmed'] as const

/** The usual end of a session that failed. */
const fail = (...first: Action[]): Step =>
  step(
    'Idle',
    ...first,
    'stop ConnectRetryTimer',
    'release BGP resources',
    'drop TCP connection',
    'increment ConnectRetryCounter',
  )

const stop = (...first: Action[]): Step =>
  step(
    'Idle',
    ...first,
    'stop ConnectRetryTimer',
    'release BGP resources',
    'drop TCP connection',
    'zero ConnectRetryCounter',
  )

/** "If a NOTIFICATION message is received with a version error": the next attempt is with another version, so no failure. */
const otherVersion = step('Idle', 'stop ConnectRetryTimer', 'release BGP resources', 'drop TCP connection')

const HOLD_TIMER_EXPIRED = { notify: [4, 0] } as const // RFC 4271 §6.5
const FSM_ERROR = { notify: [5, 0] } as const // §6.6
const UNEXPECTED_IN_OPEN_SENT = { notify: [5, 1], data: 'message type' } as const // RFC 6608 §4
const UNEXPECTED_IN_OPEN_CONFIRM = { notify: [5, 2], data: 'message type' } as const
const UNEXPECTED_IN_ESTABLISHED = { notify: [5, 3], data: 'message type' } as const
const SEND_HOLD_TIMER_EXPIRED = { notify: [8, 0] } as const // RFC 9687 §4.1

const opened = step(
  'OpenSent',
  'stop ConnectRetryTimer',
  'initialize BGP resources',
  'send OPEN',
  'start HoldTimer with a large value',
)

export const transitions: { readonly [S in State]: Rows } = {
  Idle: {
    ManualStart: step(
      'Connect',
      'initialize BGP resources',
      'zero ConnectRetryCounter',
      'start ConnectRetryTimer',
      'initiate TCP connection',
      'listen for the peer',
    ),
    AutomaticStart: step(
      'Connect',
      'initialize BGP resources',
      'start ConnectRetryTimer',
      'initiate TCP connection',
      'listen for the peer',
    ),
    ...each(['ManualStop', 'AutomaticStop'], step('Idle')),
    ManualStartPassive: step(
      'Active',
      'initialize BGP resources',
      'zero ConnectRetryCounter',
      'start ConnectRetryTimer',
      'listen for the peer',
    ),
    AutomaticStartPassive: step('Active', 'initialize BGP resources', 'start ConnectRetryTimer', 'listen for the peer'),
    ...each(['ConnectRetryTimerExpires', 'HoldTimerExpires', 'KeepaliveTimerExpires'], step('Idle')),
    ...each([...CONNECTED, 'TcpConnectionFails', 'BgpOpen', 'BgpHeaderError', 'BgpOpenMessageError'], step('Idle')),
    ...each(['OpenCollisionDump', 'NotificationVersionError', 'NotificationMessage'], step('Idle')),
    ...each(['KeepaliveMessage', 'UpdateMessage', 'UpdateMessageError', 'SendHoldTimerExpires'], step('Idle')),
    ...each(['RouteRefreshMessage', 'RouteRefreshMessageError'], step('Idle')),
  },

  Connect: {
    ...each(STARTS, step('Connect')),
    ManualStop: stop(),
    ConnectRetryTimerExpires: step(
      'Connect',
      'drop TCP connection',
      'start ConnectRetryTimer',
      'initiate TCP connection',
      'listen for the peer',
    ),
    ...each(CONNECTED, opened),
    TcpConnectionFails: step('Active', 'drop TCP connection', 'start ConnectRetryTimer', 'listen for the peer'),
    ...each(['BgpHeaderError', 'BgpOpenMessageError', 'NotificationVersionError'], fail()),
    ...each(['AutomaticStop', 'HoldTimerExpires', 'KeepaliveTimerExpires', 'BgpOpen', 'OpenCollisionDump'], fail()),
    ...each(['NotificationMessage', 'KeepaliveMessage', 'UpdateMessage', 'UpdateMessageError'], fail()),
    ...each(['SendHoldTimerExpires', 'RouteRefreshMessage', 'RouteRefreshMessageError'], fail()),
  },

  Active: {
    ...each(STARTS, step('Active')),
    ManualStop: stop(),
    ConnectRetryTimerExpires: step(
      'Connect',
      'start ConnectRetryTimer',
      'initiate TCP connection',
      'listen for the peer',
    ),
    ...each(CONNECTED, opened),
    TcpConnectionFails: step(
      'Idle',
      'start ConnectRetryTimer',
      'release BGP resources',
      'drop TCP connection',
      'increment ConnectRetryCounter',
    ),
    ...each(['BgpHeaderError', 'BgpOpenMessageError', 'NotificationVersionError'], fail()),
    ...each(['AutomaticStop', 'HoldTimerExpires', 'KeepaliveTimerExpires', 'BgpOpen', 'OpenCollisionDump'], fail()),
    ...each(['NotificationMessage', 'KeepaliveMessage', 'UpdateMessage', 'UpdateMessageError'], fail()),
    ...each(['SendHoldTimerExpires', 'RouteRefreshMessage', 'RouteRefreshMessageError'], fail()),
  },

  OpenSent: {
    ...each(STARTS, step('OpenSent')),
    ManualStop: stop('send NOTIFICATION of the stop'),
    AutomaticStop: fail('send NOTIFICATION of the stop'),
    HoldTimerExpires: fail(HOLD_TIMER_EXPIRED),
    ...each(CONNECTED, step('OpenSent', 'track the second connection')),
    TcpConnectionFails: step('Active', 'drop TCP connection', 'start ConnectRetryTimer', 'listen for the peer'),
    BgpOpen: step(
      'OpenConfirm',
      'stop ConnectRetryTimer',
      // First, so that a connection which goes has not been confirmed.
      'detect connection collision',
      'send KEEPALIVE',
      'start KeepaliveTimer',
      'start HoldTimer',
    ),
    ...each(['BgpHeaderError', 'BgpOpenMessageError'], fail('send NOTIFICATION of the error')),
    OpenCollisionDump: fail('send NOTIFICATION of the collision'),
    NotificationVersionError: otherVersion,
    NotificationMessage: fail(),
    ...each(['ConnectRetryTimerExpires', 'KeepaliveTimerExpires', 'SendHoldTimerExpires'], fail(FSM_ERROR)),
    ...each(['KeepaliveMessage', 'UpdateMessage', 'UpdateMessageError'], fail(UNEXPECTED_IN_OPEN_SENT)),
    ...each(['RouteRefreshMessage', 'RouteRefreshMessageError'], fail(UNEXPECTED_IN_OPEN_SENT)),
  },

  OpenConfirm: {
    ...each(STARTS, step('OpenConfirm')),
    ManualStop: stop('send NOTIFICATION of the stop'),
    AutomaticStop: fail('send NOTIFICATION of the stop'),
    HoldTimerExpires: fail(HOLD_TIMER_EXPIRED),
    KeepaliveTimerExpires: step('OpenConfirm', 'send KEEPALIVE', 'start KeepaliveTimer'),
    ...each(CONNECTED, step('OpenConfirm', 'track the second connection')),
    ...each(['TcpConnectionFails', 'NotificationMessage'], fail()),
    NotificationVersionError: otherVersion,
    ...each(['BgpHeaderError', 'BgpOpenMessageError'], fail('send NOTIFICATION of the error')),
    OpenCollisionDump: fail('send NOTIFICATION of the collision'),
    KeepaliveMessage: step('Established', 'start HoldTimer', 'start SendHoldTimer'),
    ...each(['ConnectRetryTimerExpires', 'SendHoldTimerExpires'], fail(FSM_ERROR)),
    ...each(['BgpOpen', 'UpdateMessage', 'UpdateMessageError'], fail(UNEXPECTED_IN_OPEN_CONFIRM)),
    ...each(['RouteRefreshMessage', 'RouteRefreshMessageError'], fail(UNEXPECTED_IN_OPEN_CONFIRM)),
  },

  Established: {
    ...each(STARTS, step('Established')),
    ManualStop: stop('send NOTIFICATION of the stop', 'delete routes'),
    AutomaticStop: fail('send NOTIFICATION of the stop', 'delete or retain routes'),
    HoldTimerExpires: fail(HOLD_TIMER_EXPIRED, 'delete or retain routes'),
    KeepaliveTimerExpires: step('Established', 'send KEEPALIVE', 'start KeepaliveTimer'),
    ...each(CONNECTED, step('Established', 'track the second connection')),
    OpenCollisionDump: fail('send NOTIFICATION of the collision', 'delete routes'),
    ...each(['NotificationVersionError', 'NotificationMessage', 'TcpConnectionFails'], fail('delete or retain routes')),
    KeepaliveMessage: step('Established', 'start HoldTimer'),
    UpdateMessage: step('Established', 'process UPDATE', 'start HoldTimer'),
    // §6.5 counts KEEPALIVE, UPDATE and NOTIFICATION as signs of life, and no others.
    RouteRefreshMessage: step('Established', 'process ROUTE-REFRESH'),
    ...each(
      ['UpdateMessageError', 'RouteRefreshMessageError', 'BgpHeaderError'],
      fail('send NOTIFICATION of the error', 'delete or retain routes'),
    ),
    SendHoldTimerExpires: fail(SEND_HOLD_TIMER_EXPIRED, 'delete or retain routes'),
    ConnectRetryTimerExpires: fail(FSM_ERROR, 'delete or retain routes'),
    ...each(['BgpOpen', 'BgpOpenMessageError'], fail(UNEXPECTED_IN_ESTABLISHED, 'delete or retain routes')),
  },
}

export function react(state: State, event: Event): Step {
  return transitions[state][event]
}
