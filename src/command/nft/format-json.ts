/** A rule as nft's JSON says it: libnftables-json(5); nftables 1.0.6, src/json.c. */
import type { NftVerdict } from '../../kernel/nftables.ts'
import { type Datatype, toNumber, types } from './datatype.ts'
import { LOG_LEVELS, NAT_FLAGS, RAW_BASES, UNITS } from './format.ts'
import type { Json } from './json.ts'
import type { Element, Operand, Selector, SetOperand, Statement, Value } from './syntax.ts'

const WARNING = 4
const ALL_LOG_FLAGS = 47

/** `stateless`: without what counters counted. `numeric`: codes as numbers. */
export function jsonOfStatement(statement: Statement, { stateless = false, numeric = false } = {}): Json {
  switch (statement.kind) {
    case 'match':
      return { match: matchOf(statement) }
    case 'vmap':
      return { vmap: { key: jsonOfSelector(statement.key), data: setOf(statement.map) } }
    case 'verdict':
      return jsonOfVerdict(statement.verdict)
    case 'counter': {
      const { packets, bytes } = statement
      return { counter: stateless ? null : { packets, bytes } }
    }
    case 'limit':
      return { limit: limitOf(statement) }
    case 'log':
      return { log: logOf(statement) }
    case 'reject':
      return { reject: rejectOf(statement, numeric) }
    case 'nat':
      return { [statement.nat]: natOf(statement) }
    case 'set meta':
      return { mangle: { key: { meta: { key: statement.meta.word } }, value: operandOf(statement.value) } }
    case 'set ct':
      return { mangle: { key: { ct: { key: statement.ct.word } }, value: operandOf(statement.value) } }
    case 'notrack':
      return { notrack: null }
    case 'xt':
      return { xt: { type: statement.extension, name: statement.name } }
  }
}

function matchOf({ left, operator, right, mask, anyOf }: Extract<Statement, { kind: 'match' }>): Json {
  const told = jsonOfSelector(left)
  if (right.kind === 'reference' || right.kind === 'set') return { op: operator, left: told, right: setOf(right) }
  if (mask && right.kind === 'value') {
    return { op: operator, left: { '&': [told, jsonOfBytes(right.type, mask)] }, right: jsonOfValue(right) }
  }
  return { op: anyOf && operator === '==' ? 'in' : operator, left: told, right: jsonOfValue(right) }
}

export function jsonOfSelector(selector: Selector): Json {
  switch (selector.kind) {
    case 'meta':
      return { meta: { key: selector.meta.word } }
    case 'ct':
      return { ct: { key: selector.ct.word, ...(selector.direction && { dir: selector.direction }) } }
    case 'payload':
      return { payload: { protocol: selector.protocol.name, field: selector.field.word } }
    case 'raw':
      return { payload: { base: RAW_BASES[selector.base], offset: selector.offset, len: selector.length } }
    case 'fib':
      return { fib: { result: selector.result, flags: selector.flags } }
    case 'concatenation':
      return { concat: selector.parts.map(jsonOfSelector) }
    case 'bits':
      return { [selector.operator]: [jsonOfSelector(selector.of), jsonOfBits(selector)] }
    case 'map':
      return { map: { key: jsonOfSelector(selector.key), data: setOf(selector.map) } }
  }
}

function jsonOfBits({ of, value }: Extract<Selector, { kind: 'bits' }>): Json {
  const inner = innermost(of)
  if (inner.kind === 'meta') return jsonOfBytes(inner.meta.type, value)
  if (inner.kind === 'ct') return jsonOfBytes(inner.ct.type, value)
  if (inner.kind === 'payload') return jsonOfBytes(inner.field.type, value)
  return value.reduce((number, byte) => number * 256 + byte, 0)
}

const innermost = (selector: Selector): Selector => (selector.kind === 'bits' ? innermost(selector.of) : selector)

export function jsonOfValue(value: Value): Json {
  switch (value.kind) {
    case 'value':
      return jsonOfBytes(value.type, value.value)
    case 'prefix':
      return { prefix: { addr: jsonOfBytes(value.type, value.value), len: value.length } }
    case 'range':
      return { range: [jsonOfBytes(value.type, value.from), jsonOfBytes(value.type, value.to)] }
    case 'concatenation':
      return { concat: value.parts.map(jsonOfValue) }
    case 'any':
      return '*'
  }
}

/** As nft's words say it: numbers as numbers, names as text, bits as a list of their names. */
function jsonOfBytes(type: Datatype, value: Uint8Array): Json {
  const text = type.format(value)
  if (type.name === 'boolean') return value.some((byte) => byte !== 0)
  if (text.startsWith('"')) return text.slice(1, -1)
  if (type.name === 'iface_index') return text
  // A number that is no name's is told as the machine reads it, not as the network does.
  if (type.name === 'ether_type') return /^0x/.test(text) ? toNumber(value, 'host') : text
  const names = text.split(',').map((word) => (isNumber(word) ? Number(word) : word))
  return type.isBitmask && names.length > 1 ? names : isNumber(text) ? Number(text) : text
}

const isNumber = (text: string) => /^(0x[0-9a-f]+|[0-9]+)$/.test(text)

function operandOf(operand: Operand): Json {
  switch (operand.kind) {
    case 'value':
    case 'prefix':
    case 'range':
    case 'any':
      return jsonOfValue(operand)
    case 'concatenation':
      return { concat: operand.parts.map((part) => operandOf(part as Operand)) }
    default:
      return jsonOfSelector(operand)
  }
}

function setOf(set: SetOperand): Json {
  return set.kind === 'reference' ? `@${set.name}` : { set: set.elements.map(jsonOfElement) }
}

/** Milliseconds in a second. */
const SECOND = 1000

export function jsonOfElement({ key, data, comment, timeout }: Element): Json {
  const val = jsonOfValue(key)
  const life = timeout === undefined ? undefined : Math.floor(timeout / SECOND)
  const told: Json = comment === undefined && life === undefined ? val : { elem: { val, timeout: life, comment } }
  if (data === undefined) return told
  return [told, 'verdict' in data ? jsonOfVerdict(data) : jsonOfValue(data)]
}

function jsonOfVerdict(verdict: NftVerdict): Json {
  if (verdict.verdict === 'other') return { [`unknown verdict value ${verdict.code}`]: null }
  return { [verdict.verdict]: 'chain' in verdict ? { target: verdict.chain } : null }
}

function limitOf({ rate, unit, burst, over, bytes }: Extract<Statement, { kind: 'limit' }>): Json {
  const inv = over ? { inv: true } : {}
  const per = UNITS[`${unit}`] ?? 'error'
  if (!bytes) return { rate, burst, per, ...inv }
  const [told, rateUnit] = scaled(rate)
  const [most, burstUnit] = scaled(BigInt(burst))
  return { rate: told, burst: most, per, ...inv, rate_unit: rateUnit, burst_unit: burstUnit }
}

function scaled(bytes: bigint): [bigint, string] {
  const units = ['bytes', 'kbytes', 'mbytes']
  let [count, unit] = [bytes, 0]
  while (unit < 2 && count !== 0n && count % 1024n === 0n) [count, unit] = [count / 1024n, unit + 1]
  return [count, units[unit]!]
}

function logOf({
  prefix,
  level = WARNING,
  flags = 0,
  group,
  snapLength,
  threshold,
}: Extract<Statement, { kind: 'log' }>): Json {
  const names = [
    ...(flags & 1 ? ['tcp sequence'] : []),
    ...(flags & 2 ? ['tcp options'] : []),
    ...(flags & 4 ? ['ip options'] : []),
    ...(flags & 8 ? ['skuid'] : []),
    ...(flags & 32 ? ['ether'] : []),
  ]
  const told = {
    prefix,
    group,
    snaplen: snapLength,
    'queue-threshold': threshold,
    ...(level !== WARNING && { level: LOG_LEVELS[level]! }),
    ...(flags !== 0 && { flags: flags === ALL_LOG_FLAGS ? 'all' : oneOrAll(names) }),
  }
  return orNothing(told)
}

function rejectOf({ reject, code, over }: Extract<Statement, { kind: 'reject' }>, numeric: boolean): Json {
  if (reject === 'tcp reset') return { type: reject }
  const named = (type: Datatype) => (numeric ? code : jsonOfBytes(type, Uint8Array.of(code)))
  if (reject === 'icmpx') return { type: reject, expr: named(types.icmpxCode) }
  return over === 'ip6'
    ? { type: 'icmpv6', expr: named(types.icmpv6Code) }
    : { type: 'icmp', expr: named(types.icmpCode) }
}

function natOf({ family, address, ports, flags }: Extract<Statement, { kind: 'nat' }>): Json {
  const words = NAT_FLAGS.filter(([bit]) => flags & bit).map(([, word]) => word)
  return orNothing({
    family: address && family,
    addr: address && operandOf(address),
    port: ports && operandOf(ports),
    ...(words.length > 0 && { flags: oneOrAll(words) }),
  })
}

const oneOrAll = (words: readonly string[]): Json => (words.length === 1 ? words[0]! : words)

/** Null where there is nothing in it. */
function orNothing(json: { readonly [key: string]: Json | undefined }): Json {
  return Object.values(json).some((value) => value !== undefined) ? json : null
}
