/** TCP: nf_conntrack_tcp_packet, net/netfilter/nf_conntrack_proto_tcp.c. The arms stand in its order. */
import { SECOND } from '../../clock.ts'
import type { Packet } from '../../packet.ts'
import { type Connection, Direction, type DirectionNumber, Status } from './connection.ts'
import type { ConntrackSettings } from './settings.ts'
import { readOptions, readSegment, segment } from './tcp-segment.ts'
import { before, nextState, Segment, TcpFlag, TcpSide, TcpState, TcpTrack } from './tcp-track.ts'
import { InWindow, inWindow } from './tcp-window.ts'
import { refresh, Tracked, type TrackedNumber, type Tracking } from './tracking.ts'

export function trackTcp(
  tracking: Tracking,
  connection: Connection,
  packet: Packet,
  at: number,
  direction: DirectionNumber,
): TrackedNumber {
  const { settings } = tracking
  if (!readSegment(packet, at)) return Tracked.invalid
  if (!connection.confirmed && !begin(connection, packet.bytes, settings)) return Tracked.invalid
  const track = connection.tcp!
  const { kind } = segment
  let oldState: number = track.state
  let newState = nextState(direction, kind, oldState)
  let skipWindow = false

  if (newState === TcpState.invalid) return Tracked.invalid
  if (newState === TcpState.ignore || (newState === TcpState.synSent && oldState >= TcpState.timeWait)) {
    if (newState === TcpState.synSent && mayReopen(track, direction))
      return tracking.kill(connection) ? Tracked.repeat : Tracked.drop
    if (!answersIgnoredSyn(track, direction)) {
      rememberIgnored(track, packet.bytes, direction, oldState)
      return Tracked.accept
    }
    // Client and server agree and we did not: take over what the ignored SYN said.
    resynchronise(track, direction)
    oldState = TcpState.synSent
    newState = TcpState.synReceived
  } else if (newState === TcpState.timeWait && isChallengeAck(track, direction, oldState)) {
    track.lastFlags &= ~TcpFlag.challengeAckExpected
    return Tracked.accept
  } else if (newState === TcpState.synSent2) {
    track.lastFlags |= TcpFlag.simultaneousOpen
  } else if (newState === TcpState.synReceived) {
    const simultaneous = (track.lastFlags & TcpFlag.simultaneousOpen) !== 0
    if (direction === Direction.reply && kind === Segment.ack && simultaneous) newState = TcpState.established
  } else if (newState === TcpState.close && kind === Segment.rst) {
    const verdict = judgeReset(track, connection, direction, settings)
    if (verdict === Reset.invalid) return Tracked.invalid
    if (verdict & Reset.keepsState) newState = oldState
    skipWindow = (verdict & Reset.skipsWindow) !== 0
  }

  if (!skipWindow) {
    const verdict = inWindow(track, direction, packet.bytes, settings.nf_conntrack_tcp_be_liberal !== 0)
    if (verdict === InWindow.ignore) return Tracked.accept
    if (verdict === InWindow.invalid) {
      shortenAfterInvalid(tracking, connection, track, direction)
      return Tracked.invalid
    }
  }
  track.lastSegment = kind
  track.lastDirection = direction
  track.state = newState
  if (oldState !== newState && newState === TcpState.finWait) track.sides[direction].flags |= TcpFlag.closeInit
  return finish(tracking, connection, track, oldState, newState)
}

/** tcp_new: the first packet, a SYN or, with nf_conntrack_tcp_loose, one from the middle. */
function begin(connection: Connection, bytes: Uint8Array, settings: ConntrackSettings): boolean {
  const state = nextState(Direction.original, segment.kind, TcpState.none)
  if (state === TcpState.invalid) return false
  const track = new TcpTrack()
  const [side, other] = track.sides
  side.end = segment.end
  side.maxWindow = Math.max(segment.window, 1)
  side.maxEnd = segment.end
  if (state === TcpState.synSent) readOptions(bytes, side)
  else {
    if (settings.nf_conntrack_tcp_loose === 0) return false
    side.maxEnd = (segment.end + side.maxWindow) | 0
    // The window scale is unknown: no segment can be called out of the window.
    side.flags = TcpFlag.sackPermitted | TcpFlag.beLiberal
    other.flags = side.flags
  }
  connection.tcp = track
  return true
}

/** A SYN in TIME_WAIT or CLOSE: RFC 1122 §4.2.2.13, or a client that gave up and begins again. */
function mayReopen(track: TcpTrack, direction: DirectionNumber): boolean {
  const closed = (track.sides[0].flags | track.sides[1].flags) & TcpFlag.closeInit
  return closed !== 0 || (track.lastDirection === direction && track.lastSegment === Segment.rst)
}

function answersIgnoredSyn(track: TcpTrack, direction: DirectionNumber): boolean {
  return (
    segment.kind === Segment.synAck &&
    track.lastSegment === Segment.syn &&
    track.lastDirection !== direction &&
    segment.ack === track.lastEnd
  )
}

function resynchronise(track: TcpTrack, direction: DirectionNumber): void {
  const side = track.sides[track.lastDirection]
  side.end = track.lastEnd
  side.maxEnd = track.lastEnd
  side.maxWindow = Math.max(track.lastWindow, 1)
  side.scale = track.lastScale
  track.lastFlags &= ~TcpFlag.challengeAckExpected
  side.flags = track.lastFlags
  track.sides[direction].reset()
}

/** A packet that may be the real connection's while ours is out of date: it passes and changes nothing but this. */
function rememberIgnored(track: TcpTrack, bytes: Uint8Array, direction: DirectionNumber, oldState: number): void {
  const { kind } = segment
  track.lastSegment = kind
  track.lastDirection = direction
  track.lastSequence = segment.sequence
  track.lastEnd = segment.end
  track.lastWindow = segment.window
  if (kind === Segment.syn && direction === Direction.original) {
    const seen = new TcpSide()
    readOptions(bytes, seen)
    track.lastFlags = seen.flags & (TcpFlag.windowScale | TcpFlag.sackPermitted)
    track.lastScale = seen.scale
    // RFC 5961 §4: the server may answer with a challenge ACK, which acknowledges no FIN.
    if (oldState === TcpState.lastAck) track.lastFlags |= TcpFlag.challengeAckExpected
  }
  if (oldState === TcpState.synSent && kind === Segment.ack && direction === Direction.reply)
    track.lastAck = segment.ack
}

function isChallengeAck(track: TcpTrack, direction: DirectionNumber, oldState: number): boolean {
  return (
    oldState === TcpState.lastAck &&
    segment.kind === Segment.ack &&
    track.lastDirection !== direction &&
    track.lastSegment === Segment.syn &&
    (track.lastFlags & TcpFlag.challengeAckExpected) !== 0
  )
}

const Reset = { closes: 0, keepsState: 1, skipsWindow: 2, invalid: 4 } as const

function judgeReset(
  track: TcpTrack,
  connection: Connection,
  direction: DirectionNumber,
  settings: ConntrackSettings,
): number {
  const { sequence } = segment
  // The ports may be in use again: what is remembered says nothing of that.
  if (canEarlyDrop(track)) return Reset.skipsWindow
  const { flags, maxAck } = track.sides[direction === 0 ? 1 : 0]
  let verdict: number = Reset.closes
  if (flags & TcpFlag.maxAckSet && track.lastSegment !== Segment.syn) {
    const established = track.state === TcpState.established && (connection.status & Status.assured) !== 0
    if (sequence === 0 && !established) return Reset.closes
    if (before(sequence, maxAck) && settings.nf_conntrack_tcp_ignore_invalid_rst === 0) return Reset.invalid
    if (!established || sequence === maxAck) return Reset.closes
    // The last of a train: data, then RST.
    if (track.lastSegment === Segment.ack && track.lastDirection === direction && sequence === track.lastEnd)
      return Reset.closes
    // RFC 5961 §3: it may be answered by a challenge ACK.
    verdict = Reset.keepsState
  }
  return verdict | (answersLetThrough(track, connection, direction) ? Reset.skipsWindow : 0)
}

/** Whether the RST answers a SYN, an ACK or a challenge ACK that was let through before. */
function answersLetThrough(track: TcpTrack, connection: Connection, direction: DirectionNumber): boolean {
  const { lastSegment } = track
  const { status } = connection
  const letThrough =
    (status & Status.seenReply && lastSegment === Segment.syn && track.lastDirection !== direction) ||
    (!(status & Status.assured) && lastSegment === Segment.ack)
  if (letThrough && segment.ack === track.lastEnd) return true
  return (
    track.state === TcpState.synSent &&
    lastSegment === Segment.ack &&
    track.lastDirection === Direction.reply &&
    segment.sequence === track.lastAck
  )
}

/** tcp_can_early_drop. */
function canEarlyDrop({ state }: TcpTrack): boolean {
  return state >= TcpState.finWait && state <= TcpState.close
}

/** nf_tcp_handle_invalid: a FIN or RST out of the window, answered by another, leaves no connection for five days. */
function shortenAfterInvalid(
  tracking: Tracking,
  connection: Connection,
  track: TcpTrack,
  direction: DirectionNumber,
): void {
  const { kind } = segment
  if (!(connection.status & Status.assured) || connection.status & Status.fixedTimeout) return
  if (kind !== Segment.rst && kind !== Segment.fin) return
  const answered = track.lastSegment === Segment.fin || track.lastSegment === Segment.rst
  if (track.lastDirection === direction || !answered) {
    track.lastSegment = kind
    track.lastDirection = direction
    return
  }
  const left = connection.timeout - tracking.now
  const unacknowledged = tracking.settings.nf_conntrack_tcp_timeout_unacknowledged * SECOND
  if (left >= 120 * SECOND && left > unacknowledged) connection.timeout = tracking.now + unacknowledged
}

/** The segment is in the window: how long the connection lives now, and whether it counts as established. */
function finish(
  tracking: Tracking,
  connection: Connection,
  track: TcpTrack,
  oldState: number,
  newState: number,
): TrackedNumber {
  const { settings } = tracking
  const { kind } = segment
  let seconds = timeoutOf(settings, newState)
  const retransmitted = settings.nf_conntrack_tcp_timeout_max_retrans
  const unacknowledged = settings.nf_conntrack_tcp_timeout_unacknowledged
  const flags = track.sides[0].flags | track.sides[1].flags
  if (track.retransmissions >= settings.nf_conntrack_tcp_max_retrans && seconds > retransmitted) seconds = retransmitted
  else if (kind === Segment.rst) seconds = settings.nf_conntrack_tcp_timeout_close
  else if (flags & TcpFlag.dataUnacknowledged && seconds > unacknowledged) seconds = unacknowledged
  else if (track.lastWindow === 0 && seconds > retransmitted) seconds = retransmitted

  if (!(connection.status & Status.seenReply)) {
    // An RST is the only answer: there is no connection.
    if (segment.rst) {
      tracking.kill(connection)
      return Tracked.accept
    }
    // A SYN that is sent again gains no time, or a client could keep the entry, and its translation, for ever.
    if (kind === Segment.syn && oldState === TcpState.synSent) return Tracked.accept
    if (newState === TcpState.established && seconds > unacknowledged) seconds = unacknowledged
  } else if (
    !(connection.status & Status.assured) &&
    (oldState === TcpState.synReceived || oldState === TcpState.established) &&
    newState === TcpState.established
  ) {
    connection.status |= Status.assured
  }
  refresh(connection, tracking.now, seconds)
  return Tracked.accept
}

function timeoutOf(settings: ConntrackSettings, state: number): number {
  switch (state) {
    case TcpState.synReceived:
      return settings.nf_conntrack_tcp_timeout_syn_recv
    case TcpState.established:
      return settings.nf_conntrack_tcp_timeout_established
    case TcpState.finWait:
      return settings.nf_conntrack_tcp_timeout_fin_wait
    case TcpState.closeWait:
      return settings.nf_conntrack_tcp_timeout_close_wait
    case TcpState.lastAck:
      return settings.nf_conntrack_tcp_timeout_last_ack
    case TcpState.timeWait:
      return settings.nf_conntrack_tcp_timeout_time_wait
    case TcpState.close:
      return settings.nf_conntrack_tcp_timeout_close
    default:
      return settings.nf_conntrack_tcp_timeout_syn_sent
  }
}
