/** AF_*, linux/socket.h: the address families of routing messages. */
import type { Family } from '../../address/ip.ts'

export const AF_UNSPEC = 0
export const AF_INET = 2
export const AF_BRIDGE = 7
export const AF_INET6 = 10

export function familyNumber(family: Family): number {
  return family === 'ipv4' ? AF_INET : AF_INET6
}

/** Undefined for what is neither: a router's multicast routes come as families 128 and 129. */
export function familyFrom(number: number): Family | undefined {
  return number === AF_INET ? 'ipv4' : number === AF_INET6 ? 'ipv6' : undefined
}
