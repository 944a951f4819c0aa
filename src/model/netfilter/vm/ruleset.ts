/** What a namespace's ruleset is made of: struct nft_table, nft_chain, nft_rule. Source: net/netfilter/nf_tables.h. */
import type { NftFamily } from '../../../kernel/nftables.ts'
import type { Device } from '../../device/device.ts'
import type { HookEntry } from '../hooks.ts'
import type { CompiledRule } from './compile.ts'
import type { Base, RunnableBase, RunnableRule } from './machine.ts'
import type { NftSetState } from './set.ts'

export interface Table {
  readonly family: NftFamily
  readonly name: string
  readonly comment: string | undefined
  readonly chains: Map<string, Chain>
  readonly sets: Map<string, NftSetState>
  readonly handle: bigint
  /** The last one given to a chain, set or rule: table->hgenerator. */
  lastHandle: bigint
}

/** A chain; what only base chains have means nothing in others. */
export interface Chain extends RunnableBase {
  readonly table: Table
  readonly comment: string | undefined
  readonly handle: bigint
  readonly base: Base | undefined
  /** Devices of a netdev chain, or of an inet chain at ingress. */
  readonly devices: string[]
  rules: Rule[]
  /** Verdicts of rules and elements that lead here. */
  references: number
  /** Where the hooks call it. */
  readonly entries: AttachedEntry[]
}

export interface AttachedEntry {
  readonly entry: HookEntry
  readonly device?: Device
  detach(): void
}

export interface Rule extends RunnableRule {
  readonly chain: Chain
  readonly handle: bigint
  readonly comment: string | undefined
  readonly compiled: CompiledRule
}
