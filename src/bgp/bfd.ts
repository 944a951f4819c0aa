/** What a speaker asks of BFD: RFC 5880, RFC 5881, RFC 5882 §10.2. The protocol is in the room `bfd`. */
import type { BfdSettings } from './speaker-settings.ts'

export interface BfdEvents {
  up(): void
  /** It was up, and is not: the neighbour is to be given up at once. `why` for people. Not told when the neighbour has switched it off. */
  down(why: string): void
}

export interface BfdWatch {
  readonly state: 'AdminDown' | 'Down' | 'Init' | 'Up'
  /** Other intervals, which the session agrees upon without going down. */
  change(settings: BfdSettings): void
  close(): void
}

/** `local` undefined: as the routing table says. `multihop`: RFC 5883. */
export type StartBfd = (
  session: { readonly local: string | undefined; readonly remote: string; readonly multihop: boolean },
  settings: BfdSettings,
  events: BfdEvents,
) => BfdWatch
