/**
 * Whether a segment lies where both sides' windows allow it: tcp_in_window, net/netfilter/nf_conntrack_proto_tcp.c.
 *
 *      I.    sequence        <= sender.maxEnd
 *      II.   sequence + len  >= sender.end − receiver.maxWindow
 *      III.  sack            <= receiver.end
 *      IV.   sack            >= receiver.end − max(sender.maxWindow, 66000)
 *
 * `sack` is the right edge of the highest SACK block, or the acknowledgement.
 */
import { highestSack, readOptions, segment } from './tcp-segment.ts'
import { after, before, Segment, TcpFlag, type TcpSide, TcpState, type TcpTrack } from './tcp-track.ts'

export const InWindow = { accept: 0, ignore: 1, invalid: 2 } as const
export type InWindowNumber = (typeof InWindow)[keyof typeof InWindow]

/** MAXACKWINCONST. */
const ACK_WINDOW = 66_000

/** `liberal`: nf_conntrack_tcp_be_liberal. */
export function inWindow(track: TcpTrack, direction: 0 | 1, bytes: Uint8Array, liberal: boolean): InWindowNumber {
  const sender = track.sides[direction]
  const receiver = track.sides[direction === 0 ? 1 : 0]
  const { kind } = segment
  let { sequence, ack, end, window } = segment
  let sack = receiver.flags & TcpFlag.sackPermitted ? highestSack(bytes) : ack

  if (sender.maxWindow === 0) {
    if (segment.syn) {
      initialise(sender, receiver, direction, bytes)
      // A simultaneous open.
      if (!segment.hasAck) return InWindow.accept
    } else {
      // In the middle of a connection whose history is lost: the packet must do.
      sender.end = end
      sender.maxWindow = Math.max(window * 2 ** sender.scale, 1)
      sender.maxEnd = (end + sender.maxWindow) | 0
      if (receiver.maxWindow === 0) {
        receiver.end = sack
        receiver.maxEnd = sack
      } else if (sack === ((receiver.end + 1) | 0)) {
        // Likely the answer to a keepalive.
        receiver.end = sack
      }
    }
  } else if (
    segment.syn &&
    after(end, sender.end) &&
    (track.state === TcpState.synSent || track.state === TcpState.synReceived)
  ) {
    initialise(sender, receiver, direction, bytes)
    if (direction === 1 && !segment.hasAck) return InWindow.accept
  }

  if (!segment.hasAck || (segment.rst && ack === 0)) {
    // Nothing is acknowledged, or a stack sets ACK in an RST without meaning it.
    ack = receiver.end
    sack = receiver.end
  }
  if (segment.rst && sequence === 0 && track.state === TcpState.synSent) {
    // The RST that answers a SYN.
    sequence = sender.end
    end = sender.end
  }

  const refusal = liberal || sender.flags & TcpFlag.beLiberal ? InWindow.accept : undefined
  const ackWindow = Math.max(sender.maxWindow, ACK_WINDOW)
  if (!before(sequence, sender.maxEnd + 1)) {
    const overshot = (end - sender.maxEnd + 1) >>> 0
    if (
      receiver.maxWindow !== 0 &&
      after(end, sender.end - receiver.maxWindow - 1) &&
      after(sack, receiver.end - ackWindow - 1) &&
      overshot <= receiver.maxWindow &&
      before(sack, receiver.end + 1)
    ) {
      // It may pass the rules all the same, and then be acknowledged.
      sender.end = end
      sender.flags |= TcpFlag.dataUnacknowledged
      return refusal ?? InWindow.ignore
    }
    return refusal ?? InWindow.invalid
  }
  if (!before(sack, receiver.end + 1)) return refusal ?? InWindow.invalid
  if (receiver.maxWindow !== 0 && !after(end, sender.end - receiver.maxWindow - 1)) return refusal ?? InWindow.ignore
  if (!after(sack, receiver.end - ackWindow - 1)) return refusal ?? InWindow.ignore

  if (!segment.syn) window *= 2 ** sender.scale
  const sackedWindow = window + ((sack - ack) | 0)
  if (sender.maxWindow < sackedWindow) sender.maxWindow = sackedWindow
  if (after(end, sender.end)) {
    sender.end = end
    sender.flags |= TcpFlag.dataUnacknowledged
  }
  if (segment.hasAck && (!(sender.flags & TcpFlag.maxAckSet) || after(ack, sender.maxAck))) {
    sender.maxAck = ack
    sender.flags |= TcpFlag.maxAckSet
  }
  if (receiver.maxWindow !== 0 && after(end, sender.maxEnd)) receiver.maxWindow += (end - sender.maxEnd) | 0
  if (after(sack + window, receiver.maxEnd - 1)) receiver.maxEnd = (sack + window + (window === 0 ? 1 : 0)) | 0
  if (ack === receiver.end) receiver.flags &= ~TcpFlag.dataUnacknowledged
  if (kind === Segment.ack) countRetransmissions(track, direction, sequence, ack, end)
  return InWindow.accept
}

/** tcp_init_sender: the first SYN or SYN-ACK of a side. */
function initialise(sender: TcpSide, receiver: TcpSide, direction: 0 | 1, bytes: Uint8Array): void {
  sender.end = segment.end
  sender.maxEnd = segment.end
  sender.maxWindow = Math.max(segment.window, 1)
  readOptions(bytes, sender)
  // RFC 7323 §2.2: scaling is in effect only when both sides ask for it.
  if (direction === 1 && !(sender.flags & receiver.flags & TcpFlag.windowScale)) {
    sender.scale = 0
    receiver.scale = 0
  }
}

function countRetransmissions(track: TcpTrack, direction: 0 | 1, sequence: number, ack: number, end: number): void {
  const same =
    track.lastDirection === direction &&
    track.lastSequence === sequence &&
    track.lastAck === ack &&
    track.lastEnd === end &&
    track.lastWindow === segment.window
  track.retransmissions = same ? track.retransmissions + 1 : 0
  track.lastDirection = direction
  track.lastSequence = sequence
  track.lastAck = ack
  track.lastEnd = end
  track.lastWindow = segment.window
}
