/** UDP, and protocols without a tracker of their own: net/netfilter/nf_conntrack_proto_udp.c, nf_conntrack_proto_generic.c. */
import { u16 } from '../../bytes.ts'
import { SECOND } from '../../clock.ts'
import type { Packet } from '../../packet.ts'
import { type Connection, Status } from './connection.ts'
import { refresh, Tracked, type TrackedNumber, type Tracking } from './tracking.ts'

/** A connection that is in use for longer than this counts as a stream. */
const STREAM_AFTER = 2 * SECOND

export function trackUdp(tracking: Tracking, connection: Connection, packet: Packet, at: number): TrackedNumber {
  const { settings, now } = tracking
  const available = packet.end - at
  if (available < 8) return Tracked.invalid
  const length = u16(packet.bytes, at + 4)
  if (length > available || length < 8) return Tracked.invalid
  if (!connection.confirmed) connection.streamAt = now + STREAM_AFTER
  if (!(connection.status & Status.seenReply)) {
    refresh(connection, now, settings.nf_conntrack_udp_timeout)
    return Tracked.accept
  }
  const stream = now > connection.streamAt
  refresh(connection, now, stream ? settings.nf_conntrack_udp_timeout_stream : settings.nf_conntrack_udp_timeout)
  if (stream && !(connection.status & Status.natClash)) connection.status |= Status.assured
  return Tracked.accept
}

export function trackGeneric(tracking: Tracking, connection: Connection): TrackedNumber {
  refresh(connection, tracking.now, tracking.settings.nf_conntrack_generic_timeout)
  return Tracked.accept
}
