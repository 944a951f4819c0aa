/**
 * What a namespace should look like, what it looks like, and what lies between.
 *
 * A state lists things by subject: links, settings, addresses, routes … A desired thing says only what matters; whatever
 * it leaves out may be as it likes. `owned` marks out which of the things that are there, but not desired, are ours to
 * remove. Whatever is outside of it belongs to somebody else and is never touched.
 */
import type { Address, NewAddress } from '../kernel/address.ts'
import type { BridgeOptions, BridgePort, Link, LinkChange, NewLink, VxlanOptions } from '../kernel/link.ts'
import type { FdbEntry, Neighbour } from '../kernel/neighbour.ts'
import type { NftChain, NftElement, NftFamily, NftRule, NftSet, NftTable } from '../kernel/nftables.ts'
import type { Route, RouteType, Rule } from '../kernel/route.ts'

export interface DesiredLink
  extends Pick<LinkChange, 'mac' | 'mtu' | 'promiscuous' | 'allMulticast' | 'txQueueLength' | 'alias' | 'group'> {
  readonly name: string
  readonly kind: string
  /** How it is made where it is not there; what stands here alone is not compared. Without, it must be there. */
  readonly birth?: NewLink
  /** Name of the link it is a port of; `null`: of none. */
  readonly master?: string | null
  /** Index of the link below it, or of a veth's other end. */
  readonly parent?: number
  readonly bridge?: Partial<BridgeOptions>
  readonly port?: Partial<Omit<BridgePort, 'state'>>
  /** `null`: not set. Of these only `learning` can be changed: a link of ours that differs in the others is made anew. */
  readonly vxlan?: { readonly [K in keyof VxlanOptions]?: VxlanOptions[K] | null }
}

/** A link, the name of the one it is a port of, and what it is as a port. */
export interface SeenLink {
  readonly link: Link
  readonly master: string | undefined
  readonly port: BridgePort | undefined
}

export interface LinkState {
  readonly link: string
  readonly up: boolean
}

/** A sysctl: see Kernel.sysctl. */
export interface Setting {
  readonly key: string
  readonly value: string
  /** A kernel that does not have it is as good: IPv6 may be switched off. */
  readonly optional?: boolean
}

/** Membership of a port, or of the bridge itself, in one VLAN. */
export interface PortVlan {
  readonly link: string
  readonly vlan: number
  readonly pvid: boolean
  readonly untagged: boolean
}

/** A chain; where `content` is given, these are its rules and no others. */
export interface ChainContent {
  readonly chain: NftChain
  readonly content?: readonly ChainRule[]
}

export type ChainRule = Pick<NftRule, 'expressions' | 'comment'>

/**
 * A chain of ours in a table that belongs to many, iptables' for one: all of its rules, and the one rule by which a chain of
 * that table, called by the kernel, comes to it.
 */
export interface GuestChain extends GuestName {
  readonly content: readonly ChainRule[]
  /** The rule that jumps here. */
  readonly jump: ChainRule
  /** The table's chains that the kernel calls, without policies: made where they are not there, else left as they are. */
  readonly called: readonly NftChain[]
}

export interface GuestName {
  readonly family: NftFamily
  readonly table: string
  readonly name: string
  /** Name of the chain that jumps to it: `FORWARD`. */
  readonly from: string
}

/** What is there of a guest: `content` is undefined where there is no such chain. */
export interface SeenGuest extends GuestName {
  readonly content: readonly ChainRule[] | undefined
  /** The rules that jump to it, and where the one that is missing belongs. */
  readonly jumps: readonly NftRule[]
  readonly before: bigint | undefined
}

/** An element and where it is. */
export interface SetElement {
  readonly family: NftFamily
  readonly table: string
  readonly set: string
  readonly element: NftElement
}

/** A rule in a chain that it shares with others: known by its comment. */
export interface MarkedRule extends NftRule {
  readonly comment: string
}

/** What is desired of each subject, in the order in which it is made; it is removed in the opposite one. */
export interface Desired {
  readonly links: DesiredLink
  readonly sysctls: Setting
  readonly vlans: PortVlan
  readonly addresses: NewAddress
  readonly linkStates: LinkState
  readonly neighbours: Neighbour
  readonly fdb: FdbEntry
  readonly routes: Route
  readonly rules: Rule & { readonly priority: number }
  readonly nftTables: NftTable
  readonly nftSets: NftSet
  readonly nftChains: ChainContent
  readonly nftRules: MarkedRule
  readonly nftElements: SetElement
  readonly nftGuests: GuestChain
}

/** What is seen of each subject. */
export interface Seen {
  readonly links: SeenLink
  readonly sysctls: Setting
  readonly vlans: PortVlan
  readonly addresses: Address
  readonly linkStates: LinkState
  readonly neighbours: Neighbour
  readonly fdb: FdbEntry
  readonly routes: Route
  readonly rules: Rule
  readonly nftTables: NftTable
  readonly nftSets: NftSet
  readonly nftChains: ChainContent
  readonly nftRules: NftRule
  readonly nftElements: SetElement
  readonly nftGuests: SeenGuest
}

export type SubjectName = keyof Desired

/** Which of the things that are there and not desired are ours. */
export interface Owned {
  readonly links?: readonly OwnedLinks[]
  /** All VLANs of these links. */
  readonly vlans?: { readonly links: readonly string[] }
  readonly addresses?: readonly OwnedAddresses[]
  /** All permanent entries of these links. */
  readonly neighbours?: { readonly links: readonly string[] }
  /** All entries of these links that somebody set. */
  readonly fdb?: { readonly links: readonly string[] }
  readonly routes?: readonly OwnedRoutes[]
  /** Policy rules with this protocol number. */
  readonly rules?: { readonly protocol: number }
  /** Everything in these tables. */
  readonly nftTables?: readonly { readonly family: NftFamily; readonly name: string }[]
  readonly nftGuests?: readonly GuestName[]
}

/** The link of this name, or those whose name starts so. */
export type OwnedLinks = { readonly name: string } | { readonly prefix: string }

/** All addresses of these links but those that the kernel gave itself; of them those within this prefix, where it is given. */
export interface OwnedAddresses {
  readonly links: readonly string[]
  readonly within?: string
}

/** Routes with this protocol number; of them only those of this type, in this table, on these links, to such subnets, where that is given. */
export interface OwnedRoutes {
  readonly protocol: number
  readonly type?: RouteType
  readonly table?: number
  readonly links?: readonly string[]
  /** Subnets with a prefix of this length, within the network. */
  readonly subnets?: { readonly network: string; readonly length: number }
}

export type State = { readonly [S in SubjectName]?: readonly Desired[S][] } & { readonly owned?: Owned }

export type SeenState = { readonly [S in SubjectName]?: readonly Seen[S][] }

export type Operation = {
  [S in SubjectName]:
    | { readonly subject: S; readonly operation: 'add'; readonly desired: Desired[S] }
    | { readonly subject: S; readonly operation: 'change'; readonly desired: Desired[S]; readonly seen: Seen[S] }
    | { readonly subject: S; readonly operation: 'remove'; readonly seen: Seen[S] }
}[SubjectName]

/** Several states of one namespace as one; what they own is joined too. */
export function joinStates(...states: readonly State[]): State {
  return states.reduce<unknown>(join, {}) as State
}

/** Lists behind each other, objects field by field. */
function join(one: unknown, other: unknown): unknown {
  if (Array.isArray(one) && Array.isArray(other)) return [...one, ...other]
  if (!isObject(one) || !isObject(other)) return other
  const joined = { ...one }
  for (const [key, value] of Object.entries(other)) joined[key] = key in one ? join(one[key], value) : value
  return joined
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
