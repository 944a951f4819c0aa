/**
 * What waits: packets, notifications, TUN devices. A subscription calls back when something has come, and ends with
 * `close`. No plugin needs these; daemons, labs and the trace do.
 */
import type { Conntrack } from './conntrack.ts'
import type { IpSets } from './ipset.ts'
import type { Kernel } from './kernel.ts'
import type { FdbEntry, Neighbour } from './neighbour.ts'
import type { Route } from './route.ts'
import type { Sockets } from './socket.ts'

export interface Subscription {
  /** No callback comes after it. Closing twice is allowed. */
  close(): void
}

/** PACKET_*, linux/if_packet.h. */
export type PacketType = 'host' | 'broadcast' | 'multicast' | 'otherhost' | 'outgoing'

export interface CapturedPacket {
  /** The frame from its link-layer header on; where the link has none (tun), from the network header on. */
  readonly bytes: Uint8Array
  /** Bytes on the wire, which may be more than were kept. */
  readonly length: number
  readonly link: string
  readonly packetType: PacketType
  /** Nanoseconds since the epoch; the model's virtual clock there. */
  readonly time: bigint
}

export interface Packets {
  /** Puts the frame on the link, link-layer header included. KernelError ENETDOWN while the link is down. */
  send(link: string, frame: Uint8Array): void
  /** Every frame that the link sends or receives; of all links where `link` is left out. */
  capture(options: CaptureOptions, onPacket: (packet: CapturedPacket) => void): Subscription
}

export interface CaptureOptions {
  readonly link?: string
  readonly snapLength?: number
  /**
   * Each frame is copied as it passes, at some cost. Otherwise the kernel keeps the frame itself, and later pieces of a packet
   * that was put together show headers that they got farther on (ip_fraglist_prepare writes them in place).
   */
  readonly copied?: boolean
}

/** RTNLGRP_*: something of this kind was added, changed or removed, by whomever. */
export interface Change {
  readonly subject: 'link' | 'address' | 'route' | 'rule' | 'neighbour' | 'fdb' | 'nftables'
  readonly operation: 'new' | 'delete'
  /** Name of the link concerned, where there is one. */
  readonly link: string | undefined
  /** Of a link that is there: whether it was up then. By now it may be again. */
  readonly up?: boolean
  /** Of routes, neighbours and FDB entries what came or went, where the kernel tells all of it. */
  readonly thing?: Route | Neighbour | FdbEntry
}

export interface WatchOptions {
  /** What becomes of routes through calls of this very handle is not told: a hundred thousand at once are nothing new to it. */
  readonly exceptOwnRoutes?: boolean
}

export interface Tun extends Subscription {
  readonly name: string
  write(packet: Uint8Array): void
}

export interface Tuns {
  /** Opens (and creates, where it is not there) the device. It goes when closed, unless it is persistent. */
  open(name: string, mode: 'tun' | 'tap', onPacket: (packet: Uint8Array) => void): Tun
}

export interface EchoRequest {
  readonly source?: string
  /** Bytes behind the ICMP header; 56 where left out, as ping(8). */
  readonly size?: number
  readonly ttl?: number
  /** Milliseconds; 1000 where left out. */
  readonly timeout?: number
  readonly dontFragment?: boolean
  /** Of the ICMP header; any that is free where left out. */
  readonly identifier?: number
  /** 1 where left out. */
  readonly sequence?: number
}

export type EchoAnswer =
  /** Round trip in milliseconds. */
  | { readonly outcome: 'reply'; readonly from: string; readonly ttl: number; readonly milliseconds: number }
  /** An ICMP error came back: RFC 792, RFC 4443. */
  | {
      readonly outcome: 'error'
      readonly from: string
      readonly type: number
      readonly code: number
      /** What the error says that fits: RFC 1191 §4, RFC 4443 §3.2. */
      readonly mtu?: number
    }
  /** The kernel would not send it: ENETUNREACH, EHOSTUNREACH, EPERM … */
  | { readonly outcome: 'refused'; readonly errno: string }
  | { readonly outcome: 'timeout' }

export interface LiveKernel extends Kernel {
  /** Sends one ICMP or ICMPv6 echo request from this namespace and waits for what comes back. */
  ping(destination: string, request?: EchoRequest): Promise<EchoAnswer>
  /** As ping, without waiting: `onAnswer` is called once, at the latest after the timeout. Several can be under way. */
  sendPing(destination: string, request: EchoRequest, onAnswer: (answer: EchoAnswer) => void): void
  readonly packets: Packets
  readonly tuns: Tuns
  readonly sockets: Sockets
  readonly conntrack: Conntrack
  readonly ipsets: IpSets
  /** Calls back for every change from now on. `lost` means that some were missed: look again at everything. */
  watch(
    subjects: readonly Change['subject'][],
    onChange: (change: Change | 'lost') => void,
    options?: WatchOptions,
  ): Subscription
  enter(namespacePath: string): LiveKernel | undefined
}
