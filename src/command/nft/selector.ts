/**
 * What a rule can look at: `meta …`, `ct …`, fields of headers. Source: nftables 1.0.6, src/meta.c, ct.c, proto.c.
 */
import type { NftCtKey, NftMetaKey } from '../../kernel/nftables.ts'
import { type Datatype, integer, types } from './datatype.ts'

export interface MetaKey {
  readonly key: NftMetaKey
  readonly word: string
  readonly type: Datatype
  /** Told without `meta`. */
  readonly isBare?: boolean
}

export const META_KEYS: readonly MetaKey[] = [
  { key: 'len', word: 'length', type: integer(4, 'host') },
  { key: 'protocol', word: 'protocol', type: types.etherType },
  { key: 'nfproto', word: 'nfproto', type: types.nfproto },
  { key: 'l4proto', word: 'l4proto', type: types.protocol },
  { key: 'mark', word: 'mark', type: types.mark },
  { key: 'iif', word: 'iif', type: types.interfaceIndex, isBare: true },
  { key: 'oif', word: 'oif', type: types.interfaceIndex, isBare: true },
  { key: 'iifname', word: 'iifname', type: types.interfaceName, isBare: true },
  { key: 'oifname', word: 'oifname', type: types.interfaceName, isBare: true },
  { key: 'iifgroup', word: 'iifgroup', type: integer(4, 'host'), isBare: true },
  { key: 'oifgroup', word: 'oifgroup', type: integer(4, 'host'), isBare: true },
  { key: 'iiftype', word: 'iiftype', type: integer(2, 'host') },
  { key: 'oiftype', word: 'oiftype', type: integer(2, 'host') },
  { key: 'skuid', word: 'skuid', type: types.uid },
  { key: 'skgid', word: 'skgid', type: types.gid },
  { key: 'nftrace', word: 'nftrace', type: integer(1, 'host') },
  { key: 'pkttype', word: 'pkttype', type: types.packetType },
  { key: 'cpu', word: 'cpu', type: integer(4, 'host') },
  { key: 'cgroup', word: 'cgroup', type: integer(4, 'host') },
  { key: 'bri_iifname', word: 'ibrname', type: types.interfaceName },
  { key: 'bri_oifname', word: 'obrname', type: types.interfaceName },
]

/** Keys that may be typed without `meta` and are told with it. */
export const TYPED_BARE: readonly string[] = ['mark', 'skuid', 'skgid', 'ibrname', 'obrname', 'nftrace', 'pkttype']

export interface CtKey {
  readonly key: NftCtKey
  readonly word: string
  readonly type: Datatype
}

export const CT_KEYS: readonly CtKey[] = [
  { key: 'state', word: 'state', type: types.ctState },
  { key: 'direction', word: 'direction', type: types.ctDirection },
  { key: 'status', word: 'status', type: types.ctStatus },
  { key: 'mark', word: 'mark', type: types.mark },
  { key: 'l3protocol', word: 'l3proto', type: types.nfproto },
  { key: 'protocol', word: 'protocol', type: types.protocol },
  { key: 'proto_src', word: 'proto-src', type: types.service },
  { key: 'proto_dst', word: 'proto-dst', type: types.service },
  { key: 'zone', word: 'zone', type: integer(2, 'host') },
  { key: 'src_ip', word: 'ip saddr', type: types.ipv4 },
  { key: 'dst_ip', word: 'ip daddr', type: types.ipv4 },
  { key: 'src_ip6', word: 'ip6 saddr', type: types.ipv6 },
  { key: 'dst_ip6', word: 'ip6 daddr', type: types.ipv6 },
]

export interface Field {
  readonly word: string
  readonly type: Datatype
  /** Bytes from the header's start, and how many. */
  readonly offset: number
  readonly length: number
  /** Where the field is not whole bytes: its bits among them. */
  readonly mask?: number
}

export interface Protocol {
  readonly name: string
  readonly base: 'link' | 'network' | 'transport'
  /** What tells that it is this protocol: `meta l4proto 6`, `meta nfproto ipv4`. */
  readonly number?: number
  /** Only over this network protocol. */
  readonly over?: 'ip' | 'ip6'
  readonly fields: readonly Field[]
}

/** Bits of a byte: values stand in their place. */
function bits(name: string, type: Datatype, offset: number, mask: number): Field {
  let shift = 0
  while (!(mask & (1 << shift))) shift++
  const placed: Datatype = {
    ...type,
    parse(text) {
      const value = type.parse(text)
      return value && Uint8Array.of((value[0]! << shift) & 0xff)
    },
    format: (value) => type.format(Uint8Array.of(value[0]! >> shift)),
    formatNumeric: (value) => (type.formatNumeric ?? type.format)(Uint8Array.of(value[0]! >> shift)),
  }
  return { word: name, type: placed, offset, length: 1, mask }
}

const byte = integer(1)
const word = integer(2)
const long = integer(4)
const field = (name: string, type: Datatype, offset: number, length = type.length): Field => ({
  word: name,
  type,
  offset,
  length,
})
const ports = [field('sport', types.service, 0), field('dport', types.service, 2)]

export const PROTOCOLS: readonly Protocol[] = [
  {
    name: 'ether',
    base: 'link',
    fields: [field('daddr', types.mac, 0), field('saddr', types.mac, 6), field('type', types.etherType, 12)],
  },
  {
    name: 'ip',
    base: 'network',
    number: 2,
    fields: [
      bits('version', byte, 0, 0xf0),
      bits('hdrlength', byte, 0, 0x0f),
      bits('dscp', types.dscp, 1, 0xfc),
      bits('ecn', byte, 1, 0x03),
      field('length', word, 2),
      field('id', word, 4),
      field('frag-off', word, 6),
      field('ttl', byte, 8),
      field('protocol', types.protocol, 9),
      field('checksum', word, 10),
      field('saddr', types.ipv4, 12),
      field('daddr', types.ipv4, 16),
    ],
  },
  {
    name: 'ip6',
    base: 'network',
    number: 10,
    fields: [
      field('length', word, 4),
      field('nexthdr', types.protocol, 6),
      field('hoplimit', byte, 7),
      field('saddr', types.ipv6, 8),
      field('daddr', types.ipv6, 24),
    ],
  },
  { name: 'th', base: 'transport', fields: ports },
  {
    name: 'tcp',
    base: 'transport',
    number: 6,
    fields: [
      ...ports,
      field('sequence', long, 4),
      field('ackseq', long, 8),
      field('flags', types.tcpFlag, 13),
      field('window', word, 14),
      field('checksum', word, 16),
      field('urgptr', word, 18),
    ],
  },
  {
    name: 'udp',
    base: 'transport',
    number: 17,
    fields: [...ports, field('length', word, 4), field('checksum', word, 6)],
  },
  { name: 'sctp', base: 'transport', number: 132, fields: [...ports, field('vtag', long, 4)] },
  {
    name: 'icmp',
    base: 'transport',
    number: 1,
    over: 'ip',
    fields: [
      field('type', types.icmpType, 0),
      field('code', types.icmpCode, 1),
      field('checksum', word, 2),
      field('id', word, 4),
      field('sequence', word, 6),
      field('mtu', word, 6),
    ],
  },
  {
    name: 'icmpv6',
    base: 'transport',
    number: 58,
    over: 'ip6',
    fields: [
      field('type', types.icmpv6Type, 0),
      field('code', types.icmpv6Code, 1),
      field('checksum', word, 2),
      field('mtu', long, 4),
      field('id', word, 4),
      field('sequence', word, 6),
    ],
  },
]

export function findProtocol(name: string): Protocol | undefined {
  return PROTOCOLS.find((protocol) => protocol.name === name)
}
