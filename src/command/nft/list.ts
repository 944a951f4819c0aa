/** Tables, chains and sets as nft lists them: nftables 1.0.6, src/rule.c. */
import type { NftChain, NftFamily, NftRule, NftRuleset, NftSet, NftTable } from '../../kernel/nftables.ts'
import { type Datatype, typeOfNumber, withNames, withoutNames } from './datatype.ts'
import { decodeRule } from './decode.ts'
import { decodeElements, type ListedSet } from './decode-set.ts'
import { formatElement, formatStatement } from './format.ts'
import { formatTime } from './parse-value.ts'

/** What of a listing is asked for. */
export interface ListOptions {
  /** -j. */
  readonly json: boolean
  /** -a: with the rules' handles. */
  readonly handles: boolean
  /** -s: without what is counted. */
  readonly stateless: boolean
  /** -t: sets without their elements. */
  readonly terse: boolean
  /** -n: numbers in place of names. */
  readonly numeric: boolean
  /** A link's name, by its index. */
  nameOf(index: number): string | undefined
}

type Base = NonNullable<NftChain['base']>

/** NF_IP_PRI_*, and where the bridge's differ. Each name is for a place that is near it, too. */
const PRIORITIES: readonly (readonly [name: string, priority: number])[] = [
  ['raw', -300],
  ['mangle', -150],
  ['dstnat', -100],
  ['filter', 0],
  ['security', 50],
  ['srcnat', 100],
]
const BRIDGE_PRIORITIES: readonly (readonly [name: string, priority: number])[] = [
  ['dstnat', -300],
  ['filter', -200],
  ['out', 100],
  ['srcnat', 300],
]
const REACH = 10

/** How many elements of a set stand in a line, by the key's type; one of those that are not here. */
const PER_LINE: Readonly<Record<string, number>> = {
  nf_proto: 5,
  integer: 5,
  inet_proto: 5,
  inet_service: 5,
  tcp_flag: 5,
  mark: 5,
  iface_index: 5,
  uid: 5,
  gid: 5,
  ct_dir: 5,
  ipv4_addr: 2,
  ct_state: 2,
  ct_status: 2,
  pkt_type: 2,
}

export function listTable(table: NftTable, ruleset: NftRuleset, options: ListOptions): string {
  const isIn = (thing: { readonly family: NftFamily; readonly table: string }) =>
    thing.family === table.family && thing.table === table.name
  const sets = ruleset.sets.filter(isIn)
  const parts = [
    ...sets.filter(({ anonymous }) => !anonymous).map((set) => listSet(set, options)),
    ...ruleset.chains.filter(isIn).map((chain) => listChain(chain, ruleset, options)),
  ]
  const comment = table.comment === undefined ? '' : `\tcomment "${table.comment}"\n`
  return `table ${table.family} ${table.name} {\n${comment}${parts.join('\n')}}\n`
}

export function listChain(chain: NftChain, ruleset: NftRuleset, options: ListOptions): string {
  const { family, table, name, base, comment } = chain
  const sets = ruleset.sets.filter((set) => set.family === family && set.table === table)
  const rules = ruleset.rules.filter((rule) => rule.family === family && rule.table === table && rule.chain === name)
  return (
    `\tchain ${name} {\n` +
    (comment === undefined ? '' : `\t\tcomment "${comment}"\n`) +
    (base ? `\t\t${formatBase(family, base, options)}\n` : '') +
    rules.map((rule) => `\t\t${listRule(rule, sets, options)}\n`).join('') +
    '\t}\n'
  )
}

export function formatBase(family: NftFamily, base: Base, { numeric }: ListOptions): string {
  const { type, hook, priority, policy, device } = base
  const on = device === undefined ? '' : ` device "${device}"`
  return `type ${type} hook ${hook}${on} priority ${numeric ? priority : formatPriority(family, hook, priority)}; policy ${policy ?? 'accept'};`
}

function formatPriority(family: NftFamily, hook: Base['hook'], priority: number): string {
  const near = (family === 'bridge' ? BRIDGE_PRIORITIES : PRIORITIES).find(
    ([, known]) => Math.abs(priority - known) <= REACH,
  )
  if (!near || !isNamed(family, hook, near)) return `${priority}`
  const offset = priority - near[1]
  return offset === 0 ? near[0] : `${near[0]} ${offset > 0 ? '+' : '-'} ${Math.abs(offset)}`
}

/** std_prio_family_hook_compat(): not every name is for every hook. */
function isNamed(family: NftFamily, hook: Base['hook'], [name]: readonly [string, number]): boolean {
  if (family === 'bridge') {
    if (name === 'filter') return true
    if (name === 'dstnat') return hook === 'prerouting'
    if (name === 'out') return hook === 'output'
    return hook === 'postrouting'
  }
  if (family === 'arp' || family === 'netdev') return name === 'filter'
  if (name === 'dstnat') return hook === 'prerouting' || hook === 'output'
  if (name === 'srcnat') return hook === 'postrouting' || hook === 'input'
  return true
}

/** The name of a priority, as `hook` takes it; with an offset behind it. */
export function priorityOf(family: NftFamily, hook: Base['hook'], name: string): number | undefined {
  const known = (family === 'bridge' ? BRIDGE_PRIORITIES : PRIORITIES).find(([own]) => own === name)
  return known && isNamed(family, hook, known) ? known[1] : undefined
}

export function listRule(rule: NftRule, sets: readonly ListedSet[], options: ListOptions): string {
  const { handles, stateless, numeric } = options
  const statements = decodeRule(rule, sets, (index) => options.nameOf(index)).map((statement) =>
    formatStatement(numeric ? withoutNames(statement) : statement, { stateless, numeric }),
  )
  const comment = rule.comment === undefined ? '' : ` comment "${rule.comment}"`
  return `${statements.join(' ')}${comment}${handles ? ` # handle ${rule.handle}` : ''}`
}

export function listSet(set: ListedSet, options: ListOptions): string {
  const { terse, numeric } = options
  const { name, comment, timeout, size, constant } = set
  const keys = typesOfSet(set.keyType, set.keyLength).map((type) => withNames(type, (index) => options.nameOf(index)))
  const flags = flagsOf(set)
  const lines = [
    `type ${keys.map((type) => type.name).join(' . ')}${formatData(set)}`,
    ...(size !== undefined && !constant ? [`size ${size}`] : []),
    ...(flags.length > 0 ? [`flags ${flags.join(',')}`] : []),
    ...(timeout ? [`timeout ${numeric ? `${Math.floor(timeout / 1000)}s` : formatTime(timeout)}`] : []),
    ...(comment === undefined ? [] : [`comment "${comment}"`]),
    ...(set.elements.length > 0 && !terse ? [`elements = { ${formatElements(set, keys, numeric)} }`] : []),
  ]
  return `\t${set.data ? 'map' : 'set'} ${name} {\n${lines.map((line) => `\t\t${line}\n`).join('')}\t}\n`
}

function flagsOf({ constant, dynamic, interval, timeout }: NftSet): string[] {
  return [
    ...(constant ? ['constant'] : []),
    ...(dynamic ? ['dynamic'] : []),
    ...(interval ? ['interval'] : []),
    // A time that all have says it already, but for the place that it keeps in the list.
    ...(timeout !== undefined && (timeout === 0 || constant || dynamic || interval) ? ['timeout'] : []),
  ]
}

function formatData({ data }: NftSet): string {
  if (!data) return ''
  if (data.type === 'verdict') return ' : verdict'
  return ` : ${typesOfSet(data.type, data.length)
    .map((type) => type.name)
    .join(' . ')}`
}

function formatElements(set: ListedSet, keys: readonly Datatype[], numeric: boolean): string {
  const data = set.data && set.data.type !== 'verdict' ? typesOfSet(set.data.type, set.data.length) : undefined
  const elements = decodeElements(set, keys, data)
  const texts = elements.map((element) => formatElement(numeric ? withoutNames(element) : element))
  const perLine = keys.length === 1 ? (PER_LINE[keys[0]!.name] ?? 1) : 1
  const lines: string[] = []
  for (let i = 0; i < texts.length; i += perLine) lines.push(texts.slice(i, i + perLine).join(', '))
  return lines.join(',\n\t\t\t     ')
}

/** The types of a concatenation's parts: six bits each. */
export function typesOfSet(number: number, length: number): Datatype[] {
  const numbers: number[] = []
  for (let rest = number; rest > 0; rest >>>= 6) numbers.unshift(rest & 0x3f)
  return numbers.map((one) => typeOfNumber(one, numbers.length === 1 ? length : 4))
}
