/**
 * The kernel's expressions as a rule of nft's language: nftables 1.0.6, src/netlink_delinearize.c. It follows what the
 * registers hold; conditions that a later field brings along by itself are left out again.
 */
import type { NftExpression, NftFamily, NftRule } from '../../kernel/nftables.ts'
import { type Datatype, integer, toNumber, typeOfNumber, types, withNames } from './datatype.ts'
import { changed, combine, hexadecimal, leadingOnes } from './decode-bits.ts'
import { decodeElements, isAddress, type ListedSet, sameBytes } from './decode-set.ts'
import { NotModelledError } from './error.ts'
import { CT_KEYS, type Field, META_KEYS, PROTOCOLS, type Protocol } from './selector.ts'
import {
  type Operand,
  type Operator,
  type Selector,
  type SetOperand,
  type Statement,
  typeOf,
  type Value,
} from './syntax.ts'
import { xlateMatch, xlateTarget } from './xlate.ts'

type Of<T extends NftExpression['type']> = Extract<NftExpression, { type: T }>
type Payload = Of<'payload'>
type Base = Payload['base']

const OPERATORS = { eq: '==', neq: '!=', lt: '<', lte: '<=', gt: '>', gte: '>=' } as const
const WORD = 4

/** The kernel's names where ours are others. */
const MATCH_NAMES: Readonly<Record<string, string>> = { state: 'conntrack' }

/** What a register holds: something of the packet, perhaps masked, or bytes. */
interface Held {
  readonly selector?: Selector
  /** Not yet told apart: more than one field may be in it. */
  readonly payload?: Payload
  readonly value?: Uint8Array
  readonly mask?: Uint8Array
  readonly xor?: Uint8Array
  readonly length: number
}

/** A condition that is left out where a field that needs it comes. */
interface Condition {
  readonly statement: Statement
  readonly about: 'network' | 'transport' | 'link'
}

/** `nameOf`: a link's name, by its index. */
export function decodeRule(
  rule: NftRule,
  sets: readonly ListedSet[],
  nameOf: (index: number) => string | undefined,
): Statement[] {
  return new Decoder(rule.family, sets, nameOf).decode(rule.expressions)
}

class Decoder {
  readonly #family: NftFamily
  readonly #sets: readonly ListedSet[]
  readonly #nameOf: (index: number) => string | undefined
  readonly #held = new Map<number, Held>()
  readonly #statements: Statement[] = []
  #pending: Condition[] = []
  #network: 'ip' | 'ip6' | undefined
  #transport: number | undefined

  constructor(family: NftFamily, sets: readonly ListedSet[], nameOf: (index: number) => string | undefined) {
    this.#nameOf = nameOf
    this.#family = family
    this.#sets = sets
    if (family === 'ip' || family === 'ip6') this.#network = family
  }

  decode(expressions: readonly NftExpression[]): Statement[] {
    for (let i = 0; i < expressions.length; i++) {
      const [one, next] = [expressions[i]!, expressions[i + 1]]
      if (one.type === 'cmp' && next?.type === 'cmp' && isRange(one, next)) {
        this.#matchRange(one.register, '==', one.value, next.value)
        i++
      } else this.#expression(one)
    }
    return this.#statements
  }

  #expression(one: NftExpression): void {
    switch (one.type) {
      case 'meta':
        this.#hold(one.register, {
          selector: this.#metaSelector(one.key),
          length: META_KEYS.find(({ key }) => key === one.key)!.type.length,
        })
        return
      case 'ct': {
        const ct = CT_KEYS.find(({ key }) => key === one.key)!
        this.#hold(one.register, {
          selector: { kind: 'ct', ct, ...(one.direction && { direction: one.direction }) },
          length: ct.type.length,
        })
        return
      }
      case 'payload':
        this.#hold(one.register, { payload: one, length: one.length })
        return
      case 'fib': {
        const { result, flags } = one
        const present = flags.includes('present')
        const selector: Selector = { kind: 'fib', flags: flags.filter((flag) => flag !== 'present'), result, present }
        this.#hold(one.register, { selector, length: typeOf(selector).length })
        return
      }
      case 'immediate':
        this.#hold(one.register, { value: one.value, length: one.value.length })
        return
      case 'bitwise': {
        const held = this.#at(one.source)
        this.#hold(one.register, { ...held, ...combine(held, one) })
        return
      }
      case 'cmp':
        this.#compare(one)
        return
      case 'range':
        this.#matchRange(one.register, one.operator === 'eq' ? '==' : '!=', one.from, one.to)
        return
      case 'lookup':
        this.#lookup(one)
        return
      case 'verdict':
        this.#push({ kind: 'verdict', verdict: verdictOf(one) })
        return
      case 'counter':
        this.#push({ kind: 'counter', packets: one.packets ?? 0n, bytes: one.bytes ?? 0n })
        return
      case 'limit': {
        const { rate, unit, burst, over = false, bytes = false } = one
        this.#push({ kind: 'limit', rate, unit, burst, over, bytes })
        return
      }
      case 'log': {
        const { type: _type, ...log } = one
        this.#push({ kind: 'log', ...log })
        return
      }
      case 'reject':
        this.#reject(one)
        return
      case 'nat':
      case 'masquerade':
      case 'redirect':
        this.#nat(one)
        return
      case 'meta set': {
        const meta = META_KEYS.find(({ key }) => key === one.key)!
        this.#push({ kind: 'set meta', meta, value: this.#operand(one.source, meta.type) })
        return
      }
      case 'ct set': {
        const ct = CT_KEYS.find(({ key }) => key === one.key)!
        this.#push({ kind: 'set ct', ct, value: this.#operand(one.source, ct.type) })
        return
      }
      case 'xt match':
        this.#extension('match', MATCH_NAMES[one.match] ?? one.match, xlateMatch(one, this.#transport))
        return
      case 'xt target':
        this.#extension('target', one.target === 'NOTRACK' ? 'CT' : one.target, xlateTarget(one, this.#family))
        return
      case 'other':
        if (one.name !== 'notrack') throw new NotModelledError(`the expression ${one.name}`)
        this.#push({ kind: 'notrack' })
    }
  }

  #hold(register: number, held: Held): void {
    this.#held.set(wordOf(register), held)
  }

  #at(register: number): Held {
    const held = this.#held.get(wordOf(register))
    if (!held) throw new NotModelledError('a register that nothing was put into')
    return held
  }

  #push(statement: Statement): void {
    this.#statements.push(statement)
  }

  #metaSelector(key: Of<'meta'>['key']): Selector {
    const meta = META_KEYS.find((one) => one.key === key)
    if (!meta) throw new NotModelledError(`meta ${key}`)
    return { kind: 'meta', meta: { ...meta, type: withNames(meta.type, this.#nameOf) } }
  }

  /** Behind an extension of iptables the conditions before it stay. */
  #extension(extension: 'match' | 'target', name: string, text: string): void {
    this.#push({ kind: 'xt', extension, name, text })
    this.#pending = []
  }

  #compare({ register, operator, value }: Of<'cmp'>): void {
    const held = this.#at(register)
    if (held.payload) {
      this.#comparePayload(held, held.payload, OPERATORS[operator], value)
      return
    }
    if (!held.selector) throw new NotModelledError('a comparison of constants')
    this.#matchSelector(held.selector, held, OPERATORS[operator], value)
  }

  #matchSelector(selector: Selector, { mask }: Held, operator: Operator, value: Uint8Array): void {
    const type = typeOf(selector)
    const right: Value = { kind: 'value', type, value }
    if (!mask) {
      const statement: Statement = { kind: 'match', left: selector, operator, right }
      this.#push(statement)
      if (operator === '==') this.#learn(selector, value, statement)
    } else if (type.isBitmask) this.#matchBits(selector, type, mask, operator, value)
    else
      this.#push({ kind: 'match', left: { kind: 'bits', operator: '&', of: selector, value: mask }, operator, right })
  }

  #matchBits(left: Selector, type: Datatype, mask: Uint8Array, operator: Operator, value: Uint8Array): void {
    const isZero = value.every((byte) => byte === 0)
    if (operator === '!=' && isZero) {
      this.#push({ kind: 'match', left, operator: '==', right: { kind: 'value', type, value: mask }, anyOf: true })
    } else if (operator === '==' && isZero) {
      this.#push({ kind: 'match', left, operator: '!=', right: { kind: 'value', type, value: mask }, anyOf: true })
    } else this.#push({ kind: 'match', left, operator, right: { kind: 'value', type, value }, mask })
  }

  /** What the packet is known to be from here on. */
  #learn(selector: Selector, value: Uint8Array, statement: Statement): void {
    if (selector.kind === 'meta' && selector.meta.key === 'l4proto') {
      this.#transport = value[0]
      this.#pending.push({ statement, about: 'transport' })
    } else if (selector.kind === 'meta' && selector.meta.key === 'nfproto') {
      this.#network = value[0] === 2 ? 'ip' : 'ip6'
      this.#pending.push({ statement, about: 'network' })
    } else if (selector.kind === 'meta' && selector.meta.key === 'protocol') {
      const etherType = toNumber(value, 'network')
      if (etherType === 0x0800 || etherType === 0x86dd) this.#network = etherType === 0x0800 ? 'ip' : 'ip6'
      this.#pending.push({ statement, about: 'network' })
    } else if (selector.kind === 'meta' && selector.meta.key === 'iiftype') {
      this.#pending.push({ statement, about: 'link' })
    } else if (selector.kind === 'payload' && selector.field.type === types.etherType) {
      const etherType = toNumber(value, 'network')
      if (etherType === 0x0800 || etherType === 0x86dd) this.#network = etherType === 0x0800 ? 'ip' : 'ip6'
      this.#pending.push({ statement, about: 'network' })
    } else if (selector.kind === 'payload' && selector.field.type === types.protocol) {
      this.#transport = value[0]
      if (this.#family === 'ip' || this.#family === 'ip6') this.#pending.push({ statement, about: 'transport' })
    }
  }

  /** Leaves out the conditions that the field brings along. */
  #need({ base, over }: Protocol): void {
    this.#drop(base)
    if (over) this.#drop('network')
  }

  #drop(about: Condition['about']): void {
    for (const { statement } of this.#pending.filter((one) => one.about === about)) {
      const index = this.#statements.indexOf(statement)
      if (index >= 0) this.#statements.splice(index, 1)
    }
    this.#pending = this.#pending.filter((one) => one.about !== about)
  }

  #protocol(base: Base): Protocol | undefined {
    if (base === 'link') return PROTOCOLS.find(({ name }) => name === 'ether')
    if (base === 'network') return PROTOCOLS.find(({ name }) => name === this.#network)
    const known = PROTOCOLS.find(
      (one) => one.base === 'transport' && one.number === this.#transport && this.#transport !== undefined,
    )
    return known ?? PROTOCOLS.find(({ name }) => name === 'th')
  }

  #comparePayload(held: Held, payload: Payload, operator: Operator, value: Uint8Array): void {
    const protocol = this.#protocol(payload.base)
    const fields = protocol && payload.base === 'transport' && !held.mask ? fieldsIn(protocol, payload) : []
    if (protocol && fields.length > 1) {
      this.#need(protocol)
      for (const field of fields) {
        const right: Value = {
          kind: 'value',
          type: field.type,
          value: value.slice(field.offset, field.offset + field.length),
        }
        this.#push({ kind: 'match', left: { kind: 'payload', protocol, field }, operator, right })
      }
      return
    }
    const prefix = protocol && this.#findPrefix(protocol, payload, held, value)
    if (prefix) {
      this.#need(protocol)
      this.#push({
        kind: 'match',
        left: { kind: 'payload', protocol, field: prefix.field },
        operator,
        right: prefix.right,
      })
      return
    }
    const selector = this.#payloadSelector(payload, held.mask)
    const field = selector.kind === 'payload' ? selector.field : undefined
    if (field?.mask !== undefined) {
      this.#push({ kind: 'match', left: selector, operator, right: { kind: 'value', type: field.type, value } })
      return
    }
    this.#matchSelector(selector, held, operator, value)
  }

  /** The beginning of an address, or an address with a mask of leading ones. */
  #findPrefix(protocol: Protocol, { offset, length }: Payload, { mask }: Held, value: Uint8Array) {
    const field = protocol.fields.find((one) => one.offset === offset && one.length > 2 && isAddress(one.type))
    if (!field || length > field.length || (length === field.length && !mask)) return undefined
    const full = new Uint8Array(field.length)
    full.set(value)
    if (length < field.length) {
      if (mask) return undefined
      return { field, right: { kind: 'prefix', type: field.type, value: full, length: 8 * length } as const }
    }
    const bits = leadingOnes(mask!)
    if (bits === undefined) return undefined
    return { field, right: { kind: 'prefix', type: field.type, value: full, length: bits } as const }
  }

  #payloadSelector({ base, offset, length }: Payload, mask?: Uint8Array): Selector {
    const protocol = this.#protocol(base)
    const fields = protocol?.fields.filter((one) => one.offset === offset && one.length === length) ?? []
    const field: Field | undefined =
      fields.find((one) => one.mask !== undefined && mask !== undefined && mask[0] === one.mask) ??
      fields.find((one) => one.mask === undefined)
    if (protocol && field) {
      this.#need(protocol)
      return { kind: 'payload', protocol, field }
    }
    return { kind: 'raw', base, offset: 8 * offset, length: 8 * length, type: hexadecimal(length) }
  }

  #matchRange(register: number, operator: Operator, from: Uint8Array, to: Uint8Array): void {
    const held = this.#at(register)
    const left = held.payload ? this.#payloadSelector(held.payload) : held.selector
    if (!left) throw new NotModelledError('a range of constants')
    this.#push({ kind: 'match', left, operator, right: { kind: 'range', type: typeOf(left), from, to } })
  }

  #lookup({ set: name, source, inverted, register }: Of<'lookup'>): void {
    const set = this.#sets.find((one) => one.name === name)
    if (!set) throw new NotModelledError(`a set ${name} that is not there`)
    const left = this.#key(wordOf(source), set.keyLength)
    const parts = left.kind === 'concatenation' ? left.parts.map(typeOf) : [typeOf(left)]
    const dataType = set.data && set.data.type !== 'verdict' ? typeOfNumber(set.data.type, set.data.length) : undefined
    const operand: SetOperand = set.anonymous
      ? { kind: 'set', elements: decodeElements(set, parts, dataType && [dataType]) }
      : { kind: 'reference', name }
    if (register === undefined) {
      this.#push({ kind: 'match', left, operator: inverted ? '!=' : '==', right: operand })
    } else if (register === 0) this.#push({ kind: 'vmap', key: left, map: operand })
    else {
      const type = dataType ?? integer(4)
      this.#hold(register, { selector: { kind: 'map', key: left, map: operand, type }, length: type.length })
    }
  }

  /** What stands in the registers from here on, as far as the set's key reaches. */
  #key(word: number, length: number): Selector {
    const parts: Selector[] = []
    for (let at = word; 4 * (at - word) < length; ) {
      const held = this.#held.get(at)
      if (!held) throw new NotModelledError('a key that is in no register')
      parts.push(this.#selectorOf(held))
      at += Math.max(1, Math.ceil(held.length / WORD))
    }
    return parts.length === 1 ? parts[0]! : { kind: 'concatenation', parts }
  }

  #selectorOf(held: Held): Selector {
    const selector = held.payload ? this.#payloadSelector(held.payload, held.mask) : held.selector
    if (!selector) throw new NotModelledError('a constant as a key')
    const isOwnMask = selector.kind === 'payload' && selector.field.mask !== undefined
    if (!held.mask || isOwnMask) return selector
    return changed(selector, held.mask, held.xor ?? new Uint8Array(held.mask.length))
  }

  #operand(register: number, type: Datatype): Operand {
    const held = this.#at(register)
    if (held.value) return { kind: 'value', type, value: held.value.slice(0, type.length || held.value.length) }
    return this.#selectorOf(held)
  }

  #reject({ reject, code }: Of<'reject'>): void {
    const isSingle = this.#family === 'ip' || this.#family === 'ip6'
    if (reject === 'tcp reset' && isSingle) this.#drop('transport')
    if (reject !== 'icmp') {
      this.#push({ kind: 'reject', reject, code, isExplicit: reject === 'tcp reset' })
      return
    }
    const over = this.#network ?? 'ip'
    // `reject with icmp` says by itself that it is IPv4.
    if (!isSingle) this.#drop('network')
    this.#push({ kind: 'reject', reject, code, over, isExplicit: !isSingle })
  }

  #nat(one: Of<'nat'> | Of<'masquerade'> | Of<'redirect'>): void {
    const network = one.type === 'nat' ? one.family : undefined
    const addressType = network === 'ip6' ? types.ipv6 : types.ipv4
    const address = one.type === 'nat' ? this.#range(one.addressMin, one.addressMax, addressType) : undefined
    const ports = this.#range(one.portMin, one.portMax, types.service)
    const isTold = network && this.#family !== network && (address || ports)
    this.#push({
      kind: 'nat',
      nat: one.type === 'nat' ? one.kind : one.type,
      ...(isTold && { family: network }),
      ...(address && { address }),
      ...(ports && { ports }),
      flags: one.flags ?? 0,
    })
  }

  #range(min: number | undefined, max: number | undefined, type: Datatype): Operand | undefined {
    if (min === undefined) return undefined
    const from = this.#operand(min, type)
    if (max === undefined || max === min || from.kind !== 'value') return from
    const to = this.#operand(max, type)
    if (to.kind !== 'value' || sameBytes(from.value, to.value)) return from
    return { kind: 'range', type, from: from.value, to: to.value }
  }
}

/** Fields that the bytes at the header's start are of, where they are whole ones. */
function fieldsIn({ fields }: Protocol, { offset, length }: Payload): Field[] {
  const found: Field[] = []
  let at = offset
  while (offset === 0 && at < length) {
    const field = fields.find((one) => one.offset === at && one.mask === undefined && at + one.length <= length)
    if (!field) return []
    found.push(field)
    at += field.length
  }
  return found
}

/** Words of 4 bytes from the first register on. */
function wordOf(register: number): number {
  return register < 8 ? 4 * (register - 1) : register - 8
}

function verdictOf(one: Of<'verdict'>): Extract<Statement, { kind: 'verdict' }>['verdict'] {
  const { type: _type, ...verdict } = one
  return verdict
}

function isRange(from: Of<'cmp'>, to: Of<'cmp'>): boolean {
  return from.operator === 'gte' && to.operator === 'lte' && from.register === to.register
}
