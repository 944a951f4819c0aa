/**
 * iptables' extensions, as iptables-nft puts them into nftables' rules (the expressions `match` and `target`), in values
 * instead of C structures. Source: linux/netfilter/xt_*.h, iptables-extensions(8).
 *
 * What iptables-nft says in expressions of nftables' own (addresses, interfaces, protocol, ports, mark, limit, comment …)
 * stands in those, not here.
 */

export type XtConntrackState = 'INVALID' | 'NEW' | 'ESTABLISHED' | 'RELATED' | 'UNTRACKED' | 'SNAT' | 'DNAT'

/** RTN_* as xt_addrtype names them. */
export type XtAddressType =
  | 'UNSPEC'
  | 'UNICAST'
  | 'LOCAL'
  | 'BROADCAST'
  | 'ANYCAST'
  | 'MULTICAST'
  | 'BLACKHOLE'
  | 'UNREACHABLE'
  | 'PROHIBIT'

/** A condition that may be turned round with `!`. */
interface Invertible<T> {
  readonly value: T
  readonly invert: boolean
}

/** First and last, inclusive. */
export interface XtRange {
  readonly from: number
  readonly to: number
}

/** An IP set, and which of the packet's addresses and ports each part of its entries is compared with. */
export interface XtSet {
  readonly name: string
  readonly sides: readonly ('src' | 'dst')[]
}

export type XtMatch =
  | {
      readonly match: 'conntrack' | 'state'
      readonly states?: Invertible<readonly XtConntrackState[]>
      readonly protocol?: Invertible<number>
      readonly originalSource?: Invertible<string>
      readonly originalDestination?: Invertible<string>
      readonly replySource?: Invertible<string>
      readonly replyDestination?: Invertible<string>
      readonly originalSourcePort?: Invertible<XtRange>
      readonly originalDestinationPort?: Invertible<XtRange>
      readonly replySourcePort?: Invertible<XtRange>
      readonly replyDestinationPort?: Invertible<XtRange>
      readonly status?: Invertible<readonly ('NONE' | 'EXPECTED' | 'SEEN_REPLY' | 'ASSURED' | 'CONFIRMED')[]>
      readonly direction?: 'ORIGINAL' | 'REPLY'
    }
  | { readonly match: 'comment'; readonly comment: string }
  | { readonly match: 'mark' | 'connmark'; readonly mark: number; readonly mask: number; readonly invert: boolean }
  | {
      readonly match: 'addrtype'
      readonly source?: Invertible<readonly XtAddressType[]>
      readonly destination?: Invertible<readonly XtAddressType[]>
      readonly limitInterface?: 'in' | 'out'
    }
  | { readonly match: 'icmp' | 'icmp6'; readonly icmpType: number; readonly codes: XtRange; readonly invert: boolean }
  | {
      readonly match: 'tcp'
      readonly sourcePorts?: Invertible<XtRange>
      readonly destinationPorts?: Invertible<XtRange>
      /** TCP flags looked at, and those of them that must be set. */
      readonly flags?: Invertible<{ readonly mask: number; readonly set: number }>
      readonly option?: Invertible<number>
    }
  | {
      readonly match: 'udp'
      readonly sourcePorts?: Invertible<XtRange>
      readonly destinationPorts?: Invertible<XtRange>
    }
  | {
      readonly match: 'multiport'
      readonly which: 'source' | 'destination' | 'either'
      readonly ports: readonly XtRange[]
      readonly invert: boolean
    }
  /** `probability` of 2³¹. */
  | { readonly match: 'statistic'; readonly mode: 'random'; readonly probability: number; readonly invert: boolean }
  | {
      readonly match: 'statistic'
      readonly mode: 'nth'
      readonly every: number
      readonly packet: number
      readonly invert: boolean
    }
  | {
      readonly match: 'physdev'
      readonly input?: Invertible<string>
      readonly output?: Invertible<string>
      readonly isIn?: Invertible<true>
      readonly isOut?: Invertible<true>
      readonly isBridged?: Invertible<true>
    }
  | {
      readonly match: 'rpfilter'
      readonly loose: boolean
      readonly validMark: boolean
      readonly acceptLocal: boolean
      readonly invert: boolean
    }
  | {
      readonly match: 'recent'
      readonly action: 'set' | 'rcheck' | 'update' | 'remove'
      readonly name: string
      readonly side: 'source' | 'destination'
      readonly seconds?: number
      readonly hitCount?: number
      readonly reap?: boolean
      readonly invert: boolean
    }
  | { readonly match: 'limit'; readonly average: number; readonly burst: number }
  | {
      readonly match: 'pkttype'
      readonly packetType: 'unicast' | 'broadcast' | 'multicast' | 'otherhost'
      readonly invert: boolean
    }
  | { readonly match: 'tcpmss'; readonly mss: XtRange; readonly invert: boolean }
  | {
      readonly match: 'set'
      readonly set: XtSet
      readonly invert: boolean
      /** Of a set of networks: only what is in it as one that is not meant. */
      readonly returnNoMatch?: boolean
      /** What matches is not counted. */
      readonly keepsCounters?: boolean
    }

export type XtTarget =
  | {
      readonly target: 'DNAT' | 'SNAT'
      readonly addresses?: { readonly from: string; readonly to: string }
      readonly ports?: XtRange
      readonly random?: boolean
      readonly fullyRandom?: boolean
      readonly persistent?: boolean
    }
  | {
      readonly target: 'MASQUERADE' | 'REDIRECT'
      readonly ports?: XtRange
      readonly random?: boolean
      readonly fullyRandom?: boolean
    }
  /** As iptables names the answer: `icmp-port-unreachable`, `tcp-reset`, `icmp6-adm-prohibited`. */
  | { readonly target: 'REJECT'; readonly with: string }
  /** new mark = (mark & ~mask) ^ value. */
  | { readonly target: 'MARK'; readonly value: number; readonly mask: number }
  | {
      readonly target: 'CONNMARK'
      readonly action: 'set' | 'save' | 'restore'
      readonly value: number
      readonly connectionMask: number
      readonly packetMask: number
    }
  | { readonly target: 'TCPMSS'; readonly mss: number | 'clamp-to-pmtu' }
  | { readonly target: 'CT'; readonly notrack: boolean; readonly zone?: number }
  | { readonly target: 'NOTRACK' }
  | {
      readonly target: 'SET'
      readonly add?: XtSet
      readonly delete?: XtSet
      /** An entry that is there already gets its time anew. */
      readonly exist?: boolean
      /** Seconds, instead of the set's own. */
      readonly timeout?: number
    }
  | {
      readonly target: 'LOG'
      readonly prefix: string
      readonly level: number
      /** XT_LOG_*: tcp sequence 1, tcp options 2, ip options 4, uid 8, macdecode 32. */
      readonly flags?: number
    }
  | {
      readonly target: 'NFLOG'
      readonly group: number
      readonly prefix: string
      readonly snapLength?: number
      readonly threshold?: number
    }
  | { readonly target: 'TRACE' }
