/**
 * Which address and port a new connection gets, so that its answers are nobody else's: get_unique_tuple and
 * nf_nat_l4proto_unique_tuple, net/netfilter/nf_nat_core.c.
 *
 *      1. source NAT: as it is, where that is in the range and free; or as its source is translated already
 *      2. an address of the range, by a hash of the ends: the same client gets the same one
 *      3. the port, where it is in the range and free
 *      4. else a port of the range from a random one on, 128 tries, then 64 from another, …
 */

import type { Random } from '../../random.ts'
import { type Connection, Status } from '../conntrack/connection.ts'
import { after, TcpState } from '../conntrack/tcp-track.ts'
import { type Address, invert, isIcmp, Protocol, sameAddress, sameTuple, type Tuple } from '../conntrack/tuple.ts'
import { jhash2, reciprocalScale } from '../jhash.ts'
import { type NatKind, type NatRange, RANDOM_ALL, RangeFlag } from './range.ts'

/** NF_NAT_MAX_ATTEMPTS. */
const MOST_ATTEMPTS = 128
/** NF_NAT_HARDER_THRESH: in the last tries, a connection in TIME_WAIT gives way. */
const HARDER = 32
const FEWEST_ATTEMPTS = 16

/** The table, as far as tuples are sought in it. */
export interface Taken {
  find(tuple: Tuple, zone: number): Tuple | undefined
  kill(connection: Connection): boolean
}

export interface Sources {
  /** Connections whose source is translated already, with the same original source: nf_nat_bysource. */
  bySource(tuple: Tuple, zone: number): readonly Connection[]
}

export function uniqueTuple(
  table: Taken,
  sources: Sources,
  random: Random,
  current: Tuple,
  range: NatRange,
  connection: Connection,
  kind: NatKind,
): Tuple {
  const { flags } = range
  if (kind === 'snat' && !(flags & RANDOM_ALL)) {
    if (isInRange(current, range)) {
      if (!isTaken(table, current, connection)) return current
    } else {
      const mapped = asMappedBefore(sources, current, range, connection.zone)
      if (mapped && !isTaken(table, mapped, connection)) return mapped
    }
  }
  const tuple = current.copy()
  if (flags & RangeFlag.mapAddresses) pickAddress(tuple, range, connection.zone, kind)
  if (!(flags & RANDOM_ALL)) {
    if (flags & RangeFlag.portsSpecified) {
      const only = range.minPort === range.maxPort
      const fits = !(flags & RangeFlag.offset) && partIsInRange(tuple, range, kind)
      if (fits && (only || !isTaken(table, tuple, connection))) return tuple
    } else if (!isTaken(table, tuple, connection)) return tuple
  }
  pickPart(table, random, tuple, range, connection, kind)
  return tuple
}

/** in_range: its source is one that the range allows. */
function isInRange(tuple: Tuple, range: NatRange): boolean {
  if (range.flags & RangeFlag.mapAddresses) {
    if (compareAddresses(tuple.source, range.minAddress) < 0) return false
    if (compareAddresses(tuple.source, range.maxAddress) > 0) return false
  }
  return !(range.flags & RangeFlag.portsSpecified) || partIsInRange(tuple, range, 'snat')
}

function compareAddresses(a: Address, b: Address): number {
  if (typeof a === 'number' || typeof b === 'number') return (a as number) - (b as number)
  for (let i = 0; i < 16; i++) if (a[i] !== b[i]) return a[i]! - b[i]!
  return 0
}

/** l4proto_in_range. */
function partIsInRange(tuple: Tuple, { minPort, maxPort }: NatRange, kind: NatKind): boolean {
  const { protocol } = tuple
  if (!isIcmp(protocol) && protocol !== Protocol.tcp && protocol !== Protocol.udp) return true
  const part = kind === 'snat' || isIcmp(protocol) ? tuple.sourcePart : tuple.destinationPart
  return part >= minPort && part <= maxPort
}

/** find_appropriate_src. */
function asMappedBefore(sources: Sources, current: Tuple, range: NatRange, zone: number): Tuple | undefined {
  for (const other of sources.bySource(current, zone)) {
    const mapped = invert(other.reply)
    if (!mapped) continue
    mapped.destination = current.destination
    mapped.destinationPart = current.destinationPart
    if (isInRange(mapped, range)) return mapped
  }
  return undefined
}

/** nf_nat_used_tuple: whether the answers to such packets would be another connection's. */
function isTaken(table: Taken, tuple: Tuple, connection: Connection): boolean {
  const reply = invert(tuple)!
  const found = table.find(reply, connection.zone)
  if (!found || found.connection === connection) return false
  // Two packets of one flow at the same time: left to clash resolution.
  return !sameTuple(found.connection!.original, connection.original)
}

/** nf_nat_used_tuple_harder. */
function isTakenHarder(table: Taken, tuple: Tuple, connection: Connection, left: number): boolean {
  const opening = tuple.protocol === Protocol.tcp && connection.tcp?.state === TcpState.synSent
  if (left > HARDER || !opening) return isTaken(table, tuple, connection)
  const found = table.find(invert(tuple)!, connection.zone)
  if (!found) return false
  const other = found.connection!
  if (found.direction === 0 || !other.tcp || other.tcp.state < TcpState.timeWait) return true
  if (other.status & (Status.fixedTimeout | Status.dying) || !(other.status & Status.sourceNat)) return true
  // The server must not take the new one's segments for the old one's.
  if (!after(connection.tcp!.sides[0].end, other.tcp.sides[0].end)) return true
  return !table.kill(other)
}

/** find_best_ips_proto. */
function pickAddress(tuple: Tuple, range: NatRange, zone: number, kind: NatKind): void {
  const { minAddress, maxAddress } = range
  const picked = sameAddress(minAddress, maxAddress) ? minAddress : hashedAddress(tuple, range, zone)
  if (kind === 'snat') tuple.source = picked
  else tuple.destination = picked
}

function hashedAddress(tuple: Tuple, range: NatRange, zone: number): Address {
  const source = wordsOf(tuple.source)
  const destination = wordsOf(tuple.destination)
  const min = wordsOf(range.minAddress)
  const max = wordsOf(range.maxAddress)
  const persistent = (range.flags & RangeFlag.persistent) !== 0
  const last = min.length - 1
  // The kernel hashes the words as they lie in memory, four of them for IPv4 too.
  const hashed = [...source, 0, 0, 0].slice(0, 4).map(swap)
  let hash = jhash2(hashed, persistent ? 0 : (swap(destination[last]!) ^ zone) >>> 0)
  const picked: number[] = []
  let full = false
  for (let i = 0; i <= last; i++) {
    const from = full ? 0 : min[i]!
    const distance = full ? 0xffff_ffff : (max[i]! - min[i]! + 1) >>> 0
    const word = (from + reciprocalScale(hash, distance)) >>> 0
    picked.push(word)
    if (word !== max[i]) full = true
    if (!persistent) hash = (hash ^ swap(destination[i]!)) >>> 0
  }
  return last === 0 ? picked[0]! : bytesOf(picked)
}

function wordsOf(address: Address): number[] {
  if (typeof address === 'number') return [address]
  const view = new DataView(address.buffer, address.byteOffset, 16)
  return [0, 4, 8, 12].map((at) => view.getUint32(at))
}

function bytesOf(words: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(16)
  const view = new DataView(bytes.buffer)
  for (const [i, word] of words.entries()) view.setUint32(i * 4, word)
  return bytes
}

/** Network order as a little-endian machine reads it. */
function swap(word: number): number {
  return ((word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)) >>> 0
}

/** nf_nat_l4proto_unique_tuple: changes the tuple's port, or ICMP identifier. */
function pickPart(
  table: Taken,
  random: Random,
  tuple: Tuple,
  range: NatRange,
  connection: Connection,
  kind: NatKind,
): void {
  const { protocol } = tuple
  const icmp = isIcmp(protocol)
  if (!icmp && protocol !== Protocol.tcp && protocol !== Protocol.udp) return
  const { flags } = range
  const source = kind === 'snat' || icmp
  const part = source ? tuple.sourcePart : tuple.destinationPart
  let min: number
  let size: number
  if (flags & RangeFlag.portsSpecified) {
    min = Math.min(range.minPort, range.maxPort)
    size = Math.max(range.minPort, range.maxPort) - min + 1
  } else if (icmp) {
    min = 0
    size = 65_536
  } else if (kind === 'dnat') {
    return
  } else {
    ;[min, size] = part < 512 ? [1, 511] : part < 1024 ? [600, 424] : [1024, 64_512]
  }
  let offset: number
  if (flags & RangeFlag.offset) offset = (part - range.basePort) & 0xffff
  else if (flags & RANDOM_ALL || kind === 'snat') offset = random.bits('natPort') & 0xffff
  else offset = 0
  let attempts = Math.min(size, MOST_ATTEMPTS)
  for (;;) {
    for (let i = 0; i < attempts; i++, offset = (offset + 1) & 0xffff) {
      const tried = min + (offset % size)
      if (source) tuple.sourcePart = tried
      else tuple.destinationPart = tried
      if (!isTakenHarder(table, tuple, connection, attempts - i)) return
    }
    // The last one tried, then: confirming the connection will find the clash.
    if (attempts >= size || attempts < FEWEST_ATTEMPTS) return
    attempts >>= 1
    offset = random.bits('natPort') & 0xffff
  }
}
