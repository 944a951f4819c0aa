/**
 * Tables as MRT has them: TABLE_DUMP_V2, RFC 6396 §4.3; path identifiers: RFC 8050 §4.
 *
 *   PEER_INDEX_TABLE:  | collector's id (4) | length (2) | view name | peers (2) | peer … |
 *     peer:            | type (1): 1 IPv6, 2 AS of four octets | id (4) | address (4, 16) | AS (2, 4) |
 *   RIB_IPV4_UNICAST:  | sequence number (4) | prefix length (1) | prefix | entries (2) | entry … |
 *     entry:           | peer (2) | since (4) | with _ADDPATH: path identifier (4) | length (2) | attributes |
 *
 * AS numbers in attributes have four octets, and MP_REACH_NLRI is cut down to its next hop: §4.3.4.
 */
import { formatIp, parseIp, unspecified } from '../../address/ip.ts'
import type { SessionKind } from '../attribute/attribute.ts'
import type { PathAttributes } from '../attribute/attributes.ts'
import { decodeAttributes, readAttribute } from '../attribute/decode.ts'
import { encodeAttributes } from '../attribute/encode.ts'
import { EXTENDED_HEADER, MP_REACH_NLRI, writeMpHeader } from '../attribute/mp-nlri.ts'
import type { BgpId } from '../bgp-id.ts'
import type { Family } from '../family.ts'
import { decodeNlri, encodeNlri, familyOfKey, nlriSize, type PrefixKey } from '../nlri.ts'
import { joined, ofU16, ofU32, setU16, setU32 } from '../octets.ts'
import { encodeUtf8, readUtf8 } from '../utf8.ts'
import { Cursor } from './cursor.ts'
import { TableDumpSubtype } from './record.ts'

export interface MrtPeer {
  readonly id: BgpId
  readonly address: string
  readonly as: number
}

export interface PeerIndexTable {
  readonly collectorId: BgpId
  readonly view: string
  /** Entries of RIBs mean them by their place. */
  readonly peers: readonly MrtPeer[]
}

export interface RibEntry {
  /** Place in the PEER_INDEX_TABLE. */
  readonly peer: number
  /** Seconds since the epoch. */
  readonly since: number
  /** undefined: in a record without path identifiers. */
  readonly pathId: number | undefined
  /** Encoded; see ribAttributes(). */
  readonly attributes: Uint8Array
}

export interface RibRecord {
  readonly sequence: number
  readonly prefix: PrefixKey
  /** All with path identifiers, or all without. */
  readonly entries: readonly RibEntry[]
}

const IPV6_PEER = 1
const AS4_PEER = 2

export function encodePeerIndexTable({ collectorId, view, peers }: PeerIndexTable): Uint8Array {
  const name = encodeUtf8(view)
  const entries = peers.flatMap(({ id, address, as }) => {
    const ip = parseIp(address)
    return [Uint8Array.of(AS4_PEER | (ip.length === 16 ? IPV6_PEER : 0)), ofU32(id), ip, ofU32(as)]
  })
  return joined([ofU32(collectorId), ofU16(name.length), name, ofU16(peers.length), ...entries])
}

export function decodePeerIndexTable(body: Uint8Array): PeerIndexTable {
  const cursor = new Cursor(body)
  const collectorId = cursor.u32()
  const view = readUtf8(cursor.take(cursor.u16())) ?? ''
  const peers = Array.from({ length: cursor.u16() }, () => {
    const type = cursor.u8()
    const id = cursor.u32()
    const address = cursor.address((type & IPV6_PEER) !== 0 ? 'ipv6' : 'ipv4')
    return { id, address, as: (type & AS4_PEER) !== 0 ? cursor.u32() : cursor.u16() }
  })
  return { collectorId, view, peers }
}

/** Which subtype a record of these entries has. */
export function ribSubtype({ prefix, entries }: RibRecord): number {
  const { ribIpv4Unicast, ribIpv4UnicastAddPath, ribIpv6Unicast, ribIpv6UnicastAddPath } = TableDumpSubtype
  const hasPathIds = entries[0]?.pathId !== undefined
  if (familyOfKey(prefix) === 'ipv4') return hasPathIds ? ribIpv4UnicastAddPath : ribIpv4Unicast
  return hasPathIds ? ribIpv6UnicastAddPath : ribIpv6Unicast
}

export function encodeRib({ sequence, prefix, entries }: RibRecord): Uint8Array {
  const size = entries.reduce(
    (sum, { pathId, attributes }) => sum + (pathId === undefined ? 8 : 12) + attributes.length,
    0,
  )
  const bytes = new Uint8Array(4 + nlriSize(prefix) + 2 + size)
  setU32(bytes, 0, sequence)
  let at = encodeNlri({ prefixes: [prefix], pathIds: undefined }, 0, bytes, 4, bytes.length).end
  setU16(bytes, at, entries.length)
  at += 2
  for (const { peer, since, pathId, attributes } of entries) {
    setU16(bytes, at, peer)
    setU32(bytes, at + 2, since)
    at += 6
    if (pathId !== undefined) {
      setU32(bytes, at, pathId)
      at += 4
    }
    setU16(bytes, at, attributes.length)
    bytes.set(attributes, at + 2)
    at += 2 + attributes.length
  }
  return bytes
}

/** What a subtype means; undefined: none that is read here. */
const RIBS: Readonly<Record<number, { readonly family: Family; readonly addPath: boolean }>> = {
  [TableDumpSubtype.ribIpv4Unicast]: { family: 'ipv4', addPath: false },
  [TableDumpSubtype.ribIpv6Unicast]: { family: 'ipv6', addPath: false },
  [TableDumpSubtype.ribIpv4UnicastAddPath]: { family: 'ipv4', addPath: true },
  [TableDumpSubtype.ribIpv6UnicastAddPath]: { family: 'ipv6', addPath: true },
}

/** undefined for a subtype that is no RIB of IPv4 or IPv6 unicast. Throws DecodeError, BgpError for a prefix that is none. */
export function decodeRib(subtype: number, body: Uint8Array): RibRecord | undefined {
  const kind = RIBS[subtype]
  if (!kind) return undefined
  const cursor = new Cursor(body)
  const sequence = cursor.u32()
  const nlri = cursor.take(1 + ((cursor.peek() + 7) >> 3))
  const [prefix] = decodeNlri(kind.family, nlri, 0, nlri.length, false).prefixes
  const entries = Array.from({ length: cursor.u16() }, () => ({
    peer: cursor.u16(),
    since: cursor.u32(),
    pathId: kind.addPath ? cursor.u32() : undefined,
    attributes: cursor.take(cursor.u16()),
  }))
  return { sequence, prefix: prefix!, entries }
}

/** As they stand in a RIB entry. Routes that begin here have no next hop, which is all zero, of their family. */
export function ribAttributes(family: Family, attributes: PathAttributes): Uint8Array {
  const known = parseIp(attributes.nextHop)
  const nextHop = family === 'ipv6' && known.length === 4 ? unspecified(family) : known
  if (nextHop.length === 4) return encodeAttributes(attributes, { as4: true }, true)
  const hops = attributes.linkLocal === undefined ? [nextHop] : [nextHop, parseIp(attributes.linkLocal)]
  const value = joined([Uint8Array.of(16 * hops.length), ...hops])
  const reach = new Uint8Array(EXTENDED_HEADER + value.length)
  reach.set(value, EXTENDED_HEADER)
  const end = writeMpHeader(reach, MP_REACH_NLRI, 0, reach.length)
  return joined([encodeAttributes(attributes, { as4: true }, false), reach.subarray(0, end)])
}

/** From an iBGP session, so that nothing is taken out. */
const ANY_SESSION: SessionKind = { internal: true, as4: true, asSets: 'accept' }

/** undefined: they are damaged, or not whole. */
export function decodeRibAttributes(bytes: Uint8Array): PathAttributes | undefined {
  const nextHop = reachNextHop(bytes)
  return decodeAttributes(bytes, 0, bytes.length, nextHop ?? 'nlri', ANY_SESSION).attributes
}

/** Some write the whole MP_REACH_NLRI, which begins with the octet 0 of its AFI: no length of a next hop. */
function reachNextHop(bytes: Uint8Array): Uint8Array | undefined {
  for (let at = 0; at < bytes.length; ) {
    const span = readAttribute(bytes, at, bytes.length)
    if (!span) return undefined
    if (span.code === MP_REACH_NLRI) {
      const value = bytes.subarray(span.from, span.to)
      const lengthAt = value[0] === 0 ? 3 : 0
      const length = value[lengthAt]
      const hop = length === undefined ? value : value.subarray(lengthAt + 1, lengthAt + 1 + length)
      return isAddresses(hop) ? hop : undefined
    }
    at = span.to
  }
  return undefined
}

function isAddresses({ length }: Uint8Array): boolean {
  return length === 4 || length === 16 || length === 32
}

/** Of ourselves in a PEER_INDEX_TABLE: routes that begin here. As BIRD and FRR write it. */
export function ownPeer(id: BgpId, as: number): MrtPeer {
  return { id, address: formatIp(new Uint8Array(4)), as }
}
