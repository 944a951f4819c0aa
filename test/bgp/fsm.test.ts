/**
 * The state machine beside RFC 4271 §8.2.2. What the RFC says is written here by the numbers of its events, state by state, in
 * words of its own; where ours does something else, it is listed with the reason.
 */
import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import { formatErrorCode } from '../../src/bgp/errors.ts'
import { type Action, EVENTS, type Event, react, STATES, type State, transitions } from '../../src/bgp/fsm.ts'

/** What a paragraph of §8.2.2 asks for. Damping is a matter of the session. */
interface Outcome {
  readonly next: State
  /** The NOTIFICATION that is sent: an error code, or what its code depends on. */
  readonly notify?: '4/0' | '5/0' | '5/1' | '5/2' | '5/3' | '8/0' | 'cease' | 'error'
  readonly counter?: 'zero' | '+1'
  readonly connectRetry?: 'start' | 'stop'
  readonly release?: true
  readonly drop?: true
  /** "deletes all routes associated with this connection", which graceful restart may soften. */
  readonly routes?: 'gone' | 'gone or stale'
  readonly also?: readonly Action[]
}

const stays = (next: State, ...also: Action[]): Outcome => (also.length > 0 ? { next, also } : { next })
const ended = { next: 'Idle', connectRetry: 'stop', release: true, drop: true } as const
const failed = (more: Partial<Outcome> = {}): Outcome => ({ ...ended, counter: '+1', ...more })
const stopped = (more: Partial<Outcome> = {}): Outcome => ({ ...ended, counter: 'zero', ...more })
const stale = { routes: 'gone or stale' } as const

/** "completes BGP initialization, sends an OPEN message to its peer, sets the HoldTimer to a large value". */
const opened: Outcome = {
  next: 'OpenSent',
  connectRetry: 'stop',
  also: ['initialize BGP resources', 'send OPEN', 'start HoldTimer with a large value'],
}

/** The events of a paragraph, by their numbers, as the RFC lists them: `1, 3-7`. */
type Paragraphs = readonly (readonly [events: string, outcome: Outcome])[]

const rfc: { readonly [S in State]: Paragraphs } = {
  Idle: [
    [
      '1',
      {
        next: 'Connect',
        counter: 'zero',
        connectRetry: 'start',
        also: ['initialize BGP resources', 'initiate TCP connection', 'listen for the peer'],
      },
    ],
    ['2, 8', stays('Idle')],
    [
      '4',
      {
        next: 'Active',
        counter: 'zero',
        connectRetry: 'start',
        also: ['initialize BGP resources', 'listen for the peer'],
      },
    ],
    // "The method of preventing persistent peer oscillation is outside the scope of this document": a rest before the event.
    [
      '6',
      {
        next: 'Connect',
        connectRetry: 'start',
        also: ['initialize BGP resources', 'initiate TCP connection', 'listen for the peer'],
      },
    ],
    ['7', { next: 'Active', connectRetry: 'start', also: ['initialize BGP resources', 'listen for the peer'] }],
    ['9-12, 15-28', stays('Idle')],
    ['29', stays('Idle')],
  ],
  Connect: [
    ['1, 3-7', stays('Connect')],
    ['2', stopped()],
    [
      '9',
      { next: 'Connect', drop: true, connectRetry: 'start', also: ['initiate TCP connection', 'listen for the peer'] },
    ],
    ['16, 17', opened],
    ['18', { next: 'Idle', connectRetry: 'stop', drop: true, release: true }],
    ['21, 22', failed()],
    ['24', failed()],
    ['8, 10-11, 13, 19, 23, 25-28', failed()],
    ['29', failed()],
  ],
  Active: [
    ['1, 3-7', stays('Active')],
    ['2', stopped()],
    ['9', { next: 'Connect', connectRetry: 'start', also: ['initiate TCP connection', 'listen for the peer'] }],
    ['16, 17', opened],
    ['18', { next: 'Idle', connectRetry: 'start', release: true, drop: true, counter: '+1' }],
    ['21, 22', failed()],
    ['24', failed()],
    ['8, 10-11, 13, 19, 23, 25-28', failed()],
    ['29', failed()],
  ],
  OpenSent: [
    ['1, 3-7', stays('OpenSent')],
    ['2', stopped({ notify: 'cease' })],
    ['8', failed({ notify: 'cease' })],
    ['10', failed({ notify: '4/0' })],
    ['16, 17', stays('OpenSent', 'track the second connection')],
    ['18', { next: 'Active', drop: true, connectRetry: 'start', also: ['listen for the peer'] }],
    [
      '19',
      {
        next: 'OpenConfirm',
        connectRetry: 'stop',
        also: ['detect connection collision', 'send KEEPALIVE', 'start KeepaliveTimer', 'start HoldTimer'],
      },
    ],
    ['21, 22', failed({ notify: 'error' })],
    ['23', failed({ notify: 'cease' })],
    ['24', ended],
    ['9, 11', failed({ notify: '5/0' })],
    ['25-28', failed({ notify: '5/1' })],
    ['29', failed({ notify: '5/0' })],
  ],
  OpenConfirm: [
    ['1, 3-7', stays('OpenConfirm')],
    ['2', stopped({ notify: 'cease' })],
    ['8', failed({ notify: 'cease' })],
    ['10', failed({ notify: '4/0' })],
    ['11', stays('OpenConfirm', 'send KEEPALIVE', 'start KeepaliveTimer')],
    ['16, 17', stays('OpenConfirm', 'track the second connection')],
    ['18, 25', failed()],
    ['24', ended],
    ['19', stays('OpenConfirm', 'detect connection collision')],
    ['21, 22', failed({ notify: 'error' })],
    ['23', failed({ notify: 'cease' })],
    // RFC 9687 §4.3 starts the SendHoldTimer here.
    ['26', stays('Established', 'start HoldTimer', 'start SendHoldTimer')],
    ['9', failed({ notify: '5/0' })],
    ['27-28', failed({ notify: '5/2' })],
    ['29', failed({ notify: '5/0' })],
  ],
  Established: [
    ['1, 3-7', stays('Established')],
    ['2', stopped({ notify: 'cease', routes: 'gone' })],
    ['8', failed({ notify: 'cease', ...stale })],
    ['10', failed({ notify: '4/0', ...stale })],
    ['11', stays('Established', 'send KEEPALIVE', 'start KeepaliveTimer')],
    ['16, 17', stays('Established', 'track the second connection')],
    ['23', failed({ notify: 'cease', routes: 'gone' })],
    ['18, 24, 25', failed(stale)],
    ['26', stays('Established', 'start HoldTimer')],
    ['27', stays('Established', 'process UPDATE', 'start HoldTimer')],
    ['28', failed({ notify: 'error', ...stale })],
    ['9', failed({ notify: '5/0', ...stale })],
    ['19-22', failed({ notify: '5/3', ...stale })],
    ['29', failed({ notify: '8/0', ...stale })],
  ],
}

/** Events of the table that have no number, or whose row is not what §8.2.2 says. */
const ours: readonly (readonly [state: State, event: Event, outcome: Outcome, why: string])[] = [
  [
    'Connect',
    'TcpConnectionFails',
    { next: 'Active', drop: true, connectRetry: 'start', also: ['listen for the peer'] },
    'a refused connection is no reason not to be called; the RFC does it so with DelayOpen',
  ],
  ['OpenSent', 'NotificationMessage', failed(), 'nobody reads an answer to a NOTIFICATION'],
  ['OpenConfirm', 'BgpOpen', failed({ notify: '5/2' }), 'a second OPEN on the same connection, RFC 6608 §4'],
  [
    'Established',
    'BgpHeaderError',
    failed({ notify: 'error', ...stale }),
    '§6.1, against the list of "any other event"',
  ],
  ...(['Idle', 'Connect', 'Active', 'OpenSent', 'OpenConfirm'] as const).flatMap((state) =>
    (['RouteRefreshMessage', 'RouteRefreshMessageError'] as const).map(
      (event) => [state, event, outcomeByNumber(state, 27), 'as an UPDATE'] as const,
    ),
  ),
  [
    'Established',
    'RouteRefreshMessage',
    stays('Established', 'process ROUTE-REFRESH'),
    'RFC 2918; no sign of life in §6.5',
  ],
  ['Established', 'RouteRefreshMessageError', failed({ notify: 'error', ...stale }), 'RFC 7313 §5'],
]

function includes(list: string, number: number): boolean {
  return list.split(', ').some((part) => {
    const [from, to] = part.split('-').map(Number)
    return number >= from! && number <= (to ?? from!)
  })
}

function outcomeByNumber(state: State, number: number): Outcome {
  const [found, ...more] = rfc[state].filter(([events]) => includes(events, number))
  assert.ok(found && more.length === 0, `${state} has one paragraph for event ${number}`)
  return found[1]
}

/** Our row in the words of the RFC. */
function outcomeOf(state: State, event: Event): Outcome {
  const { next, actions } = react(state, event)
  const has = (action: Action) => actions.includes(action)
  const notify = actions.map(notifyOf).find((each) => each !== undefined)
  const counter = has('zero ConnectRetryCounter') ? 'zero' : has('increment ConnectRetryCounter') ? '+1' : undefined
  const connectRetry = has('start ConnectRetryTimer') ? 'start' : has('stop ConnectRetryTimer') ? 'stop' : undefined
  const routes = has('delete routes') ? 'gone' : has('delete or retain routes') ? 'gone or stale' : undefined
  const also = actions.filter((action) => notifyOf(action) === undefined && !NAMED.includes(action))
  return {
    next,
    ...(notify && { notify }),
    ...(counter && { counter }),
    ...(connectRetry && { connectRetry }),
    ...(has('release BGP resources') && { release: true as const }),
    ...(has('drop TCP connection') && { drop: true as const }),
    ...(routes && { routes }),
    ...(also.length > 0 && { also }),
  }
}

const NAMED: readonly Action[] = [
  'zero ConnectRetryCounter',
  'increment ConnectRetryCounter',
  'start ConnectRetryTimer',
  'stop ConnectRetryTimer',
  'release BGP resources',
  'drop TCP connection',
  'delete routes',
  'delete or retain routes',
]

function notifyOf(action: Action): Outcome['notify'] {
  if (typeof action === 'object') return action.notify.join('/') as Outcome['notify']
  if (action === 'send NOTIFICATION of the error') return 'error'
  return action.startsWith('send NOTIFICATION') ? 'cease' : undefined
}

const events = Object.keys(EVENTS) as Event[]
const own = (state: State, event: Event) => ours.find(([s, e]) => s === state && e === event)

for (const state of STATES) {
  describe(`in ${state}`, () => {
    for (const event of events) {
      const exception = own(state, event)
      test(exception ? `${event}: ${exception[3]}` : `${event} is answered as §8.2.2 says`, () => {
        const wanted = exception ? exception[2] : outcomeByNumber(state, EVENTS[event]!)
        assert.deepEqual(outcomeOf(state, event), wanted)
      })
    }
  })
}

test('every mandatory event of §8.1 is in the table', () => {
  const numbers = new Set<number | undefined>(Object.values(EVENTS))
  const mandatory = [1, 2, 9, 10, 11, 16, 17, 18, 19, 21, 22, 24, 25, 26, 27, 28]
  assert.deepEqual(
    mandatory.filter((number) => !numbers.has(number)),
    [],
  )
})

test('what is listed as ours differs from the RFC, or is of no event there', () => {
  for (const [state, event, outcome] of ours) {
    const number = EVENTS[event]
    if (number !== undefined) assert.notDeepEqual(outcomeByNumber(state, number), outcome, `${state} ${event}`)
  }
})

const pairs = STATES.flatMap((state) => events.map((event) => [state, event, react(state, event)] as const))
const isConnected = (state: State) => state === 'OpenSent' || state === 'OpenConfirm' || state === 'Established'

test('whoever goes to Idle from a connection drops it and releases what belongs to it', () => {
  for (const [state, event, { next, actions }] of pairs) {
    if (!isConnected(state) || next !== 'Idle') continue
    assert.ok(actions.includes('release BGP resources') && actions.includes('drop TCP connection'), `${state} ${event}`)
  }
})

test('a NOTIFICATION is the first thing that is done, and the last that is sent', () => {
  for (const [state, event, { next, actions }] of pairs) {
    const at = actions.findIndex((action) => notifyOf(action) !== undefined)
    if (at < 0) continue
    assert.equal(at, 0, `${state} ${event}`)
    assert.equal(next, 'Idle')
    assert.ok(actions.slice(1).every((action) => typeof action === 'string' && !action.startsWith('send')))
  }
})

test('routes are given up when Established is left, and only then', () => {
  for (const [state, event, { next, actions }] of pairs) {
    const gives = actions.includes('delete routes') || actions.includes('delete or retain routes')
    assert.equal(gives, state === 'Established' && next !== 'Established', `${state} ${event}`)
  }
})

test('nothing but a KEEPALIVE in OpenConfirm establishes a session', () => {
  const ways = pairs.filter(([state, , { next }]) => state !== 'Established' && next === 'Established')
  assert.deepEqual(
    ways.map(([state, event]) => `${state} ${event}`),
    ['OpenConfirm KeepaliveMessage'],
  )
})

test('every state can be reached, and left to Idle by ManualStop', () => {
  const reached = new Set<State>(['Idle'])
  for (const state of reached) for (const event of events) reached.add(react(state, event).next)
  assert.deepEqual([...reached].sort(), [...STATES].sort())
  for (const state of STATES) assert.equal(react(state, 'ManualStop').next, 'Idle')
})

test('every code that the table names has a name', () => {
  const codes = pairs.flatMap(([, , { actions }]) => actions.flatMap((a) => (typeof a === 'object' ? [a.notify] : [])))
  assert.ok(codes.length > 0)
  for (const [code, subcode] of codes) assert.match(formatErrorCode(code, subcode), / /)
})

test('a row has no members but its step', () => {
  for (const rows of Object.values(transitions)) assert.deepEqual(Object.keys(rows).sort(), [...events].sort())
})
