/** Addresses and ports as socket calls take them: struct sockaddr_in and sockaddr_in6, ip(7), ipv6(7). */
import { formatIp, type Ip } from '../address/ip.ts'
import { isIpv4Mapped } from '../address/ipv6.ts'
import type { Endpoint } from '../kernel/socket.ts'
import { LITTLE_ENDIAN } from './byte-order.ts'

export const AF_INET = 2
export const AF_INET6 = 10

const PORT = 2
const INET = { size: 16, address: 4 }
const INET6 = { size: 28, address: 8 }
/** Where the IPv4 address stands in one that is mapped into IPv6: RFC 4291 §2.5.5.2. */
const MAPPED = 12
const MAPPED_PREFIX = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff)

export const SOCKET_ADDRESS_SIZE = INET6.size

/** For a socket of this domain; an IPv4 address on one of AF_INET6 is mapped. */
export function encodeSocketAddress(domain: number, ip: Ip, port: number): Uint8Array {
  const { size, address } = domain === AF_INET ? INET : INET6
  const bytes = new Uint8Array(size)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, domain, LITTLE_ENDIAN)
  view.setUint16(PORT, port)
  if (domain === AF_INET6 && ip.length === 4) {
    bytes.set(MAPPED_PREFIX, address)
    bytes.set(ip, address + MAPPED)
  } else bytes.set(ip, address)
  return bytes
}

/** `at`: where the structure begins. A mapped address is told as the IPv4 address that it is. */
export function decodeSocketAddress(view: DataView, at = 0): Endpoint {
  const { address } = view.getUint16(at, LITTLE_ENDIAN) === AF_INET ? INET : INET6
  const port = view.getUint16(at + PORT)
  const start = view.byteOffset + at + address
  const bytes = new Uint8Array(view.buffer).slice(start, start + (address === INET.address ? 4 : 16))
  return { address: formatIp(bytes.length === 16 && isIpv4Mapped(bytes) ? bytes.slice(MAPPED) : bytes), port }
}
