/**
 * What a router tells a monitoring station: BMP, RFC 7854 §4; of the table of best routes: RFC 9069. The station says nothing.
 *
 *   | version (1) 3 | length (4) | type (1) | per-peer header, unless it is Initiation or Termination | … |
 *
 *   per-peer header:  | type (1) | flags (1) | distinguisher (8) | address (16) | AS (4) | id (4) | seconds (4) | µs (4) |
 *
 *   Route Monitoring  | UPDATE |
 *   Peer Up           | local address (16) | local port (2) | remote port (2) | OPEN sent | OPEN received | TLVs |
 *   Peer Down         | reason (1) | NOTIFICATION, or number of the event |
 *   Statistics Report | how many (4) | TLVs |
 *   Initiation, Termination   | TLVs |
 */
import { parseIp } from '../../address/ip.ts'
import type { BgpId } from '../bgp-id.ts'
import { type AfiSafi, type Family, unicastOf } from '../family.ts'
import { EVENTS } from '../fsm.ts'
import { encodeNotification } from '../message/notification.ts'
import { joined, ofU16, ofU32, setU32 } from '../octets.ts'
import type { SessionEnd } from '../session-owner.ts'
import type { Endpoint } from '../transport.ts'
import { encodeUtf8 } from '../utf8.ts'

const VERSION = 3
/** IANA "BMP Message Types". */
const MessageType = {
  routeMonitoring: 0,
  statistics: 1,
  peerDown: 2,
  peerUp: 3,
  initiation: 4,
  termination: 5,
} as const

const HEADER = 6
const LENGTH_AT = 1

/** IANA "BMP Peer Types". */
const GLOBAL_INSTANCE = 0
const LOC_RIB_INSTANCE = 3
/** IANA "BMP Peer Flags". */
const Flag = { ipv6: 0x80, postPolicy: 0x40, as2: 0x20 } as const
const DISTINGUISHER = new Uint8Array(8)
const ADDRESS = 16

/** Whose routes, or whose session, a message is about. */
export type BmpPeer =
  | {
      readonly kind: 'peer'
      readonly address: string
      readonly as: number
      readonly id: BgpId
      /** Its routes as our filters have left them. */
      readonly postPolicy: boolean
      /** Messages on its session have AS numbers of four octets. */
      readonly as4: boolean
    }
  /** The best routes of this speaker. */
  | { readonly kind: 'loc-rib'; readonly as: number; readonly id: BgpId }

/** `time`: milliseconds since the epoch; 0: not known. */
export function encodeRouteMonitoring(peer: BmpPeer, time: number, update: Uint8Array): Uint8Array {
  return message(MessageType.routeMonitoring, [peerHeader(peer, time), update])
}

export interface PeerUp {
  readonly local: Endpoint | undefined
  readonly remotePort: number
  /** Whole messages. */
  readonly sent: Uint8Array
  readonly received: Uint8Array
}

export function encodePeerUp(peer: BmpPeer, time: number, { local, remotePort, sent, received }: PeerUp): Uint8Array {
  const address = local ? widened(local.address) : new Uint8Array(ADDRESS)
  const ports = [ofU16(local?.port ?? 0), ofU16(remotePort)]
  const name = peer.kind === 'loc-rib' ? [tlv(TABLE_NAME, encodeUtf8(LOC_RIB_NAME))] : []
  return message(MessageType.peerUp, [peerHeader(peer, time), address, ...ports, sent, received, ...name])
}

/** §4.9. What a session ends with says who has ended it, and how. */
export function encodePeerDown(peer: BmpPeer, time: number, end: SessionEnd | 'not monitored'): Uint8Array {
  return message(MessageType.peerDown, [peerHeader(peer, time), ...downReason(end)])
}

const DownReason = { localNotification: 1, local: 2, remoteNotification: 3, remote: 4, notMonitored: 5 } as const

function downReason(end: SessionEnd | 'not monitored'): Uint8Array[] {
  const reason = (code: number) => Uint8Array.of(code)
  if (end === 'not monitored') return [reason(DownReason.notMonitored)]
  const { received, sent, event } = end
  if (received) return [reason(DownReason.remoteNotification), encodeNotification(received)]
  if (sent) return [reason(DownReason.localNotification), encodeNotification(sent)]
  if (event === 'TcpConnectionFails') return [reason(DownReason.remote)]
  // "a value of 0 indicates that no relevant Event code is defined"
  return [reason(DownReason.local), ofU16(EVENTS[event] ?? 0)]
}

export interface Statistics {
  /** Routes that the peer has announced, or of the table of best routes those in it; of each family. */
  readonly routes: Readonly<Partial<Record<Family, number>>>
}

/** IANA "BMP Statistics Types": gauges of 64 bits, and the same per family. */
const Statistic = { adjRibIn: 7, locRib: 8, adjRibInOf: 9, locRibOf: 10 } as const

export function encodeStatistics(peer: BmpPeer, time: number, { routes }: Statistics): Uint8Array {
  const { adjRibIn, adjRibInOf, locRib, locRibOf } = Statistic
  const [all, each] = peer.kind === 'loc-rib' ? [locRib, locRibOf] : [adjRibIn, adjRibInOf]
  const counts = Object.entries(routes) as [Family, number][]
  const total = counts.reduce((sum, [, count]) => sum + count, 0)
  const list = [
    tlv(all, gauge(total)),
    ...counts.map(([family, count]) => tlv(each, joined([familyHead(unicastOf[family]), gauge(count)]))),
  ]
  return message(MessageType.statistics, [peerHeader(peer, time), ofU32(list.length), ...list])
}

/** IANA "BMP Initiation and Peer Up Information TLVs". */
const Information = { string: 0, sysDescr: 1, sysName: 2 } as const
const TABLE_NAME = 3
/** RFC 9069 §4.3: of the default table. */
const LOC_RIB_NAME = 'global'

/** As sysDescr and sysName of MIB-II. */
export function encodeInitiation(description: string, name: string): Uint8Array {
  return message(MessageType.initiation, [
    tlv(Information.sysDescr, encodeUtf8(description)),
    tlv(Information.sysName, encodeUtf8(name)),
  ])
}

/** IANA "BMP Termination Message TLVs" and "Reason Codes". */
const Termination = { string: 0, reason: 1 } as const
const ADMINISTRATIVELY_CLOSED = 0

export function encodeTermination(text: string): Uint8Array {
  const string = text === '' ? [] : [tlv(Termination.string, encodeUtf8(text))]
  return message(MessageType.termination, [tlv(Termination.reason, ofU16(ADMINISTRATIVELY_CLOSED)), ...string])
}

function peerHeader(peer: BmpPeer, time: number): Uint8Array {
  const seconds = Math.floor(time / 1000)
  const stamp = ofU32(seconds, Math.floor((time - seconds * 1000) * 1000))
  if (peer.kind === 'loc-rib') {
    const head = Uint8Array.of(LOC_RIB_INSTANCE, 0)
    return joined([head, DISTINGUISHER, new Uint8Array(ADDRESS), ofU32(peer.as, peer.id), stamp])
  }
  const flags =
    (peer.address.includes(':') ? Flag.ipv6 : 0) | (peer.postPolicy ? Flag.postPolicy : 0) | (peer.as4 ? 0 : Flag.as2)
  const head = Uint8Array.of(GLOBAL_INSTANCE, flags)
  return joined([head, DISTINGUISHER, widened(peer.address), ofU32(peer.as, peer.id), stamp])
}

/** IPv4 addresses stand in the last four octets, "with the 12 most significant bytes zero-filled". */
function widened(address: string): Uint8Array {
  const ip = parseIp(address)
  const bytes = new Uint8Array(ADDRESS)
  bytes.set(ip, ADDRESS - ip.length)
  return bytes
}

function familyHead({ afi, safi }: AfiSafi): Uint8Array {
  return Uint8Array.of(afi >> 8, afi, safi)
}

function gauge(value: number): Uint8Array {
  return ofU32(Math.floor(value / 2 ** 32), value >>> 0)
}

function tlv(type: number, value: Uint8Array): Uint8Array {
  return joined([ofU16(type), ofU16(value.length), value])
}

function message(type: number, parts: readonly Uint8Array[]): Uint8Array {
  const bytes = joined([new Uint8Array(HEADER), ...parts])
  bytes[0] = VERSION
  setU32(bytes, LENGTH_AT, bytes.length)
  bytes[HEADER - 1] = type
  return bytes
}
