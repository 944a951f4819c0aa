/**
 * An element: what an IP set is looked up by. What a person adds may be many: ranges and networks of single addresses.
 * Source: the functions uadt of net/netfilter/ipset/ip_set_hash_*.c and ip_set_bitmap_port.c.
 */
import { bitsOf, type Family, formatIp, type Ip, parseIp } from '../../../address/ip.ts'
import { IPV4_LENGTH } from '../../../address/ipv4.ts'
import { networkOf } from '../../../address/prefix.ts'
import type { IpSetAddress, IpSetDefinition, IpSetEntry } from '../../../kernel/ipset.ts'
import { IpProtocol } from '../../../wire/ipv4.ts'
import { setU32, u32 } from '../../bytes.ts'
import { refusal } from '../vm/refusal.ts'
import { SHAPES } from './shape.ts'

export interface Part {
  readonly address: Ip
  readonly length: number
}

export interface Element {
  readonly first: Part | undefined
  /** 0 where it has none. */
  readonly protocol: number
  readonly port: number
  readonly second: Part | undefined
}

/** Protocols with ports of their own: ip_set_proto_with_ports. */
export const WITH_PORTS: readonly number[] = [IpProtocol.tcp, IpProtocol.udp, IpProtocol.sctp, IpProtocol.udpLite]

/** Equal elements have equal keys. */
export function keyOf({ first, protocol, port, second }: Element): string {
  const part = (one: Part | undefined) => (one ? `${one.address.join('.')}/${one.length}` : '')
  return `${part(first)} ${protocol}:${port} ${part(second)}`
}

export function partOf(address: Ip, length: number): Part {
  return networkOf({ address, length })
}

/** Those that an entry stands for. KernelError where it is none of this set's. */
export function* elementsOf(entry: IpSetEntry, set: IpSetDefinition, isTest: boolean): Generator<Element> {
  const { first, second } = SHAPES[set.type]
  const { family = 'ipv4', netmask = bitsOf(family) } = set
  const ports = portsOf(entry, set, isTest)
  const seconds = () => partsOf(entry.second, second, family, { length: bitsOf(family), isTest, single: true })
  for (const one of partsOf(entry.first, first, family, { length: netmask, isTest, single: false })) {
    // hash_ip4_uadt: nobody has the address of which nothing is left.
    if (set.type === 'hash:ip' && one?.address.every((byte) => byte === 0)) throw refusal('IPSET_ERR_HASH_ELEM')
    for (const { protocol, port } of ports) {
      for (const other of seconds()) yield { first: one, protocol, port, second: other }
    }
  }
}

interface PartOptions {
  /** Bits that single addresses keep. */
  readonly length: number
  readonly isTest: boolean
  /** Single addresses come one at a time. */
  readonly single: boolean
}

function* partsOf(
  given: IpSetAddress | undefined,
  kind: 'address' | 'network' | undefined,
  family: Family,
  { length, isTest, single }: PartOptions,
): Generator<Part | undefined> {
  if (kind === undefined) {
    yield undefined
    return
  }
  if (!given) throw refusal('IPSET_ERR_PROTOCOL')
  const bits = bitsOf(family)
  const [address, to] = [
    addressOf(given.address, family),
    given.to === undefined ? undefined : addressOf(given.to, family),
  ]
  const { prefixLength } = given
  if (to && family === 'ipv6') throw refusal('IPSET_ERR_HASH_RANGE_UNSUPPORTED')
  if (prefixLength !== undefined && (prefixLength < 1 || prefixLength > bits)) throw refusal('IPSET_ERR_INVALID_CIDR')
  if (kind === 'network') {
    if (to && !isTest) yield* networksOver(address, to)
    else yield partOf(address, prefixLength ?? bits)
    return
  }
  if (family === 'ipv6' && prefixLength !== undefined && prefixLength !== bits) throw refusal('IPSET_ERR_INVALID_CIDR')
  if (isTest || single || family === 'ipv6' || (!to && prefixLength === undefined)) {
    yield { ...partOf(address, length), length: bits }
    return
  }
  const [from, last] = to ? ordered(address, to) : edges(address, prefixLength!)
  const step = 2 ** (IPV4_BITS - length)
  for (let at = from - (from % step); at <= last; at += step) yield { address: ipOf(at), length: bits }
}

const IPV4_BITS = 32

/** The fewest networks that a range is made of: ip_set_range_to_cidr. */
function* networksOver(address: Ip, to: Ip): Generator<Part> {
  const [first, last] = ordered(address, to)
  if (first === 0 && last === 0xffff_ffff) throw refusal('IPSET_ERR_HASH_RANGE')
  for (let at = first; at <= last; ) {
    let length = 1
    while (length < IPV4_BITS && (at % 2 ** (IPV4_BITS - length) !== 0 || at + 2 ** (IPV4_BITS - length) - 1 > last))
      length++
    yield { address: ipOf(at), length }
    at += 2 ** (IPV4_BITS - length)
  }
}

function ordered(a: Ip, b: Ip): [number, number] {
  const [from, to] = [u32(a, 0), u32(b, 0)]
  return from <= to ? [from, to] : [to, from]
}

function edges(address: Ip, length: number): [number, number] {
  const first = u32(partOf(address, length).address, 0)
  return [first, first + 2 ** (IPV4_BITS - length) - 1]
}

function ipOf(number: number): Ip {
  const ip = new Uint8Array(IPV4_LENGTH)
  setU32(ip, 0, number)
  return ip
}

function addressOf(text: string, family: Family): Ip {
  const ip = parseIp(text)
  if ((ip.length === IPV4_LENGTH) === (family === 'ipv4')) return ip
  throw refusal('IPSET_ERR_PROTOCOL')
}

function portsOf({ port: given }: IpSetEntry, set: IpSetDefinition, isTest: boolean) {
  if (!SHAPES[set.type].hasPort) return [{ protocol: 0, port: 0 }]
  if (!given) throw refusal('IPSET_ERR_PROTOCOL')
  if (set.type === 'bitmap:port') {
    const ports = rangeOf(given.port, isTest ? undefined : given.to)
    const { from, to } = set.ports!
    if (ports[0]! < from || ports.at(-1)! > to) throw refusal('IPSET_ERR_BITMAP_RANGE')
    return ports.map((port) => ({ protocol: 0, port }))
  }
  const { protocol } = given
  if (protocol === undefined) throw refusal('IPSET_ERR_MISSING_PROTO')
  if (protocol === 0) throw refusal('IPSET_ERR_INVALID_PROTO')
  const hasPorts = WITH_PORTS.includes(protocol)
  const hasType = protocol === (set.family === 'ipv6' ? IpProtocol.icmpv6 : IpProtocol.icmp)
  const ports = rangeOf(hasPorts || hasType ? given.port : 0, hasPorts && !isTest ? given.to : undefined)
  return ports.map((port) => ({ protocol, port }))
}

function rangeOf(port: number, to = port): number[] {
  const first = Math.min(port, to)
  return Array.from({ length: Math.abs(to - port) + 1 }, (_, i) => first + i)
}

/** As it is listed. */
export function describeElement({ first, protocol, port, second }: Element, { type }: IpSetDefinition): IpSetEntry {
  const shape = SHAPES[type]
  const part = ({ address, length }: Part, kind: 'address' | 'network' | undefined) => ({
    address: formatIp(address),
    ...(kind === 'network' && { prefixLength: length }),
  })
  return {
    ...(first && { first: part(first, shape.first) }),
    ...(shape.hasPort && { port: { ...(protocol !== 0 && { protocol }), port } }),
    ...(second && { second: part(second, shape.second) }),
  }
}
