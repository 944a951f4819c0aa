/** Long-lived graceful restart: RFC 9494 §4.1. | AFI (2) | SAFI (1) | F . . . . . . . | stale time in seconds (3) |, repeated. */
import { formatAfiSafi } from '../family.ts'
import { joined, u16 } from '../octets.ts'
import { type CapabilityCodec, entries } from './capability.ts'
import { FORWARDING, type ForwardingFamily } from './graceful-restart.ts'

export interface LongLivedFamily extends ForwardingFamily {
  /** Seconds, 0 to 16,777,215. */
  readonly time: number
}

const MAX_TIME = 0xff_ffff

export const longLivedGracefulRestart: CapabilityCodec<readonly LongLivedFamily[]> = {
  code: 71,
  decode: (data) =>
    entries(data, 7, (entry) => ({
      afi: u16(entry, 0),
      safi: entry[2]!,
      forwarding: (entry[3]! & FORWARDING) !== 0,
      time: (entry[4]! << 16) | u16(entry, 5),
    })),
  encode: (families) => joined(families.map(encodeFamily)),
  show: (families) =>
    families.map((each) => `${formatAfiSafi(each)} ${each.time} s${each.forwarding ? ' F' : ''}`).join(', '),
}

function encodeFamily({ afi, safi, forwarding, time }: LongLivedFamily): Uint8Array {
  if (time > MAX_TIME) throw new RangeError(`Cannot encode a stale time of ${time} s: ${MAX_TIME} s is the longest`)
  return Uint8Array.of(afi >> 8, afi, safi, forwarding ? FORWARDING : 0, time >> 16, time >> 8, time)
}
