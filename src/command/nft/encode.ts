/**
 * A rule of nft's language as the kernel's expressions: nftables 1.0.6, src/netlink_linearize.c, and what src/evaluate.c
 * adds, the conditions that a field depends on (`tcp dport` is of TCP only).
 */
import type { NftElement, NftExpression, NftFamily, NftOperation, NftSet } from '../../kernel/nftables.ts'
import { joinTypes } from '../../kernel/nftables.ts'
import { type Datatype, toNumber, types } from './datatype.ts'
import { NftError, NotModelledError } from './error.ts'
import { boundsOf, prefixMask, successor } from './parse-rule.ts'
import type { Protocol } from './selector.ts'
import {
  type Element,
  type Operand,
  type Operator,
  type RuleText,
  type Selector,
  type SetOperand,
  type Statement,
  typeOf,
  typesOf,
  type Value,
} from './syntax.ts'

const OPERATORS = { '==': 'eq', '!=': 'neq', '<': 'lt', '<=': 'lte', '>': 'gt', '>=': 'gte' } as const
const WORD = 4
const VERDICT_REGISTER = 0
const ETHER_TYPES = { ip: Uint8Array.of(0x08, 0x00), ip6: Uint8Array.of(0x86, 0xdd) } as const

interface Place {
  readonly family: NftFamily
  readonly table: string
  /** A name for a set of the rule's own. */
  nameSet(): string
}

interface Encoded {
  /** Sets of the rule's own, to be made before it. */
  readonly sets: readonly NftOperation[]
  readonly expressions: readonly NftExpression[]
}

export function encodeRule(rule: RuleText, place: Place): Encoded {
  return new Encoder(place).encode(rule)
}

/** NFT_REG_1 … 4 where the place is a multiple of 16 bytes, NFT_REG32_* where it is not. */
function registerAt(word: number): number {
  return word % WORD === 0 ? 1 + word / WORD : 8 + word
}

function wordsOf(length: number): number {
  return Math.ceil(length / WORD)
}

class Encoder {
  readonly #place: Place
  readonly #sets: NftOperation[] = []
  readonly #expressions: NftExpression[] = []
  /** What is known of the packet already. */
  #network: 'ip' | 'ip6' | undefined
  #transport: number | undefined

  constructor(place: Place) {
    this.#place = place
    if (place.family === 'ip' || place.family === 'ip6') this.#network = place.family
  }

  encode({ statements }: RuleText): Encoded {
    for (const [index, statement] of statements.entries()) {
      if (!this.#merges(statement, statements[index - 1])) this.#statement(statement)
    }
    return { sets: this.#sets, expressions: this.#expressions }
  }

  /** `tcp sport 1 tcp dport 2` is one comparison, of four bytes. */
  #merges(statement: Statement, before: Statement | undefined): boolean {
    const [first, second] = [singleField(before), singleField(statement)]
    if (!first || !second || first.protocol !== second.protocol) return false
    const length = first.field.length + second.field.length
    if (first.field.offset !== 0 || second.field.offset !== first.field.length || length > 4) return false
    this.#expressions.splice(-2)
    const value = Uint8Array.of(...first.value, ...second.value)
    this.#expressions.push(
      { type: 'payload', base: 'transport', offset: 0, length, register: 1 },
      { type: 'cmp', register: 1, operator: 'eq', value },
    )
    return true
  }

  #statement(statement: Statement): void {
    switch (statement.kind) {
      case 'match':
        this.#match(statement)
        return
      case 'vmap':
        this.#load(statement.key)
        this.#lookup(statement.map, typesOf(statement.key), 'verdict', { register: VERDICT_REGISTER })
        return
      case 'verdict':
        this.#expressions.push({ type: 'verdict', ...statement.verdict })
        return
      case 'counter':
        this.#expressions.push({ type: 'counter', packets: statement.packets, bytes: statement.bytes })
        return
      case 'limit': {
        const { rate, unit, burst, over, bytes } = statement
        this.#expressions.push({ type: 'limit', rate, unit, burst, ...(over && { over }), ...(bytes && { bytes }) })
        return
      }
      case 'log': {
        const { kind: _kind, ...log } = statement
        this.#expressions.push({ type: 'log', ...log })
        return
      }
      case 'reject':
        this.#reject(statement)
        return
      case 'nat':
        this.#nat(statement)
        return
      case 'set meta':
        this.#operand(statement.value, 0)
        this.#expressions.push({ type: 'meta set', key: statement.meta.key, source: 1 })
        return
      case 'set ct':
        this.#operand(statement.value, 0)
        this.#expressions.push({ type: 'ct set', key: statement.ct.key, source: 1 })
        return
      case 'notrack':
        this.#expressions.push({ type: 'other', name: 'notrack', data: new Uint8Array() })
        return
      case 'xt':
        throw new NotModelledError(statement.text)
    }
  }

  #match({ left, operator, right, mask, anyOf }: Extract<Statement, { kind: 'match' }>): void {
    if (right.kind === 'reference' || right.kind === 'set') {
      if (operator !== '==' && operator !== '!=')
        throw new NftError('Relational expression with a set must be == or !=')
      this.#load(left)
      this.#lookup(right, typesOf(left), undefined, operator === '!=' ? { inverted: true } : {})
      return
    }
    if (left.kind === 'concatenation' || right.kind === 'concatenation' || right.kind === 'any') {
      throw new NotModelledError('a concatenation compared with one value')
    }
    if (left.kind === 'meta' && this.#isKnown(left, right)) return
    if (right.kind === 'prefix') {
      this.#matchPrefix(left, operator, right)
    } else if (right.kind === 'range') {
      this.#load(left)
      this.#compareRange(right.type, operator, right.from, right.to)
    } else if (anyOf) {
      this.#load(left)
      this.#bitwise(right.value, new Uint8Array(right.value.length))
      this.#compare(operator === '!=' ? '==' : '!=', new Uint8Array(right.value.length))
    } else {
      this.#load(left)
      if (mask) this.#bitwise(mask, new Uint8Array(mask.length))
      this.#compare(operator, right.value)
      if (operator === '==') this.#learn(left, right.value)
    }
  }

  /** In a table of one family all is of it. */
  #isKnown({ meta }: Extract<Selector, { kind: 'meta' }>, right: Value): boolean {
    const { family } = this.#place
    if (family !== 'ip' && family !== 'ip6') return false
    if (meta.key === 'nfproto') throw new NftError('meta nfproto is only useful in the inet family')
    return meta.key === 'protocol' && right.kind === 'value' && types.etherType.format(right.value) === family
  }

  /** Of whole bytes only those are loaded. */
  #matchPrefix(left: Selector, operator: Operator, { value, length }: Extract<Value, { kind: 'prefix' }>): void {
    const mask = prefixMask(length, value.length)
    const network = value.map((byte, i) => byte & mask[i]!)
    if (left.kind === 'payload' && length % 8 === 0 && length > 0) {
      const { protocol, field } = left
      this.#depend(protocol)
      this.#expressions.push(payload(protocol, field.offset, length / 8))
      this.#compare(operator, network.slice(0, length / 8))
      return
    }
    this.#load(left)
    this.#bitwise(mask, new Uint8Array(value.length))
    this.#compare(operator, network)
  }

  #compareRange({ order }: Datatype, operator: Operator, from: Uint8Array, to: Uint8Array): void {
    if (order === 'host' && from.length > 1)
      throw new NotModelledError('a range of numbers in the order of the machine')
    if (operator === '!=') this.#expressions.push({ type: 'range', register: 1, operator: 'neq', from, to })
    else if (operator === '==') {
      this.#compare('>=', from)
      this.#compare('<=', to)
    } else throw new NftError('Relational expression with a range must be == or !=')
  }

  #compare(operator: Operator, value: Uint8Array): void {
    this.#expressions.push({ type: 'cmp', register: 1, operator: OPERATORS[operator], value })
  }

  #bitwise(mask: Uint8Array, xor: Uint8Array, register = 1): void {
    this.#expressions.push({ type: 'bitwise', source: register, register, mask, xor })
  }

  /** What the packet must be, so that what it is known to be is not asked again. */
  #learn(left: Selector, value: Uint8Array): void {
    if (left.kind === 'meta' && left.meta.key === 'l4proto') this.#transport = value[0]
    if (left.kind === 'meta' && left.meta.key === 'nfproto') this.#network = value[0] === 2 ? 'ip' : 'ip6'
    if (left.kind === 'meta' && left.meta.key === 'protocol') {
      const etherType = toNumber(value, 'network')
      this.#network = etherType === 0x0800 ? 'ip' : etherType === 0x86dd ? 'ip6' : this.#network
    }
    if (left.kind === 'payload' && left.field.type === types.protocol) this.#transport = value[0]
  }

  #load(selector: Selector): void {
    if (selector.kind === 'concatenation') {
      for (const part of selector.parts) if (part.kind === 'payload') this.#depend(part.protocol)
      let word = 0
      for (const part of selector.parts) {
        this.#loadAt(part, word)
        word += wordsOf(typeOf(part).length)
      }
      return
    }
    this.#loadAt(selector, 0)
  }

  #loadAt(selector: Selector, word: number): void {
    const register = registerAt(word)
    switch (selector.kind) {
      case 'meta':
        this.#expressions.push({ type: 'meta', key: selector.meta.key, register })
        return
      case 'ct': {
        const { ct, direction } = selector
        this.#expressions.push({ type: 'ct', key: ct.key, register, ...(direction && { direction }) })
        return
      }
      case 'payload': {
        const { protocol, field } = selector
        this.#depend(protocol)
        this.#expressions.push(payload(protocol, field.offset, field.length, register))
        if (field.mask !== undefined) this.#bitwise(Uint8Array.of(field.mask), Uint8Array.of(0), register)
        return
      }
      case 'fib':
        this.#expressions.push({
          type: 'fib',
          result: selector.result,
          flags: [...selector.flags, ...(selector.present ? (['present'] as const) : [])],
          register,
        })
        return
      case 'bits':
        this.#loadAt(selector.of, word)
        this.#change(selector.operator, selector.value, register)
        return
      case 'map':
        this.#load(selector.key)
        this.#lookup(selector.map, typesOf(selector.key), selector.type, { register })
        return
      case 'raw':
      case 'concatenation':
        throw new NotModelledError('raw bits of a packet')
    }
  }

  #change(operator: '&' | '|' | '^', value: Uint8Array, register: number): void {
    const zero = new Uint8Array(value.length)
    if (operator === '&') this.#bitwise(value, zero, register)
    else if (operator === '|')
      this.#bitwise(
        value.map((byte) => ~byte & 0xff),
        value,
        register,
      )
    else
      this.#bitwise(
        zero.map(() => 0xff),
        value,
        register,
      )
  }

  /** Asks first what must be so that the header is there. */
  #depend({ name, base, number, over }: Protocol): void {
    if (base === 'link' && this.#place.family !== 'bridge' && this.#place.family !== 'netdev') {
      this.#expressions.push({ type: 'meta', key: 'iiftype', register: 1 })
      this.#compare('==', Uint8Array.of(1, 0))
    }
    if (name === 'ip' || name === 'ip6') this.#dependOnNetwork(name)
    if (base !== 'transport' || number === undefined) return
    if (this.#transport === number) return
    if (this.#transport !== undefined) {
      throw new NftError(
        `conflicting transport layer protocols specified: ${types.protocol.format(Uint8Array.of(this.#transport))} vs. ${name}`,
      )
    }
    if (over) this.#dependOnCarrier(over)
    this.#transport = number
    this.#expressions.push({ type: 'meta', key: 'l4proto', register: 1 })
    this.#compare('==', Uint8Array.of(number))
  }

  /** ICMP is only over the one, ICMPv6 only over the other. */
  #dependOnCarrier(network: 'ip' | 'ip6'): void {
    const { family } = this.#place
    if (family === 'ip' || family === 'ip6' || this.#network === network) return
    if (family !== 'bridge') {
      this.#dependOnNetwork(network)
      return
    }
    this.#network = network
    this.#expressions.push({ type: 'payload', base: 'link', offset: 12, length: 2, register: 1 })
    this.#compare('==', ETHER_TYPES[network])
  }

  #dependOnNetwork(network: 'ip' | 'ip6'): void {
    if (this.#network === network) return
    if (this.#network !== undefined) {
      throw new NftError(`conflicting network layer protocols specified: ${this.#network} vs. ${network}`)
    }
    this.#network = network
    if (this.#place.family === 'inet') {
      this.#expressions.push({ type: 'meta', key: 'nfproto', register: 1 })
      this.#compare('==', Uint8Array.of(network === 'ip' ? 2 : 10))
    } else {
      this.#expressions.push({ type: 'meta', key: 'protocol', register: 1 })
      this.#compare('==', ETHER_TYPES[network])
    }
  }

  #lookup(
    set: SetOperand,
    keyTypes: readonly Datatype[],
    data: Datatype | 'verdict' | undefined,
    more: { readonly inverted?: true; readonly register?: number },
  ): void {
    const name = set.kind === 'reference' ? set.name : this.#addSet(set.elements, keyTypes, data)
    this.#expressions.push({ type: 'lookup', set: name, source: 1, ...more })
  }

  #addSet(elements: readonly Element[], keyTypes: readonly Datatype[], data: Datatype | 'verdict' | undefined): string {
    const { family, table } = this.#place
    const name = this.#place.nameSet()
    const set: NftSet = {
      ...declareSet(keyTypes, typeof data === 'object' ? [data] : data),
      family,
      table,
      name,
      constant: true,
      anonymous: true,
      ...(elements.some(({ key }) => isInterval(key)) && { interval: true }),
    }
    this.#sets.push(
      { operation: 'add set', set },
      { operation: 'add elements', set: { family, table, name }, elements: encodeElements(set, elements) },
    )
    return name
  }

  #reject({ reject, code, over, isExplicit }: Extract<Statement, { kind: 'reject' }>): void {
    if (reject === 'tcp reset') this.#dependOnTcp()
    if (over) this.#dependOnNetwork(over)
    // Without words: a port that is unreachable, in the kind of the packet's family where that is known.
    if (isExplicit || !this.#network) this.#expressions.push({ type: 'reject', reject, code })
    else this.#expressions.push({ type: 'reject', reject: 'icmp', code: this.#network === 'ip' ? 3 : 4 })
  }

  #dependOnTcp(): void {
    if (this.#transport === 6) return
    this.#transport = 6
    this.#expressions.push({ type: 'meta', key: 'l4proto', register: 1 })
    this.#compare('==', Uint8Array.of(6))
  }

  #nat({ nat, family, address, ports, flags }: Extract<Statement, { kind: 'nat' }>): void {
    const own = this.#place.family
    const network = family ?? (own === 'ip' || own === 'ip6' ? own : this.#network)
    if (address && !network) throw new NftError("specify `dnat ip' or 'dnat ip6' in inet table to disambiguate")
    if (ports && this.#transport === undefined) {
      throw new NftError('transport protocol mapping is only valid after transport protocol match')
    }
    let next = 1
    const registers = (operand: Operand | undefined) => {
      if (!operand) return []
      const count = operand.kind === 'range' ? 2 : 1
      const used = Array.from({ length: count }, () => next++)
      this.#operand(operand, 4 * (used[0]! - 1))
      return used
    }
    const [addressMin, addressMax] = registers(address)
    const [portMin, portMax] = registers(ports)
    const told = {
      ...(portMin !== undefined && { portMin }),
      ...(portMax !== undefined && { portMax }),
      ...(flags && { flags }),
    }
    if (nat === 'masquerade' || nat === 'redirect') {
      this.#expressions.push({ type: nat, ...told })
      return
    }
    this.#expressions.push({
      type: 'nat',
      kind: nat,
      family: network ?? 'ip',
      ...(addressMin !== undefined && { addressMin }),
      ...(addressMax !== undefined && { addressMax }),
      ...told,
    })
  }

  /** The value, or both ends of a range, in registers from this one on. */
  #operand(operand: Operand, word: number): void {
    if (operand.kind === 'value') {
      this.#expressions.push({ type: 'immediate', register: registerAt(word), value: operand.value })
    } else if (operand.kind === 'range') {
      this.#expressions.push({ type: 'immediate', register: registerAt(word), value: operand.from })
      this.#expressions.push({ type: 'immediate', register: registerAt(word + 4), value: operand.to })
    } else if (
      operand.kind === 'prefix' ||
      operand.kind === 'any' ||
      (operand.kind === 'concatenation' && !isSelector(operand))
    ) {
      throw new NotModelledError('a prefix or a concatenation to translate to')
    } else this.#loadAt(operand as Selector, word)
  }
}

function isSelector(operand: Extract<Operand, { kind: 'concatenation' }>): boolean {
  return operand.parts.some(({ kind }) => kind === 'meta' || kind === 'ct' || kind === 'payload' || kind === 'fib')
}

function payload({ base }: Protocol, offset: number, length: number, register = 1): NftExpression {
  return { type: 'payload', base, offset, length, register }
}

/** A field at the start of a transport header, compared with one value. */
function singleField(statement: Statement | undefined) {
  if (statement?.kind !== 'match' || statement.operator !== '==' || statement.left.kind !== 'payload') return undefined
  const { left, right } = statement
  if (right.kind !== 'value' || left.protocol.base !== 'transport' || statement.anyOf || statement.mask)
    return undefined
  return { protocol: left.protocol, field: left.field, value: right.value }
}

function isInterval(key: Value): boolean {
  if (key.kind === 'concatenation') return key.parts.some(isInterval)
  return key.kind === 'range' || key.kind === 'prefix'
}

/** What a set of these types says of itself. */
export function declareSet(
  keyTypes: readonly Datatype[],
  data: readonly Datatype[] | 'verdict' | undefined,
): Pick<NftSet, 'keyType' | 'keyLength' | 'data'> {
  const key = { keyType: numberOf(keyTypes), keyLength: lengthOf(keyTypes) }
  if (data === undefined) return key
  if (data === 'verdict') return { ...key, data: { type: 'verdict' } }
  return { ...key, data: { type: numberOf(data), length: lengthOf(data) } }
}

function numberOf(parts: readonly Datatype[]): number {
  return joinTypes(...parts.map(({ number }) => number))
}

/** Parts of a concatenation are padded. */
function lengthOf(parts: readonly Datatype[]): number {
  if (parts.length === 1) return parts[0]!.length
  return parts.reduce((sum, { length }) => sum + WORD * wordsOf(length), 0)
}

export function encodeElements({ interval }: Pick<NftSet, 'interval'>, elements: readonly Element[]): NftElement[] {
  return elements.map(({ key, data, comment, timeout }) => ({
    ...encodeKey(key, interval === true),
    ...(data && { data: 'verdict' in data ? data : encodeData(data) }),
    ...(comment !== undefined && { comment }),
    ...(timeout !== undefined && { timeout }),
  }))
}

function encodeKey(key: Value, interval: boolean): Pick<NftElement, 'key' | 'keyEnd'> {
  if (key.kind === 'any') return { key: new Uint8Array() }
  if (key.kind === 'concatenation') {
    const bounds = key.parts.map((part) => boundsOf(single(part)))
    const from = pad(bounds.map(([first]) => first))
    return interval ? { key: from, keyEnd: pad(bounds.map(([, last]) => last)) } : { key: from }
  }
  const [from, to] = boundsOf(key)
  const full = key.type.name === 'ifname' && from.length < key.type.length ? padName(from, key.type.length) : from
  if (!interval) return { key: full }
  const end = successor(to, key.type)
  return { key: full, ...(end && { keyEnd: end }) }
}

function padName(name: Uint8Array, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  bytes.set(name)
  return bytes
}

function single(value: Value): Exclude<Value, { kind: 'concatenation' | 'any' }> {
  if (value.kind === 'concatenation' || value.kind === 'any')
    throw new NotModelledError('a concatenation of concatenations')
  return value
}

function encodeData(value: Value): Uint8Array {
  if (value.kind === 'concatenation') return pad(value.parts.map((part) => boundsOf(single(part))[0]))
  if (value.kind !== 'value') throw new NotModelledError('a range that a map leads to')
  return value.value
}

function pad(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + WORD * wordsOf(part.length), 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += WORD * wordsOf(part.length)
  }
  return bytes
}
