/**
 * Signed segments: RFC 2385, tcp_v4_md5_hash_skb, tcp_inbound_md5_hash.
 *
 *      MD5 over: addresses, protocol, length  │  TCP header without options, checksum 0  │  data  │  key
 */
import type { Ip } from '../../address/ip.ts'
import { contains, hostPrefix, networkOf, type Prefix, samePrefix } from '../../address/prefix.ts'
import { KernelError } from '../../kernel/errors.ts'
import { IpProtocol } from '../../wire/ipv4.ts'
import { sameBytes, setU16, setU32 } from '../bytes.ts'
import type { Packet } from '../packet.ts'
import { md5 } from './md5.ts'
import type { Network } from './network.ts'

export type Key = Uint8Array

/** TCP_MD5SIG_MAXKEYLEN, linux/tcp.h. */
const LONGEST_KEY = 80
const HEADER = 20
const CHECKSUM_AT = 16

/** The keys of a listener; of several prefixes that hold an address, the longest counts: __tcp_md5_do_lookup. */
export class Md5Keys {
  #keys: { readonly from: Prefix; readonly key: Key }[] = []

  /** KernelError EINVAL, ENOENT. */
  set(prefix: Prefix, key: Key | undefined, call: string): void {
    const from = networkOf(prefix)
    const others = this.#keys.filter((other) => !samePrefix(other.from, from))
    if (key === undefined && others.length === this.#keys.length) throw new KernelError('ENOENT', call)
    if (key) others.push({ from, key: checkedKey(key, call) })
    this.#keys = others.sort((a, b) => b.from.length - a.from.length)
  }

  get(address: Ip): Key | undefined {
    return this.#keys.find(({ from }) => contains(from, address))?.key
  }
}

/** The key that a connection with this address begins with. */
export function keyFor(address: Ip, key: Key | undefined, call: string): Key | undefined {
  if (!key) return undefined
  const keys = new Md5Keys()
  keys.set(hostPrefix(address), key, call)
  return keys.get(address)
}

function checkedKey(key: Key, call: string): Key {
  if (key.length > 0 && key.length <= LONGEST_KEY) return key.slice()
  throw new KernelError('EINVAL', call, `a key of TCP MD5 has 1 to ${LONGEST_KEY} octets`)
}

/** The signature of the segment from `packet.transport` to its end, whose data begins at `dataAt`. */
export function signatureOf(
  { bytes, transport, end }: Packet,
  { family, addressLength }: Network,
  { source, destination }: { readonly source: Ip; readonly destination: Ip },
  dataAt: number,
  key: Key,
): Uint8Array {
  const rest = new Uint8Array(family === 'ipv4' ? 4 : 8)
  if (family === 'ipv4') setU16(rest, 2, end - transport)
  else setU32(rest, 0, end - transport)
  rest[family === 'ipv4' ? 1 : 7] = IpProtocol.tcp
  const header = bytes.slice(transport, transport + HEADER)
  setU16(header, CHECKSUM_AT, 0)
  return md5(source.subarray(0, addressLength), destination, rest, header, bytes.subarray(dataAt, end), key)
}

/** Why a segment is not taken, by the kernel's name; undefined: it is. */
export function refuseSignature(
  expected: Uint8Array | undefined,
  signature: Uint8Array | undefined,
): 'TCP_MD5NOTFOUND' | 'TCP_MD5UNEXPECTED' | 'TCP_MD5FAILURE' | undefined {
  if (!expected) return signature && 'TCP_MD5UNEXPECTED'
  if (!signature) return 'TCP_MD5NOTFOUND'
  return sameBytes(expected, 0, signature, 0, expected.length) ? undefined : 'TCP_MD5FAILURE'
}
