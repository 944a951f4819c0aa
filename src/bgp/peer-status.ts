/** How a neighbour is, for people and for those who watch it. */
import type { Negotiated } from './capability/negotiation.ts'
import type { State } from './fsm.ts'
import type { PeerSettings } from './peer-settings.ts'
import type { SessionCounts } from './session-owner.ts'

export interface PeerStatus {
  readonly state: State
  /** Stopped by an operator. */
  readonly disabled: boolean
  readonly localAddress: string | undefined
  /** Milliseconds since the epoch; undefined unless Established. */
  readonly establishedAt: number | undefined
  readonly lastError: string | undefined
  readonly counts: SessionCounts
  readonly negotiated: Negotiated | undefined
}

/** `Not established with rack-1 (10.0.0.2) from 10.0.0.1 (Active): connection refused`. */
export function describePeer({ name, address }: PeerSettings, { state, localAddress, lastError }: PeerStatus): string {
  const who = name === undefined ? address : `${name} (${address})`
  const from = localAddress === undefined ? '' : ` from ${localAddress}`
  if (state === 'Established') return `Established with ${who}${from}`
  return `Not established with ${who}${from} (${state}): ${lastError ?? 'no answer yet'}`
}
