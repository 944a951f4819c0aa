/** A rule as it is typed: src/parser_bison.y, rule and stmt. */
import { type Datatype, fromNumber, toNumber, types } from './datatype.ts'
import { NftError, NotModelledError } from './error.ts'
import type { Tokens } from './lexer.ts'
import {
  type IndexOf,
  isVerdict,
  parseSelector,
  parseSetOperand,
  parseValue,
  parseVerdict,
  parseWord,
} from './parse-value.ts'
import { findProtocol } from './selector.ts'
import {
  type Operand,
  type Operator,
  type RuleText,
  type Selector,
  type Statement,
  typeOf,
  typesOf,
  type Value,
} from './syntax.ts'

const OPERATORS: Readonly<Record<string, Operator>> = {
  '==': '==',
  '!=': '!=',
  '<': '<',
  '<=': '<=',
  '>': '>',
  '>=': '>=',
  eq: '==',
  ne: '!=',
  lt: '<',
  le: '<=',
  gt: '>',
  ge: '>=',
}

/** NF_NAT_RANGE_*. */
const NAT_FLAGS = [
  ['random', 4],
  ['fully-random', 16],
  ['persistent', 8],
] as const

const LOG_LEVELS = ['emerg', 'alert', 'crit', 'err', 'warn', 'notice', 'info', 'debug']
const SECONDS: Readonly<Record<string, bigint>> = {
  second: 1n,
  minute: 60n,
  hour: 3600n,
  day: 86_400n,
  week: 604_800n,
}
const BYTES: Readonly<Record<string, bigint>> = { bytes: 1n, kbytes: 1024n, mbytes: 1_048_576n }

export function parseRule(tokens: Tokens, indexOf: IndexOf): RuleText {
  const statements: Statement[] = []
  while (!tokens.isStop()) {
    if (tokens.accept('comment')) {
      const comment = tokens.word()
      if (!tokens.isStop()) throw tokens.unexpected()
      return { statements, comment }
    }
    statements.push(parseStatement(tokens, indexOf))
  }
  if (statements.length === 0) throw tokens.unexpected()
  return { statements }
}

function parseStatement(tokens: Tokens, indexOf: IndexOf): Statement {
  const { kind, text } = tokens.peek()
  if (kind !== 'word') throw tokens.unexpected()
  if (isVerdict(text)) return { kind: 'verdict', verdict: parseVerdict(tokens) }
  switch (text) {
    case 'counter':
      return parseCounter(tokens)
    case 'limit':
      return parseLimit(tokens)
    case 'log':
      return parseLog(tokens)
    case 'reject':
      return parseReject(tokens)
    case 'snat':
    case 'dnat':
    case 'masquerade':
    case 'redirect':
      return parseNat(tokens, text, indexOf)
    case 'notrack':
      tokens.take()
      return { kind: 'notrack' }
    default:
      return parseMatch(tokens, indexOf)
  }
}

function parseMatch(tokens: Tokens, indexOf: IndexOf): Statement {
  const word = tokens.peek().text
  const left = parseSelector(tokens)
  if (!left) throw new NotModelledError(word)
  if (tokens.accept('set')) return parseMangle(tokens, left, indexOf)
  if (tokens.accept('vmap')) {
    return { kind: 'vmap', key: left, map: parseSetOperand(tokens, typesOf(left), 'verdict', indexOf) }
  }
  if (left.kind !== 'concatenation' && (tokens.accept('&') || tokens.accept('and'))) {
    return parseMasked(tokens, left, indexOf)
  }
  const isNone = tokens.accept('!')
  const told = tokens.peek().kind === 'mark' || isOperatorWord(tokens) ? OPERATORS[tokens.peek().text] : undefined
  if (told) tokens.take()
  const operator = told ?? '=='
  if (tokens.is('{') || tokens.is('@')) {
    return { kind: 'match', left, operator, right: parseSetOperand(tokens, typesOf(left), undefined, indexOf) }
  }
  const right = parseValue(tokens, typesOf(left), indexOf)
  const type = left.kind === 'concatenation' ? undefined : typeOf(left)
  if (type?.isBitmask && right.kind === 'value') {
    if (tokens.accept('/')) {
      const mask = parseValue(tokens, [type], indexOf)
      if (mask.kind !== 'value') throw tokens.unexpected()
      return { kind: 'match', left, operator, right, mask: mask.value }
    }
    // Without an operator it is asked whether any of the bits is set.
    if (told === undefined) return { kind: 'match', left, operator: isNone ? '!=' : '==', right, anyOf: true }
  }
  return { kind: 'match', left, operator, right }
}

function isOperatorWord(tokens: Tokens): boolean {
  return tokens.peek().kind === 'word' && Object.hasOwn(OPERATORS, tokens.peek().text)
}

/** `meta mark & 0xff == 0x10`, `tcp flags & (syn | rst) == syn` */
function parseMasked(tokens: Tokens, of: Selector, indexOf: IndexOf): Statement {
  const type = typeOf(of)
  const mask = parseWord(tokens, type, indexOf)
  const told = OPERATORS[tokens.peek().text]
  if (told) tokens.take()
  const operator = told ?? '=='
  const right = parseValue(tokens, [type], indexOf)
  if (type.isBitmask) return { kind: 'match', left: of, operator, right, mask }
  return { kind: 'match', left: { kind: 'bits', operator: '&', of, value: mask }, operator, right }
}

function parseMangle(tokens: Tokens, left: Selector, indexOf: IndexOf): Statement {
  if (left.kind !== 'meta' && left.kind !== 'ct') throw new NotModelledError('setting a field of a header')
  const value = parseOperand(tokens, typeOf(left), indexOf)
  return left.kind === 'meta' ? { kind: 'set meta', meta: left.meta, value } : { kind: 'set ct', ct: left.ct, value }
}

const BIT_OPERATORS: Readonly<Record<string, '&' | '|' | '^'>> = {
  '&': '&',
  and: '&',
  '|': '|',
  or: '|',
  '^': '^',
  xor: '^',
}

/** A value, or something of the packet, with bits changed, or looked up in a map. */
function parseOperand(tokens: Tokens, type: Datatype, indexOf: IndexOf): Operand {
  const selector = parseSelector(tokens)
  if (!selector) return parseValue(tokens, [type], indexOf)
  if (tokens.accept('map')) {
    return { kind: 'map', key: selector, map: parseSetOperand(tokens, typesOf(selector), type, indexOf), type }
  }
  let operand: Selector = selector
  for (;;) {
    const operator = BIT_OPERATORS[tokens.peek().text]
    if (!operator || tokens.isStop()) return operand
    tokens.take()
    operand = { kind: 'bits', operator, of: operand, value: parseWord(tokens, type, indexOf) }
  }
}

function parseCounter(tokens: Tokens): Statement {
  tokens.expect('counter')
  if (tokens.is('name')) throw new NotModelledError('counter name')
  let [packets, bytes] = [0n, 0n]
  if (tokens.accept('packets')) {
    packets = BigInt(tokens.word())
    tokens.expect('bytes')
    bytes = BigInt(tokens.word())
  }
  return { kind: 'counter', packets, bytes }
}

function parseLimit(tokens: Tokens): Statement {
  tokens.expect('limit')
  tokens.expect('rate')
  const over = tokens.accept('over')
  tokens.accept('until')
  const amount = BigInt(tokens.word())
  // `10/second`, `10 mbytes/second`: the latter is one word.
  const [sizeWord, joined] = tokens.is('/') ? [undefined, undefined] : tokens.word().split('/')
  const size = sizeWord === undefined ? undefined : BYTES[sizeWord]
  if (joined === undefined) tokens.expect('/')
  const unitWord = joined ?? tokens.word()
  const unit = SECONDS[unitWord]
  if (unit === undefined) throw new NotModelledError(`limit rate …/${unitWord}`)
  let burst = size === undefined ? 5 : 0
  if (tokens.accept('burst')) {
    const count = BigInt(tokens.word())
    const word = tokens.word()
    burst = Number(word === 'packets' ? count : count * (BYTES[word] ?? 1n))
  }
  return { kind: 'limit', rate: amount * (size ?? 1n), unit, burst, over, bytes: size !== undefined }
}

function parseLog(tokens: Tokens): Statement {
  tokens.expect('log')
  const log: { -readonly [K in keyof Extract<Statement, { kind: 'log' }>]?: Extract<Statement, { kind: 'log' }>[K] } =
    {}
  for (;;) {
    if (tokens.accept('prefix')) log.prefix = tokens.word()
    else if (tokens.accept('group')) log.group = Number(tokens.word())
    else if (tokens.accept('snaplen')) log.snapLength = Number(tokens.word())
    else if (tokens.accept('queue-threshold')) log.threshold = Number(tokens.word())
    else if (tokens.accept('level')) {
      const word = tokens.word()
      log.level = LOG_LEVELS.indexOf(word)
      if (log.level < 0) throw new NotModelledError(`log level ${word}`)
    } else if (tokens.accept('flags')) log.flags = (log.flags ?? 0) | parseLogFlags(tokens)
    else return { kind: 'log', ...log }
  }
}

/** NF_LOG_*. */
function parseLogFlags(tokens: Tokens): number {
  if (tokens.accept('all')) return 47
  if (tokens.accept('skuid')) return 8
  if (tokens.accept('ether')) return 32
  if (tokens.accept('ip')) {
    tokens.expect('options')
    return 4
  }
  tokens.expect('tcp')
  let flags = 0
  do {
    if (tokens.accept('sequence')) flags |= 1
    else {
      tokens.expect('options')
      flags |= 2
    }
  } while (tokens.accept(','))
  return flags
}

function parseReject(tokens: Tokens): Statement {
  tokens.expect('reject')
  if (!tokens.accept('with')) return { kind: 'reject', reject: 'icmpx', code: 1, isExplicit: false }
  if (tokens.accept('tcp')) {
    tokens.expect('reset')
    return { kind: 'reject', reject: 'tcp reset', code: 0, isExplicit: true }
  }
  const word = tokens.word()
  tokens.accept('type')
  const known: Readonly<Record<string, Datatype>> = {
    icmp: types.icmpCode,
    icmpv6: types.icmpv6Code,
    icmpx: types.icmpxCode,
  }
  const type = known[word]
  if (!type) throw new NotModelledError(`reject with ${word}`)
  const code = toNumber(
    parseWord(tokens, type, () => undefined),
    'network',
  )
  if (word === 'icmpx') return { kind: 'reject', reject: 'icmpx', code, isExplicit: true }
  return { kind: 'reject', reject: 'icmp', code, over: word === 'icmp' ? 'ip' : 'ip6', isExplicit: true }
}

function parseNat(tokens: Tokens, nat: 'snat' | 'dnat' | 'masquerade' | 'redirect', indexOf: IndexOf): Statement {
  tokens.take()
  let family: 'ip' | 'ip6' | undefined
  if (tokens.is('ip') || tokens.is('ip6')) {
    const isFamily = tokens.is('to', 1)
    if (isFamily) family = tokens.word() as 'ip' | 'ip6'
  }
  let address: Operand | undefined
  let ports: Operand | undefined
  if (tokens.accept('to') || (nat !== 'masquerade' && nat !== 'redirect')) {
    if (tokens.is('addr') || tokens.is('prefix') || tokens.is('interval'))
      throw new NotModelledError(`${nat} … to ${tokens.peek().text}`)
    if (!tokens.is(':')) {
      const told = parseNatAddress(tokens, nat, family, indexOf)
      address = told.address
      family ??= told.family
    }
    if (tokens.accept(':')) ports = parseOperand(tokens, types.service, indexOf)
  }
  return {
    kind: 'nat',
    nat,
    ...(family && { family }),
    ...(address && { address }),
    ...(ports && { ports }),
    flags: parseNatFlags(tokens),
  }
}

function parseNatAddress(
  tokens: Tokens,
  nat: string,
  family: 'ip' | 'ip6' | undefined,
  indexOf: IndexOf,
): { readonly address: Operand; readonly family?: 'ip' | 'ip6' } {
  if (nat === 'masquerade' || nat === 'redirect') throw tokens.unexpected()
  if (tokens.accept('[')) {
    const from = parseWord(tokens, types.ipv6, indexOf)
    tokens.expect(']')
    if (!tokens.accept('-')) return { address: { kind: 'value', type: types.ipv6, value: from }, family: 'ip6' }
    tokens.expect('[')
    const to = parseWord(tokens, types.ipv6, indexOf)
    tokens.expect(']')
    return { address: { kind: 'range', type: types.ipv6, from, to }, family: 'ip6' }
  }
  const word = tokens.peek().text
  const isIpv6 = word.includes(':') || family === 'ip6'
  const type = isIpv6 ? types.ipv6 : types.ipv4
  if (findProtocol(word) || word === 'meta' || word === 'ct') {
    return { address: parseOperand(tokens, type, indexOf), ...(family && { family }) }
  }
  return { address: parseValue(tokens, [type], indexOf), family: isIpv6 ? 'ip6' : 'ip' }
}

function parseNatFlags(tokens: Tokens): number {
  let flags = 0
  for (;;) {
    const flag = NAT_FLAGS.find(([word]) => tokens.is(word))
    if (!flag) return flags
    tokens.take()
    flags |= flag[1]
    if (!tokens.accept(',')) return flags
  }
}

/** The bits of a mask of so many leading ones. */
export function prefixMask(length: number, bytes: number): Uint8Array {
  const mask = new Uint8Array(bytes)
  for (let i = 0; i < bytes; i++) mask[i] = 0xff00 >> Math.min(8, Math.max(0, length - 8 * i))
  return mask
}

/** The first and the last value of what is no single value. */
export function boundsOf(value: Exclude<Value, { kind: 'concatenation' | 'any' }>): readonly [Uint8Array, Uint8Array] {
  if (value.kind === 'value') return [value.value, value.value]
  if (value.kind === 'range') return [value.from, value.to]
  const mask = prefixMask(value.length, value.value.length)
  return [value.value.map((byte, i) => byte & mask[i]!), value.value.map((byte, i) => byte | (~mask[i]! & 0xff))]
}

/** The next value, for the end behind a range; undefined behind the last. */
export function successor(value: Uint8Array, { order }: Datatype): Uint8Array | undefined {
  const bytes = order === 'network' ? value.slice() : value.toReversed()
  for (let i = bytes.length - 1; i >= 0; i--) {
    bytes[i] = (bytes[i]! + 1) & 0xff
    if (bytes[i] !== 0) return order === 'network' ? bytes : bytes.reverse()
  }
  return undefined
}

/** A mark or index as nft types it. */
export function hostNumber(number: number): Uint8Array {
  return fromNumber(number, 4, 'host')
}

export function unknownSet(name: string): NftError {
  return new NftError(`No such file or directory; did you mean a set or map other than "${name}"?`)
}
