/**
 * Address families: IANA "Address Family Numbers" and "SAFI Values".
 *
 * Routes are kept for unicast of IPv4 and IPv6. Peers speak of others, which stay numbers.
 */
import type { Family } from '../address/ip.ts'

export type { Family }

/** All that routes are kept of. */
export const FAMILIES: readonly Family[] = ['ipv4', 'ipv6']

export interface AfiSafi {
  readonly afi: number
  readonly safi: number
}

export const Afi = { ipv4: 1, ipv6: 2 } as const
export const UNICAST = 1

export const unicastOf: Readonly<Record<Family, AfiSafi>> = {
  ipv4: { afi: Afi.ipv4, safi: UNICAST },
  ipv6: { afi: Afi.ipv6, safi: UNICAST },
}

/** The family whose unicast routes these numbers mean; undefined for all that is not kept here. */
export function familyOf(afi: number, safi: number): Family | undefined {
  if (safi !== UNICAST) return undefined
  return afi === Afi.ipv4 ? 'ipv4' : afi === Afi.ipv6 ? 'ipv6' : undefined
}

const AFI_NAMES: Readonly<Record<number, string>> = { 1: 'ipv4', 2: 'ipv6', 25: 'l2vpn', 16388: 'ls' }
const SAFI_NAMES: Readonly<Record<number, string>> = {
  1: 'unicast',
  2: 'multicast',
  4: 'labeled-unicast',
  70: 'evpn',
  128: 'vpn',
  133: 'flowspec',
}

/** `ipv4 unicast`; numbers where there is no name. */
export function formatAfiSafi({ afi, safi }: AfiSafi): string {
  return `${AFI_NAMES[afi] ?? `afi ${afi}`} ${SAFI_NAMES[safi] ?? `safi ${safi}`}`
}
