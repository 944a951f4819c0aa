/**
 * Graceful restart: RFC 4724 §3; the N flag: RFC 8538 §2.
 *
 *   | R N . . | restart time in seconds (12 bits) |, then per family | AFI (2) | SAFI (1) | F . . . . . . . |
 */
import { type AfiSafi, formatAfiSafi } from '../family.ts'
import { joined, ofU16, u16 } from '../octets.ts'
import { type CapabilityCodec, entries } from './capability.ts'

export interface ForwardingFamily extends AfiSafi {
  /** "Forwarding State": the routes of this family were kept in forwarding over the restart. */
  readonly forwarding: boolean
}

export interface GracefulRestart {
  /** "Restart State": the speaker has restarted, and the peer must not wait for its End-of-RIB. */
  readonly restarting: boolean
  /** A NOTIFICATION is no reason to forget routes either. */
  readonly notification: boolean
  /** Seconds, 0 to 4095. */
  readonly time: number
  /** Empty: the speaker helps others, and keeps nothing itself. */
  readonly families: readonly ForwardingFamily[]
}

const RESTARTING = 0x8000
const NOTIFICATION = 0x4000
const MAX_TIME = 0xfff
export const FORWARDING = 0x80

export const gracefulRestart: CapabilityCodec<GracefulRestart> = {
  code: 64,
  decode(data) {
    if (data.length < 2) return undefined
    const families = entries(data.subarray(2), 4, decodeFamily)
    if (!families) return undefined
    const head = u16(data, 0)
    return {
      restarting: (head & RESTARTING) !== 0,
      notification: (head & NOTIFICATION) !== 0,
      time: head & MAX_TIME,
      families,
    }
  },
  encode({ restarting, notification, time, families }) {
    if (time > MAX_TIME) throw new RangeError(`Cannot encode a restart time of ${time} s: ${MAX_TIME} s is the longest`)
    const head = (restarting ? RESTARTING : 0) | (notification ? NOTIFICATION : 0) | time
    return joined([ofU16(head), ...families.map(encodeFamily)])
  },
  show({ restarting, notification, time, families }) {
    const flags = `${restarting ? 'R' : ''}${notification ? 'N' : ''}`
    const list = families.map((each) => formatAfiSafi(each) + (each.forwarding ? ' F' : ''))
    return [...(flags ? [flags] : []), `${time} s`, ...list].join(', ')
  },
}

function decodeFamily(entry: Uint8Array): ForwardingFamily {
  return { afi: u16(entry, 0), safi: entry[2]!, forwarding: (entry[3]! & FORWARDING) !== 0 }
}

function encodeFamily({ afi, safi, forwarding }: ForwardingFamily): Uint8Array {
  return Uint8Array.of(afi >> 8, afi, safi, forwarding ? FORWARDING : 0)
}
