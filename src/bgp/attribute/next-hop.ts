/**
 * NEXT_HOP: RFC 4271 §5.1.3, for IPv4 prefixes alone; the next hop of all others is part of MP_REACH_NLRI.
 *
 * An address that no packet can be sent to is no damage: the route stays out of the decision (§9.1.2), the session stays.
 */

import { type Ip, parseIp } from '../../address/ip.ts'
import { formatIpv4, IPV4_LENGTH, parseIpv4 } from '../../address/ipv4.ts'
import { isIpv4Mapped } from '../../address/ipv6.ts'
import { type AttributeCodec, WELL_KNOWN } from './attribute.ts'
import { requireLength } from './length.ts'

export const nextHop: AttributeCodec<string> = {
  code: 3,
  name: 'NEXT_HOP',
  flags: WELL_KNOWN,
  damaged: 'treat-as-withdraw',
  decode(value) {
    requireLength('NEXT_HOP', value, IPV4_LENGTH)
    return formatIpv4(value)
  },
  encode: parseIpv4,
  show: (address) => address,
}

/** Why no route can lead there, wherever we are; undefined for the address of a host. */
export function unusableNextHop(address: string): string | undefined {
  const ip = parseIp(address)
  if (ip.every((byte) => byte === 0)) return 'unspecified'
  if (ip.length === IPV4_LENGTH) return unusableIpv4(ip)
  if (ip[0] === 0xff) return 'multicast'
  if (isIpv4Mapped(ip)) return 'IPv4-mapped'
  return ip.every((byte, i) => byte === (i === 15 ? 1 : 0)) ? 'loopback' : undefined
}

function unusableIpv4(ip: Ip): string | undefined {
  const first = ip[0]!
  if (first === 0) return 'this network'
  if (first === 127) return 'loopback'
  if (first >= 240) return 'reserved'
  return first >= 224 ? 'multicast' : undefined
}
