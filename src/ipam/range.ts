/**
 * Ranges and range sets: the addresses that a network may give out.
 *
 *   range set 0 ─┬─ 10.1.2.0/24   .10 … .20          An attachment gets one address of each set.
 *                └─ 10.1.3.0/24   .1 … .254          The ranges of a set are used one after the other.
 *   range set 1 ─── fd00:1::/64   ::1 … ::ffff:…     A set is of one family.
 *
 * Keys, defaults and the messages of a refusal are those of https://www.cni.dev/plugins/current/ipam/host-local/ and its
 * reference implementation: people search the web for them.
 */
import { bitsOf, type Family, familyOf, formatIp, type Ip, ipFromBigInt, ipToBigInt, nextIp } from '../address/ip.ts'
import { contains, formatPrefix, lastOf, networkOf, type Prefix, samePrefix } from '../address/prefix.ts'
import { ipAt, prefixAt } from '../cni/address.ts'
import { invalid } from '../cni/errors.ts'
import { asArray, asObject, type JsonObject } from '../json/json.ts'

export interface Range {
  readonly family: Family
  readonly subnet: Prefix
  /** Lowest and highest address to give out. The gateway may lie between them and is left out. */
  readonly first: bigint
  readonly last: bigint
  readonly gateway: Ip
}

/** At least one range, all of one family, none overlapping another. */
export type RangeSet = readonly Range[]

/** A range as it was configured, each value readable by itself. */
export interface ConfiguredRange {
  readonly subnet: Prefix | undefined
  readonly rangeStart: Ip | undefined
  readonly rangeEnd: Ip | undefined
  readonly gateway: Ip | undefined
}

/** Addresses of one range that follow one another, both ends included; none when `from` is above `to`. */
export interface Stretch {
  readonly range: Range
  readonly from: bigint
  readonly to: bigint
}

/** CniError when a value is none. */
export function readRange(json: JsonObject): ConfiguredRange {
  return {
    subnet: prefixAt(json, 'subnet'),
    rangeStart: ipAt(json, 'rangeStart'),
    rangeEnd: ipAt(json, 'rangeEnd'),
    gateway: ipAt(json, 'gateway'),
  }
}

/** A list of sets, each a list of ranges; empty where the key is absent. */
export function readRangeSets(json: JsonObject, key: string): ConfiguredRange[][] {
  const path = json.pathOf(key)
  return (json.array(key) ?? []).map((set, i) =>
    asArray(set, `${path}[${i}]`).map((range, j) => readRange(asObject(range, `${path}[${i}][${j}]`))),
  )
}

/** Fills in what was left out. CniError when addresses cannot be given out of these sets. */
export function completeRangeSets(sets: readonly (readonly ConfiguredRange[])[]): RangeSet[] {
  if (sets.length === 0) throw invalid('no IP ranges specified: give "ipam.ranges" or "ipam.subnet"')
  const complete = sets.map((set, i) => completeSet(set, `invalid range set ${i}: `))
  for (const [i, a] of complete.entries()) {
    for (const [j, b] of complete.entries()) {
      if (i < j && a.some((range) => b.some((other) => overlap(range, other)))) {
        throw invalid(`range set ${i} overlaps with ${j}`)
      }
    }
  }
  return complete
}

export function inRange(range: Range, ip: Ip): boolean {
  if (familyOf(ip) !== range.family) return false
  const address = ipToBigInt(ip)
  return range.first <= address && address <= range.last
}

/** The range of the set that holds the address. */
export function rangeOf(set: RangeSet, ip: Ip): Range | undefined {
  return set.find((range) => inRange(range, ip))
}

/** `10.1.2.10-10.1.2.20,10.1.3.1-10.1.3.254` */
export function formatRangeSet(set: RangeSet): string {
  return set.map(formatRange).join(',')
}

/** All addresses of the set, each once, in the order in which they are tried: from the one after `last` round to `last`. */
export function roundRobin(set: RangeSet, last: Ip | undefined): Stretch[] {
  const whole = set.map((range) => ({ range, from: range.first, to: range.last }))
  const index = last === undefined ? -1 : set.findIndex((range) => inRange(range, last))
  if (last === undefined || index < 0) return whole
  const { range, from, to } = whole[index]!
  const at = ipToBigInt(last)
  return [{ range, from: at + 1n, to }, ...whole.slice(index + 1), ...whole.slice(0, index), { range, from, to: at }]
}

function completeSet(set: readonly ConfiguredRange[], where: string): RangeSet {
  if (set.length === 0) throw invalid(`${where}empty range set`)
  const ranges = set.map((range) => completeRange(range, where))
  if (ranges.some(({ family }) => family !== ranges[0]!.family)) throw invalid(`${where}mixed address families`)
  for (const [i, a] of ranges.entries()) {
    for (const b of ranges.slice(i + 1)) {
      if (overlap(a, b)) throw invalid(`${where}subnets ${formatRange(a)} and ${formatRange(b)} overlap`)
    }
  }
  return ranges
}

function completeRange(configured: ConfiguredRange, where: string): Range {
  const { subnet } = configured
  if (!subnet) throw invalid(`${where}"subnet" is missing`)
  const family = familyOf(subnet.address)
  if (subnet.length > bitsOf(family) - 2) {
    throw invalid(`${where}Network ${formatPrefix(subnet)} too small to allocate from`)
  }
  const network = networkOf(subnet)
  if (!samePrefix(network, subnet)) {
    const address = formatIp(network.address)
    throw invalid(
      `${where}Network has host bits set. For a subnet mask of length ${subnet.length} the network address is ${address}`,
    )
  }

  const { rangeStart = nextIp(network.address), rangeEnd, gateway = nextIp(network.address) } = configured
  const first = ipToBigInt(rangeStart)
  // The broadcast address of an IPv4 subnet is nobody's; IPv6 has none.
  const last = rangeEnd ? ipToBigInt(rangeEnd) : ipToBigInt(lastOf(subnet)) - (family === 'ipv4' ? 1n : 0n)
  const backwards = rangeEnd !== undefined && last < first
  if (configured.rangeStart && (!contains(subnet, rangeStart) || backwards)) {
    throw invalid(`${where}RangeStart ${formatIp(rangeStart)} not in network ${formatPrefix(subnet)}`)
  }
  if (rangeEnd && (!contains(subnet, rangeEnd) || backwards)) {
    throw invalid(`${where}RangeEnd ${formatIp(rangeEnd)} not in network ${formatPrefix(subnet)}`)
  }
  return { family, subnet, first, last, gateway }
}

function overlap(a: Range, b: Range): boolean {
  return a.family === b.family && a.first <= b.last && b.first <= a.last
}

function formatRange({ family, first, last }: Range): string {
  return `${formatIp(ipFromBigInt(first, family))}-${formatIp(ipFromBigInt(last, family))}`
}
