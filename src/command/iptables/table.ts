/**
 * A table of iptables while it is looked at and changed: what the kernel has, what was asked for, and at the end the
 * operations from the one to the other.
 *
 * Nothing is made before it is needed: the table with its first chain or rule, a built-in chain with its first rule or
 * policy. A list shows all built-in chains, whether they are there or not.
 */
import type { Nftables, NftChain, NftExpression, NftOperation, NftRule } from '../../kernel/nftables.ts'
import { decodeRule } from './decode.ts'
import { encodeRule } from './encode.ts'
import { IptablesError } from './error.ts'
import type { Family, Rule } from './rule.ts'
import { type BuiltinChain, type BuiltinTable, builtinChain, findBuiltin, isBuiltin } from './tables.ts'

type Policy = 'accept' | 'drop'
type Counter = NonNullable<NonNullable<NftChain['base']>['counter']>

const NOTHING: Counter = { packets: 0n, bytes: 0n }

/** A rule in its place. Without a handle it is not made yet. */
export interface Entry {
  readonly expressions: readonly NftExpression[]
  readonly comment?: string
  readonly handle?: bigint
  /** Which command it is of, in a file of several. */
  readonly origin?: number
}

export class Chain {
  readonly name: string
  readonly builtin: BuiltinChain | undefined
  /** Whether the kernel has it. */
  readonly isThere: boolean
  readonly entries: Entry[] = []
  policy: Policy = 'accept'
  counter: Counter | undefined
  /** A policy or counter was set. */
  isSet = false

  constructor(name: string, builtin: BuiltinChain | undefined, isThere: boolean) {
    this.name = name
    this.builtin = builtin
    this.isThere = isThere
  }
}

export class Table {
  readonly builtin: BuiltinTable
  readonly family: Family
  /** What new rules are of. */
  origin: number | undefined
  /** A base chain of another program's: it is left alone. */
  readonly isTainted: boolean = false
  readonly #chains = new Map<string, Chain>()
  readonly #isThere: boolean
  #isWanted = false
  /** Delete it first, with all that is in it. */
  #isFlushed = false
  readonly #deletedRules: NftOperation[] = []
  readonly #origins = new Map<NftOperation, number>()
  readonly #deletedChains: NftOperation[] = []

  constructor(nftables: Nftables, family: Family, builtin: BuiltinTable) {
    this.family = family
    this.builtin = builtin
    const { tables, chains, rules } = nftables.list({ family, table: builtin.name })
    this.#isThere = tables.length > 0
    for (const chain of chains) {
      const known = findBuiltin(builtin, chain.name)
      if (chain.base ? !known || !isBuiltin(known, chain) : known) {
        this.isTainted = true
        continue
      }
      const own = new Chain(chain.name, known, true)
      own.policy = chain.base?.policy ?? 'accept'
      own.counter = chain.base?.counter
      this.#chains.set(chain.name, own)
    }
    for (const rule of rules) this.#chains.get(rule.chain)?.entries.push(entryOf(rule))
  }

  get name(): string {
    return this.builtin.name
  }

  get isThere(): boolean {
    return this.#isThere
  }

  find(name: string): Chain | undefined {
    return this.#chains.get(name)
  }

  /** A built-in chain is there even when the kernel has none yet. */
  exists(name: string): boolean {
    return findBuiltin(this.builtin, name) !== undefined || this.#chains.has(name)
  }

  /** Those that are there: the built-in ones in the order of their hooks, then the user's by name. */
  chains(): Chain[] {
    const own = this.builtin.chains.flatMap(({ name }) => this.#chains.get(name) ?? [])
    const others = [...this.#chains.values()].filter(({ builtin }) => !builtin)
    return [...own, ...others.sort((a, b) => (a.name < b.name ? -1 : 1))]
  }

  /** The same with all built-in chains, as a list shows them. */
  allChains(): Chain[] {
    const own = this.builtin.chains.map((chain) => this.#chains.get(chain.name) ?? new Chain(chain.name, chain, false))
    return [...own, ...this.chains().filter(({ builtin }) => !builtin)]
  }

  /** Rules that lead to the chain. */
  references(name: string): number {
    let count = 0
    for (const { entries } of this.#chains.values()) {
      count += entries.filter((entry) => leadsTo(entry, name)).length
    }
    return count
  }

  /** The chain, made where it is built in and not there. */
  open(name: string): Chain | undefined {
    this.#isWanted = true
    const chain = this.#chains.get(name)
    const builtin = findBuiltin(this.builtin, name)
    if (chain || !builtin) return chain
    const made = new Chain(name, builtin, false)
    this.#chains.set(name, made)
    return made
  }

  addChain(name: string): void {
    this.#isWanted = true
    this.#chains.set(name, new Chain(name, undefined, false))
  }

  deleteChain(chain: Chain): void {
    this.#chains.delete(chain.name)
    if (!chain.isThere || this.#isFlushed) return
    this.#deletedChains.push({
      operation: 'delete chain',
      chain: { family: this.family, table: this.name, name: chain.name },
    })
  }

  /**
   * A new chain with the old one's rules in its place, and all that led there leads here. The kernel's own way of it keeps
   * the handles.
   */
  renameChain(old: Chain, name: string): void {
    const chain = new Chain(name, undefined, false)
    for (const { handle: _handle, ...entry } of old.entries) chain.entries.push(entry)
    this.#chains.set(name, chain)
    for (const other of this.#chains.values()) {
      for (const [index, entry] of other.entries.entries()) {
        if (other === old || !leadsTo(entry, old.name)) continue
        const expressions = entry.expressions.map((one) =>
          one.type === 'verdict' && 'chain' in one && one.chain === old.name ? { ...one, chain: name } : one,
        )
        this.#replaceEntry(other, index, { ...entry, expressions })
      }
    }
    this.flush(old)
    this.deleteChain(old)
  }

  /** `index`: before the rule that has this place, from 0; left out, at the end. */
  insert(chain: Chain, rule: Rule, index = chain.entries.length): void {
    chain.entries.splice(index, 0, this.#entry(rule))
  }

  replace(chain: Chain, index: number, rule: Rule): void {
    this.#replaceEntry(chain, index, this.#entry(rule))
  }

  delete(chain: Chain, index: number): void {
    const [entry] = chain.entries.splice(index, 1)
    if (entry?.handle !== undefined && !this.#isFlushed) this.#deleteRule(chain, entry.handle)
  }

  flush(chain: Chain): void {
    while (chain.entries.length > 0) this.delete(chain, chain.entries.length - 1)
  }

  /** All of it, to begin anew: iptables-restore. */
  flushTable(): void {
    this.#isFlushed = true
    this.#isWanted = false
    this.#chains.clear()
    this.#deletedChains.length = 0
    this.#deletedRules.length = 0
  }

  setPolicy(chain: Chain, policy: Policy, counter: Counter = NOTHING): void {
    chain.policy = policy
    chain.counter = counter
    chain.isSet = true
  }

  zero(chain: Chain): void {
    if (chain.builtin) this.setPolicy(chain, chain.policy)
    for (const index of chain.entries.keys()) this.zeroRule(chain, index)
  }

  zeroRule(chain: Chain, index: number): void {
    const { expressions, comment } = chain.entries[index]!
    if (!expressions.some((one) => one.type === 'counter' && (one.packets || one.bytes))) return
    const zeroed = expressions.map((one) => (one.type === 'counter' ? { type: 'counter' as const, ...NOTHING } : one))
    this.#replaceEntry(chain, index, { expressions: zeroed, ...(comment !== undefined && { comment }) })
  }

  rule(chain: Chain, { expressions, comment }: Entry): Rule {
    return decodeRule({
      family: this.family,
      table: this.name,
      chain: chain.name,
      expressions,
      ...(comment !== undefined && { comment }),
    })
  }

  /** The rule as it would come back from the kernel. */
  normalize(chain: Chain, rule: Rule): Rule {
    return this.rule(chain, { expressions: encodeRule(rule, this.family) })
  }

  rules(chain: Chain): Rule[] {
    return chain.entries.map((entry) => this.rule(chain, entry))
  }

  #entry(rule: Rule): Entry {
    const { origin } = this
    return { expressions: encodeRule(rule, this.family), ...(origin !== undefined && { origin }) }
  }

  /** What the operation's rule is of; undefined for other operations. */
  originOf(operation: NftOperation): number | undefined {
    return this.#origins.get(operation)
  }

  /** What makes the kernel's table this one. */
  operations(): NftOperation[] {
    const { family, name } = this
    const chains = [...this.#chains.values()]
    const isFlushed = this.#isFlushed && this.#isThere
    return [
      ...(isFlushed ? [{ operation: 'delete table' as const, table: { family, name } }] : []),
      ...(this.#isWanted && (isFlushed || !this.#isThere)
        ? [{ operation: 'add table' as const, table: { family, name } }]
        : []),
      ...this.#deletedRules,
      ...this.#deletedChains,
      ...chains.flatMap((chain) => this.#chainOperations(chain)),
      ...chains.flatMap((chain) => this.#ruleOperations(chain)),
    ]
  }

  #chainOperations(chain: Chain): NftOperation[] {
    const { family, name: table } = this
    const { name, builtin, isThere, isSet, policy, counter } = chain
    if (isThere && !isSet) return []
    if (!builtin) return [{ operation: 'add chain', chain: { family, table, name } }]
    const more = { policy, ...(counter && { counter }) }
    return [{ operation: 'add chain', chain: builtinChain(family, table, builtin, more) }]
  }

  /** A new rule goes before the next that is there already, or to the end. */
  #ruleOperations(chain: Chain): NftOperation[] {
    const { family, name: table } = this
    const operations: NftOperation[] = []
    let next: bigint | undefined
    for (const { handle, expressions, comment, origin } of chain.entries.toReversed()) {
      if (handle !== undefined) {
        next = handle
        continue
      }
      const rule = { family, table, chain: chain.name, expressions, ...(comment !== undefined && { comment }) }
      const operation: NftOperation =
        next === undefined ? { operation: 'add rule', rule } : { operation: 'insert rule', rule, at: next }
      operations.push(operation)
      if (origin !== undefined) this.#origins.set(operation, origin)
    }
    return operations.reverse()
  }

  #replaceEntry(chain: Chain, index: number, entry: Entry): void {
    const { handle } = chain.entries[index]!
    if (handle !== undefined) this.#deleteRule(chain, handle)
    const { handle: _handle, ...made } = entry
    chain.entries[index] = made
  }

  #deleteRule(chain: Chain, handle: bigint): void {
    this.#deletedRules.push({
      operation: 'delete rule',
      rule: { family: this.family, table: this.name, chain: chain.name, handle },
    })
  }
}

function leadsTo({ expressions }: Entry, chain: string): boolean {
  return expressions.some((one) => one.type === 'verdict' && 'chain' in one && one.chain === chain)
}

function entryOf({ expressions, comment, handle }: NftRule): Entry {
  return { expressions, ...(comment !== undefined && { comment }), ...(handle !== undefined && { handle }) }
}

/** Whether there is no other program's rule, which iptables has no words for. */
export function isListable(chains: readonly Chain[]): boolean {
  return chains.every(({ entries }) => entries.every(({ expressions }) => expressions.every(isKnown)))
}

export function incompatible(table: Table, chain: string | undefined): IptablesError {
  const place = chain === undefined ? '' : `chain \`${chain}' in `
  return new IptablesError('other', `${place}table \`${table.name}' is incompatible, use 'nft' tool.`)
}

/** supported_exprs of iptables/nft.c. */
const KNOWN: readonly NftExpression['type'][] = [
  'meta',
  'meta set',
  'payload',
  'cmp',
  'bitwise',
  'counter',
  'immediate',
  'verdict',
  'lookup',
  'range',
  'xt match',
  'xt target',
]

function isKnown(expression: NftExpression): boolean {
  if (expression.type === 'limit') return !expression.over && !expression.bytes
  if (expression.type === 'log') return expression.group !== undefined
  return KNOWN.includes(expression.type)
}
