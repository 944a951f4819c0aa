/** What can be set on a socket of IP: ip(7), ipv6(7), socket(7), tcp(7); linux/in.h, linux/in6.h, asm-generic/socket.h. */
import type { SocketOptions, TcpOptions } from '../kernel/socket.ts'
import { succeed } from './errno.ts'
import { type OpenSocket, SOL_IP, SOL_IPV6, SOL_SOCKET, setOption } from './open-socket.ts'
import { AF_INET6 } from './socket-address.ts'

export const SOL_TCP = 6
const SO_PRIORITY = 12
const IP_TOS = 1
const IP_TTL = 2
const IP_MINTTL = 21
const IPV6_UNICAST_HOPS = 16
const IPV6_TCLASS = 67
const IPV6_MINHOPCOUNT = 73
const TCP_NODELAY = 1

/** Of a TTL, hop limit or traffic class: as the system has it. */
const DEFAULT = -1

/** A socket of IPv6 may speak IPv4, too, and has the options of both. */
export function setSocketOptions({ descriptor, domain }: OpenSocket, options: SocketOptions, call: string): void {
  const { ttl = DEFAULT, minTtl = 0, tos = 0, priority = 0 } = options
  const set = (level: number, option: number, value: number) =>
    succeed(setOption(descriptor, level, option, value), call)
  set(SOL_IP, IP_TTL, ttl)
  set(SOL_IP, IP_MINTTL, minTtl)
  set(SOL_IP, IP_TOS, tos)
  if (domain === AF_INET6) {
    set(SOL_IPV6, IPV6_UNICAST_HOPS, ttl)
    set(SOL_IPV6, IPV6_MINHOPCOUNT, minTtl)
    set(SOL_IPV6, IPV6_TCLASS, tos)
  }
  // Behind IP_TOS, which chooses a priority, too.
  set(SOL_SOCKET, SO_PRIORITY, priority)
}

export function setTcpOptions(socket: OpenSocket, options: TcpOptions, call: string): void {
  setSocketOptions(socket, options, call)
  succeed(setOption(socket.descriptor, SOL_TCP, TCP_NODELAY, options.noDelay ? 1 : 0), call)
}
