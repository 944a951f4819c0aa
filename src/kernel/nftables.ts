/**
 * nftables: tables, chains, rules, sets, maps and their elements. Source: linux/netfilter/nf_tables.h.
 *
 * Rules are said in the kernel's own terms, as expressions over registers, so that the model runs what the kernel runs.
 * A change is a list of operations that takes effect as a whole or not at all.
 */
import type { XtMatch, XtTarget } from './xtables.ts'

export type NftFamily = 'inet' | 'ip' | 'ip6' | 'arp' | 'bridge' | 'netdev'

/** Kernel names of the hooks: NF_INET_*, and of netdev `ingress`, `egress`. */
export type NftHook = 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting' | 'ingress' | 'egress'

export interface NftTable {
  readonly family: NftFamily
  readonly name: string
  readonly comment?: string
  /** Given by the kernel; told by a list that asks for it. */
  readonly handle?: bigint
}

export interface NftChain {
  readonly family: NftFamily
  readonly table: string
  readonly name: string
  readonly comment?: string
  /** Given by the kernel; told by a list that asks for it. */
  readonly handle?: bigint
  /** A base chain, called by the kernel. Absent: called by rules. */
  readonly base?: {
    readonly type: 'filter' | 'nat' | 'route'
    readonly hook: NftHook
    /** Lower is called first: NF_IP_PRI_*, `srcnat` is 100, `dstnat` -100, bridge's `filter` -200. */
    readonly priority: number
    /** `accept` where left out. */
    readonly policy?: 'accept' | 'drop'
    /** netdev only. */
    readonly device?: string
    /** What met the policy, where the chain counts that: iptables' do once their policy has been set. */
    readonly counter?: { readonly packets: bigint; readonly bytes: bigint }
  }
}

export interface NftSet {
  readonly family: NftFamily
  readonly table: string
  readonly name: string
  readonly comment?: string
  /** nft's datatype numbers, so that `nft list` shows the elements: NftType. Concatenations: joinTypes. */
  readonly keyType: number
  /** Bytes of a key; each part of a concatenation is padded to 4. */
  readonly keyLength: number
  /** A map: what a key leads to. */
  readonly data?: { readonly type: number; readonly length: number } | { readonly type: 'verdict' }
  /** Keys are ranges: NFT_SET_INTERVAL. */
  readonly interval?: boolean
  readonly constant?: boolean
  /** One rule's own, `tcp dport { 80, 443 }`: it goes with that rule. NFT_SET_ANONYMOUS. */
  readonly anonymous?: boolean
  /** Elements come and go from rules; NFT_SET_EVAL. */
  readonly dynamic?: boolean
  /** Default life of an element, milliseconds; 0: none, but an element may have one of its own. */
  readonly timeout?: number
  readonly size?: number
  /** Given by the kernel; told by a list that asks for it. */
  readonly handle?: bigint
}

export type NftVerdict =
  | { readonly verdict: 'accept' | 'drop' | 'return' | 'continue' }
  | { readonly verdict: 'jump' | 'goto'; readonly chain: string }
  /** One that this list does not know: NF_* or NFT_*. */
  | { readonly verdict: 'other'; readonly code: number }

export interface NftElement {
  /** Empty: the element for all keys that no other has, NFT_SET_ELEM_CATCHALL. */
  readonly key: Uint8Array
  /**
   * Interval sets: the first key behind the range that begins at `key`; left out, the range reaches to the last key.
   * Concatenated intervals: the last key of each part; left out, the range is of this key alone.
   */
  readonly keyEnd?: Uint8Array
  /** NFT_SET_ELEM_INTERVAL_END: marks the end of the range before it. */
  readonly intervalEnd?: boolean
  readonly data?: Uint8Array | NftVerdict
  readonly comment?: string
  /** Milliseconds. */
  readonly timeout?: number
}

/**
 * Registers: NFT_REG_1 … NFT_REG_4 (16 bytes each) are 1 to 4, NFT_REG32_00 … 15 are 8 to 23. They are the same 64 bytes;
 * the kernel lists 8, 12, 16 and 20 as 1 to 4.
 */
export type NftRegister = number

/** META keys, NFT_META_*. */
export type NftMetaKey =
  | 'len'
  | 'protocol'
  | 'priority'
  | 'mark'
  | 'iif'
  | 'oif'
  | 'iifname'
  | 'oifname'
  | 'iiftype'
  | 'oiftype'
  | 'skuid'
  | 'skgid'
  | 'nftrace'
  | 'nfproto'
  | 'l4proto'
  | 'pkttype'
  | 'cpu'
  | 'iifgroup'
  | 'oifgroup'
  | 'cgroup'
  | 'bri_iifname'
  | 'bri_oifname'

/** CT keys, NFT_CT_*. */
export type NftCtKey =
  | 'state'
  | 'direction'
  | 'status'
  | 'mark'
  | 'src_ip'
  | 'dst_ip'
  | 'src_ip6'
  | 'dst_ip6'
  | 'proto_src'
  | 'proto_dst'
  | 'l3protocol'
  | 'protocol'
  | 'zone'

/** A constant in a register, or a verdict. */
export type NftExpression =
  | { readonly type: 'meta'; readonly key: NftMetaKey; readonly register: NftRegister }
  | { readonly type: 'meta set'; readonly key: NftMetaKey; readonly source: NftRegister }
  | {
      readonly type: 'payload'
      readonly base: 'link' | 'network' | 'transport'
      /** Bytes. */
      readonly offset: number
      readonly length: number
      readonly register: NftRegister
    }
  | {
      readonly type: 'cmp'
      readonly register: NftRegister
      readonly operator: 'eq' | 'neq' | 'lt' | 'lte' | 'gt' | 'gte'
      readonly value: Uint8Array
    }
  | {
      readonly type: 'range'
      readonly register: NftRegister
      readonly operator: 'eq' | 'neq'
      readonly from: Uint8Array
      readonly to: Uint8Array
    }
  | {
      readonly type: 'bitwise'
      readonly source: NftRegister
      readonly register: NftRegister
      readonly mask: Uint8Array
      readonly xor: Uint8Array
    }
  | {
      readonly type: 'lookup'
      readonly set: string
      readonly source: NftRegister
      readonly inverted?: boolean
      readonly register?: NftRegister
    }
  | { readonly type: 'immediate'; readonly register: NftRegister; readonly value: Uint8Array }
  | ({ readonly type: 'verdict' } & NftVerdict)
  | { readonly type: 'counter'; readonly packets?: bigint; readonly bytes?: bigint }
  | {
      readonly type: 'masquerade'
      readonly flags?: number
      readonly portMin?: NftRegister
      readonly portMax?: NftRegister
    }
  | {
      readonly type: 'nat'
      readonly kind: 'snat' | 'dnat'
      readonly family: 'ip' | 'ip6'
      readonly addressMin?: NftRegister
      readonly addressMax?: NftRegister
      readonly portMin?: NftRegister
      readonly portMax?: NftRegister
      readonly flags?: number
    }
  | {
      readonly type: 'redirect'
      readonly portMin?: NftRegister
      readonly portMax?: NftRegister
      readonly flags?: number
    }
  | {
      readonly type: 'ct'
      readonly key: NftCtKey
      readonly register: NftRegister
      readonly direction?: 'original' | 'reply'
    }
  | { readonly type: 'ct set'; readonly key: NftCtKey; readonly source: NftRegister }
  | {
      readonly type: 'fib'
      readonly result: 'oif' | 'oifname' | 'type'
      /** `present`: the result is 1 or 0, whether there is a route. */
      readonly flags: readonly ('saddr' | 'daddr' | 'mark' | 'iif' | 'oif' | 'present')[]
      readonly register: NftRegister
    }
  | { readonly type: 'reject'; readonly reject: 'icmp' | 'tcp reset' | 'icmpx'; readonly code: number }
  /** To the kernel's log with a syslog `level` (4, warning, where left out), or to the listeners of an nfnetlink_log `group`. */
  | {
      readonly type: 'log'
      readonly prefix?: string
      readonly level?: number
      /** NF_LOG_*: tcp sequence 1, tcp options 2, ip options 4, uid 8, macdecode 32. */
      readonly flags?: number
      readonly group?: number
      /** Bytes of the packet that the group is given, and packets at once. */
      readonly snapLength?: number
      readonly threshold?: number
    }
  | {
      readonly type: 'limit'
      readonly rate: bigint
      readonly unit: bigint
      readonly burst: number
      readonly over?: boolean
      readonly bytes?: boolean
    }
  /** iptables-nft's: an extension of iptables that has no expression of nftables' own. */
  | ({ readonly type: 'xt match' } & XtMatch)
  | ({ readonly type: 'xt target' } & XtTarget)
  /** One that this list does not know: its kernel name and the bytes of NFTA_EXPR_DATA, so that nothing is lost. */
  | { readonly type: 'other'; readonly name: string; readonly data: Uint8Array }

export interface NftRule {
  readonly family: NftFamily
  readonly table: string
  readonly chain: string
  readonly expressions: readonly NftExpression[]
  readonly comment?: string
  /** Given by the kernel. */
  readonly handle?: bigint
}

type Key<T, K extends keyof T> = Pick<T, K>

export type NftOperation =
  /** `add` of a table, chain or set that is there already changes nothing; `create` is refused with EEXIST. */
  | { readonly operation: 'add table' | 'create table'; readonly table: NftTable }
  /** With everything in it. */
  | { readonly operation: 'delete table'; readonly table: Key<NftTable, 'family' | 'name'> }
  | { readonly operation: 'add chain' | 'create chain'; readonly chain: NftChain }
  | { readonly operation: 'delete chain'; readonly chain: Key<NftChain, 'family' | 'table' | 'name'> }
  /** Takes out the chain's rules; the chain stays. */
  | { readonly operation: 'flush chain'; readonly chain: Key<NftChain, 'family' | 'table' | 'name'> }
  | { readonly operation: 'add set' | 'create set'; readonly set: NftSet }
  | { readonly operation: 'delete set' | 'flush set'; readonly set: Key<NftSet, 'family' | 'table' | 'name'> }
  /** `add` of an element that is there already changes nothing; deleting one that is not there is ENOENT. */
  | {
      readonly operation: 'add elements' | 'create elements' | 'delete elements'
      readonly set: Key<NftSet, 'family' | 'table' | 'name'>
      readonly elements: readonly NftElement[]
    }
  /** At the chain's end, or behind (`add`) or before (`insert`) the rule with the handle `at`. `insert` without: at its start. */
  | { readonly operation: 'add rule' | 'insert rule'; readonly rule: NftRule; readonly at?: bigint }
  | {
      readonly operation: 'delete rule'
      readonly rule: Key<NftRule, 'family' | 'table' | 'chain'> & { readonly handle: bigint }
    }

export interface NftRuleset {
  readonly tables: NftTable[]
  readonly chains: NftChain[]
  readonly sets: (NftSet & { readonly elements: NftElement[] })[]
  readonly rules: NftRule[]
}

export interface NftFilter {
  readonly family?: NftFamily
  readonly table?: string
  /** Tables, chains and sets with their handles; rules have them always. */
  readonly handles?: boolean
}

export interface Nftables {
  /**
   * Makes all the changes or none. KernelError with the first refused operation named in its message; its `errno` is
   * that operation's.
   */
  commit(operations: readonly NftOperation[]): void
  /** Everything there is, or only what is in one table (undefined family or table: in any). */
  list(filter?: NftFilter): NftRuleset
  /** One chain; undefined when there is none of this name. */
  chain(name: Key<NftChain, 'family' | 'table' | 'name'>): NftChain | undefined
  /** One chain's rules in their order, however much else is in the table. None when there is no such chain. */
  rules(chain: Key<NftChain, 'family' | 'table' | 'name'>): NftRule[]
  /** One set's elements. KernelError ENOENT when there is no such set. */
  elements(set: Key<NftSet, 'family' | 'table' | 'name'>): NftElement[]
  /**
   * The element with this key, or, of an interval set, the range that it is in; undefined when there is none, also when
   * there is no such set or table. Costs the same however many there are.
   */
  element(set: Key<NftSet, 'family' | 'table' | 'name'>, key: Uint8Array): NftElement | undefined
}

/** nft's datatypes (nftables, include/datatype.h): with them `nft list` shows keys as what they are. */
export const NftType = {
  verdict: 1,
  nfproto: 2,
  integer: 4,
  string: 5,
  ethernetAddress: 9,
  ipv4Address: 7,
  ipv6Address: 8,
  etherType: 10,
  internetProtocol: 12,
  internetService: 13,
  mark: 19,
  interfaceIndex: 20,
  interfaceName: 41,
} as const

/** The type of a concatenation: six bits for each part (nftables, TYPE_BITS). */
export function joinTypes(...types: number[]): number {
  return types.reduce((joined, type) => (joined << 6) | type, 0)
}
