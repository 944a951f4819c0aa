/**
 * The BFD state machine: RFC 5880 §6.2, §6.8.4, §6.8.6 and §6.8.16.
 *
 *                              +--+
 *                              |  | UP, ADMIN DOWN, TIMER
 *                              |  V
 *                      DOWN  +------+  INIT
 *               +------------|      |------------+
 *               |            | DOWN |            |
 *               |  +-------->|      |<--------+  |
 *               |  |         +------+         |  |
 *               |  |                          |  |
 *               |  |               ADMIN DOWN,|  |
 *               |  |ADMIN DOWN,          DOWN,|  |
 *               |  |TIMER                TIMER|  |
 *               V  |                          |  V
 *             +------+                      +------+
 *        +----|      |                      |      |----+
 *    DOWN|    | INIT |--------------------->|  UP  |    |INIT, UP
 *        +--->|      | INIT, UP             |      |<---+
 *             +------+                      +------+
 *
 * A row says: in this state, on this event, go to that state for that reason, and tell that. Nothing here sends or waits.
 */
import { BfdDiagnostic, type BfdState } from '../wire/bfd.ts'

export type Event =
  /** A packet has come, with this state of the remote system. */
  | 'receive AdminDown'
  | 'receive Down'
  | 'receive Init'
  | 'receive Up'
  /** No packet has come for so long. */
  | 'detection time expires'
  /** §6.8.16. */
  | 'disable'
  | 'enable'

export interface Step {
  readonly next: BfdState
  /** bfd.LocalDiag, "the reason for the most recent change": §6.8.1. It counts when the state is another. */
  readonly diagnostic: number
  readonly tell: 'up' | 'down' | undefined
}

/** Every event has a row in every state: a forgotten one does not compile. */
type Rows = { readonly [E in Event]: Step }

const step = (next: BfdState, diagnostic: number = BfdDiagnostic.none, tell?: 'up' | 'down'): Step => ({
  next,
  diagnostic,
  tell,
})

const up = step('Up', BfdDiagnostic.none, 'up')
const disabled = step('AdminDown', BfdDiagnostic.administrativelyDown)

export const transitions: { readonly [S in BfdState]: Rows } = {
  // Packets are discarded in this state: §6.8.6.
  AdminDown: {
    'receive AdminDown': step('AdminDown'),
    'receive Down': step('AdminDown'),
    'receive Init': step('AdminDown'),
    'receive Up': step('AdminDown'),
    'detection time expires': step('AdminDown'),
    disable: step('AdminDown'),
    enable: step('Down'),
  },

  Down: {
    'receive AdminDown': step('Down'),
    'receive Down': step('Init'),
    'receive Init': up,
    'receive Up': step('Down'),
    'detection time expires': step('Down'),
    disable: disabled,
    enable: step('Down'),
  },

  Init: {
    'receive AdminDown': step('Down', BfdDiagnostic.neighborSignaledSessionDown),
    'receive Down': step('Init'),
    'receive Init': up,
    'receive Up': up,
    'detection time expires': step('Down', BfdDiagnostic.controlDetectionTimeExpired),
    disable: disabled,
    enable: step('Init'),
  },

  Up: {
    // Switched off by hand, the path is as good as before: no reason to take the control protocol down, RFC 5882 §4.2.
    'receive AdminDown': step('Down', BfdDiagnostic.neighborSignaledSessionDown),
    'receive Down': step('Down', BfdDiagnostic.neighborSignaledSessionDown, 'down'),
    'receive Init': step('Up'),
    'receive Up': step('Up'),
    'detection time expires': step('Down', BfdDiagnostic.controlDetectionTimeExpired, 'down'),
    disable: disabled,
    enable: step('Up'),
  },
}

export function react(state: BfdState, event: Event): Step {
  return transitions[state][event]
}
