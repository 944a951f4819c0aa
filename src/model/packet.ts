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
 * Of the transport's checksum. `none`: in the bytes, not verified. `verified`: known to be right. Everything the model
 * makes carries full checksums: nothing is left to a network card.
 */
export type ChecksumState = 'none' | 'verified'

export class Packet {
  bytes: Uint8Array
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
  /**
   * Bytes of payload in each of its fragments, where they were put together on the way (frag_list, ignore_df): it leaves in
   * the same. None: it came in fragments, and leaves in others.
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

  constructor(bytes: Uint8Array, link: number, network: number, end: number, device: Device, protocol: number) {
    this.bytes = bytes
    this.link = link
    this.network = network
    this.transport = network
    this.end = end
    this.device = device
    this.protocol = protocol
  }

  /** Bytes from the link-layer header on: what is on the wire. */
  get length(): number {
    return this.end - this.link
  }

  /** The frame as AF_PACKET shows it: a copy, for journeys. */
  frame(): Uint8Array {
    const copy = allocate(this.end - this.link)
    copy.set(this.bytes.subarray(this.link, this.end))
    return copy
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

/** Bytes that packets' buffers are cut from, and how long one may be that is. */
const SLAB = 65_536
const LONGEST_CUT = 4_096
let slab = new ArrayBuffer(SLAB)
let cut = 0

/**
 * Zeros for a packet. They are cut from a larger piece, since memory of its own costs each array ten times as much as the
 * rest of it; a piece is never used twice, so that who keeps the bytes may do so.
 */
export function allocate(length: number): Uint8Array {
  if (length > LONGEST_CUT) return new Uint8Array(length)
  if (cut + length > SLAB) {
    slab = new ArrayBuffer(SLAB)
    cut = 0
  }
  const bytes = new Uint8Array(slab, cut, length)
  cut += length
  return bytes
}

/** A packet from a frame: the bytes are copied. */
export function packetFromFrame(frame: Uint8Array, device: Device): Packet {
  const bytes = allocate(HEADROOM + frame.length)
  bytes.set(frame, HEADROOM)
  const hasLink = device.hasLinkLayer
  const network = HEADROOM + (hasLink ? ETHERNET_HEADER : 0)
  const protocol = hasLink ? u16(frame, 12) : frame[0]! >> 4 === 6 ? 0x86dd : 0x0800
  return new Packet(bytes, HEADROOM, network, HEADROOM + frame.length, device, protocol)
}

/** An empty packet for `length` bytes of network header and payload, to be filled from `network` on. */
export function newPacket(length: number, device: Device, protocol: number): Packet {
  const network = HEADROOM + ETHERNET_HEADER
  return new Packet(allocate(network + length), network, network, network + length, device, protocol)
}

/** skb_copy: a packet of its own. The journey is the caller's to give. */
export function clone(packet: Packet): Packet {
  const bytes = allocate(packet.bytes.length)
  bytes.set(packet.bytes)
  const copy = new Packet(bytes, packet.link, packet.network, packet.end, packet.device, packet.protocol)
  copy.transport = packet.transport
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

/** Makes sure of `room` bytes before `at`. Offsets move with the bytes. */
export function ensureHeadroom(packet: Packet, at: number, room: number): number {
  if (at >= room) return 0
  const more = HEADROOM + room - at
  const bytes = allocate(packet.bytes.length + more)
  bytes.set(packet.bytes, more)
  packet.bytes = bytes
  packet.link += more
  packet.network += more
  packet.transport += more
  packet.end += more
  return more
}

/** Puts an Ethernet header before the network header: eth_header. */
export function pushEthernet(packet: Packet, destination: Uint8Array, source: Uint8Array, etherType: number): void {
  if (packet.network < ETHERNET_HEADER) ensureHeadroom(packet, packet.network, ETHERNET_HEADER)
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
  packet.fragmentSizes = undefined
  if (!crossesNamespaces) return
  packet.stamp = 0
  packet.mark = 0
  packet.priority = 0
  packet.ownerUid = undefined
}
