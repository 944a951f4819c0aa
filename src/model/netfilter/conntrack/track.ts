/**
 * Which connection a packet belongs to: nf_conntrack_in, net/netfilter/nf_conntrack_core.c. Called at PREROUTING and
 * OUTPUT, behind raw and before all else.
 *
 *      ICMP error ──► the connection of the packet that it quotes: RELATED, or INVALID
 *      else       ──► look up; or a new one, unconfirmed until the packet has passed POSTROUTING or INPUT
 *                 ──► the protocol's tracker: part of the connection, or INVALID
 */
import { u16, u32 } from '../../bytes.ts'
import type { Device } from '../../device/device.ts'
import { note } from '../../observer.ts'
import type { Packet } from '../../packet.ts'
import { Hook, type HookNumber, Verdict, type VerdictNumber } from '../hooks.ts'
import { type Connection, CtInfo, Direction, directionOf, Status, stateName } from './connection.ts'
import { hasGoodChecksum, locate, located } from './headers.ts'
import { HIGHEST_ICMP_TYPE, isIcmpError, isIcmpv6Redirect, isUntrackedIcmpv6, trackIcmp } from './icmp.ts'
import { trackTcp } from './tcp.ts'
import { Tracked, type TrackedNumber, type Tracking } from './tracking.ts'
import { addressAt, invert, isIcmp, Protocol, sameAddress, Tuple, type TupleFamily } from './tuple.ts'
import { trackGeneric, trackUdp } from './udp.ts'

const ICMP_HEADER = 8
/** Of TCP and UDP no more is needed for a tuple. */
const PORTS_LENGTH = 4

/** The table, as far as packets are looked up in it. */
export interface Lookups extends Tracking {
  find4(
    protocol: number,
    source: number,
    destination: number,
    sourcePart: number,
    destinationPart: number,
    zone: number,
  ): Tuple | undefined
  find6(protocol: number, bytes: Uint8Array, addressesAt: number, parts: number, zone: number): Tuple | undefined
  find(tuple: Tuple, zone: number): Tuple | undefined
  /** A connection that is in no table yet; undefined when there is no room for one more. */
  allocate(original: Tuple, reply: Tuple, zone: number): Connection | undefined
}

export function track(
  table: Lookups,
  family: TupleFamily,
  packet: Packet,
  hook: HookNumber,
  device: Device,
): VerdictNumber {
  // Seen before (loopback), attached to what caused it, or not to be tracked.
  if (packet.connection !== undefined || packet.untracked) return Verdict.accept
  const verdict = classify(table, family, packet, hook)
  if (packet.journey) noteState(packet, device)
  return verdict
}

function classify(table: Lookups, family: TupleFamily, packet: Packet, hook: HookNumber): VerdictNumber {
  const { bytes, network, end } = packet
  const at = locate(family, bytes, network, end)
  if (at < 0) return Verdict.accept
  const { protocol } = located
  const checks = hook === Hook.prerouting && table.settings.nf_conntrack_checksum !== 0
  if (isIcmp(protocol)) {
    const ours = protocol === (family === 'ip' ? Protocol.icmp : Protocol.icmpv6)
    if (ours && !passesAsIcmp(table, family, packet, at, protocol, checks)) return Verdict.accept
  }
  // An entry that was closed is taken away by the packet that opens it anew.
  for (;;) {
    const found = resolve(table, family, packet, at, protocol)
    if (found === Resolved.full) return Verdict.drop
    if (found === Resolved.none) return Verdict.accept
    const connection = packet.connection!
    const info = packet.connectionInfo
    const tracked = judge(table, family, connection, packet, at, protocol, info, checks)
    if (tracked === Tracked.accept) {
      if (info === CtInfo.establishedReply) connection.status |= Status.seenReply
      return Verdict.accept
    }
    packet.connection = undefined
    packet.connectionInfo = 0
    if (tracked === Tracked.invalid) return Verdict.accept
    if (tracked === Tracked.drop) return Verdict.drop
  }
}

const Resolved = { none: 0, found: 1, full: 2 } as const
type ResolvedNumber = (typeof Resolved)[keyof typeof Resolved]

/** resolve_normal_ct. */
function resolve(table: Lookups, family: TupleFamily, packet: Packet, at: number, protocol: number): ResolvedNumber {
  const { bytes, network, end, zone } = packet
  let sourcePart = 0
  let destinationPart = 0
  if (protocol === Protocol.tcp || protocol === Protocol.udp) {
    if (end - at < PORTS_LENGTH) return Resolved.none
    sourcePart = u16(bytes, at)
    destinationPart = u16(bytes, at + 2)
  } else if (isIcmp(protocol)) {
    if (end - at < ICMP_HEADER) return Resolved.none
    sourcePart = u16(bytes, at + 4)
    destinationPart = u16(bytes, at)
  }
  const found =
    family === 'ip'
      ? table.find4(protocol, u32(bytes, network + 12), u32(bytes, network + 16), sourcePart, destinationPart, zone)
      : table.find6(protocol, bytes, network + 8, (sourcePart << 16) | destinationPart, zone)
  if (found === undefined) {
    const original = tupleAt(family, bytes, network, protocol, sourcePart, destinationPart)
    const reply = invert(original)
    if (reply === undefined) return Resolved.none
    const connection = table.allocate(original, reply, zone)
    if (connection === undefined) return Resolved.full
    packet.connection = connection
    packet.connectionInfo = CtInfo.new
    return Resolved.found
  }
  const connection = found.connection!
  packet.connection = connection
  packet.connectionInfo =
    found.direction === Direction.reply
      ? CtInfo.establishedReply
      : connection.status & Status.seenReply
        ? CtInfo.established
        : connection.status & Status.expected
          ? CtInfo.related
          : CtInfo.new
  return Resolved.found
}

function tupleAt(
  family: TupleFamily,
  bytes: Uint8Array,
  network: number,
  protocol: number,
  sourcePart: number,
  destinationPart: number,
): Tuple {
  const at = network + (family === 'ip' ? 12 : 8)
  const source = addressAt(family, bytes, at)
  const destination = addressAt(family, bytes, at + (family === 'ip' ? 4 : 16))
  return new Tuple(family, protocol, source, destination, sourcePart, destinationPart)
}

/** nf_conntrack_handle_packet. */
function judge(
  table: Lookups,
  family: TupleFamily,
  connection: Connection,
  packet: Packet,
  at: number,
  protocol: number,
  info: number,
  checks: boolean,
): TrackedNumber {
  switch (protocol) {
    case Protocol.tcp:
      if (checks && !hasGoodChecksum(family, packet, protocol, at)) return Tracked.invalid
      return trackTcp(table, connection, packet, at, directionOf(info))
    case Protocol.udp:
      if (checks && packet.end - at >= 8 && !hasGoodChecksum(family, packet, protocol, at)) return Tracked.invalid
      return trackUdp(table, connection, packet, at)
    case Protocol.icmp:
      return family === 'ip' ? trackIcmp(table, connection) : Tracked.invalid
    case Protocol.icmpv6:
      return family === 'ip6' ? trackIcmp(table, connection) : Tracked.invalid
    default:
      return trackGeneric(table, connection)
  }
}

/**
 * nf_conntrack_icmpv4_error, nf_conntrack_icmpv6_error: true when the packet may be a connection of its own. Else it is
 * dealt with: INVALID, untracked, or of the connection whose packet it quotes.
 */
function passesAsIcmp(
  table: Lookups,
  family: TupleFamily,
  packet: Packet,
  at: number,
  protocol: number,
  checks: boolean,
): boolean {
  const { bytes, network, end } = packet
  if (end - at < ICMP_HEADER) return false
  if (checks && !hasGoodChecksum(family, packet, protocol, at)) return false
  const type = bytes[at]!
  if (family === 'ip') {
    if (type > HIGHEST_ICMP_TYPE) return false
    if (!isIcmpError(type)) return true
    relate(table, family, packet, at + ICMP_HEADER)
    return false
  }
  if (isUntrackedIcmpv6(type)) {
    packet.untracked = true
    return false
  }
  if (isIcmpv6Redirect(type)) {
    if (bytes[at + 1] !== 0) return true
    const linkLocal = bytes[network + 8] === 0xfe && (bytes[network + 9]! & 0xc0) === 0x80
    // RFC 4861 §8.1; the quoted packet stands in a redirected header option, type 4.
    if (bytes[network + 7] !== 255 || !linkLocal || end - at < 48 || bytes[at + 41] === 0) return false
    if (bytes[at + 40] !== 4) return true
    relate(table, family, packet, at + 48)
    return false
  }
  if (type >= 128) return true
  relate(table, family, packet, at + ICMP_HEADER)
  return false
}

/** nf_conntrack_inet_error: the error is RELATED to the connection of the quoted packet, if it goes to who sent that. */
function relate(table: Lookups, family: TupleFamily, packet: Packet, quoted: number): void {
  const { bytes, end } = packet
  const at = locate(family, bytes, quoted, end)
  if (at < 0) return
  const { protocol } = located
  let sourcePart = 0
  let destinationPart = 0
  if (protocol === Protocol.tcp || protocol === Protocol.udp) {
    if (end - at < PORTS_LENGTH) return
    sourcePart = u16(bytes, at)
    destinationPart = u16(bytes, at + 2)
  } else if (isIcmp(protocol)) {
    if (end - at < ICMP_HEADER) return
    sourcePart = u16(bytes, at + 4)
    destinationPart = u16(bytes, at)
  }
  const inner = invert(tupleAt(family, bytes, quoted, protocol, sourcePart, destinationPart))
  const found = inner && table.find(inner, packet.zone)
  if (!found) return
  const outer = addressAt(family, bytes, packet.network + (family === 'ip' ? 16 : 24))
  if (!sameAddress(outer, found.destination)) return
  packet.connection = found.connection
  packet.connectionInfo = found.direction === Direction.reply ? CtInfo.relatedReply : CtInfo.related
}

function noteState(packet: Packet, device: Device): void {
  const { connection, connectionInfo, untracked } = packet
  const state = stateName(connection, connectionInfo, untracked)
  note(packet, device, 'ct', state, {
    kernel: 'nf_conntrack_in',
    ref: connection?.ref,
    meta: connection ? { ctstate: state, ctinfo: connectionInfo } : { ctstate: state },
  })
}
