/** Addresses with masks, as `-s` and `-d` take them and iptables prints them: libxtables/xtables.c. */
import { formatIp, type Ip, unspecified } from '../../address/ip.ts'
import { readIpv6 } from '../../address/ipv6.ts'
import { badParameter } from './error.ts'
import { readNumber } from './number.ts'
import type { Family } from './rule.ts'

export interface Network {
  /** Its bits outside the mask are zero. */
  readonly address: Ip
  /** Any bits, not only leading ones. */
  readonly mask: Ip
}

const ADDRESS_LENGTH = { ip: 4, ip6: 16 } as const

/** /etc/networks and /etc/hosts, as far as every machine has them. */
const NAMES: Readonly<Record<string, string>> = {
  localhost: '127.0.0.1',
  default: '0.0.0.0',
  loopback: '127.0.0.0',
  'link-local': '169.254.0.0',
}

/** Several with commas between them: one rule each. */
export function parseNetworks(text: string, family: Family): Network[] {
  return text.split(',').map((word) => parseNetwork(word.trim(), family))
}

export function parseNetwork(text: string, family: Family): Network {
  const slash = text.lastIndexOf('/')
  const mask = slash < 0 ? maskOfLength(family, 8 * ADDRESS_LENGTH[family]) : parseMask(text.slice(slash + 1), family)
  // With a mask of no bits the name is ignored, as in "any/0".
  const name = mask.every((byte) => byte === 0) ? undefined : slash < 0 ? text : text.slice(0, slash)
  const address = name === undefined ? anyAddress(family) : readAddress(name, family)
  if (!address) throw badParameter(`host/network \`${name}' not found`)
  return { address: address.map((byte, i) => byte & mask[i]!), mask }
}

export function anyNetwork(family: Family): Network {
  return { address: anyAddress(family), mask: anyAddress(family) }
}

function anyAddress(family: Family): Ip {
  return unspecified(family === 'ip' ? 'ipv4' : 'ipv6')
}

/** One address; of IPv4 also `10.1` for 10.1.0.0. */
export function readAddress(text: string, family: Family): Ip | undefined {
  if (family === 'ip6') return readIpv6(text)
  const parts = (Object.hasOwn(NAMES, text) ? NAMES[text]! : text).split('.')
  if (parts.length > 4) return undefined
  const bytes = new Uint8Array(4)
  for (const [i, part] of parts.entries()) {
    const byte = readNumber(part, 255)
    if (byte === undefined) return undefined
    bytes[i] = byte
  }
  return bytes
}

function parseMask(text: string, family: Family): Ip {
  if (family === 'ip' && text.includes('.')) {
    const mask = text.split('.').length === 4 ? readAddress(text, family) : undefined
    if (mask) return mask
  } else if (family === 'ip6' && text.includes(':')) {
    const mask = readIpv6(text)
    if (mask) return mask
  }
  const length = readNumber(text, 8 * ADDRESS_LENGTH[family])
  if (length === undefined) throw badParameter(`invalid mask \`${text}' specified`)
  return maskOfLength(family, length)
}

export function maskOfLength(family: Family, length: number): Ip {
  const mask = anyAddress(family)
  for (let i = 0; i < mask.length; i++) mask[i] = 0xff00 >> Math.min(8, Math.max(0, length - 8 * i))
  return mask
}

/** How many leading ones the mask has; undefined when others follow. */
export function lengthOfMask(mask: Ip): number | undefined {
  let length = 0
  while (length < 8 * mask.length && mask[length >> 3]! & (0x80 >> (length & 7))) length++
  for (let i = length; i < 8 * mask.length; i++) if (mask[i >> 3]! & (0x80 >> (i & 7))) return undefined
  return length
}

/** `10.0.0.0/8`, always with a mask. */
export function formatNetwork({ address, mask }: Network): string {
  return `${formatIp(address)}/${lengthOfMask(mask) ?? formatIp(mask)}`
}

/** As -L prints it: a whole address without its mask, none at all as `anywhere` where names are wanted. */
export function listNetwork(network: Network, numeric: boolean): string {
  const { address, mask } = network
  const length = lengthOfMask(mask)
  const isAny = (address.length === 4 ? mask : address).every((byte) => byte === 0)
  if (isAny && !numeric) return 'anywhere'
  const text = formatIp(address)
  const name = numeric ? text : (Object.entries(NAMES).find(([, known]) => known === text)?.[0] ?? text)
  return length === 8 * mask.length ? name : `${name}/${length ?? formatIp(mask)}`
}
