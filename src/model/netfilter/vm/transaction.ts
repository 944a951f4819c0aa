/**
 * A commit: its operations one after another, each of which can be taken back. Source: net/netfilter/nf_tables_api.c.
 *
 * Nothing runs between them: packets see the ruleset before a commit, or behind it.
 */
import { KernelError } from '../../../kernel/errors.ts'
import type { NftChain, NftFamily, NftOperation, NftRule, NftSet, NftTable } from '../../../kernel/nftables.ts'
import type { Namespace } from '../../namespace.ts'
import { checkBase, hasType } from './base-chain.ts'
import { checkFamily, compileRule } from './compile.ts'
import { callOf } from './describe.ts'
import { ElementChanges } from './element-changes.ts'
import { refusal } from './refusal.ts'
import type { Chain, Rule, Table } from './ruleset.ts'
import { isSameSet, NftSetState } from './set.ts'
import { checkSet } from './set-definition.ts'
import { checkTable } from './validate.ts'
import { ACCEPT, DROP } from './verdict.ts'

type TableName = { readonly family: NftFamily; readonly table: string }
type ChainName = TableName & { readonly name: string }

/** `ip filter` */
export type Tables = Map<string, Table>

export class Transaction {
  readonly #namespace: Namespace
  readonly #tables: Tables
  readonly #undo: (() => void)[] = []
  readonly #elements: ElementChanges
  /** Whose rules or elements may lead elsewhere now. */
  readonly #unchecked = new Set<Table>()
  readonly #checksAtOnce: boolean
  /** Where the rules of all of it lead is refused, not one of the operations. */
  failedLate = false
  /** What begins and ends with the commit, in its order. */
  readonly newChains: Chain[] = []
  readonly goneChains: Chain[] = []
  readonly newRules: Rule[] = []
  readonly goneRules: Rule[] = []
  /** Anonymous ones. */
  readonly #newSets = new Set<NftSetState>()

  /** `checksAtOnce`: where rules lead is looked at behind each operation, to find out which one is wrong. */
  constructor(namespace: Namespace, tables: Tables, checksAtOnce: boolean) {
    this.#namespace = namespace
    this.#tables = tables
    this.#checksAtOnce = checksAtOnce
    this.#elements = new ElementChanges((back) => this.#undo.push(back))
  }

  /** As the kernel, it goes on behind a refused operation: that, too, uses up handles. */
  run(operations: readonly NftOperation[]): void {
    let refused: KernelError | undefined
    for (const operation of operations) {
      try {
        this.#apply(operation)
        if (this.#checksAtOnce) this.#check()
      } catch (error) {
        if (!(error instanceof KernelError)) {
          this.#rollBack()
          throw error
        }
        refused ??= new KernelError(error.errno, callOf(operation), error.explanation)
      }
    }
    try {
      if (refused) throw refused
      // A set of one rule's own, and no rule that has it: as this is seen last, the kernel names the first operation.
      if ([...this.#newSets].some(({ references }) => references === 0)) {
        refused = new KernelError('EINVAL', callOf(operations[0]!))
        throw refused
      }
      this.#check()
    } catch (error) {
      this.failedLate = !refused
      this.#rollBack()
      throw error
    }
  }

  #check(): void {
    for (const table of this.#unchecked) checkTable(table)
    this.#unchecked.clear()
  }

  #rollBack(): void {
    for (const back of this.#undo.reverse()) back()
  }

  #apply(operation: NftOperation): void {
    switch (operation.operation) {
      case 'add table':
      case 'create table':
        this.#addTable(operation.table, operation.operation === 'create table')
        break
      case 'delete table':
        this.#deleteTable(this.#table({ family: operation.table.family, table: operation.table.name }))
        break
      case 'add chain':
      case 'create chain':
        this.#addChain(operation.chain, operation.operation === 'create chain')
        break
      case 'delete chain':
        this.#deleteChain(this.#chain(operation.chain))
        break
      case 'flush chain':
        this.#flushChain(this.#chain(operation.chain))
        break
      case 'add set':
      case 'create set':
        this.#addSet(operation.set, operation.operation === 'create set')
        break
      case 'delete set':
        this.#deleteSet(this.#set(operation.set))
        break
      case 'flush set':
        this.#elements.flush(this.#set(operation.set))
        break
      case 'add elements':
      case 'create elements': {
        const table = this.#table(operation.set)
        const exclusive = operation.operation === 'create elements'
        if (this.#elements.add(this.#set(operation.set), operation.elements, table, exclusive))
          this.#unchecked.add(table)
        break
      }
      case 'delete elements':
        this.#elements.delete(this.#set(operation.set), operation.elements)
        break
      case 'add rule':
      case 'insert rule':
        this.#addRule(operation.rule, operation.at, operation.operation === 'insert rule')
        break
      case 'delete rule':
        this.#deleteRule(this.#chain({ ...operation.rule, name: operation.rule.chain }), operation.rule.handle)
        break
    }
  }

  #table({ family, table }: TableName): Table {
    const found = this.#tables.get(`${family} ${table}`)
    if (!found) throw refusal('ENOENT')
    return found
  }

  #chain(name: ChainName): Chain {
    const found = this.#table(name).chains.get(name.name)
    if (!found) throw refusal('ENOENT')
    return found
  }

  #set(name: ChainName): NftSetState {
    const found = this.#table(name).sets.get(name.name)
    if (!found) throw refusal('ENOENT')
    return found
  }

  #addTable({ family, name, comment }: NftTable, exclusive: boolean): void {
    const key = `${family} ${name}`
    if (this.#tables.has(key)) {
      if (exclusive) throw refusal('EEXIST')
      return
    }
    const handle = ++this.#namespace.nftables.lastTable
    this.#tables.set(key, { family, name, comment, chains: new Map(), sets: new Map(), handle, lastHandle: 0n })
    this.#undo.push(() => this.#tables.delete(key))
  }

  #deleteTable(table: Table): void {
    const key = `${table.family} ${table.name}`
    for (const chain of table.chains.values()) {
      this.goneChains.push(chain)
      this.goneRules.push(...chain.rules)
    }
    this.#remove(this.#tables, key)
  }

  #addChain(chain: NftChain, exclusive: boolean): void {
    const table = this.#table(chain)
    const there = table.chains.get(chain.name)
    if (there) {
      if (chain.base?.policy !== undefined && !there.base) throw refusal('EOPNOTSUPP')
      if (exclusive) throw refusal('EEXIST')
      if (chain.base) this.#updateChain(there, chain.base)
      return
    }
    const { base, name, comment } = chain
    if (base) checkBase(table.family, base)
    const policy = base?.policy === 'drop' ? DROP : ACCEPT
    const title = `${table.family} ${table.name} ${name}`
    const made: Chain = {
      name,
      table,
      comment,
      handle: ++table.lastHandle,
      base,
      title,
      policy,
      policyCause: causeOfPolicy(title),
      policyCounter: base?.counter && countFrom(base.counter),
      rules: [],
      index: 'stale',
      references: 0,
      devices: base?.device === undefined ? [] : [base.device],
      entries: [],
    }
    table.chains.set(name, made)
    this.newChains.push(made)
    this.#undo.push(() => table.chains.delete(name))
  }

  /** nf_tables_updchain: the policy and the devices may change, the rest must be the same. */
  #updateChain(chain: Chain, base: NonNullable<NftChain['base']>): void {
    const { base: before } = chain
    if (!before) throw refusal('EEXIST')
    if (before.hook !== base.hook || before.priority !== base.priority) throw refusal('EOPNOTSUPP')
    if (!hasType(chain.table.family, base.type)) throw refusal('ENOENT')
    if (before.type !== base.type) throw refusal('EEXIST')
    const { policy, policyCounter } = chain
    this.#undo.push(() => {
      chain.policy = policy
      chain.policyCounter = policyCounter
    })
    if (base.policy !== undefined) chain.policy = base.policy === 'drop' ? DROP : ACCEPT
    if (base.counter) chain.policyCounter = countFrom(base.counter)
  }

  /** Its rules go with it. */
  #deleteChain(chain: Chain): void {
    this.#flushChain(chain)
    if (chain.references > 0) throw refusal('EBUSY')
    this.goneChains.push(chain)
    this.#remove(chain.table.chains, chain.name)
  }

  #flushChain(chain: Chain): void {
    const { rules } = chain
    for (const rule of rules) this.#leave(rule)
    chain.rules = []
    chain.index = 'stale'
    this.#undo.push(() => {
      chain.rules = rules
      chain.index = 'stale'
    })
  }

  #addRule({ expressions, comment, ...name }: NftRule, at: bigint | undefined, inserts: boolean): void {
    const chain = this.#chain({ ...name, name: name.chain })
    const handle = ++chain.table.lastHandle
    const place = at === undefined ? (inserts ? 0 : chain.rules.length) : placeOf(chain, at) + (inserts ? 0 : 1)
    const { table } = chain
    checkFamily(expressions, table.family)
    const ref = `rule ${chain.title} handle ${handle}`
    const compiled = compileRule(expressions, { namespace: this.#namespace, table, ref })
    const rule: Rule = {
      chain,
      handle,
      comment,
      compiled,
      operations: compiled.operations,
      tests: compiled.tests,
      dropCause: { reason: 'NETFILTER_DROP', kernel: 'nft_do_chain', ref, what: `${ref} drops it` },
    }
    if (compiled.sets.some(({ definition, references }) => definition.anonymous && references > 0))
      throw refusal('EBUSY')
    this.#join(rule)
    insertRule(chain, place, rule)
    this.#undo.push(() => removeRule(chain, chain.rules.indexOf(rule)))
    this.#unchecked.add(table)
  }

  #deleteRule(chain: Chain, handle: bigint): void {
    const place = placeOf(chain, handle)
    const rule = chain.rules[place]!
    this.#leave(rule)
    removeRule(chain, place)
    this.#undo.push(() => insertRule(chain, place, rule))
  }

  #addSet(set: NftSet, exclusive: boolean): void {
    const table = this.#table(set)
    const there = table.sets.get(set.name)
    if (there) {
      if (exclusive) throw refusal('EEXIST')
      if (there.definition.anonymous) throw refusal('EOPNOTSUPP')
      if (!isSameSet(there.definition, set)) throw refusal('EEXIST')
      const { timeout, size } = there
      this.#undo.push(() => {
        there.timeout = timeout
        there.size = size
      })
      there.timeout = set.timeout
      if (set.size) there.size = set.size
      return
    }
    checkSet(set)
    const made = new NftSetState(set, ++table.lastHandle, this.#namespace.model.clock)
    table.sets.set(set.name, made)
    if (set.anonymous) this.#newSets.add(made)
    this.#undo.push(() => table.sets.delete(set.name))
  }

  #deleteSet(set: NftSetState): void {
    if (set.references > 0) throw refusal('EBUSY')
    this.#elements.empty(set)
    this.#remove(this.#table(set.definition).sets, set.definition.name)
  }

  /** The rule leads to chains and looks at sets from now on. */
  #join(rule: Rule): void {
    this.#refer(rule, 1)
    this.newRules.push(rule)
  }

  #leave(rule: Rule): void {
    this.#refer(rule, -1)
    this.goneRules.push(rule)
    for (const set of rule.compiled.sets) {
      if (!set.definition.anonymous) continue
      this.#newSets.delete(set)
      this.#deleteSet(set)
    }
  }

  #refer({ compiled }: Rule, change: 1 | -1): void {
    const by = (number: number) => {
      for (const chain of compiled.chains) chain.references += number
      for (const set of compiled.sets) set.references += number
      for (const place of compiled.ipSets) place.references += number
    }
    by(change)
    this.#undo.push(() => by(-change))
  }

  /** Out of a map; taken back, it stands where it stood. */
  #remove<T>(map: Map<string, T>, key: string): void {
    const before = [...map]
    map.delete(key)
    this.#undo.push(() => {
      map.clear()
      for (const [name, thing] of before) map.set(name, thing)
    })
  }
}

function placeOf(chain: Chain, handle: bigint): number {
  const place = chain.rules.findIndex((rule) => rule.handle === handle)
  if (place < 0) throw refusal('ENOENT')
  return place
}

function insertRule(chain: Chain, place: number, rule: Rule): void {
  chain.rules.splice(place, 0, rule)
  chain.index = 'stale'
}

function removeRule(chain: Chain, place: number): void {
  chain.rules.splice(place, 1)
  chain.index = 'stale'
}

function causeOfPolicy(title: string): Chain['policyCause'] {
  const ref = `chain ${title} policy drop`
  return { reason: 'NETFILTER_DROP', kernel: 'nft_do_chain', ref, what: `the policy of chain ${title} is drop` }
}

function countFrom({ packets, bytes }: { readonly packets: bigint; readonly bytes: bigint }): Chain['policyCounter'] {
  return { packets: Number(packets), bytes: Number(bytes) }
}
