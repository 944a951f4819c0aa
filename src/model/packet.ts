/**
 * A packet on its way: bytes, and what Linux keeps beside them in `struct sk_buff`. The bytes are the truth; nothing here
 * repeats a header's field.
 *
 *      bytes ┌──────────┬──────────┬───────────┬─────────┬──────────┐
 *            │ headroom │ link     │ network   │ payload │ tailroom │
 *            └──────────┴──────────┴───────────┴─────────┴──────────┘
 *                       link       network     transport end
 *
 * One packet object goes the whole way, through tunnels too: pushing an outer header moves the offsets. Who needs a second
 * one clones it, bytes and all.
 */
import { setU16, u16 } from './bytes.ts'
import type { Device } from './device/device.ts'
import type { Connection } from './netfilter/conntrack/connection.ts'
import type { Journey } from './observer.ts'

/** Room before a frame's first byte: Ethernet, IPv4, UDP and VXLAN, twice. */
export const HEADROOM = 128

export const ETHERNET_HEADER = 14

/** PACKET_*, linux/if_packet.h: whom the frame is for, seen from the device that received it. */
export const PacketFor = { host: 0, broadcast: 1, multicast: 2, otherhost: 3, loopback: 5, outgoing: 4 } as const

/**
 * Of the transport's checksum. `none`: in the bytes, not verified. `verified`: known to be right. `summed`: that
 * of the tunnel which it came by was right (csum_valid), with which REJECT is content. Everything the model makes carries
 * full checksums: nothing is left to a network card.
 */
export type ChecksumState = 'none' | 'verified' | 'summed'

export class Packet {
  /** The memory that its bytes are in, and others' too. Its own are those from `start` to `limit`; all offsets count from 0. */
  bytes: Uint8Array
  /** The same, for numbers of several bytes: the data path's way to read and write them. */
  view: DataView
  start: number
  limit: number
  /** Offset of the link-layer header; equal to `network` where there is none. */
  link: number
  /** Offset of the network header. */
  network: number
  /** Offset of the transport header; valid from IP input, and from the making of a local packet, on. */
  transport: number
  /** Offset behind the last byte. */
  end: number
  /** The device that it was received on or leaves by: skb->dev. */
  device: Device
  /** EtherType. */
  protocol: number
  /** PacketFor. */
  for: number = PacketFor.host
  mark = 0
  priority = 0
  checksum: ChecksumState = 'none'
  /** The connection it belongs to, once conntrack has seen it. */
  connection: Connection | undefined = undefined
  /** CtInfo of netfilter/conntrack/connection.ts; meaningless without a connection. */
  connectionInfo = 0
  /** NOTRACK: conntrack leaves it alone. */
  untracked = false
  /** The conntrack zone that a rule put it in before it was tracked: nf_ct_zone_tmpl. */
  zone = 0
  /** Largest fragment that a reassembled packet came in, bytes of IP; 0: it came whole. IPCB(skb)->frag_max_size. */
  fragmentMaxSize = 0
  /** Whether its fragments had DF set: IPSKB_FRAG_PMTU. */
  fragmentsDontFragment = false
  /** Put together on the way, it may leave in fragments with DF: skb->ignore_df. */
  ignoreDontFragment = false
  /**
   * Bytes of payload in each of its fragments, where they were put together on the way, for as long as it is one packet, in
   * a tunnel too (frag_list): it leaves in the same. None: it came in fragments, and leaves in others.
   */
  fragmentSizes: readonly number[] | undefined = undefined
  /** The bridge ports of a bridged packet, for `-m physdev`: nf_bridge_info. */
  bridged: Bridged | undefined = undefined
  /** Route that was found for it: skb_dst. ipv4/route.ts and ipv6/route.ts, each its own kind. */
  route: unknown = undefined
  /** Index of the device that it came in by last, a bridge rather than its port: skb_iif. */
  inputIndex = 0
  /** A flow's hash where a socket gave it one (skb->l4_hash); 0: computed from the bytes when asked for. */
  flowHash = 0
  /** Owner uid of the socket that sent it, for `meta skuid`; undefined for forwarded packets. */
  ownerUid: number | undefined = undefined
  /** Who follows it; undefined while nobody watches. */
  journey: Journey | undefined = undefined
  /**
   * When it came in, nanoseconds (Model.nextStamp); 0 while it is not stamped. Linux stamps a frame as it enters the backlog,
   * so that a capture shows it before what was sent while it waited: skb->tstamp.
   */
  stamp = 0
  /** The device at which a capture saw it last. */
  seenAt: Device | undefined = undefined

  /** `length` zeros, to be filled: all offsets are at the first of them. */
  constructor(length: number, device: Device, protocol: number) {
    const start = reserve(length)
    this.bytes = reserved.bytes
    this.view = reserved.view
    this.start = start
    this.limit = start + length
    this.link = start
    this.network = start
    this.transport = start
    this.end = start
    this.device = device
    this.protocol = protocol
  }

  /** Another's bytes in place of its own. The offsets are the caller's to set. */
  takeRoom({ bytes, view, start, limit }: Packet): void {
    this.bytes = bytes
    this.view = view
    this.start = start
    this.limit = limit
  }

  /** Bytes from the link-layer header on: what is on the wire. */
  get length(): number {
    return this.end - this.link
  }

  /** The frame as AF_PACKET shows it: a copy, for journeys. */
  frame(): Uint8Array {
    return this.bytes.slice(this.link, this.end)
  }
}

/** struct nf_bridge_info: a packet that passes a bridge and the IP hooks at once. */
export interface Bridged {
  /** The port it came in by. */
  readonly input: Device
  /** The port it leaves by, once the bridge knows. */
  output: Device | undefined
  /** Between the bridge's PREROUTING and IP's, which it is taken through by the bridge. */
  inPrerouting: boolean
  /** It has been handed up to IP, whose PREROUTING it has passed already: sabotage_in_done. */
  handedUp: boolean
  /** Its link-layer destination was another host's, which IP's hooks are not to see. */
  otherHost: boolean
  /** As Packet.fragmentMaxSize, while the bridge has it. */
  fragmentMaxSize: number
  /** Its own source MAC, while the bridge asks for that of the destination which it was given: neigh_header. */
  source: Uint8Array | undefined
}

/** Memory that packets' bytes are cut from, and how many bytes one may have that are. */
const MEMORY = 65_536
const LONGEST_CUT = 4_096

class Memory {
  readonly bytes: Uint8Array
  readonly view: DataView

  constructor(length: number) {
    const buffer = new ArrayBuffer(length)
    this.bytes = new Uint8Array(buffer)
    this.view = new DataView(buffer)
  }
}

let shared = new Memory(MEMORY)
let cut = 0
/** Where the room is that `reserve` answered last. */
let reserved = shared

/**
 * Zeros for a packet: where they begin in `reserved`. They are cut from a larger piece, since an array of their own costs each
 * packet more than the rest of it; a piece is never used twice, so that who keeps the bytes may do so.
 */
function reserve(length: number): number {
  if (length > LONGEST_CUT) {
    reserved = new Memory(length)
    return 0
  }
  if (cut + length > MEMORY) {
    shared = new Memory(MEMORY)
    cut = 0
  }
  if (reserved !== shared) reserved = shared
  const start = cut
  cut += length
  return start
}

/** A packet from a frame: the bytes are copied. */
export function packetFromFrame(frame: Uint8Array, device: Device): Packet {
  const { length } = frame
  const hasLink = device.hasLinkLayer
  const protocol = hasLink ? u16(frame, 12) : frame[0]! >> 4 === 6 ? 0x86dd : 0x0800
  const packet = new Packet(HEADROOM + length, device, protocol)
  const link = packet.start + HEADROOM
  packet.bytes.set(frame, link)
  packet.link = link
  packet.network = packet.transport = link + (hasLink ? ETHERNET_HEADER : 0)
  packet.end = link + length
  return packet
}

/** An empty packet for `length` bytes of network header and payload, to be filled from `network` on. */
export function newPacket(length: number, device: Device, protocol: number): Packet {
  const packet = new Packet(HEADROOM + ETHERNET_HEADER + length, device, protocol)
  packet.link = packet.network = packet.transport = packet.start + HEADROOM + ETHERNET_HEADER
  packet.end = packet.network + length
  return packet
}

/** skb_copy: a packet of its own. The journey is the caller's to give. */
export function clone(packet: Packet): Packet {
  const { start, limit } = packet
  const copy = new Packet(limit - start, packet.device, packet.protocol)
  copy.bytes.set(packet.bytes.subarray(start, limit), copy.start)
  moveOffsets(copy, packet, copy.start - start)
  copy.for = packet.for
  copy.mark = packet.mark
  copy.priority = packet.priority
  copy.checksum = packet.checksum
  copy.connection = packet.connection
  copy.connectionInfo = packet.connectionInfo
  copy.untracked = packet.untracked
  copy.zone = packet.zone
  copy.fragmentMaxSize = packet.fragmentMaxSize
  copy.fragmentsDontFragment = packet.fragmentsDontFragment
  copy.ignoreDontFragment = packet.ignoreDontFragment
  copy.fragmentSizes = packet.fragmentSizes
  copy.bridged = packet.bridged && { ...packet.bridged }
  copy.route = packet.route
  copy.inputIndex = packet.inputIndex
  copy.flowHash = packet.flowHash
  copy.ownerUid = packet.ownerUid
  copy.stamp = packet.stamp
  copy.seenAt = packet.seenAt
  return copy
}

/** Makes sure of `room` bytes before `at`: pskb_expand_head. All offsets may have changed behind it. */
export function ensureHeadroom(packet: Packet, at: number, room: number): void {
  if (at - packet.start < room) growBefore(packet, HEADROOM + room - (at - packet.start))
}

function growBefore(packet: Packet, more: number): void {
  const { bytes, start, limit } = packet
  packet.takeRoom(new Packet(more + limit - start, packet.device, packet.protocol))
  packet.bytes.set(bytes.subarray(start, limit), packet.start + more)
  moveOffsets(packet, packet, packet.start + more - start)
}

/** Makes sure of `room` bytes behind the packet's end: skb_tailroom. All offsets may have changed behind it. */
export function ensureTailroom(packet: Packet, room: number): void {
  const { bytes, start, end, limit } = packet
  if (limit - end >= room) return
  packet.takeRoom(new Packet(end - start + room, packet.device, packet.protocol))
  packet.bytes.set(bytes.subarray(start, end), packet.start)
  moveOffsets(packet, packet, packet.start - start)
}

function moveOffsets(to: Packet, from: Packet, by: number): void {
  to.link = from.link + by
  to.network = from.network + by
  to.transport = from.transport + by
  to.end = from.end + by
}

/** Puts an Ethernet header before the network header: eth_header. */
export function pushEthernet(packet: Packet, destination: Uint8Array, source: Uint8Array, etherType: number): void {
  ensureHeadroom(packet, packet.network, ETHERNET_HEADER)
  const at = packet.network - ETHERNET_HEADER
  packet.link = at
  // Six bytes are sooner written one by one than by Uint8Array.set.
  const { bytes } = packet
  for (let i = 0; i < 6; i++) {
    bytes[at + i] = destination[i]!
    bytes[at + 6 + i] = source[i]!
  }
  setU16(bytes, at + 12, etherType)
}

/** skb_scrub_packet: what a packet leaves behind when it crosses into another namespace, or a tunnel within one. */
export function scrub(packet: Packet, crossesNamespaces: boolean): void {
  packet.for = PacketFor.host
  packet.inputIndex = 0
  packet.route = undefined
  packet.connection = undefined
  packet.connectionInfo = 0
  packet.untracked = false
  packet.zone = 0
  packet.bridged = undefined
  packet.fragmentMaxSize = 0
  packet.fragmentsDontFragment = false
  packet.ignoreDontFragment = false
  if (!crossesNamespaces) return
  packet.stamp = 0
  packet.mark = 0
  packet.priority = 0
  packet.ownerUid = undefined
}
