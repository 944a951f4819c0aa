/** Values, sets and selectors as they are typed: src/parser_bison.y, rhs_expr, set_expr, primary_expr. */
import type { NftVerdict } from '../../kernel/nftables.ts'
import { type Datatype, fromNumber, readInteger, toNumber } from './datatype.ts'
import { NftError, NotModelledError } from './error.ts'
import type { Tokens } from './lexer.ts'
import { CT_KEYS, findProtocol, META_KEYS, TYPED_BARE } from './selector.ts'
import type { Element, Selector, SetOperand, Value } from './syntax.ts'

/** Looks a link's name up, for `iif`. */
export type IndexOf = (link: string) => number | undefined

export function parseSelector(tokens: Tokens): Selector | undefined {
  const first = parsePart(tokens)
  if (!first) return undefined
  const parts = [first]
  while (tokens.accept('.')) {
    const part = parsePart(tokens)
    if (!part) throw tokens.unexpected()
    parts.push(part)
  }
  return parts.length === 1 ? first : { kind: 'concatenation', parts }
}

function parsePart(tokens: Tokens): Selector | undefined {
  const { kind, text } = tokens.peek()
  if (kind !== 'word') return undefined
  if (text === 'meta') {
    tokens.take()
    return parseMeta(tokens)
  }
  if (META_KEYS.some(({ word, isBare }) => word === text && isBare) || TYPED_BARE.includes(text))
    return parseMeta(tokens)
  if (text === 'ct') return parseCt(tokens)
  if (text === 'fib') return parseFib(tokens)
  const protocol = findProtocol(text)
  if (!protocol) return undefined
  const name = tokens.peek(1).text
  const field = protocol.fields.find((one) => one.word === name)
  if (!field) throw new NotModelledError(`${text} ${name}`)
  tokens.take()
  tokens.take()
  return { kind: 'payload', protocol, field }
}

function parseMeta(tokens: Tokens): Selector {
  const word = tokens.word()
  const meta = META_KEYS.find((one) => one.word === word)
  if (!meta) throw new NotModelledError(`meta ${word}`)
  return { kind: 'meta', meta }
}

function parseCt(tokens: Tokens): Selector | undefined {
  tokens.expect('ct')
  const direction = tokens.is('original') ? 'original' : tokens.is('reply') ? 'reply' : undefined
  if (direction) tokens.take()
  const first = tokens.word()
  const word = first === 'ip' || first === 'ip6' ? `${first} ${tokens.word()}` : first
  const ct = CT_KEYS.find((one) => one.word === word)
  if (!ct) throw new NotModelledError(`ct ${word}`)
  return { kind: 'ct', ct, ...(direction && { direction }) }
}

const FIB_FLAGS = ['saddr', 'daddr', 'mark', 'iif', 'oif'] as const

function parseFib(tokens: Tokens): Selector {
  tokens.expect('fib')
  const flags: (typeof FIB_FLAGS)[number][] = []
  do {
    const word = tokens.word()
    const flag = FIB_FLAGS.find((one) => one === word)
    if (!flag) throw new NotModelledError(`fib ${word}`)
    flags.push(flag)
  } while (tokens.accept('.'))
  const result = tokens.word()
  if (result !== 'oif' && result !== 'oifname' && result !== 'type') throw new NotModelledError(`fib … ${result}`)
  const present = tokens.is('exists') || tokens.is('missing')
  return { kind: 'fib', flags, result, present }
}

/** A value, a range, a prefix; of several types: a concatenation. */
export function parseValue(tokens: Tokens, types: readonly Datatype[], indexOf: IndexOf): Value {
  if (types.length > 1 && tokens.accept('*')) return { kind: 'any' }
  const parts = types.map((type, index) => {
    if (index > 0) tokens.expect('.')
    return parseOne(tokens, type, indexOf)
  })
  return parts.length === 1 ? parts[0]! : { kind: 'concatenation', parts }
}

function parseOne(tokens: Tokens, type: Datatype, indexOf: IndexOf): Value {
  const value = parseWord(tokens, type, indexOf)
  if (!type.isBitmask && tokens.accept('/')) {
    const length = Number(tokens.word())
    if (!(length >= 0 && length <= 8 * value.length)) throw new NftError('Prefix length is out of range')
    return length === 8 * value.length ? { kind: 'value', type, value } : { kind: 'prefix', type, value, length }
  }
  if (tokens.accept('-')) {
    const to = parseWord(tokens, type, indexOf)
    if (compare(value, to, type) > 0) throw new NftError('Range has zero or negative size')
    return { kind: 'range', type, from: value, to }
  }
  if (type.isBitmask && (tokens.is(',') || tokens.is('|'))) return parseBits(tokens, type, value, indexOf)
  return { kind: 'value', type, value }
}

/** `established,related`, `(syn | rst)`: all their bits together. */
function parseBits(tokens: Tokens, type: Datatype, first: Uint8Array, indexOf: IndexOf): Value {
  let bits = toNumber(first, type.order)
  while (tokens.accept(',') || tokens.accept('|')) bits |= toNumber(parseWord(tokens, type, indexOf), type.order)
  return { kind: 'value', type, value: fromNumber(bits, type.length, type.order) }
}

export function parseWord(tokens: Tokens, type: Datatype, indexOf: IndexOf): Uint8Array {
  if (tokens.accept('(')) {
    const first = parseWord(tokens, type, indexOf)
    const value = type.isBitmask ? parseBits(tokens, type, first, indexOf) : undefined
    tokens.expect(')')
    return value?.kind === 'value' ? value.value : first
  }
  const isQuoted = tokens.peek().kind === 'text'
  const text = tokens.word()
  if (type.name === 'iface_index' && readInteger(text) === undefined) {
    const index = indexOf(text)
    if (index === undefined) throw new NftError('Interface does not exist')
    return fromNumber(index, 4, 'host')
  }
  const value = isQuoted && type.name === 'mark' ? undefined : type.parse(text)
  if (!value) throw new NftError(`Could not parse ${describe(type)} "${text}"`)
  return value
}

function describe({ name }: Datatype): string {
  return name.replaceAll('_', ' ')
}

/** `{ … }` or `@name`. `data`: what the elements lead to. */
export function parseSetOperand(
  tokens: Tokens,
  types: readonly Datatype[],
  data: Datatype | 'verdict' | undefined,
  indexOf: IndexOf,
): SetOperand {
  if (tokens.accept('@')) return { kind: 'reference', name: tokens.name() }
  return { kind: 'set', elements: parseElements(tokens, types, typeof data === 'object' ? [data] : data, indexOf) }
}

/** `{ 10.0.0.1, 10.0.0.0/8 timeout 10s : accept }` */
export function parseElements(
  tokens: Tokens,
  types: readonly Datatype[],
  data: readonly Datatype[] | 'verdict' | undefined,
  indexOf: IndexOf,
): Element[] {
  tokens.expect('{')
  const elements: Element[] = []
  skipLines(tokens)
  while (!tokens.is('}')) {
    const key: Value = tokens.accept('*') ? { kind: 'any' } : parseValue(tokens, noLists(types), indexOf)
    const more: { comment?: string; timeout?: number } = {}
    for (;;) {
      if (tokens.accept('timeout')) more.timeout = parseTime(tokens.word())
      else if (tokens.accept('expires')) tokens.word()
      else if (tokens.accept('comment')) more.comment = tokens.word()
      else if (tokens.is('counter')) throw new NotModelledError('counters of elements')
      else break
    }
    if (data !== undefined) tokens.expect(':')
    const told =
      data === undefined ? undefined : data === 'verdict' ? parseVerdict(tokens) : parseValue(tokens, data, indexOf)
    elements.push({ key, ...more, ...(told && { data: told }) })
    skipLines(tokens)
    if (!tokens.accept(',')) break
    skipLines(tokens)
  }
  tokens.expect('}')
  return elements
}

/** A comma is the next element's, not the next bit's. */
function noLists(types: readonly Datatype[]): Datatype[] {
  return types.map((type) => ({ ...type, isBitmask: false }))
}

function skipLines(tokens: Tokens): void {
  while (tokens.accept(';')) {
    // A line may end anywhere between elements.
  }
}

const VERDICTS = ['accept', 'drop', 'return', 'continue', 'jump', 'goto'] as const

export function isVerdict(word: string): boolean {
  return VERDICTS.some((verdict) => verdict === word)
}

export function parseVerdict(tokens: Tokens): NftVerdict {
  const word = tokens.word()
  const verdict = VERDICTS.find((one) => one === word)
  if (!verdict) throw new NotModelledError(`the verdict ${word}`)
  return verdict === 'jump' || verdict === 'goto' ? { verdict, chain: tokens.name() } : { verdict }
}

const UNITS: readonly (readonly [unit: string, milliseconds: number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['ms', 1],
  ['m', 60_000],
  ['s', 1000],
]

/** `1d2h3m4s`, or seconds; in milliseconds. */
export function parseTime(text: string): number {
  if (/^\d+$/.test(text)) return 1000 * Number(text)
  let total = 0
  let rest = text
  while (rest !== '') {
    const part = /^(\d+)([a-z]+)/.exec(rest)
    const unit = UNITS.find(([name]) => name === part?.[2])
    if (!part || !unit) throw new NftError(`Could not parse the time "${text}"`)
    total += Number(part[1]) * unit[1]
    rest = rest.slice(part[0].length)
  }
  return total
}

export function formatTime(milliseconds: number): string {
  let rest = milliseconds
  let text = ''
  for (const [unit, length] of [UNITS[0]!, UNITS[1]!, UNITS[3]!, UNITS[4]!, UNITS[2]!]) {
    const count = Math.floor(rest / length)
    if (count > 0) text += `${count}${unit}`
    rest -= count * length
  }
  return text
}

function compare(a: Uint8Array, b: Uint8Array, { order }: Datatype): number {
  const [left, right] = order === 'network' ? [a, b] : [a.toReversed(), b.toReversed()]
  for (let i = 0; i < left.length; i++) if (left[i] !== right[i]) return left[i]! - right[i]!
  return 0
}
