/**
 * ICMP and ICMPv6: what asks and what answers are connections; errors belong to the connection whose packet they quote.
 * Source: net/netfilter/nf_conntrack_proto_icmp.c, nf_conntrack_proto_icmpv6.c.
 */
import { type Connection, Direction } from './connection.ts'
import { refresh, Tracked, type TrackedNumber, type Tracking } from './tracking.ts'
import { Protocol } from './tuple.ts'

/** NR_ICMP_TYPES. */
export const HIGHEST_ICMP_TYPE = 18

const ICMPV6_REDIRECT = 137

/** icmp_is_err: unreachable, quench, redirect, time exceeded, parameter problem. */
export function isIcmpError(type: number): boolean {
  return type === 3 || type === 4 || type === 5 || type === 11 || type === 12
}

/** Multicast listeners, routers and neighbours: never tracked (noct_valid_new). */
export function isUntrackedIcmpv6(type: number): boolean {
  return (type >= 130 && type <= 136) || type === 143
}

export function isIcmpv6Redirect(type: number): boolean {
  return type === ICMPV6_REDIRECT
}

/** Echo, timestamp, information and address mask requests; ICMPv6: echo and node information. */
function beginsConnection(protocol: number, type: number): boolean {
  if (protocol === Protocol.icmp) return type === 8 || type === 13 || type === 15 || type === 17
  return type === 128 || type === 139
}

export function trackIcmp(tracking: Tracking, connection: Connection): TrackedNumber {
  const { protocol, destinationPart } = connection.tuple(Direction.original)
  if (!connection.confirmed && !beginsConnection(protocol, destinationPart >>> 8)) return Tracked.invalid
  const { settings, now } = tracking
  refresh(
    connection,
    now,
    protocol === Protocol.icmp ? settings.nf_conntrack_icmp_timeout : settings.nf_conntrack_icmpv6_timeout,
  )
  return Tracked.accept
}
