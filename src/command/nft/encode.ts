/**
 * A rule of nft's language as the kernel's expressions: nftables 1.0.6, src/netlink_linearize.c, and what src/evaluate.c
 * adds, the conditions that a field depends on (`tcp dport` is of TCP only).
 */
import type { NftExpression, NftFamily, NftOperation, NftSet } from '../../kernel/nftables.ts'
import { type Datatype, types } from './datatype.ts'
import { declareSet, encodeElements, isInterval, wordsOf } from './encode-set.ts'
import { NftError, NotModelledError } from './error.ts'
import { Known } from './known.ts'
import { prefixMask } from './parse-rule.ts'
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

class Encoder {
  readonly #place: Place
  readonly #sets: NftOperation[] = []
  readonly #expressions: NftExpression[] = []
  readonly #known: Known

  constructor(place: Place) {
    this.#place = place
    this.#known = new Known(place.family)
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
      if (operator === '==' && right.kind === 'set') this.#learnAny(left, right.elements)
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
      if (operator === '==') this.#known.learn(left, right.value)
    }
  }

  #learnAny(left: Selector, elements: readonly Element[]): void {
    const [first, ...more] = elements.flatMap(({ key }) => (key.kind === 'value' ? [key.value] : []))
    if (first) this.#known.learn(left, first, ...more)
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
      this.#expressions.push(...this.#known.askFor(protocol))
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

  #load(selector: Selector): void {
    if (selector.kind === 'concatenation') {
      for (const part of selector.parts)
        if (part.kind === 'payload') this.#expressions.push(...this.#known.askFor(part.protocol))
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
        // Of which type it is only the protocol tells: ct_expr_update_type, src/ct.c.
        if ((ct.key === 'proto_src' || ct.key === 'proto_dst') && !this.#known.knowsTransport)
          throw new NftError("Can't parse symbolic invalid expressions")
        this.#expressions.push({ type: 'ct', key: ct.key, register, ...(direction && { direction }) })
        return
      }
      case 'payload': {
        const { protocol, field } = selector
        this.#expressions.push(...this.#known.askFor(protocol))
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
    if (reject === 'tcp reset') this.#expressions.push(...this.#known.askForTcp())
    if (over) this.#expressions.push(...this.#known.askForNetwork(over))
    // Without words: a port that is unreachable, in the kind of the packet's family where that is known.
    if (isExplicit || !this.#known.network) this.#expressions.push({ type: 'reject', reject, code })
    else this.#expressions.push({ type: 'reject', reject: 'icmp', code: this.#known.network === 'ip' ? 3 : 4 })
  }

  #nat({ nat, family, address, ports, flags }: Extract<Statement, { kind: 'nat' }>): void {
    const own = this.#place.family
    const network = family ?? (own === 'ip' || own === 'ip6' ? own : this.#known.network)
    if (address && !network) throw new NftError("specify `dnat ip' or 'dnat ip6' in inet table to disambiguate")
    if (ports && !this.#known.knowsTransport) {
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
