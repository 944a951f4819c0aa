/** Names that iproute2 gives to numbers: its files below /etc/iproute2 as they are delivered. */
import type { Scope } from '../kernel/address.ts'
import { readUnsigned } from './arguments.ts'

/** rt_tables. */
const TABLES: Readonly<Record<string, number>> = { unspec: 0, default: 253, main: 254, local: 255 }

/** rt_protos. */
const PROTOCOLS: Readonly<Record<string, number>> = {
  unspec: 0,
  redirect: 1,
  kernel: 2,
  boot: 3,
  static: 4,
  gated: 8,
  ra: 9,
  mrt: 10,
  zebra: 11,
  bird: 12,
  dnrouted: 13,
  xorp: 14,
  ntk: 15,
  dhcp: 16,
  keepalived: 18,
  babel: 42,
  openr: 99,
  bgp: 186,
  isis: 187,
  ospf: 188,
  rip: 189,
  eigrp: 192,
}

/** rt_scopes. */
const SCOPES: Readonly<Record<string, number>> = { global: 0, site: 200, link: 253, host: 254, nowhere: 255 }

/** rt_dsfield. */
const DS_FIELDS: Readonly<Record<string, number>> = {
  default: 0x00,
  CS1: 0x20,
  AF11: 0x28,
  AF12: 0x30,
  AF13: 0x38,
  CS2: 0x40,
  AF21: 0x48,
  AF22: 0x50,
  AF23: 0x58,
  CS3: 0x60,
  AF31: 0x68,
  AF32: 0x70,
  AF33: 0x78,
  CS4: 0x80,
  AF41: 0x88,
  AF42: 0x90,
  AF43: 0x98,
  CS5: 0xa0,
  EF: 0xb8,
  CS6: 0xc0,
  CS7: 0xe0,
}

/** group. */
const GROUPS: Readonly<Record<string, number>> = { default: 0 }

function nameIn(names: Readonly<Record<string, number>>, number: number): string | undefined {
  return Object.keys(names).find((name) => names[name] === number)
}

function numberIn(names: Readonly<Record<string, number>>, text: string, most: number): number | undefined {
  return Object.hasOwn(names, text) ? names[text] : readUnsigned(text, most)
}

export const tableName = (table: number): string => nameIn(TABLES, table) ?? `${table}`
export const readTable = (text: string): number | undefined => numberIn(TABLES, text, 0xffff_ffff)
export const protocolName = (protocol: number): string => nameIn(PROTOCOLS, protocol) ?? `${protocol}`
export const readProtocol = (text: string): number | undefined => numberIn(PROTOCOLS, text, 255)
export const groupName = (group: number): string => nameIn(GROUPS, group) ?? `${group}`
export const readGroup = (text: string): number | undefined => numberIn(GROUPS, text, 0x7fff_ffff)
export const scopeName = (scope: Scope): string =>
  typeof scope === 'string' ? scope : (nameIn(SCOPES, scope) ?? `${scope}`)

/** As the kernel interface says it. */
export function readScope(text: string): Scope | undefined {
  const number = numberIn(SCOPES, text, 255)
  return number === undefined ? undefined : ((nameIn(SCOPES, number) as Scope | undefined) ?? number)
}

export const dsFieldName = (tos: number): string => nameIn(DS_FIELDS, tos) ?? `0x${tos.toString(16).padStart(2, '0')}`

/** Hexadecimal in any case: rtnl_dsfield_a2n() reads with base 16. */
export function readDsField(text: string): number | undefined {
  if (Object.hasOwn(DS_FIELDS, text)) return DS_FIELDS[text]
  const number = /^(0x)?[0-9a-f]+$/i.test(text) ? Number.parseInt(text, 16) : 256
  return number < 256 ? number : undefined
}
