/**
 * nft's data types: how values are read and written, and how they stand in registers and sets. Source: nftables 1.0.6,
 * src/datatype.c, meta.c, ct.c, fib.c, proto.c.
 *
 * Values are bytes in the order of the register: network order, or the machine's for marks, indexes, states.
 */
import { formatIp, readIp } from '../../address/ip.ts'
import { formatMac, parseMac } from '../../address/mac.ts'
import { protocolName, protocolNumber } from '../iptables/names.ts'

export interface Datatype {
  readonly name: string
  /** nft's number for it, as NftType: what sets say. 0: for no set. */
  readonly number: number
  /** Bytes; 0 where the type does not tell. */
  readonly length: number
  readonly order: 'network' | 'host'
  /** Values are sets of bits: `established,related`. */
  readonly isBitmask?: boolean
  parse(text: string): Uint8Array | undefined
  format(value: Uint8Array): string
  /** Without names: -n. As `format` where there is no other way. */
  formatNumeric?(value: Uint8Array): string
}

export function toNumber(value: Uint8Array, order: Datatype['order']): number {
  const bytes = order === 'network' ? value : value.toReversed()
  return bytes.reduce((number, byte) => number * 256 + byte, 0)
}

export function fromNumber(number: number, length: number, order: Datatype['order']): Uint8Array {
  const bytes = new Uint8Array(length)
  let rest = number
  for (let i = length - 1; i >= 0; i--) {
    bytes[i] = rest % 256
    rest = Math.floor(rest / 256)
  }
  return order === 'network' ? bytes : bytes.reverse()
}

export function readInteger(text: string): number | undefined {
  return /^(0x[0-9a-fA-F]+|\d+)$/.test(text) ? Number(text) : undefined
}

function integerOf(text: string, length: number, order: Datatype['order']): Uint8Array | undefined {
  const number = readInteger(text)
  return number === undefined || number >= 2 ** (8 * length) ? undefined : fromNumber(number, length, order)
}

export function integer(length: number, order: Datatype['order'] = 'network', more: Partial<Datatype> = {}): Datatype {
  return {
    name: 'integer',
    number: 4,
    length,
    order,
    parse: (text) => integerOf(text, length, order),
    format: (value) => `${toNumber(value, order)}`,
    ...more,
  }
}

type Names = readonly (readonly [name: string, value: number])[]

/** A number with names for some of its values. */
function symbols(name: string, number: number, length: number, order: Datatype['order'], names: Names): Datatype {
  return {
    name,
    number,
    length,
    order,
    parse(text) {
      const named = names.find(([known]) => known === text)
      return named ? fromNumber(named[1], length, order) : integerOf(text, length, order)
    },
    format(value) {
      const own = toNumber(value, order)
      return names.find(([, known]) => known === own)?.[0] ?? `${own}`
    },
    formatNumeric: (value) => `${toNumber(value, order)}`,
  }
}

/** Bits with names. */
function bitmask(name: string, number: number, length: number, order: Datatype['order'], names: Names): Datatype {
  return {
    ...symbols(name, number, length, order, names),
    isBitmask: true,
    format(value) {
      const own = toNumber(value, order)
      const set = names.filter(([, bit]) => own & bit)
      const rest = set.reduce((bits, [, bit]) => bits & ~bit, own)
      return set.length > 0 && rest === 0 ? set.map(([word]) => word).join(',') : hexadecimal(own)
    },
    formatNumeric(value) {
      const own = toNumber(value, order)
      const bits = Array.from({ length: 8 * length }, (_, bit) => 2 ** bit).filter((bit) => own & bit)
      return bits.map(hexadecimal).join(',') || hexadecimal(own)
    },
  }
}

function hexadecimal(value: number): string {
  return `0x${value.toString(16)}`
}

function address(name: string, number: number, length: number): Datatype {
  return {
    name,
    number,
    length,
    order: 'network',
    parse(text) {
      const ip = readIp(text)
      return ip?.length === length ? ip : undefined
    },
    format: (value) => formatIp(value),
  }
}

const ETHER_TYPES: Names = [
  ['ip', 0x0800],
  ['arp', 0x0806],
  ['ip6', 0x86dd],
  ['vlan', 0x8100],
]

const ICMP_TYPES: Names = [
  ['echo-reply', 0],
  ['destination-unreachable', 3],
  ['source-quench', 4],
  ['redirect', 5],
  ['echo-request', 8],
  ['router-advertisement', 9],
  ['router-solicitation', 10],
  ['time-exceeded', 11],
  ['parameter-problem', 12],
  ['timestamp-request', 13],
  ['timestamp-reply', 14],
  ['info-request', 15],
  ['info-reply', 16],
  ['address-mask-request', 17],
  ['address-mask-reply', 18],
]

const ICMP6_TYPES: Names = [
  ['destination-unreachable', 1],
  ['packet-too-big', 2],
  ['time-exceeded', 3],
  ['parameter-problem', 4],
  ['echo-request', 128],
  ['echo-reply', 129],
  ['mld-listener-query', 130],
  ['mld-listener-report', 131],
  ['mld-listener-done', 132],
  ['nd-router-solicit', 133],
  ['nd-router-advert', 134],
  ['nd-neighbor-solicit', 135],
  ['nd-neighbor-advert', 136],
  ['nd-redirect', 137],
  ['router-renumbering', 138],
  ['ind-neighbor-solicit', 141],
  ['ind-neighbor-advert', 142],
  ['mld2-listener-report', 143],
]

const ICMP_CODES: Names = [
  ['net-unreachable', 0],
  ['host-unreachable', 1],
  ['prot-unreachable', 2],
  ['port-unreachable', 3],
  ['net-prohibited', 9],
  ['host-prohibited', 10],
  ['admin-prohibited', 13],
  ['frag-needed', 4],
]

const ICMP6_CODES: Names = [
  ['no-route', 0],
  ['admin-prohibited', 1],
  ['addr-unreachable', 3],
  ['port-unreachable', 4],
  ['policy-fail', 5],
  ['reject-route', 6],
]

const ICMPX_CODES: Names = [
  ['port-unreachable', 1],
  ['admin-prohibited', 3],
  ['no-route', 0],
  ['host-unreachable', 2],
]

const TCP_FLAGS: Names = [
  ['fin', 1],
  ['syn', 2],
  ['rst', 4],
  ['psh', 8],
  ['ack', 16],
  ['urg', 32],
  ['ecn', 64],
  ['cwr', 128],
]

const CT_STATES: Names = [
  ['invalid', 1],
  ['new', 8],
  ['established', 2],
  ['related', 4],
  ['untracked', 64],
]

const CT_STATUSES: Names = [
  ['expected', 1],
  ['seen-reply', 2],
  ['assured', 4],
  ['confirmed', 8],
  ['snat', 16],
  ['dnat', 32],
  ['dying', 512],
]

const ADDRESS_TYPES: Names = [
  ['unspec', 0],
  ['unicast', 1],
  ['local', 2],
  ['broadcast', 3],
  ['anycast', 4],
  ['multicast', 5],
  ['blackhole', 6],
  ['unreachable', 7],
  ['prohibit', 8],
]

const DSCP: Names = [
  ['cs0', 0],
  ['cs1', 8],
  ['cs2', 16],
  ['cs3', 24],
  ['cs4', 32],
  ['cs5', 40],
  ['cs6', 48],
  ['cs7', 56],
  ['af11', 10],
  ['af12', 12],
  ['af13', 14],
  ['af21', 18],
  ['af22', 20],
  ['af23', 22],
  ['af31', 26],
  ['af32', 28],
  ['af33', 30],
  ['af41', 34],
  ['af42', 36],
  ['af43', 38],
  ['ef', 46],
]

const IFNAMSIZ = 16

export const types = {
  ipv4: address('ipv4_addr', 7, 4),
  ipv6: address('ipv6_addr', 8, 16),
  mac: {
    name: 'ether_addr',
    number: 9,
    length: 6,
    order: 'network',
    parse: (text) => (/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(text) ? parseMac(text) : undefined),
    format: (value) => formatMac(value),
  },
  etherType: {
    ...symbols('ether_type', 10, 2, 'network', ETHER_TYPES),
    formatNumeric: (value: Uint8Array) => `0x${toNumber(value, 'network').toString(16).padStart(4, '0')}`,
    format: (value: Uint8Array) =>
      ETHER_TYPES.find(([, known]) => known === toNumber(value, 'network'))?.[0] ??
      `0x${toNumber(value, 'network').toString(16).padStart(4, '0')}`,
  },
  protocol: {
    ...integer(1),
    name: 'inet_proto',
    number: 12,
    parse(text: string) {
      const number = protocolNumber(text)
      return number === undefined ? integerOf(text, 1, 'network') : Uint8Array.of(number)
    },
    format: (value: Uint8Array) => protocolName(value[0]!) ?? `${value[0]}`,
    formatNumeric: (value: Uint8Array) => `${value[0]}`,
  },
  service: integer(2, 'network', { name: 'inet_service', number: 13 }),
  icmpType: symbols('icmp_type', 14, 1, 'network', ICMP_TYPES),
  icmpCode: symbols('icmp_code', 32, 1, 'network', ICMP_CODES),
  icmpv6Type: symbols('icmpv6_type', 29, 1, 'network', ICMP6_TYPES),
  icmpv6Code: symbols('icmpv6_code', 33, 1, 'network', ICMP6_CODES),
  icmpxCode: symbols('icmpx_code', 34, 1, 'network', ICMPX_CODES),
  tcpFlag: bitmask('tcp_flag', 15, 1, 'network', TCP_FLAGS),
  dscp: {
    ...symbols('dscp', 36, 1, 'network', DSCP),
    formatNumeric: (value: Uint8Array) => `0x${value[0]!.toString(16).padStart(2, '0')}`,
    format: (value: Uint8Array) =>
      DSCP.find(([, known]) => known === value[0])?.[0] ?? `0x${value[0]!.toString(16).padStart(2, '0')}`,
  },
  mark: {
    ...integer(4, 'host'),
    name: 'mark',
    number: 19,
    format: (value: Uint8Array) => `0x${toNumber(value, 'host').toString(16).padStart(8, '0')}`,
  },
  interfaceIndex: { ...integer(4, 'host'), name: 'iface_index', number: 20 },
  interfaceName: {
    name: 'ifname',
    number: 41,
    length: IFNAMSIZ,
    order: 'host',
    parse: parseInterfaceName,
    format: formatInterfaceName,
  },
  uid: { ...integer(4, 'host'), name: 'uid', number: 24 },
  gid: { ...integer(4, 'host'), name: 'gid', number: 25 },
  nfproto: symbols('nf_proto', 2, 1, 'host', [
    ['ipv4', 2],
    ['ipv6', 10],
  ]),
  packetType: symbols('pkt_type', 31, 1, 'host', [
    ['host', 0],
    ['unicast', 0],
    ['broadcast', 1],
    ['multicast', 2],
    ['other', 3],
  ]),
  ctState: bitmask('ct_state', 26, 4, 'host', CT_STATES),
  ctStatus: bitmask('ct_status', 28, 4, 'host', CT_STATUSES),
  ctDirection: symbols('ct_dir', 27, 1, 'host', [
    ['original', 0],
    ['reply', 1],
  ]),
  addressType: symbols('fib_addrtype', 38, 4, 'host', ADDRESS_TYPES),
  exists: {
    ...symbols('boolean', 39, 4, 'host', [
      ['exists', 1],
      ['missing', 0],
    ]),
  },
} as const satisfies Readonly<Record<string, Datatype>>

/** The same with every name left away: a statement, an element, any tree of them. */
export function withoutNames<T>(tree: T): T {
  if (tree instanceof Uint8Array || typeof tree !== 'object' || tree === null) return tree
  if (Array.isArray(tree)) return tree.map(withoutNames) as T
  const copy = Object.fromEntries(Object.entries(tree).map(([key, value]) => [key, withoutNames(value)]))
  if (typeof copy.formatNumeric === 'function') copy.format = copy.formatNumeric
  return copy as T
}

/** Indexes are told as the links' names, where there are such links. */
export function withNames(type: Datatype, nameOf: (index: number) => string | undefined): Datatype {
  if (type.name !== 'iface_index') return type
  return {
    ...type,
    format(value) {
      const name = nameOf(toNumber(value, 'host'))
      return name === undefined ? type.format(value) : `"${name}"`
    },
  }
}

/** Of those that sets can be of, by name and by number. */
export function findType(name: string): Datatype | undefined {
  return Object.values<Datatype>(types).find((type) => type.name === name)
}

export function typeOfNumber(number: number, length: number): Datatype {
  return Object.values<Datatype>(types).find((type) => type.number === number) ?? integer(length)
}

/** A `*` at the end stands for anything: then the name has no NUL. */
function parseInterfaceName(text: string): Uint8Array | undefined {
  if (text.length >= IFNAMSIZ || text === '') return undefined
  const isPattern = text.endsWith('*') && !text.endsWith('\\*')
  const name = isPattern ? text.slice(0, -1) : text.replace('\\*', '*')
  const bytes = new Uint8Array(isPattern ? name.length : IFNAMSIZ)
  for (let i = 0; i < name.length; i++) bytes[i] = name.charCodeAt(i)
  return bytes
}

function formatInterfaceName(value: Uint8Array): string {
  const end = value.indexOf(0)
  const name = String.fromCharCode(...(end < 0 ? value : value.subarray(0, end)))
  return `"${name}${end < 0 && value.length < IFNAMSIZ ? '*' : ''}"`
}
