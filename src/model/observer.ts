/**
 * Who watches. A packet that is followed has a journey: the decisions about it, in order, and how it ended. What it causes
 * (ICMP errors, ARP, fragments, clones, replies) goes on journeys of its own, which name this one as their parent.
 *
 * Nothing of this exists for packets that nobody follows: every caller asks `packet.journey` first.
 */
import type { Microseconds } from './clock.ts'
import type { Device } from './device/device.ts'
import type { Packet } from './packet.ts'

/** The stages of a trace: schema/trace.schema.json. */
export type Stage =
  | 'tap'
  | 'rx'
  | 'tx'
  | 'veth'
  | 'bridge'
  | 'fdb'
  | 'vlan'
  | 'neigh'
  | 'arp'
  | 'nd'
  | 'hook'
  | 'rule'
  | 'ct'
  | 'nat'
  | 'route'
  | 'rpf'
  | 'forward'
  | 'ttl'
  | 'mtu'
  | 'frag'
  | 'defrag'
  | 'encap'
  | 'decap'
  | 'local'
  | 'socket'
  | 'icmp'
  | 'timer'
  | 'drop'
  | 'wire'

export type Verdict = 'accept' | 'drop' | 'stolen' | 'continue' | 'return' | 'jump' | 'queue'

/** Header fields that a step changed, before and after: `{"ip.ttl": [64, 63]}`. */
export type FieldChanges = Readonly<Record<string, readonly [unknown, unknown]>>

export interface Details {
  /** The function or hook of Linux that does this: `ip_forward`. */
  readonly kernel?: string | undefined
  /**
   * The object that decided, in the words of the tool that shows it, after its kind: `route 10.244.1.0/24 via 10.244.1.0 dev
   * flannel.1 onlink`, `fdb 02:f1:00:00:02:01 dst 192.168.56.12`, `neigh 10.244.1.0 lladdr …`, `rule ip filter FORWARD
   * handle 7`, `sysctl net/ipv4/conf/eth0/rp_filter 1`.
   */
  readonly ref?: string | undefined
  readonly verdict?: Verdict | undefined
  readonly reason?: string | undefined
  readonly set?: FieldChanges | undefined
  /** mark, ctstate, ctinfo, csum, pkt_type, priority … */
  readonly meta?: Readonly<Record<string, unknown>> | undefined
}

export interface Step extends Details {
  readonly time: Microseconds
  readonly device: Device
  readonly stage: Stage
  readonly what: string
  /** At a tap: which way the frame went, and its bytes. */
  readonly direction?: 'in' | 'out'
  readonly frame?: Uint8Array
  /** At a tap: Packet.stamp's order. */
  readonly stamp?: number
}

export type Ending =
  /** A socket took it, or it was answered (an echo). `by` says who. */
  | { readonly disposition: 'delivered'; readonly device: Device; readonly by: string }
  /** SKB_DROP_REASON_* without its prefix, and the function that frees it. */
  | Drop
  | { readonly disposition: 'unsupported'; readonly device: Device; readonly thing: string }

export interface Drop {
  readonly disposition: 'dropped'
  readonly device: Device
  /** What the kernel says: `NOT_SPECIFIED` where it has no reason. */
  readonly reason: string
  /** Ours, where the kernel's says nothing: `OVL_ROUTE_BLACKHOLE`. */
  readonly ownReason: string | undefined
  readonly kernel: string
  /** The object that decided, as Details.ref. */
  readonly ref: string | undefined
  /** What happened, for people. */
  readonly what: string
}

/** Why a packet came to be on the way. */
export type Cause =
  | 'injected'
  | 'sent'
  | 'clone'
  | 'fragment'
  | 'reassembled'
  | 'reply'
  | 'icmp'
  | 'arp'
  | 'nd'
  | 'retransmission'

/** Of the journeys of one observation: the id of the next, and how many have ended. */
interface Numbers {
  next: number
  ended: number
}

export class Journey {
  readonly id: number
  readonly cause: Cause
  readonly parent: Journey | undefined
  readonly children: Journey[] = []
  readonly steps: Step[] = []
  /** Undefined while it is on the way, or waits in a queue. */
  ending: Ending | undefined = undefined
  /** How many of its observation had ended before. */
  endedAfter = 0
  readonly #numbers: Numbers

  constructor(cause: Cause, parent?: Journey, numbers: Numbers = { next: 0, ended: 0 }) {
    this.cause = cause
    this.parent = parent
    this.#numbers = parent ? parent.#numbers : numbers
    this.id = this.#numbers.next++
  }

  /** The journey of a packet that this one caused. */
  spawn(cause: Cause): Journey {
    const child = new Journey(cause, this)
    this.children.push(child)
    return child
  }

  /** The first ending counts. */
  end(ending: Ending): void {
    if (this.ending) return
    this.ending = ending
    this.endedAfter = this.#numbers.ended++
  }
}

/** Adds a step to the packet's journey. Callers ask for `packet.journey` first, so that no text is made for nobody. */
export function note(packet: Packet, device: Device, stage: Stage, what: string, details: Details = {}): void {
  if (packet.journey === undefined) return
  const { kernel, ref, verdict, reason, set, meta } = details
  const time = device.namespace.model.clock.now
  // Name by name: spreading `details` would take longer than the rest.
  packet.journey.steps.push({ time, device, stage, what, kernel, ref, verdict, reason, set, meta })
}

export interface DropDetails {
  /** OVL_…, where the kernel's reason is NOT_SPECIFIED. */
  readonly own?: string | undefined
  readonly ref?: string | undefined
  readonly what?: string | undefined
  /** Where it died, if not where a capture saw it last. */
  readonly device?: Device | undefined
}

/**
 * kfree_skb_reason: the packet ends here. `reason` is the kernel's (facts: SKB_DROP_REASON_* without prefix), `kernel` the
 * function that frees it.
 */
export function drop(packet: Packet, reason: string, kernel: string, details?: DropDetails): void {
  const device = details?.device ?? packet.seenAt ?? packet.device
  const { onDrop } = device.namespace.model
  if (packet.journey === undefined && onDrop === undefined) return
  const ending: Drop = {
    disposition: 'dropped',
    device,
    reason,
    ownReason: details?.own,
    kernel,
    ref: details?.ref,
    what: details?.what ?? '',
  }
  if (packet.journey) {
    note(packet, device, 'drop', ending.what || reason, { kernel, verdict: 'drop', reason, ref: ending.ref })
    packet.journey.end(ending)
  }
  onDrop?.(packet, ending)
}

/** The packet has come to where it was going. `by` is the socket, or `icmp_echo`. */
export function delivered(packet: Packet, by: string): void {
  packet.journey?.end({ disposition: 'delivered', device: packet.device, by })
}

/** What is not modelled ends here, by name: the model never guesses. */
export function unsupported(packet: Packet, thing: string): void {
  const { device } = packet
  if (packet.journey) {
    note(packet, device, 'drop', `not modelled: ${thing}`, { verdict: 'drop' })
    packet.journey.end({ disposition: 'unsupported', device, thing })
  }
  device.namespace.model.onUnsupported?.(packet, thing)
}
