/** Commands of nft: src/parser_bison.y, base_cmd. Each becomes operations, or a listing. */
import type { NftChain, NftFamily, NftHook, NftOperation, NftSet } from '../../kernel/nftables.ts'
import { type Datatype, findType, readInteger } from './datatype.ts'
import { NftError, NotModelledError } from './error.ts'
import type { Tokens } from './lexer.ts'
import { priorityOf } from './list.ts'
import { parseRule } from './parse-rule.ts'
import { type IndexOf, parseElements, parseTime } from './parse-value.ts'
import type { Element, RuleText } from './syntax.ts'

export type Verb = 'add' | 'create' | 'insert' | 'replace' | 'delete' | 'flush' | 'list' | 'reset'

type Named = { readonly family: NftFamily; readonly table: string; readonly name: string }

export type NftCommand =
  | {
      readonly do: 'list'
      readonly what: string
      readonly family?: NftFamily
      readonly table?: string
      readonly name?: string
    }
  | { readonly do: 'flush ruleset'; readonly family?: NftFamily }
  | { readonly do: 'operation'; readonly operation: NftOperation }
  | { readonly do: 'flush table'; readonly table: { readonly family: NftFamily; readonly name: string } }
  | {
      readonly do: 'rule'
      readonly verb: 'add' | 'insert' | 'replace'
      readonly chain: Named
      readonly rule: RuleText
      readonly handle?: bigint
      readonly index?: number
    }
  | { readonly do: 'delete rule'; readonly chain: Named; readonly handle: bigint }
  | {
      readonly do: 'set'
      readonly isCreate: boolean
      readonly set: NftSet
      readonly types: SetTypes
      readonly elements: readonly Element[]
    }
  | {
      readonly do: 'elements'
      readonly verb: 'add' | 'create' | 'delete'
      readonly set: Named
      readonly tokens: Tokens
    }

export interface SetTypes {
  readonly key: readonly Datatype[]
  readonly data?: readonly Datatype[] | 'verdict'
}

const VERBS: readonly Verb[] = ['add', 'create', 'insert', 'replace', 'delete', 'flush', 'list', 'reset']
const FAMILIES: readonly NftFamily[] = ['ip', 'ip6', 'inet', 'arp', 'bridge', 'netdev']
/** What can be added, besides a rule without the word. */
const OBJECTS = [
  'table',
  'chain',
  'set',
  'map',
  'rule',
  'element',
  'flowtable',
  'counter',
  'quota',
  'limit',
  'ct',
  'synproxy',
]
const HOOKS: readonly NftHook[] = ['prerouting', 'input', 'forward', 'output', 'postrouting', 'ingress', 'egress']

/** All commands of the text; `elements` of sets are read when their set is known. */
export function* parseCommands(tokens: Tokens, indexOf: IndexOf): Generator<NftCommand> {
  for (;;) {
    while (tokens.accept(';')) {
      // Empty commands.
    }
    if (tokens.isEnd()) return
    yield* parseCommand(tokens, indexOf)
    if (!tokens.isEnd() && !tokens.is(';')) throw tokens.unexpected()
  }
}

function* parseCommand(tokens: Tokens, indexOf: IndexOf): Generator<NftCommand> {
  const word = tokens.peek().text
  const verb = VERBS.find((one) => one === word)
  if (verb) tokens.take()
  else if (word !== 'table') {
    if (
      ['monitor', 'describe', 'export', 'import', 'rename', 'destroy', 'define', 'include', 'undefine'].includes(word)
    ) {
      throw new NotModelledError(word)
    }
    throw tokens.unexpected()
  }
  if (verb === 'list') yield parseList(tokens)
  else if (verb === 'reset') throw new NotModelledError('reset')
  else if (verb === 'flush') yield parseFlush(tokens)
  else if (verb === 'delete') yield* parseDelete(tokens)
  else yield* parseAdd(tokens, verb ?? 'add', indexOf)
}

function parseList(tokens: Tokens): NftCommand {
  const what = tokens.word()
  if (what === 'ruleset' || what === 'tables' || what === 'chains' || what === 'sets' || what === 'maps') {
    const family = parseFamily(tokens)
    const table = tokens.accept('table') ? parseTableName(tokens) : undefined
    return { do: 'list', what, ...(family && { family }), ...(table && { family: table.family, table: table.name }) }
  }
  if (what === 'table') {
    const { family, name } = parseTableName(tokens)
    return { do: 'list', what, family, table: name }
  }
  if (what === 'chain' || what === 'set' || what === 'map') {
    const { family, table, name } = parseNamed(tokens)
    return { do: 'list', what, family, table, name }
  }
  throw new NotModelledError(`list ${what}`)
}

function parseFlush(tokens: Tokens): NftCommand {
  const what = tokens.word()
  if (what === 'ruleset') {
    const family = parseFamily(tokens)
    return { do: 'flush ruleset', ...(family && { family }) }
  }
  if (what === 'table') return { do: 'flush table', table: parseTableName(tokens) }
  if (what === 'chain') return { do: 'operation', operation: { operation: 'flush chain', chain: parseNamed(tokens) } }
  if (what === 'set' || what === 'map') {
    return { do: 'operation', operation: { operation: 'flush set', set: parseNamed(tokens) } }
  }
  throw new NotModelledError(`flush ${what}`)
}

function* parseDelete(tokens: Tokens): Generator<NftCommand> {
  const what = tokens.word()
  if (what === 'table') {
    yield { do: 'operation', operation: { operation: 'delete table', table: parseTableName(tokens) } }
  } else if (what === 'chain') {
    yield { do: 'operation', operation: { operation: 'delete chain', chain: parseNamed(tokens) } }
  } else if (what === 'set' || what === 'map') {
    yield { do: 'operation', operation: { operation: 'delete set', set: parseNamed(tokens) } }
  } else if (what === 'rule') {
    const chain = parseNamed(tokens)
    tokens.expect('handle')
    yield { do: 'delete rule', chain, handle: BigInt(tokens.word()) }
  } else if (what === 'element') {
    yield { do: 'elements', verb: 'delete', set: parseNamed(tokens), tokens }
  } else throw new NotModelledError(`delete ${what}`)
}

function* parseAdd(
  tokens: Tokens,
  verb: 'add' | 'create' | 'insert' | 'replace',
  indexOf: IndexOf,
): Generator<NftCommand> {
  const next = tokens.peek().text
  const isNamed = OBJECTS.includes(next)
  const what = isNamed ? tokens.word() : 'rule'
  if (what === 'rule') {
    if (verb === 'create') throw tokens.unexpected()
    yield parseRuleCommand(tokens, verb, indexOf)
    return
  }
  if (verb === 'insert' || verb === 'replace') throw tokens.unexpected()
  const isCreate = verb === 'create'
  if (what === 'table') yield* parseTable(tokens, isCreate, indexOf)
  else if (what === 'chain') {
    const named = parseNamed(tokens)
    yield* parseChain(tokens, named, isCreate, indexOf)
  } else if (what === 'set' || what === 'map') {
    const named = parseNamed(tokens)
    yield parseSet(tokens, named, what, isCreate, indexOf)
  } else if (what === 'element') yield { do: 'elements', verb, set: parseNamed(tokens), tokens }
  else throw new NotModelledError(`${verb} ${what}`)
}

function parseRuleCommand(tokens: Tokens, verb: 'add' | 'insert' | 'replace', indexOf: IndexOf): NftCommand {
  const chain = parseNamed(tokens)
  let handle: bigint | undefined
  let index: number | undefined
  if (tokens.accept('handle') || tokens.accept('position')) handle = BigInt(tokens.word())
  else if (tokens.accept('index')) index = Number(tokens.word())
  if (verb === 'replace' && handle === undefined) throw tokens.unexpected()
  const rule = parseRule(tokens, indexOf)
  return {
    do: 'rule',
    verb,
    chain,
    rule,
    ...(handle !== undefined && { handle }),
    ...(index !== undefined && { index }),
  }
}

function* parseTable(tokens: Tokens, isCreate: boolean, indexOf: IndexOf): Generator<NftCommand> {
  const table = parseTableName(tokens)
  let comment: string | undefined
  const inside: NftCommand[] = []
  if (tokens.accept('{')) {
    for (;;) {
      while (tokens.accept(';')) {
        // Empty lines.
      }
      if (tokens.accept('}')) break
      const what = tokens.word()
      if (what === 'comment') comment = tokens.word()
      else if (what === 'chain') {
        const named = { family: table.family, table: table.name, name: tokens.name() }
        inside.push(...parseChain(tokens, named, false, indexOf))
      } else if (what === 'set' || what === 'map') {
        const named = { family: table.family, table: table.name, name: tokens.name() }
        inside.push(parseSet(tokens, named, what, false, indexOf))
      } else throw new NotModelledError(`${what} in a table`)
    }
  }
  yield {
    do: 'operation',
    operation: {
      operation: isCreate ? 'create table' : 'add table',
      table: { ...table, ...(comment !== undefined && { comment }) },
    },
  }
  // Chains first, so that maps and rules may lead to any of them.
  yield* inside.filter((one) => one.do === 'operation')
  yield* inside.filter((one) => one.do === 'set')
  yield* inside.filter((one) => one.do === 'rule')
}

function* parseChain(tokens: Tokens, chain: Named, isCreate: boolean, indexOf: IndexOf): Generator<NftCommand> {
  let base: NftChain['base']
  let comment: string | undefined
  const rules: NftCommand[] = []
  if (tokens.accept('{')) {
    for (;;) {
      while (tokens.accept(';')) {
        // Empty lines.
      }
      if (tokens.accept('}')) break
      if (tokens.is('type')) base = parseBase(tokens, chain.family)
      else if (tokens.accept('policy')) {
        if (!base) throw tokens.unexpected()
        const policy = tokens.word()
        if (policy !== 'accept' && policy !== 'drop') throw new NftError(`policy ${policy}`)
        base = { ...base, policy }
      } else if (tokens.is('comment') && !tokens.is(';', 1)) {
        tokens.take()
        comment = tokens.word()
      } else rules.push({ do: 'rule', verb: 'add', chain, rule: parseRule(tokens, indexOf) })
    }
  }
  yield {
    do: 'operation',
    operation: {
      operation: isCreate ? 'create chain' : 'add chain',
      chain: { ...chain, ...(base && { base }), ...(comment !== undefined && { comment }) },
    },
  }
  yield* rules
}

function parseBase(tokens: Tokens, family: NftFamily): NonNullable<NftChain['base']> {
  tokens.expect('type')
  const type = tokens.word()
  if (type !== 'filter' && type !== 'nat' && type !== 'route') throw new NftError(`unknown chain type ${type}`)
  tokens.expect('hook')
  const word = tokens.word()
  const hook = HOOKS.find((one) => one === word)
  if (!hook) throw new NftError(`unknown chain hook ${word}`)
  const device = tokens.accept('device') ? tokens.word() : undefined
  tokens.expect('priority')
  const priority = parsePriority(tokens, family, hook)
  return { type, hook, priority, ...(device !== undefined && { device }) }
}

function parsePriority(tokens: Tokens, family: NftFamily, hook: NftHook): number {
  const isNegative = tokens.accept('-')
  const text = tokens.word()
  const number = readInteger(text)
  if (number !== undefined) return isNegative ? -number : number
  const named = priorityOf(family, hook, text)
  if (named === undefined) throw new NftError(`invalid priority expression ${text} in this context.`)
  if (tokens.accept('+')) return named + Number(tokens.word())
  if (tokens.accept('-')) return named - Number(tokens.word())
  return named
}

function parseSet(tokens: Tokens, named: Named, what: 'set' | 'map', isCreate: boolean, indexOf: IndexOf): NftCommand {
  tokens.expect('{')
  let types: SetTypes | undefined
  let elements: Element[] = []
  const more: { -readonly [K in 'interval' | 'constant' | 'dynamic' | 'timeout' | 'size' | 'comment']?: NftSet[K] } = {}
  for (;;) {
    while (tokens.accept(';')) {
      // Empty lines.
    }
    if (tokens.accept('}')) break
    const word = tokens.word()
    if (word === 'type') types = parseTypes(tokens, what)
    else if (word === 'flags') parseSetFlags(tokens, more)
    else if (word === 'timeout') more.timeout = parseTime(tokens.word())
    else if (word === 'size') more.size = Number(tokens.word())
    else if (word === 'comment') more.comment = tokens.word()
    else if (word === 'elements') {
      tokens.expect('=')
      if (!types) throw new NftError('set definition does not specify key')
      elements = parseElements(tokens, types.key, types.data, indexOf)
    } else throw new NotModelledError(`${word} of a set`)
  }
  if (!types) throw new NftError('set definition does not specify key')
  const set: NftSet = { ...named, keyType: 0, keyLength: 0, ...(more as Partial<NftSet>) }
  return { do: 'set', isCreate, set, types, elements }
}

function parseTypes(tokens: Tokens, what: 'set' | 'map'): SetTypes {
  const key = parseTypeList(tokens)
  if (what === 'set') return { key }
  tokens.expect(':')
  if (tokens.accept('verdict')) return { key, data: 'verdict' }
  return { key, data: parseTypeList(tokens) }
}

function parseTypeList(tokens: Tokens): Datatype[] {
  const list: Datatype[] = []
  do {
    const word = tokens.word()
    const type = findType(word)
    if (!type) throw new NftError(`unknown datatype ${word}`)
    list.push(type)
  } while (tokens.accept('.'))
  return list
}

function parseSetFlags(
  tokens: Tokens,
  more: { interval?: boolean; constant?: boolean; dynamic?: boolean; timeout?: number },
): void {
  do {
    const flag = tokens.word()
    if (flag === 'interval') more.interval = true
    else if (flag === 'constant') more.constant = true
    else if (flag === 'dynamic') more.dynamic = true
    else if (flag === 'timeout') more.timeout ??= 0
    else throw new NftError(`unknown set flag ${flag}`)
  } while (tokens.accept(','))
}

function parseFamily(tokens: Tokens): NftFamily | undefined {
  const family = FAMILIES.find((one) => tokens.is(one))
  if (family) tokens.take()
  return family
}

function parseTableName(tokens: Tokens): { readonly family: NftFamily; readonly name: string } {
  const family = parseFamily(tokens) ?? 'ip'
  return { family, name: tokens.name() }
}

function parseNamed(tokens: Tokens): Named {
  const { family, name: table } = parseTableName(tokens)
  return { family, table, name: tokens.name() }
}
