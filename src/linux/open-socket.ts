/** Sockets of a namespace, bound: socket(2), bind(2). */
import { sys } from '#sys'
import { type Family, familyOf, type Ip, parseIp, unspecified } from '../address/ip.ts'
import type { Endpoint } from '../kernel/socket.ts'
import { EAFNOSUPPORT, succeed } from './errno.ts'
import type { Namespace } from './netns.ts'
import { AF_INET, AF_INET6, decodeSocketAddress, encodeSocketAddress, SOCKET_ADDRESS_SIZE } from './socket-address.ts'

export const SOCK_STREAM = 1
export const SOCK_DGRAM = 2
export const SOCK_NONBLOCK = 0o4000
export const SOCK_CLOEXEC = 0o2000000

export const SOL_IP = 0
export const SOL_SOCKET = 1
export const SOL_IPV6 = 41
const IPV6_V6ONLY = 26

export interface OpenSocket {
  readonly descriptor: number
  /** AF_INET or AF_INET6. */
  readonly domain: number
}

/** One that speaks the family, which may be that of an address; undefined: both. */
export function openSocket(
  namespace: Namespace,
  type: number,
  speaks: Family | Ip | undefined,
  call: string,
): OpenSocket {
  const open = (domain: number) => namespace.inside(() => sys.socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0))
  if (speaks !== undefined) {
    const family = typeof speaks === 'string' ? speaks : familyOf(speaks)
    const domain = family === 'ipv4' ? AF_INET : AF_INET6
    const descriptor = succeed(open(domain), call)
    if (domain === AF_INET6) setOption(descriptor, SOL_IPV6, IPV6_V6ONLY, 1)
    return { descriptor, domain }
  }
  const descriptor = open(AF_INET6)
  // A kernel without IPv6: ipv6.disable=1.
  if (descriptor === -EAFNOSUPPORT) return { descriptor: succeed(open(AF_INET), call), domain: AF_INET }
  succeed(descriptor, call)
  setOption(descriptor, SOL_IPV6, IPV6_V6ONLY, 0)
  return { descriptor, domain: AF_INET6 }
}

/** The unspecified address is as good as none. */
export function bindingAddress(text: string | undefined): Ip | undefined {
  if (text === undefined) return undefined
  const ip = parseIp(text)
  return ip.every((byte) => byte === 0) ? undefined : ip
}

export function bindSocket({ descriptor, domain }: OpenSocket, address: Ip | undefined, port: number): number {
  const any = unspecified(domain === AF_INET ? 'ipv4' : 'ipv6')
  return sys.bind(descriptor, encodeSocketAddress(domain, address ?? any, port))
}

export function localEndpoint(descriptor: number, call: string): Endpoint {
  const address = new Uint8Array(SOCKET_ADDRESS_SIZE)
  succeed(sys.getsockname(descriptor, address), call)
  return decodeSocketAddress(new DataView(address.buffer))
}

export function setOption(descriptor: number, level: number, option: number, ...values: number[]): number {
  return sys.setsockopt(descriptor, level, option, new Uint8Array(Int32Array.from(values).buffer))
}
