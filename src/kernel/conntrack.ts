/** Connections that netfilter tracks: `conntrack -L`. Source: linux/netfilter/nfnetlink_conntrack.h. */
import type { Family } from '../address/ip.ts'

/** Of TCP, by TCP_CONNTRACK_*: as conntrack(8) writes them. */
export const TCP_CONNTRACK_STATES = [
  'NONE',
  'SYN_SENT',
  'SYN_RECV',
  'ESTABLISHED',
  'FIN_WAIT',
  'CLOSE_WAIT',
  'LAST_ACK',
  'TIME_WAIT',
  'CLOSE',
  'SYN_SENT2',
] as const

/** One direction of a connection. */
export interface ConntrackTuple {
  readonly source: string
  readonly destination: string
  readonly sourcePort?: number
  readonly destinationPort?: number
  readonly icmpType?: number
  readonly icmpCode?: number
  readonly icmpId?: number
}

export interface ConntrackEntry {
  readonly family: Family
  /** IpProtocol. */
  readonly protocol: number
  readonly original: ConntrackTuple
  readonly reply: ConntrackTuple
  /** TCP: one of TCP_CONNTRACK_STATES. */
  readonly state?: string
  /** Seconds left. */
  readonly timeout: number
  readonly mark: number
  /** IPS_SEEN_REPLY, IPS_ASSURED. */
  readonly seenReply: boolean
  readonly assured: boolean
  readonly zone?: number
}

export interface Conntrack {
  /** Empty, too, while nothing in the namespace asks for tracking. */
  list(filter?: { readonly family?: Family; readonly protocol?: number }): ConntrackEntry[]
  flush(): void
  /** Deletes the entry with this original tuple. KernelError ENOENT when there is none. */
  delete(entry: Pick<ConntrackEntry, 'family' | 'protocol' | 'original'>): void
}
