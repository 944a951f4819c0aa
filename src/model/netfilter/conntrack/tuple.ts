/**
 * Tuples: one direction of a connection as its packets show it, and the place of each in the table. Source:
 * net/netfilter/nf_conntrack_tuple.h.
 *
 * `sourcePart` and `destinationPart` are ports; of ICMP, the identifier, and type and code; of other protocols 0.
 */
import { formatIpv4 } from '../../../address/ipv4.ts'
import { formatIpv6 } from '../../../address/ipv6.ts'
import { sameBytes, u32 } from '../../bytes.ts'
import type { Connection } from './connection.ts'

/** IPv4: an unsigned number. IPv6: 16 bytes. */
export type Address = number | Uint8Array

export type TupleFamily = 'ip' | 'ip6'

export const Protocol = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58 } as const

const PROTOCOL_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(Protocol).map(([name, number]) => [number, name]),
)

export class Tuple {
  readonly family: TupleFamily
  readonly protocol: number
  source: Address
  destination: Address
  sourcePart: number
  destinationPart: number
  direction: 0 | 1 = 0
  /** Whose it is, once it is a connection's. */
  connection: Connection | undefined = undefined
  /** Of the table's chains. */
  hash = 0
  next: Tuple | undefined = undefined

  constructor(
    family: TupleFamily,
    protocol: number,
    source: Address,
    destination: Address,
    sourcePart: number,
    destinationPart: number,
  ) {
    this.family = family
    this.protocol = protocol
    this.source = source
    this.destination = destination
    this.sourcePart = sourcePart
    this.destinationPart = destinationPart
  }

  copy(): Tuple {
    return new Tuple(this.family, this.protocol, this.source, this.destination, this.sourcePart, this.destinationPart)
  }

  /** As conntrack(8) lists it. */
  toString(): string {
    const { protocol, sourcePart, destinationPart } = this
    const ends = `${PROTOCOL_NAMES.get(protocol) ?? protocol} src=${formatAddress(this.source)} dst=${formatAddress(this.destination)}`
    if (hasPorts(protocol)) return `${ends} sport=${sourcePart} dport=${destinationPart}`
    if (!isIcmp(protocol)) return ends
    return `${ends} type=${destinationPart >>> 8} code=${destinationPart & 0xff} id=${sourcePart}`
  }
}

export function isIcmp(protocol: number): boolean {
  return protocol === Protocol.icmp || protocol === Protocol.icmpv6
}

export function hasPorts(protocol: number): boolean {
  return protocol === Protocol.tcp || protocol === Protocol.udp
}

export function formatAddress(address: Address): string {
  if (typeof address !== 'number') return formatIpv6(address)
  return formatIpv4(Uint8Array.of(address >>> 24, address >>> 16, address >>> 8, address))
}

export function sameAddress(a: Address, b: Address): boolean {
  if (typeof a === 'number' || typeof b === 'number') return a === b
  return sameBytes(a, 0, b, 0, 16)
}

/** The address in a packet. IPv6: a copy. */
export function addressAt(family: TupleFamily, bytes: Uint8Array, at: number): Address {
  return family === 'ip' ? u32(bytes, at) : bytes.slice(at, at + 16)
}

/** nf_ct_tuple_equal. */
export function sameTuple(a: Tuple, b: Tuple): boolean {
  return (
    a.protocol === b.protocol &&
    a.family === b.family &&
    a.sourcePart === b.sourcePart &&
    a.destinationPart === b.destinationPart &&
    sameAddress(a.source, b.source) &&
    sameAddress(a.destination, b.destination)
  )
}

/** ICMP types that ask, and those that answer them: net/netfilter/nf_conntrack_proto_icmp.c, invmap. */
const ICMP_INVERSE = new Map([
  [8, 0],
  [0, 8],
  [13, 14],
  [14, 13],
  [15, 16],
  [16, 15],
  [17, 18],
  [18, 17],
])

/** Echo and node information queries: nf_conntrack_proto_icmpv6.c, invmap. */
const ICMPV6_INVERSE = new Map([
  [128, 129],
  [129, 128],
  [139, 140],
  [140, 139],
])

/** nf_ct_invert_tuple: what the answers look like; undefined where there is no answer (ICMP types that ask nothing). */
export function invert(tuple: Tuple): Tuple | undefined {
  const { family, protocol, source, destination, sourcePart, destinationPart } = tuple
  let inverse: Tuple
  if (isIcmp(protocol)) {
    const type = (protocol === Protocol.icmp ? ICMP_INVERSE : ICMPV6_INVERSE).get(destinationPart >>> 8)
    if (type === undefined) return undefined
    inverse = new Tuple(family, protocol, destination, source, sourcePart, (type << 8) | (destinationPart & 0xff))
  } else {
    inverse = new Tuple(family, protocol, destination, source, destinationPart, sourcePart)
  }
  inverse.direction = tuple.direction === 0 ? 1 : 0
  return inverse
}

function mix(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return mixed ^ (mixed >>> 16)
}

/** A number of 32 bits, signed. */
export function hash4(
  protocol: number,
  source: number,
  destination: number,
  sourcePart: number,
  destinationPart: number,
): number {
  const ends = Math.imul(source, 0x9e3779b1) ^ Math.imul(destination, 0x27d4eb2f)
  return mix(ends ^ Math.imul((sourcePart << 16) | destinationPart, 0x165667b1) ^ protocol)
}

/** As hash4, of the addresses at `sourceAt` and `destinationAt`. */
export function hash6(
  protocol: number,
  sources: Uint8Array,
  sourceAt: number,
  destinations: Uint8Array,
  destinationAt: number,
  parts: number,
): number {
  let ends = 0
  for (let word = 0; word < 16; word += 4) {
    ends = mix(ends ^ (u32(sources, sourceAt + word) | 0))
    ends = mix(ends ^ (u32(destinations, destinationAt + word) | 0))
  }
  return mix(ends ^ Math.imul(parts, 0x165667b1) ^ protocol)
}

export function hashOf(tuple: Tuple): number {
  const { protocol, source, destination, sourcePart, destinationPart } = tuple
  if (typeof source === 'number' && typeof destination === 'number')
    return hash4(protocol, source, destination, sourcePart, destinationPart)
  const parts = (sourcePart << 16) | destinationPart
  return hash6(protocol, source as Uint8Array, 0, destination as Uint8Array, 0, parts)
}

/** For connections of one source: hash_by_src. */
export function sourceHash({ protocol, source, sourcePart }: Tuple): number {
  if (typeof source === 'number') return hash4(protocol, source, 0, sourcePart, 0)
  return hash6(protocol, source, 0, source, 0, sourcePart)
}
