/** What ping says of an ICMP error: RFC 792, RFC 1812 §5.2.7; RFC 4443 §3. */
import type { Family } from '../address/ip.ts'
import type { EchoAnswer } from '../kernel/live.ts'

type EchoError = Extract<EchoAnswer, { outcome: 'error' }>

/** Codes of destination unreachable. */
const UNREACHABLE: Readonly<Record<number, string>> = {
  0: 'Destination Net Unreachable',
  1: 'Destination Host Unreachable',
  2: 'Destination Protocol Unreachable',
  3: 'Destination Port Unreachable',
  5: 'Source Route Failed',
  6: 'Destination Net Unknown',
  7: 'Destination Host Unknown',
  8: 'Source Host Isolated',
  9: 'Destination Net Prohibited',
  10: 'Destination Host Prohibited',
  11: 'Destination Net Unreachable for Type of Service',
  12: 'Destination Host Unreachable for Type of Service',
  13: 'Packet filtered',
  14: 'Precedence Violation',
  15: 'Precedence Cutoff',
}
const UNREACHABLE6: Readonly<Record<number, string>> = {
  0: 'No route',
  1: 'Administratively prohibited',
  2: 'Beyond scope of source address',
  3: 'Address unreachable',
  4: 'Port unreachable',
}

export function describeError(family: Family, error: EchoError): string {
  return family === 'ipv4' ? describeIcmp(error) : describeIcmpv6(error)
}

function describeIcmp({ type, code, mtu = 0 }: EchoError): string {
  if (type === 3 && code === 4) return `Frag needed and DF set (mtu = ${mtu})`
  if (type === 3) return UNREACHABLE[code] ?? `Dest Unreachable, Bad Code: ${code}`
  if (type === 11)
    return ['Time to live exceeded', 'Frag reassembly time exceeded'][code] ?? `Time exceeded, Bad Code: ${code}`
  if (type === 12) return `Parameter problem: pointer = 0`
  return `Bad ICMP type: ${type}`
}

function describeIcmpv6({ type, code, mtu = 0 }: EchoError): string {
  if (type === 1) return `Destination unreachable: ${UNREACHABLE6[code] ?? `Unknown code ${code}`}`
  if (type === 2) return `Packet too big: mtu=${mtu}`
  if (type === 3) return `Time exceeded: ${['Hop limit', 'Defragmentation failure'][code] ?? `code ${code}`}`
  return `unknown icmp type: ${type}`
}
