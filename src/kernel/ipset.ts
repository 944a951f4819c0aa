/**
 * IP sets, as ipset(8) keeps them: named lists of addresses and ports that rules look into. Source: linux/netfilter/ipset/ip_set.h.
 *
 *   hash:ip          10.0.0.1                        hash:ip,port       10.0.0.1,tcp:80
 *   hash:net         10.0.0.0/24                     hash:net,port      10.0.0.0/24,tcp:80
 *   hash:ip,port,ip  10.0.0.1,tcp:80,10.0.0.2        hash:ip,port,net   10.0.0.1,tcp:80,10.1.0.0/16
 *   bitmap:port      80
 *
 * What the kernel refuses for reasons of its own has the name of the number: `IPSET_ERR_EXIST`.
 */
import type { Family } from '../address/ip.ts'

export const IP_SET_TYPES = [
  'hash:ip',
  'hash:net',
  'hash:ip,port',
  'hash:net,port',
  'hash:ip,port,ip',
  'hash:ip,port,net',
  'bitmap:port',
] as const

export type IpSetType = (typeof IP_SET_TYPES)[number]

/** First and last, inclusive. */
export interface PortRange {
  readonly from: number
  readonly to: number
}

/** What a set is made with. What is left out is the kernel's to choose. */
export interface IpSetDefinition {
  readonly name: string
  readonly type: IpSetType
  /** Of its addresses; IPv4 where left out. `bitmap:port` has none. */
  readonly family?: Family
  /** Buckets. */
  readonly hashSize?: number
  /** Entries that a hash may have. */
  readonly maxElements?: number
  readonly bucketSize?: number
  /** What the hash begins with. */
  readonly initialValue?: number
  /** `hash:ip`: bits of an address that are kept. */
  readonly netmask?: number
  /** `bitmap:port`: which it may have. */
  readonly ports?: PortRange
  /** Entries end after so many seconds, those that say nothing of their own; 0: never. Left out: no entry ends. */
  readonly timeout?: number
  /** Entries count the packets that matched them. */
  readonly counters?: boolean
  /** Entries may have comments. */
  readonly comments?: boolean
  /** A full hash gives up entries for new ones. */
  readonly forceAdd?: boolean
}

export interface IpSetAddress {
  readonly address: string
  /** Of networks; and, where entries are added or deleted, of as many single addresses. */
  readonly prefixLength?: number
  /** Where entries are added or deleted: all up to this one. IPv4 only. */
  readonly to?: string
}

export interface IpSetPort {
  /** IpProtocol; `bitmap:port` has none. */
  readonly protocol?: number
  /** Of ICMP: the type × 256 + the code. 0 for protocols without ports. */
  readonly port: number
  /** Where entries are added or deleted: all up to this one. */
  readonly to?: number
}

export interface IpSetEntry {
  readonly first?: IpSetAddress
  readonly port?: IpSetPort
  readonly second?: IpSetAddress
  /** Networks: what is in it is not in the set, whatever larger network it is in. */
  readonly noMatch?: boolean
  /** Seconds left; 0: for ever. */
  readonly timeout?: number
  readonly packets?: bigint
  readonly bytes?: bigint
  readonly comment?: string
}

export interface IpSet extends IpSetDefinition {
  /** Of the type, as this kernel has it. */
  readonly revision: number
  /** Bytes; left out where the kernel does not count them. */
  readonly memorySize?: number
  /** Rules that look into it. */
  readonly references: number
  /** How many entries it has. */
  readonly size: number
  readonly entries: readonly IpSetEntry[]
}

export interface IpSetOptions {
  /** What is there already, or not there any more, is as good as done: `ipset -!`. */
  readonly exist?: boolean
}

export interface IpSetListing {
  /** Without their entries: there may be many. */
  readonly headerOnly?: boolean
}

export interface IpSets {
  /** KernelError EEXIST when the name is taken. */
  add(set: IpSetDefinition, options?: IpSetOptions): void
  /** All of them where the name is left out. KernelError ENOENT, IPSET_ERR_BUSY while rules look into it. */
  delete(name?: string): void
  /** Its entries; all sets' where the name is left out. KernelError ENOENT. */
  flush(name?: string): void
  /** KernelError ENOENT, IPSET_ERR_EXIST_SETNAME2, IPSET_ERR_REFERENCED. */
  rename(name: string, to: string): void
  /** Each has the other's content then. KernelError ENOENT, IPSET_ERR_EXIST_SETNAME2, IPSET_ERR_TYPE_MISMATCH. */
  swap(name: string, other: string): void
  list(listing?: IpSetListing): IpSet[]
  /** Undefined when there is none. */
  get(name: string, listing?: IpSetListing): IpSet | undefined
  /** KernelError IPSET_ERR_EXIST when it is there already. */
  addEntry(set: string, entry: IpSetEntry, options?: IpSetOptions): void
  /** KernelError IPSET_ERR_EXIST when it is not there. */
  deleteEntry(set: string, entry: IpSetEntry, options?: IpSetOptions): void
  hasEntry(set: string, entry: IpSetEntry): boolean
}
