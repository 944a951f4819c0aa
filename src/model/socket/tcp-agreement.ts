/** What the two SYNs of a connection settle: RFC 9293 §3.7.1, RFC 7323 §2 and §3.2, RFC 2018 §2. */
import type { Namespace } from '../namespace.ts'
import { encodeOptions, type TcpOptions } from './tcp-segment.ts'

/** TCP_MSS_DEFAULT: where a SYN says nothing. RFC 9293 §3.7.1. */
export const DEFAULT_MSS = 536
/** The timestamps option with its padding, which every segment then has. */
export const TIMESTAMPS_LENGTH = 12

/** What a side says in its SYN, the values of its timestamps aside. */
export interface Offer {
  readonly mss: number
  readonly hasTimestamps: boolean
  readonly hasSack: boolean
  readonly hasScale: boolean
  readonly scale: number
  readonly window: number
  /** Milliseconds ahead of the clock: a random number, so that nobody can tell for how long we have been up. */
  readonly timestampOffset: number
}

export interface Agreed {
  /** We asked for it: active open, RFC 9293 §3.9.1. */
  readonly isActive: boolean
  /** Initial sequence numbers, ours and the other side's. */
  readonly iss: number
  readonly irs: number
  readonly ours: Offer
  /** Segments to the other side are no longer than this, less the options that all of them have. */
  readonly mss: number
  readonly hasTimestamps: boolean
  readonly hasSack: boolean
  /** Shifts of our window and of theirs; 0 where there is no scaling. */
  readonly scale: number
  readonly theirScale: number
  /** Their last timestamp. */
  readonly recentTimestamp: number
}

/**
 * What the namespace would use: net/ipv4/tcp_timestamps, tcp_sack, tcp_window_scaling. They are of both families. A
 * signature leaves no room for timestamps and SACK together, and timestamps are what is left out: tcp_syn_options.
 */
export function allowedOptions({ ipv4: { settings } }: Namespace, isSigned: boolean) {
  return {
    hasTimestamps: settings.tcp_timestamps !== 0 && !isSigned,
    hasSack: settings.tcp_sack !== 0,
    hasScale: settings.tcp_window_scaling !== 0,
  }
}

export function encodeOffer(offer: Offer, timestamp: number, echo: number): Uint8Array {
  const { mss, hasTimestamps, hasSack, hasScale, scale } = offer
  return encodeOptions({
    mss,
    ...(hasTimestamps && { timestamps: { value: timestamp, echo } }),
    ...(hasSack && { sackPermitted: true }),
    ...(hasScale && { windowScale: scale }),
  })
}

export function agree(isActive: boolean, iss: number, irs: number, ours: Offer, theirs: TcpOptions): Agreed {
  const hasScale = ours.hasScale && theirs.windowScale !== undefined
  return {
    isActive,
    iss,
    irs,
    ours,
    mss: theirs.mss || DEFAULT_MSS,
    hasTimestamps: ours.hasTimestamps && theirs.timestamps !== undefined,
    hasSack: ours.hasSack && theirs.sackPermitted === true,
    scale: hasScale ? ours.scale : 0,
    theirScale: hasScale ? theirs.windowScale : 0,
    recentTimestamp: theirs.timestamps?.value ?? 0,
  }
}
