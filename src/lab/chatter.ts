/** What nodes say among themselves all the time: BGP. It is no part of a conversation that is not about it. */
import { readHeaders } from '../trace/summary.ts'
import { IpProtocol } from '../wire/ipv4.ts'
import type { ProbeSpec } from './probe.ts'

/** RFC 4271 §1.1. */
const BGP_PORT = 179

/** `network` is the offset of the frame's network header. */
export function isChatter(frame: Uint8Array, network: number, { protocol, port }: ProbeSpec): boolean {
  if (protocol === 'tcp' && port === BGP_PORT) return false
  const headers = readHeaders(frame, network)
  if (headers?.protocol !== IpProtocol.tcp) return false
  return headers.sourcePort === BGP_PORT || headers.destinationPort === BGP_PORT
}
