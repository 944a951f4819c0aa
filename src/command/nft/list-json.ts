/** What is listed, as nft's JSON: of each table the table, its sets, its chains, and the rules of all of them: src/json.c of nftables 1.0.6. */
import type { NftChain, NftFamily, NftRule, NftRuleset, NftTable } from '../../kernel/nftables.ts'
import { withNames, withoutNames } from './datatype.ts'
import { decodeRule } from './decode.ts'
import { decodeElements, type ListedSet } from './decode-set.ts'
import { jsonOfElement, jsonOfStatement } from './format-json.ts'
import { type Json, stringify } from './json.ts'
import { type ListOptions, typesOfSet } from './list.ts'

const METAINFO = { version: '1.0.6', release_name: 'Lester Gooch #5', json_schema_version: 1 } as const

/** Milliseconds in a second. */
const SECOND = 1000

/** One list, as nft prints it. */
export function jsonOf(things: readonly Json[]): string {
  return `${stringify({ nftables: [{ metainfo: METAINFO }, ...things] })}\n`
}

export function jsonOfTable(table: NftTable, ruleset: NftRuleset, options: ListOptions): Json[] {
  const isIn = (thing: { readonly family: NftFamily; readonly table: string }) =>
    thing.family === table.family && thing.table === table.name
  const sets = ruleset.sets.filter(isIn)
  const chains = ruleset.chains.filter(isIn)
  return [
    jsonOfTableAlone(table),
    ...sets.filter(({ anonymous }) => !anonymous).map((set) => jsonOfSet(set, options)),
    ...chains.map(jsonOfChain),
    ...chains.flatMap((chain) => jsonOfRules(chain, ruleset, options)),
  ]
}

export function jsonOfTableAlone({ family, name, handle }: NftTable): Json {
  return { table: { family, name, handle } }
}

export function jsonOfChain({ family, table, name, handle, base }: NftChain): Json {
  if (!base) return { chain: { family, table, name, handle } }
  const { type, hook, priority, policy = 'accept' } = base
  return { chain: { family, table, name, handle, type, hook, prio: priority, policy } }
}

export function jsonOfRules({ family, table, name }: NftChain, ruleset: NftRuleset, options: ListOptions): Json[] {
  const sets = ruleset.sets.filter((set) => set.family === family && set.table === table)
  return ruleset.rules
    .filter((rule) => rule.family === family && rule.table === table && rule.chain === name)
    .map((rule) => jsonOfRule(rule, sets, options))
}

function jsonOfRule(rule: NftRule, sets: readonly ListedSet[], { numeric, stateless, nameOf }: ListOptions): Json {
  const { family, table, chain, handle, comment } = rule
  const statements = decodeRule(rule, sets, (index) => nameOf(index))
  const expr = statements.map((one) => jsonOfStatement(numeric ? withoutNames(one) : one, { stateless, numeric }))
  return { rule: { family, table, chain, handle, comment, expr } }
}

export function jsonOfSet(set: ListedSet, { terse, numeric, nameOf }: ListOptions): Json {
  const { family, name, table, handle, comment, data, size, constant, interval, dynamic, timeout, keyType, keyLength } =
    set
  const keys = typesOfSet(keyType, keyLength).map((type) => withNames(type, (index) => nameOf(index)))
  const dataTypes = data && data.type !== 'verdict' ? typesOfSet(data.type, data.length) : undefined
  const elements = decodeElements(set, keys, dataTypes)
  const flags = [
    ...(constant ? ['constant'] : []),
    ...(interval ? ['interval'] : []),
    ...(timeout === undefined ? [] : ['timeout']),
    ...(dynamic ? ['dynamic'] : []),
  ]
  const told = {
    family,
    name,
    table,
    type: oneOrAll(keys.map((type) => type.name)),
    handle,
    comment,
    ...(data && { map: dataTypes ? oneOrAll(dataTypes.map((type) => type.name)) : 'verdict' }),
    ...(!constant && { size }),
    ...(flags.length > 0 && { flags }),
    ...(timeout && { timeout: Math.floor(timeout / SECOND) }),
    ...(elements.length > 0 &&
      !terse && { elem: elements.map((element) => jsonOfElement(numeric ? withoutNames(element) : element)) }),
  }
  return data ? { map: told } : { set: told }
}

const oneOrAll = (names: readonly string[]): Json => (names.length === 1 ? names[0]! : names)
