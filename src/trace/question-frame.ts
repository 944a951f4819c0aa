/** A question as it would have been sent, for one that no capture ever saw: what its own kernel kept to itself. */

import { parseIp } from '../address/ip.ts'
import { hostOf } from '../address/prefix.ts'
import type { LiveKernel } from '../kernel/live.ts'
import { IpProtocol } from '../wire/ipv4.ts'
import { routeTo } from './explain/loss.ts'

/** What is asked. */
export interface Question {
  readonly protocol: 'icmp' | 'tcp' | 'udp'
  /** Of TCP and UDP. */
  readonly port: number
}

/**
 * IPv4 header and the first bytes of what it carries, without a link layer: addresses, protocol and port are right, nothing
 * else is looked at. Undefined for IPv6.
 */
export function questionFrame(
  kernel: LiveKernel,
  address: string,
  { protocol, port }: Question,
): Uint8Array | undefined {
  const destination = parseIp(address)
  if (destination.length !== 4) return undefined
  const route = routeTo(address, kernel)
  const own = kernel.addresses.list().find(({ link, prefix }) => link === route?.link && !prefix.includes(':'))
  const frame = new Uint8Array(40)
  frame.set([0x45, 0, 0, frame.length, 0, 0, 0x40, 0, 64, IpProtocol[protocol]])
  if (own) frame.set(parseIp(hostOf(own.prefix)), 12)
  frame.set(destination, 16)
  if (protocol === 'icmp') frame[20] = 8
  else frame.set([port >> 8, port & 0xff], 22)
  return frame
}
