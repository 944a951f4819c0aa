/** Keys for signed segments, RFC 2385: struct tcp_md5sig of linux/tcp.h, tcp_v4_parse_md5_keys, tcp_v6_parse_md5_keys. */
import { sys } from '#sys'
import { networkOf, type Prefix } from '../address/prefix.ts'
import { KernelError } from '../kernel/errors.ts'
import { LITTLE_ENDIAN } from './byte-order.ts'
import { succeed } from './errno.ts'
import type { OpenSocket } from './open-socket.ts'
import { encodeSocketAddress } from './socket-address.ts'
import { SOL_TCP } from './socket-options.ts'

const TCP_MD5SIG_EXT = 32
const TCP_MD5SIG_FLAG_PREFIX = 1
const TCP_MD5SIG_MAXKEYLEN = 80

const MD5SIG = { size: 216, address: 0, flags: 128, prefixLength: 129, keyLength: 130, key: 136 }

/** For segments from the prefix, and to it; undefined takes the key away. */
export function setMd5Key(socket: OpenSocket, from: Prefix, key: Uint8Array | undefined, call: string): void {
  if (key && (key.length === 0 || key.length > TCP_MD5SIG_MAXKEYLEN)) {
    throw new KernelError('EINVAL', call, `a key of TCP MD5 has 1 to ${TCP_MD5SIG_MAXKEYLEN} octets`)
  }
  const bytes = new Uint8Array(MD5SIG.size)
  // An IPv4 prefix on a socket of IPv6 is mapped, and keeps its length.
  bytes.set(encodeSocketAddress(socket.domain, networkOf(from).address, 0), MD5SIG.address)
  bytes[MD5SIG.flags] = TCP_MD5SIG_FLAG_PREFIX
  bytes[MD5SIG.prefixLength] = from.length
  new DataView(bytes.buffer).setUint16(MD5SIG.keyLength, key?.length ?? 0, LITTLE_ENDIAN)
  if (key) bytes.set(key, MD5SIG.key)
  succeed(sys.setsockopt(socket.descriptor, SOL_TCP, TCP_MD5SIG_EXT, bytes), call)
}
