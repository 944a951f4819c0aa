/**
 * Two connections with one neighbour: RFC 4271 §6.8, identifiers of different AS: RFC 6286 §2.3.
 *
 * Of two connections the one stays that the speaker with the higher identifier has dialled, and both ends must come to that
 * without asking each other. An end that has the OPEN of the loser before that of the winner does not know that the winner will
 * come to life, nor whether the other end has dumped the loser already. When both go by what they see, each may close what the
 * other keeps. So the loser is held back for as long as the winner's OPEN may come, and what is established by then stays.
 */
import type { BgpId } from './bgp-id.ts'
import { CeaseError, ErrorCode } from './errors.ts'
import type { State } from './fsm.ts'
import type { SessionEnd } from './session-owner.ts'

export interface Speaker {
  readonly id: BgpId
  readonly as: number
}

/** A connection with the neighbour. */
export interface Rival {
  readonly state: State
  readonly initiator: 'we' | 'peer'
}

export type Verdict =
  | 'this goes'
  | 'the other goes'
  /** This one is the loser, if the other gets as far. */
  | 'wait for the other'

/** What becomes of a connection whose OPEN has just come, and of the other one. */
export function resolveCollision(opened: Rival, other: Rival, own: Speaker, peer: Speaker): Verdict {
  switch (other.state) {
    case 'Idle':
    case 'Connect':
    case 'Active':
      return 'the other goes'
    case 'OpenSent':
      return wins(opened, own, peer) ? 'the other goes' : 'wait for the other'
    case 'OpenConfirm':
      return wins(opened, own, peer) ? 'the other goes' : 'this goes'
    case 'Established':
      return 'this goes'
  }
}

function wins({ initiator }: Rival, own: Speaker, peer: Speaker): boolean {
  return (initiator === 'we') === isHigher(own, peer)
}

/** "If the BGP Identifiers … are identical, then the connection initiated by the BGP speaker with the larger AS number". */
function isHigher(own: Speaker, peer: Speaker): boolean {
  return own.id === peer.id ? own.as > peer.as : own.id > peer.id
}

/** Whether a connection has ended because there was another, as one of the ends has found: no failure. */
export function isCollision({ event, received }: SessionEnd): boolean {
  const { connectionCollisionResolution } = CeaseError
  return (
    event === 'OpenCollisionDump' ||
    (received?.code === ErrorCode.cease && received.subcode === connectionCollisionResolution)
  )
}
