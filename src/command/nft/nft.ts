/**
 * `nft`, as nftables 1.0.6 reads and shows it.
 *
 *   lexer ── command ── parse-rule ── parse-value      what was typed, in the words of syntax.ts
 *                           │
 *              encode ── decode      rules and the kernel's expressions     selector, datatype   what both know
 *                           │
 *   list ── format ── xlate          what is shown; iptables' extensions in nft's words
 *
 * Where in the line an error is nft shows below it, this does not.
 */
import { KernelError } from '../../kernel/errors.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import type { NftFamily, NftOperation, NftRuleset } from '../../kernel/nftables.ts'
import { type Command, type Context, fail, notModelled, type Outcome } from '../command.ts'
import { type NftCommand, parseCommands, type SetTypes } from './command.ts'
import { encodeRule } from './encode.ts'
import { declareSet, encodeElements } from './encode-set.ts'
import { NftError, NotModelledError } from './error.ts'
import type { Json } from './json.ts'
import { textOfJson } from './json-text.ts'
import { Tokens } from './lexer.ts'
import { type ListOptions, listChain, listSet, listTable, typesOfSet } from './list.ts'
import { jsonOf, jsonOfChain, jsonOfRules, jsonOfSet, jsonOfTable, jsonOfTableAlone } from './list-json.ts'
import { type IndexOf, parseElements } from './parse-value.ts'

const VERSION = 'nftables v1.0.6 (Lester Gooch #5)'

/** strerror(3) of what nf_tables refuses with. */
const ERRORS: Readonly<Record<string, string>> = {
  EPERM: 'Operation not permitted',
  ENOENT: 'No such file or directory',
  EBUSY: 'Device or resource busy',
  EEXIST: 'File exists',
  EINVAL: 'Invalid argument',
  ENOMEM: 'Cannot allocate memory',
  EOPNOTSUPP: 'Operation not supported',
  ELOOP: 'Too many levels of symbolic links',
  EMLINK: 'Too many links',
}

export const nft: Command = ([, ...words], context) => {
  const nameOf = (index: number) => context.kernel.links.list().find((link) => link.index === index)?.name
  const options = { handles: false, json: false, stateless: false, terse: false, numeric: false, nameOf }
  let at = 0
  for (; words[at]?.startsWith('-'); at++) {
    const word = words[at]!
    if (word === '-v' || word === '--version') return { status: 0, stdout: `${VERSION}\n`, stderr: '' }
    if (word === '-f' || word === '--file') {
      if (words[at + 1] !== '-') return notModelled('nft', `-f ${words[at + 1] ?? ''}`, 2)
      return run(context.readStdin?.() ?? '', context, options)
    }
    for (const letter of word.startsWith('--') ? [word] : word.slice(1)) {
      if (letter === 'a' || letter === '--handle') options.handles = true
      else if (letter === 'j' || letter === '--json') options.json = true
      else if (letter === 's' || letter === '--stateless') options.stateless = true
      else if (letter === 't' || letter === '--terse') options.terse = true
      else if (letter === 'n' || letter === '--numeric') options.numeric = true
      else return notModelled('nft', word, 2)
    }
  }
  return run(words.slice(at).join(' '), context, options)
}

function run(text: string, { kernel }: Context, options: ListOptions): Outcome {
  try {
    const session = new Session(kernel, options)
    const isJson = options.json && text.trimStart().startsWith('{')
    const tokens = new Tokens(isJson ? textOfJson(text) : text, { anyName: isJson })
    for (const command of parseCommands(tokens, session.indexOf)) session.add(command)
    return session.finish()
  } catch (error) {
    if (error instanceof NotModelledError) return notModelled('nft', error.message, 2)
    if (error instanceof NftError) return fail(1, `Error: ${error.message}`)
    if (!(error instanceof KernelError)) throw error
    // The model names what it does not have; Linux has no more to say.
    if (error.errno === 'EOPNOTSUPP' && error.explanation) return notModelled('nft', error.explanation, 2)
    return fail(1, `Error: Could not process rule: ${ERRORS[error.errno] ?? error.errno}`)
  }
}

type Named = { readonly family: NftFamily; readonly table: string; readonly name: string }

/** The commands of one call: all of their changes are one commit. */
class Session {
  readonly #kernel: Kernel
  readonly #options: ListOptions
  readonly #operations: NftOperation[] = []
  readonly #lists: Extract<NftCommand, { do: 'list' }>[] = []
  #ruleset: NftRuleset | undefined
  /** Sets that this call makes. */
  readonly #made = new Map<string, SetTypes & { readonly interval: boolean }>()
  #nextSet: number | undefined

  constructor(kernel: Kernel, options: ListOptions) {
    this.#kernel = kernel
    this.#options = options
  }

  readonly indexOf: IndexOf = (link) => this.#kernel.links.get(link)?.index

  get #current(): NftRuleset {
    this.#ruleset ??= this.#kernel.nftables.list()
    return this.#ruleset
  }

  add(command: NftCommand): void {
    switch (command.do) {
      case 'list':
        this.#lists.push(command)
        return
      case 'operation':
        this.#operations.push(command.operation)
        return
      case 'flush ruleset':
        for (const { family, name } of this.#current.tables) {
          if (command.family && command.family !== family) continue
          this.#operations.push({ operation: 'delete table', table: { family, name } })
        }
        return
      case 'flush table':
        this.#flushTable(command.table)
        return
      case 'rule':
        this.#addRule(command)
        return
      case 'delete rule': {
        const { family, table, name } = command.chain
        this.#operations.push({
          operation: 'delete rule',
          rule: { family, table, chain: name, handle: command.handle },
        })
        return
      }
      case 'set':
        this.#addSet(command)
        return
      case 'elements':
        this.#elements(command)
    }
  }

  finish(): Outcome {
    this.#kernel.nftables.commit(this.#operations)
    const { json } = this.#options
    const ruleset = this.#lists.length > 0 ? this.#kernel.nftables.list({ handles: json }) : undefined
    let [stdout, stderr] = ['', '']
    for (const list of this.#lists) {
      stdout += json ? jsonOf(listThings(ruleset!, list, this.#options)) : showList(ruleset!, list, this.#options)
      if (!json) stderr += warnings(ruleset!, list)
    }
    return { status: 0, stdout, stderr }
  }

  #flushTable({ family, name: table }: { readonly family: NftFamily; readonly name: string }): void {
    if (!this.#current.tables.some((one) => one.family === family && one.name === table)) {
      throw new NftError('Could not process rule: No such file or directory')
    }
    for (const chain of this.#current.chains) {
      if (chain.family !== family || chain.table !== table) continue
      this.#operations.push({ operation: 'flush chain', chain: { family, table, name: chain.name } })
    }
  }

  #addRule({ verb, chain, rule, handle, index }: Extract<NftCommand, { do: 'rule' }>): void {
    const { family, table, name } = chain
    const { sets, expressions } = encodeRule(rule, { family, table, nameSet: () => this.#nameSet() })
    const made = {
      family,
      table,
      chain: name,
      expressions,
      ...(rule.comment !== undefined && { comment: rule.comment }),
    }
    const at = handle ?? (index === undefined ? undefined : this.#handleAt(chain, index))
    this.#operations.push(...sets)
    const where = at === undefined ? {} : { at }
    this.#operations.push({ operation: verb === 'insert' ? 'insert rule' : 'add rule', rule: made, ...where })
    if (verb === 'replace') {
      this.#operations.push({ operation: 'delete rule', rule: { family, table, chain: name, handle: handle! } })
    }
  }

  #handleAt({ family, table, name }: Named, index: number): bigint {
    const rules = this.#current.rules.filter(
      (one) => one.family === family && one.table === table && one.chain === name,
    )
    const rule = rules[index]
    if (!rule) throw new NftError('Could not process rule: No such file or directory')
    return rule.handle!
  }

  /** A name that no set has: the kernel would choose the lowest of its table. */
  #nameSet(): string {
    this.#nextSet ??= this.#current.sets.reduce((next, { name }) => {
      const number = /^__(?:set|map)(\d+)$/.exec(name)?.[1]
      return number === undefined ? next : Math.max(next, Number(number) + 1)
    }, 0)
    return `__set${this.#nextSet++}`
  }

  #addSet({ isCreate, set, types, elements }: Extract<NftCommand, { do: 'set' }>): void {
    const whole = { ...set, ...declareSet(types.key, types.data) }
    const { family, table, name } = whole
    this.#made.set(keyOf(whole), { ...types, interval: whole.interval === true })
    this.#operations.push({ operation: isCreate ? 'create set' : 'add set', set: whole })
    if (elements.length === 0) return
    this.#operations.push({
      operation: 'add elements',
      set: { family, table, name },
      elements: encodeElements(whole, elements),
    })
  }

  #elements({ verb, set, tokens }: Extract<NftCommand, { do: 'elements' }>): void {
    const types = this.#made.get(keyOf(set)) ?? this.#listedTypes(set)
    const data = verb === 'delete' && !hasData(tokens) ? undefined : types.data
    const elements = encodeElements({ interval: types.interval }, parseElements(tokens, types.key, data, this.indexOf))
    this.#operations.push({ operation: `${verb} elements`, set, elements })
  }

  #listedTypes(named: Named): SetTypes & { readonly interval: boolean } {
    const set = this.#current.sets.find((one) => keyOf(one) === keyOf(named))
    if (!set) throw new NftError('Could not process rule: No such file or directory')
    const { keyType, keyLength, data, interval } = set
    const of = { key: typesOfSet(keyType, keyLength), interval: interval === true }
    if (!data) return of
    return { ...of, data: data.type === 'verdict' ? 'verdict' : typesOfSet(data.type, data.length) }
  }
}

function keyOf({ family, table, name }: Named): string {
  return `${family} ${table} ${name}`
}

/** Whether the elements to be deleted are told with what they lead to. */
function hasData(tokens: Tokens): boolean {
  for (let i = 0; tokens.peek(i).kind !== 'end' && !tokens.is('}', i); i++) if (tokens.is(':', i)) return true
  return false
}

function showList(ruleset: NftRuleset, list: Extract<NftCommand, { do: 'list' }>, options: ListOptions): string {
  const { what, family, table, name } = list
  const isMeant = (one: { readonly family: NftFamily }) => family === undefined || one.family === family
  const isIn = (one: { readonly family: NftFamily; readonly table: string }) =>
    isMeant(one) && (table === undefined || one.table === table)
  const tables = ruleset.tables.filter((one) => isMeant(one) && (table === undefined || one.name === table))
  if (table !== undefined && tables.length === 0) throw new NftError('No such file or directory')
  if (what === 'tables') return tables.map((one) => `table ${one.family} ${one.name}\n`).join('')
  if (what === 'ruleset' || what === 'table') return tables.map((one) => listTable(one, ruleset, options)).join('')
  const inTables = (text: (one: (typeof tables)[number]) => string) =>
    tables.map((one) => `table ${one.family} ${one.name} {\n${text(one)}}\n`).join('')
  if (what === 'chain') {
    const chain = ruleset.chains.find((one) => isIn(one) && one.name === name)
    if (!chain) throw new NftError('No such file or directory')
    return inTables(() => listChain(chain, ruleset, options))
  }
  if (what === 'set' || what === 'map') {
    const set = ruleset.sets.find(
      (one) => isIn(one) && one.name === name && (what === 'map') === (one.data !== undefined),
    )
    if (!set) throw new NftError('No such file or directory')
    return inTables(() => listSet(set, options))
  }
  if (what === 'chains') {
    return inTables(({ family: own, name: owner }) =>
      ruleset.chains
        .filter((one) => one.family === own && one.table === owner)
        .map((one) => listChain(one, { ...ruleset, rules: [] }, options))
        .join(''),
    )
  }
  return inTables(({ family: own, name: owner }) =>
    ruleset.sets
      .filter((one) => one.family === own && one.table === owner && !one.anonymous)
      .filter((one) => (what === 'maps') === (one.data !== undefined))
      .map((one) => listSet(one, options))
      .join(''),
  )
}

/** The same as JSON: what is in no table of its own stands by itself. */
function listThings(ruleset: NftRuleset, list: Extract<NftCommand, { do: 'list' }>, options: ListOptions): Json[] {
  const { what, family, table, name } = list
  const isMeant = (one: { readonly family: NftFamily }) => family === undefined || one.family === family
  const isIn = (one: { readonly family: NftFamily; readonly table: string }) =>
    isMeant(one) && (table === undefined || one.table === table)
  const tables = ruleset.tables.filter((one) => isMeant(one) && (table === undefined || one.name === table))
  if (table !== undefined && tables.length === 0) throw new NftError('No such file or directory')
  if (what === 'tables') return tables.map(jsonOfTableAlone)
  if (what === 'ruleset' || what === 'table') return tables.flatMap((one) => jsonOfTable(one, ruleset, options))
  const chains = ruleset.chains.filter(isIn)
  if (what === 'chains') return chains.map(jsonOfChain)
  if (what === 'chain') {
    const chain = chains.find((one) => one.name === name)
    if (!chain) throw new NftError('No such file or directory')
    return [jsonOfChain(chain), ...jsonOfRules(chain, ruleset, options)]
  }
  const isMap = what === 'map' || what === 'maps'
  const sets = ruleset.sets.filter((one) => isIn(one) && !one.anonymous && isMap === (one.data !== undefined))
  if (what === 'maps' || what === 'sets') return sets.map((set) => jsonOfSet(set, options))
  const set = sets.find((one) => one.name === name)
  if (!set) throw new NftError('No such file or directory')
  return [jsonOfSet(set, options)]
}

/** nft warns of tables that iptables keeps. */
function warnings(ruleset: NftRuleset, { what, family, table }: Extract<NftCommand, { do: 'list' }>): string {
  if (what === 'tables') return ''
  return ruleset.tables
    .filter((one) => (family === undefined || one.family === family) && (table === undefined || one.name === table))
    .filter((one) =>
      ruleset.rules.some(
        (rule) =>
          rule.family === one.family &&
          rule.table === one.name &&
          rule.expressions.some(({ type }) => type === 'xt match' || type === 'xt target'),
      ),
    )
    .map((one) => `# Warning: table ${one.family} ${one.name} is managed by iptables-nft, do not touch!\n`)
    .join('')
}
