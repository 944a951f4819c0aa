/**
 * A tracked connection: struct nf_conn. Two tuples, one for each direction: what its packets look like when they come in.
 *
 *      original  10.244.0.2:40000 → 10.96.0.10:80       before any translation
 *      reply     10.244.1.2:8080  → 10.244.0.2:40000    inverted, as translation made it
 *
 * Without NAT the one is the other turned round. Source: net/netfilter/nf_conntrack.h, linux/netfilter/nf_conntrack_common.h.
 */
import type { Microseconds } from '../../clock.ts'
import type { TcpTrack } from './tcp-track.ts'
import type { Tuple } from './tuple.ts'

/** enum ip_conntrack_info: how a packet relates to its connection. From `isReply` on it goes the other way. */
export const CtInfo = {
  established: 0,
  related: 1,
  new: 2,
  isReply: 3,
  establishedReply: 3,
  relatedReply: 4,
  untracked: 7,
} as const
export type CtInfoNumber = (typeof CtInfo)[keyof typeof CtInfo]

/** IPS_*: bits of `status`. */
export const Status = {
  expected: 1 << 0,
  seenReply: 1 << 1,
  assured: 1 << 2,
  confirmed: 1 << 3,
  sourceNat: 1 << 4,
  destinationNat: 1 << 5,
  sourceNatDone: 1 << 7,
  destinationNatDone: 1 << 8,
  dying: 1 << 9,
  fixedTimeout: 1 << 10,
  natClash: 1 << 12,
} as const

/** IPS_NAT_MASK. */
export const NAT_MASK = Status.sourceNat | Status.destinationNat

export const Direction = { original: 0, reply: 1 } as const
export type DirectionNumber = 0 | 1

/** CTINFO2DIR. */
export function directionOf(info: number): DirectionNumber {
  return info >= CtInfo.isReply ? Direction.reply : Direction.original
}

export class Connection {
  readonly original: Tuple
  reply: Tuple
  /** Bits of Status. */
  status = 0
  mark = 0
  readonly zone: number
  /** When it ends; until it is confirmed, how long it shall live from then on. */
  timeout: Microseconds = 0
  /** Set by the TCP tracker. */
  tcp: TcpTrack | undefined = undefined
  /** UDP: from then on a connection with answers counts as a stream. */
  streamAt: Microseconds = 0
  /** Index of the device whose address it is masqueraded with; 0: none. */
  masqueradeIndex = 0
  /** For traces: the rules that translate it. */
  sourceNatRule: string | undefined = undefined
  destinationNatRule: string | undefined = undefined

  /** `original` becomes this connection's; the reply is its inverse. */
  constructor(original: Tuple, reply: Tuple, zone: number) {
    this.original = original
    this.reply = reply
    this.zone = zone
    original.connection = this
    reply.connection = this
  }

  get confirmed(): boolean {
    return (this.status & Status.confirmed) !== 0
  }

  tuple(direction: DirectionNumber): Tuple {
    return direction === Direction.original ? this.original : this.reply
  }

  /** nf_conntrack_alter_reply: the answers will look otherwise. Only before it is confirmed. */
  alterReply(reply: Tuple): void {
    reply.connection = this
    reply.direction = Direction.reply
    this.reply = reply
  }

  /** The original direction in conntrack(8)'s words. */
  get ref(): string {
    return `conntrack ${this.original}`
  }
}

/** As `--ctstate` names it: what `conntrack` decided about the packet. */
export function stateName(connection: Connection | undefined, info: number, untracked: boolean): string {
  if (untracked) return 'UNTRACKED'
  if (!connection) return 'INVALID'
  if (info === CtInfo.new) return 'NEW'
  return info === CtInfo.related || info === CtInfo.relatedReply ? 'RELATED' : 'ESTABLISHED'
}
