/**
 * What a set and its entries are made of, as attributes: linux/netfilter/ipset/ip_set.h. Numbers are in network order, and
 * those of more than a byte must say so (NLA_F_NET_BYTEORDER).
 *
 *   IPSET_ATTR_DATA
 *     IPSET_ATTR_IP  { IPADDR_IPV4 | IPADDR_IPV6 }   CIDR   PORT   PROTO   IP2 { … }   CIDR2   TIMEOUT   CADT_FLAGS   …
 */
import { parseIp } from '../../../address/ip.ts'
import { IPV4_LENGTH } from '../../../address/ipv4.ts'
import type { IpSetAddress, IpSetDefinition, IpSetEntry } from '../../../kernel/ipset.ts'
import type { Attributes } from '../../netlink/attribute.ts'
import type { MessageWriter } from '../../netlink/message.ts'

const NLA_F_NET_BYTEORDER = 1 << 14

const IPSET_ATTR_IP = 1
const IPSET_ATTR_IP_TO = 2
const IPSET_ATTR_CIDR = 3
const IPSET_ATTR_PORT = 4
const IPSET_ATTR_PORT_TO = 5
const IPSET_ATTR_TIMEOUT = 6
const IPSET_ATTR_PROTO = 7
const IPSET_ATTR_CADT_FLAGS = 8
/** When a set is made. */
const IPSET_ATTR_INITVAL = 17
const IPSET_ATTR_HASHSIZE = 18
const IPSET_ATTR_MAXELEM = 19
const IPSET_ATTR_NETMASK = 20
const IPSET_ATTR_BUCKETSIZE = 21
const IPSET_ATTR_ELEMENTS = 24
const IPSET_ATTR_REFERENCES = 25
const IPSET_ATTR_MEMSIZE = 26
/** Of entries. */
const IPSET_ATTR_IP2 = 20
const IPSET_ATTR_CIDR2 = 21
const IPSET_ATTR_IP2_TO = 22
const IPSET_ATTR_BYTES = 24
const IPSET_ATTR_PACKETS = 25
const IPSET_ATTR_COMMENT = 26

const IPSET_ATTR_IPADDR_IPV4 = 1
const IPSET_ATTR_IPADDR_IPV6 = 2

const IPSET_FLAG_NOMATCH = 1 << 2
const IPSET_FLAG_WITH_COUNTERS = 1 << 3
const IPSET_FLAG_WITH_COMMENT = 1 << 4
const IPSET_FLAG_WITH_FORCEADD = 1 << 5

function writeU16(to: MessageWriter, type: number, value: number | undefined): void {
  if (value !== undefined) to.attributeU16be(type | NLA_F_NET_BYTEORDER, value)
}

export function writeU32(to: MessageWriter, type: number, value: number | undefined): void {
  if (value !== undefined) to.attributeU32be(type | NLA_F_NET_BYTEORDER, value)
}

export function encodeDefinition(to: MessageWriter, set: IpSetDefinition): void {
  const { hashSize, maxElements, bucketSize, initialValue, netmask, ports, timeout } = set
  writeU32(to, IPSET_ATTR_HASHSIZE, hashSize)
  writeU32(to, IPSET_ATTR_MAXELEM, maxElements)
  if (bucketSize !== undefined) to.attributeU8(IPSET_ATTR_BUCKETSIZE, bucketSize)
  writeU32(to, IPSET_ATTR_INITVAL, initialValue)
  if (netmask !== undefined) to.attributeU8(IPSET_ATTR_NETMASK, netmask)
  writeU16(to, IPSET_ATTR_PORT, ports?.from)
  writeU16(to, IPSET_ATTR_PORT_TO, ports?.to)
  writeU32(to, IPSET_ATTR_TIMEOUT, timeout)
  const flags =
    (set.counters ? IPSET_FLAG_WITH_COUNTERS : 0) |
    (set.comments ? IPSET_FLAG_WITH_COMMENT : 0) |
    (set.forceAdd ? IPSET_FLAG_WITH_FORCEADD : 0)
  if (flags !== 0) writeU32(to, IPSET_ATTR_CADT_FLAGS, flags)
}

/** What of a set its header tells, but for name, type and family. */
export function decodeHeader(from: Attributes) {
  const flags = from.u32be(IPSET_ATTR_CADT_FLAGS) ?? 0
  const [first, last] = [from.u16be(IPSET_ATTR_PORT), from.u16be(IPSET_ATTR_PORT_TO)]
  return {
    ...defined({
      hashSize: from.u32be(IPSET_ATTR_HASHSIZE),
      maxElements: from.u32be(IPSET_ATTR_MAXELEM),
      bucketSize: from.u8(IPSET_ATTR_BUCKETSIZE),
      initialValue: from.u32be(IPSET_ATTR_INITVAL),
      netmask: from.u8(IPSET_ATTR_NETMASK),
      memorySize: from.u32be(IPSET_ATTR_MEMSIZE),
      timeout: from.u32be(IPSET_ATTR_TIMEOUT),
    }),
    ...(first !== undefined && last !== undefined && { ports: { from: first, to: last } }),
    ...(flags & IPSET_FLAG_WITH_COUNTERS && { counters: true }),
    ...(flags & IPSET_FLAG_WITH_COMMENT && { comments: true }),
    ...(flags & IPSET_FLAG_WITH_FORCEADD && { forceAdd: true }),
    references: from.u32be(IPSET_ATTR_REFERENCES) ?? 0,
    size: from.u32be(IPSET_ATTR_ELEMENTS) ?? 0,
  }
}

export function encodeEntry(to: MessageWriter, entry: IpSetEntry): void {
  const { first, port, second, noMatch, timeout, packets, bytes, comment } = entry
  if (first) {
    encodeAddress(to, first, { address: IPSET_ATTR_IP, to: IPSET_ATTR_IP_TO, length: IPSET_ATTR_CIDR })
  }
  writeU16(to, IPSET_ATTR_PORT, port?.port)
  writeU16(to, IPSET_ATTR_PORT_TO, port?.to)
  if (port?.protocol !== undefined) to.attributeU8(IPSET_ATTR_PROTO, port.protocol)
  if (second) {
    encodeAddress(to, second, { address: IPSET_ATTR_IP2, to: IPSET_ATTR_IP2_TO, length: IPSET_ATTR_CIDR2 })
  }
  writeU32(to, IPSET_ATTR_TIMEOUT, timeout)
  if (noMatch) writeU32(to, IPSET_ATTR_CADT_FLAGS, IPSET_FLAG_NOMATCH)
  if (packets !== undefined) to.attributeU64be(IPSET_ATTR_PACKETS | NLA_F_NET_BYTEORDER, packets)
  if (bytes !== undefined) to.attributeU64be(IPSET_ATTR_BYTES | NLA_F_NET_BYTEORDER, bytes)
  if (comment !== undefined) to.attributeText(IPSET_ATTR_COMMENT, comment)
}

function encodeAddress(
  message: MessageWriter,
  { address, prefixLength, to }: IpSetAddress,
  types: { readonly address: number; readonly to: number; readonly length: number },
): void {
  const ip = (type: number, text: string) =>
    message.nested(type, () => {
      const bytes = parseIp(text)
      const family = bytes.length === IPV4_LENGTH ? IPSET_ATTR_IPADDR_IPV4 : IPSET_ATTR_IPADDR_IPV6
      message.attribute(family | NLA_F_NET_BYTEORDER, bytes)
    })
  ip(types.address, address)
  if (to !== undefined) ip(types.to, to)
  if (prefixLength !== undefined) message.attributeU8(types.length, prefixLength)
}

export function decodeEntry(from: Attributes): IpSetEntry {
  const first = decodeAddress(from, IPSET_ATTR_IP, IPSET_ATTR_CIDR)
  const second = decodeAddress(from, IPSET_ATTR_IP2, IPSET_ATTR_CIDR2)
  const port = from.u16be(IPSET_ATTR_PORT)
  const protocol = from.u8(IPSET_ATTR_PROTO)
  return {
    ...(first && { first }),
    ...(port !== undefined && { port: { ...(protocol !== undefined && { protocol }), port } }),
    ...(second && { second }),
    ...((from.u32be(IPSET_ATTR_CADT_FLAGS) ?? 0) & IPSET_FLAG_NOMATCH && { noMatch: true }),
    ...defined({
      timeout: from.u32be(IPSET_ATTR_TIMEOUT),
      packets: from.u64be(IPSET_ATTR_PACKETS),
      bytes: from.u64be(IPSET_ATTR_BYTES),
      comment: from.text(IPSET_ATTR_COMMENT),
    }),
  }
}

function decodeAddress(from: Attributes, type: number, lengthType: number): IpSetAddress | undefined {
  const nested = from.nested(type)
  const address = nested && (nested.ip(IPSET_ATTR_IPADDR_IPV4) ?? nested.ip(IPSET_ATTR_IPADDR_IPV6))
  const prefixLength = from.u8(lengthType)
  return address === undefined ? undefined : { address, ...(prefixLength !== undefined && { prefixLength }) }
}

function defined<T extends object>(values: { readonly [K in keyof T]: T[K] | undefined }): Partial<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<T>
}
