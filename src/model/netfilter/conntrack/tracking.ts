/** What a protocol's tracker answers about a packet, and what it is given beside it. */
import { SECOND } from '../../clock.ts'
import { type Connection, Status } from './connection.ts'
import type { ConntrackSettings } from './settings.ts'

/** -NF_ACCEPT: the packet is no part of a connection. -NF_REPEAT: look for its connection again. */
export const Tracked = { drop: 0, accept: 1, invalid: 2, repeat: 3 } as const
export type TrackedNumber = (typeof Tracked)[keyof typeof Tracked]

/** The table, as trackers see it. */
export interface Tracking {
  readonly settings: ConntrackSettings
  readonly now: number
  /** nf_ct_kill. Whether it was there. */
  kill(connection: Connection): boolean
}

/** nf_ct_refresh_acct: it lives `seconds` from now on. */
export function refresh(connection: Connection, now: number, seconds: number): void {
  if (connection.status & Status.fixedTimeout) return
  connection.timeout = connection.confirmed ? now + seconds * SECOND : seconds * SECOND
}
