/**
 * What nodes say on their own, which is no part of a conversation that is about something else: BGP, and reports of the groups
 * that they listen to.
 */
import { readHeaders } from '../trace/summary.ts'
import { EtherType } from '../wire/ethernet.ts'
import { IpProtocol } from '../wire/ipv4.ts'
import { ExtensionType } from '../wire/ipv6.ts'
import type { ProbeSpec } from './probe.ts'

/** RFC 4271 §1.1. */
const BGP_PORT = 179

/** `network` is the offset of the frame's network header. */
export function isChatter(frame: Uint8Array, network: number, { protocol, port }: ProbeSpec): boolean {
  const headers = readHeaders(frame, network)
  if (headers?.protocol === IpProtocol.igmp) return true
  // A router alert, as all of MLD has one (RFC 3810 §5), and no probe.
  if (headers?.etherType === EtherType.ipv6 && headers.protocol === ExtensionType.hopByHop) return true
  if (headers?.protocol !== IpProtocol.tcp || (protocol === 'tcp' && port === BGP_PORT)) return false
  return headers.sourcePort === BGP_PORT || headers.destinationPort === BGP_PORT
}
