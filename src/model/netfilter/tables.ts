/**
 * The ruleset of a namespace: nf_tables. Source: net/netfilter/nf_tables_api.c.
 *
 *   tables.ts            what is asked of it: a commit, lists
 *   vm/transaction.ts    a commit's operations, each with its way back      vm/element-changes.ts   those of elements
 *   vm/ruleset.ts        tables, chains, rules      vm/set.ts, element.ts   sets and how they keep elements
 *   vm/validate.ts       where rules may lead       vm/base-chain.ts        where packets come from
 *   vm/compile.ts        expressions to operations, a file for each kind    vm/machine.ts   runs them
 *   vm/fuse.ts           several expressions to one operation               vm/chain-index.ts   finds rules of long chains
 *   xt/                  iptables' extensions
 *
 * What a commit refuses, and with which errno, is what Linux 6.18 answers to the same messages.
 */
import { KernelError } from '../../kernel/errors.ts'
import type {
  Nftables,
  NftChain,
  NftElement,
  NftFamily,
  NftFilter,
  NftOperation,
  NftRule,
  NftRuleset,
  NftSet,
  NftTable,
} from '../../kernel/nftables.ts'
import type { Device } from '../device/device.ts'
import { type Namespace, notify } from '../namespace.ts'
import { attach, attachToDevice, detach, Machines } from './vm/base-chain.ts'
import type { Chain, Rule, Table } from './vm/ruleset.ts'
import type { NftSetState } from './vm/set.ts'
import { type Tables, Transaction } from './vm/transaction.ts'
import { DROP } from './vm/verdict.ts'
import { RecentLists } from './xt/recent-list.ts'

type ThingName = { readonly family: NftFamily; readonly table: string; readonly name: string }

export class NftTables implements Nftables {
  readonly #namespace: Namespace
  readonly #tables: Tables = new Map()
  readonly #machines: Machines
  /** Of `-m recent`. */
  readonly recent = new RecentLists()
  /** Counts commits that changed something: nft_net->base_seq. */
  generation = 1
  /** The handle of the newest table: nft_net->table_handle. */
  lastTable = 0n

  constructor(namespace: Namespace) {
    this.#namespace = namespace
    this.#machines = new Machines(namespace)
  }

  commit(operations: readonly NftOperation[]): void {
    if (operations.length === 0) return
    const done = this.#try(operations)
    for (const chain of done.newChains) {
      if (!done.goneChains.includes(chain)) attach(chain, this.#namespace, this.#machines)
    }
    for (const rule of done.newRules) this.#track(rule, 'use')
    for (const chain of done.goneChains) detach(chain)
    for (const rule of done.goneRules) this.#track(rule, 'release')
    this.generation++
    for (const { operation } of operations) {
      notify(this.#namespace, 'nftables', /^(?:delete|flush)/.test(operation) ? 'delete' : 'new', undefined)
    }
  }

  list({ family, table, handles = false }: NftFilter = {}): NftRuleset {
    const tables = [...this.#tables.values()].filter(
      (each) => (family === undefined || each.family === family) && (table === undefined || each.name === table),
    )
    const chains = tables.flatMap((each) => [...each.chains.values()])
    const sets = tables.flatMap((each) => [...each.sets.values()])
    const numbered = <T>(thing: T, { handle }: { readonly handle: bigint }) => (handles ? { ...thing, handle } : thing)
    return {
      tables: tables.map((each) => numbered(describeTable(each), each)),
      chains: chains.map((each) => numbered(describeChain(each), each)),
      sets: sets.map((each) => ({ ...numbered(describeSet(each), each), elements: each.list() })),
      rules: chains.flatMap(({ rules }) => rules.map(describeRule)),
    }
  }

  chain(name: Pick<NftChain, 'family' | 'table' | 'name'>): NftChain | undefined {
    const chain = this.#table(name)?.chains.get(name.name)
    return chain && describeChain(chain)
  }

  rules(name: Pick<NftChain, 'family' | 'table' | 'name'>): NftRule[] {
    return this.#table(name)?.chains.get(name.name)?.rules.map(describeRule) ?? []
  }

  elements(name: Pick<NftSet, 'family' | 'table' | 'name'>): NftElement[] {
    const set = this.#set(name)
    if (!set) {
      throw new KernelError('ENOENT', `list elements of set "${name.name}" of table ${name.family} "${name.table}"`)
    }
    return set.list()
  }

  element(name: Pick<NftSet, 'family' | 'table' | 'name'>, key: Uint8Array): NftElement | undefined {
    const set = this.#set(name)
    const element = set?.get(key)
    return set && element && set.describe(element)
  }

  /** A device has come: chains that wait for it are called from it. */
  deviceAdded(device: Device): void {
    for (const chain of this.#chains()) {
      if (chain.devices.includes(device.name)) attachToDevice(chain, device, this.#machines)
    }
  }

  /** It leaves the namespace. */
  deviceRemoved(device: Device): void {
    for (const chain of this.#chains()) detach(chain, device)
  }

  /** It has another name now. */
  deviceRenamed(device: Device): void {
    this.deviceRemoved(device)
    this.deviceAdded(device)
  }

  /** A commit that fails in where rules lead is tried again, slowly, to learn which operation it was. */
  #try(operations: readonly NftOperation[]): Transaction {
    for (const checksAtOnce of [false, true]) {
      const transaction = new Transaction(this.#namespace, this.#tables, checksAtOnce)
      try {
        transaction.run(operations)
        return transaction
      } catch (error) {
        if (checksAtOnce || !transaction.failedLate) throw error
      }
    }
    throw new Error('Cannot happen: the same operations were refused once and done once')
  }

  /** nf_ct_netns_get, nf_ct_netns_put. */
  #track({ compiled }: Rule, change: 'use' | 'release'): void {
    for (const family of compiled.tracks) this.#namespace.conntrack[change](family)
  }

  *#chains(): Generator<Chain> {
    for (const { chains } of this.#tables.values()) yield* chains.values()
  }

  #table({ family, table }: { readonly family: NftFamily; readonly table: string }): Table | undefined {
    return this.#tables.get(`${family} ${table}`)
  }

  #set(name: ThingName): NftSetState | undefined {
    return this.#table(name)?.sets.get(name.name)
  }
}

function describeTable({ family, name, comment }: Table): NftTable {
  return { family, name, ...(comment !== undefined && { comment }) }
}

function describeChain({ table, name, comment, base, policy, policyCounter }: Chain): NftChain {
  const counter = policyCounter && { packets: BigInt(policyCounter.packets), bytes: BigInt(policyCounter.bytes) }
  return {
    family: table.family,
    table: table.name,
    name,
    ...(comment !== undefined && { comment }),
    ...(base && {
      base: {
        type: base.type,
        hook: base.hook,
        priority: base.priority,
        policy: policy === DROP ? 'drop' : 'accept',
        ...(base.device !== undefined && { device: base.device }),
        ...(counter && { counter }),
      },
    }),
  }
}

function describeRule({ chain, comment, compiled, handle }: Rule): NftRule {
  return {
    family: chain.table.family,
    table: chain.table.name,
    chain: chain.name,
    expressions: compiled.expressions(),
    ...(comment !== undefined && { comment }),
    handle,
  }
}

function describeSet({ definition, timeout, size }: NftSetState): NftSet {
  const { family, table, name, comment, keyType, keyLength, data, interval, constant } = definition
  const { anonymous, dynamic } = definition
  return {
    family,
    table,
    name,
    ...(comment !== undefined && { comment }),
    keyType,
    keyLength,
    ...(data && { data: data.type === 'verdict' ? { type: 'verdict' } : { type: data.type, length: data.length } }),
    ...(interval && { interval }),
    ...(constant && { constant }),
    ...(anonymous && { anonymous }),
    ...(dynamic && { dynamic }),
    ...(timeout !== undefined && { timeout }),
    ...(size !== undefined && size !== 0 && { size }),
  }
}
