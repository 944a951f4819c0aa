/**
 * Expressions, what rules are made of: NFTA_EXPR_* and the attributes of each, linux/netfilter/nf_tables.h.
 *
 *   NFTA_RULE_EXPRESSIONS
 *     NFTA_LIST_ELEM
 *       NFTA_EXPR_NAME  "payload"
 *       NFTA_EXPR_DATA
 *         NFTA_PAYLOAD_DREG  1
 *         NFTA_PAYLOAD_BASE  1 …
 *
 * A row of the table says which attribute holds which field, and is used to write the expression and to read it. One of
 * the kernel's expressions can have several rows (`meta` loads, `meta set` stores); that row reads it which has a column
 * for every attribute that is there, and a word for its value. Where none does, the expression is `other` and keeps its bytes.
 *
 * What the kernel adds on its own is taken away again in reading, so that a rule comes back as it was given: the end of a
 * range of one (`portMax` like `portMin`), and what it says only to be complete. Two things it does give back in its own
 * form: registers 8, 12, 16 and 20 as 1 to 4, and counters with their numbers.
 */
import type { NftExpression } from '../../kernel/nftables.ts'
import { Attributes, decodeAttributes } from '../netlink/attribute.ts'
import { type MessageWriter, NLA_F_NESTED } from '../netlink/message.ts'
import { bit, type Codec, flags, names, register, text, u8, u16, u32, u64, value, verdict } from './codec.ts'

const NFTA_LIST_ELEM = 1
const NFTA_EXPR_NAME = 1
const NFTA_EXPR_DATA = 2
const NFTA_IMMEDIATE_DREG = 1
const NFTA_IMMEDIATE_DATA = 2
const NFT_REG_VERDICT = 0

/** syslog's warning, which `nft` leaves unsaid: NFT_LOGLEVEL_WARNING. */
const WARNING = 4
/** What NF_NAT_RANGE_MAP_IPS and NF_NAT_RANGE_PROTO_SPECIFIED say, the registers say already. */
const NAT_SAID_BY_REGISTERS = 3

type Type = NftExpression['type']
/** iptables' extensions: the live kernel knows them, a plugin does not need to. */
type ExtensionType = 'xt match' | 'xt target'
type Of<T extends Type> = Extract<NftExpression, { type: T }>

/** Where a field stands. `absent`: what it is where the attribute is not there. */
interface Column<Value> {
  readonly attribute: number
  readonly codec: Codec<Value>
  readonly absent?: Value
}

/** A column that may be empty: the attribute is not there, or says `unsaid`, or no more than the field `same` does. */
interface OptionalColumn<Value> extends Column<Value> {
  readonly optional: true
  readonly unsaid?: Value | undefined
  readonly same?: string | undefined
}

type Columns<E> = {
  readonly [F in Exclude<keyof E, 'type'>]-?: Record<never, never> extends Pick<E, F>
    ? OptionalColumn<Exclude<E[F], undefined>>
    : Column<E[F]>
}

/** An attribute that no field needs, because it follows from the others. */
interface Derived<E> {
  readonly attribute: number
  number(expression: E): number
}

interface Row {
  /** The kernel's name. */
  readonly name: string
  write(to: MessageWriter, expression: NftExpression): void
  /** Undefined when there is something in the attributes that this row does not know. */
  read(from: Attributes, types: readonly number[]): NftExpression | undefined
}

const META_KEYS = {
  len: 0,
  protocol: 1,
  priority: 2,
  mark: 3,
  iif: 4,
  oif: 5,
  iifname: 6,
  oifname: 7,
  iiftype: 8,
  oiftype: 9,
  skuid: 10,
  skgid: 11,
  nftrace: 12,
  nfproto: 15,
  l4proto: 16,
  bri_iifname: 17,
  bri_oifname: 18,
  pkttype: 19,
  cpu: 20,
  iifgroup: 21,
  oifgroup: 22,
  cgroup: 23,
} as const

const CT_KEYS = {
  state: 0,
  direction: 1,
  status: 2,
  mark: 3,
  l3protocol: 7,
  protocol: 10,
  proto_src: 11,
  proto_dst: 12,
  zone: 17,
  src_ip: 19,
  dst_ip: 20,
  src_ip6: 21,
  dst_ip6: 22,
} as const

const metaKey = names(META_KEYS)
const ctKey = names(CT_KEYS)
const equality = names({ eq: 0, neq: 1 })

const natFlags: Codec<number> = {
  write: u32.write,
  read: (from, attribute) => (u32.read(from, attribute) ?? 0) & ~NAT_SAID_BY_REGISTERS,
}

/** A row for each of our expressions but `other` and those that xtables.ts makes `other` of. */
const ROWS: { readonly [T in Exclude<Type, 'other' | ExtensionType>]: Row } = {
  meta: row('meta', 'meta', { register: at(1, register), key: at(2, metaKey) }),
  'meta set': row('meta set', 'meta', { key: at(2, metaKey), source: at(3, register) }),
  payload: row('payload', 'payload', {
    register: at(1, register),
    base: at(2, names({ link: 0, network: 1, transport: 2 })),
    offset: at(3, u32),
    length: at(4, u32),
  }),
  cmp: row('cmp', 'cmp', {
    register: at(1, register),
    operator: at(2, names({ eq: 0, neq: 1, lt: 2, lte: 3, gt: 4, gte: 5 })),
    value: at(3, value),
  }),
  range: row('range', 'range', {
    register: at(1, register),
    operator: at(2, equality),
    from: at(3, value),
    to: at(4, value),
  }),
  bitwise: row(
    'bitwise',
    'bitwise',
    { source: at(1, register), register: at(2, register), mask: at(4, value), xor: at(5, value) },
    { attribute: 3, number: ({ mask }) => mask.length },
    { attribute: 6, number: () => 0 }, // NFT_BITWISE_MASK_XOR
  ),
  lookup: row('lookup', 'lookup', {
    set: at(1, text),
    source: at(2, register),
    register: optional(3, register),
    inverted: optional(5, bit, false),
  }),
  immediate: row('immediate', 'immediate', { register: at(1, register), value: at(2, value) }),
  verdict: {
    name: 'immediate',
    write(to, expression) {
      to.attributeU32be(NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT)
      verdict.write(to, NFTA_IMMEDIATE_DATA, expression as Of<'verdict'>)
    },
    read(from) {
      if (from.u32be(NFTA_IMMEDIATE_DREG) !== NFT_REG_VERDICT) return undefined
      const told = verdict.read(from, NFTA_IMMEDIATE_DATA)
      return told && { type: 'verdict', ...told }
    },
  },
  counter: row('counter', 'counter', { bytes: optional(1, u64), packets: optional(2, u64) }),
  masquerade: row('masquerade', 'masq', {
    flags: optional(1, natFlags, 0),
    portMin: optional(2, register),
    portMax: optional(3, register, undefined, 'portMin'),
  }),
  nat: row('nat', 'nat', {
    kind: at(1, names({ snat: 0, dnat: 1 })),
    family: at(2, names({ ip: 2, ip6: 10 })), // NFPROTO_IPV4, NFPROTO_IPV6
    addressMin: optional(3, register),
    addressMax: optional(4, register, undefined, 'addressMin'),
    portMin: optional(5, register),
    portMax: optional(6, register, undefined, 'portMin'),
    flags: optional(7, natFlags, 0),
  }),
  redirect: row('redirect', 'redir', {
    portMin: optional(1, register),
    portMax: optional(2, register, undefined, 'portMin'),
    flags: optional(3, natFlags, 0),
  }),
  ct: row('ct', 'ct', {
    register: at(1, register),
    key: at(2, ctKey),
    direction: optional(3, names({ original: 0, reply: 1 }, u8)),
  }),
  'ct set': row('ct set', 'ct', { key: at(2, ctKey), source: at(4, register) }),
  fib: row('fib', 'fib', {
    register: at(1, register),
    result: at(2, names({ oif: 1, oifname: 2, type: 3 })),
    flags: at(3, flags({ saddr: 1, daddr: 2, mark: 4, iif: 8, oif: 16, present: 32 })),
  }),
  reject: row('reject', 'reject', {
    reject: at(1, names({ icmp: 0, 'tcp reset': 1, icmpx: 2 })),
    code: at(2, u8, 0),
  }),
  log: row('log', 'log', {
    group: optional(1, u16),
    prefix: optional(2, text),
    snapLength: optional(3, u32),
    threshold: optional(4, u16, 0),
    level: optional(5, u32, WARNING),
    flags: optional(6, u32, 0),
  }),
  limit: row('limit', 'limit', {
    rate: at(1, u64),
    unit: at(2, u64),
    burst: at(3, u32),
    bytes: optional(4, bit, false),
    over: optional(5, bit, false),
  }),
}

/** Writes the attribute `attribute` with all the expressions. */
export function encodeExpressions(to: MessageWriter, attribute: number, expressions: readonly NftExpression[]): void {
  to.nested(attribute, () => {
    for (const expression of expressions) to.nested(NFTA_LIST_ELEM, () => encodeExpression(to, expression))
  })
}

export function encodeExpression(to: MessageWriter, expression: NftExpression): void {
  if (expression.type === 'other') {
    to.attributeText(NFTA_EXPR_NAME, expression.name)
    if (expression.data.length > 0) to.attributeOf(NFTA_EXPR_DATA | NLA_F_NESTED, () => to.bytes(expression.data))
    return
  }
  if (expression.type === 'xt match' || expression.type === 'xt target') {
    throw new RangeError(`Cannot encode the ${expression.type}: extensions of iptables are left to the live kernel`)
  }
  const row = ROWS[expression.type]
  to.attributeText(NFTA_EXPR_NAME, row.name)
  to.nested(NFTA_EXPR_DATA, () => row.write(to, expression))
}

export function decodeExpressions(from: Attributes, attribute: number): NftExpression[] {
  return from.list(attribute).map(({ value }) => decodeExpression(value))
}

/** Any bytes give an expression or a DecodeError. `bytes` are those of NFTA_LIST_ELEM. */
export function decodeExpression(bytes: Uint8Array): NftExpression {
  const attributes = new Attributes(bytes)
  const kernelName = attributes.text(NFTA_EXPR_NAME) ?? ''
  const data = attributes.bytes(NFTA_EXPR_DATA) ?? new Uint8Array()
  const from = new Attributes(data)
  const types = decodeAttributes(data).map(({ type }) => type)
  for (const { name, read } of Object.values(ROWS)) {
    const expression = name === kernelName ? read(from, types) : undefined
    if (expression) return expression
  }
  return { type: 'other', name: kernelName, data: data.slice() }
}

function at<Value>(attribute: number, codec: Codec<Value>, absent?: Value): Column<Value> {
  return { attribute, codec, ...(absent !== undefined && { absent }) }
}

function optional<Value>(attribute: number, codec: Codec<Value>, unsaid?: Value, same?: string): OptionalColumn<Value> {
  return { attribute, codec, optional: true, unsaid, same }
}

function row<T extends Type>(type: T, name: string, columns: Columns<Of<T>>, ...derived: Derived<Of<T>>[]): Row {
  const fields = Object.entries<Column<unknown> | OptionalColumn<unknown>>(columns)
  const known = [...fields.map(([, { attribute }]) => attribute), ...derived.map(({ attribute }) => attribute)]
  return {
    name,
    write(to, expression) {
      const values: Readonly<Record<string, unknown>> = { ...expression }
      for (const [field, { attribute, codec }] of fields) {
        if (values[field] !== undefined) codec.write(to, attribute, values[field])
      }
      for (const { attribute, number } of derived) to.attributeU32be(attribute, number(expression as Of<T>))
    },
    read(from, types) {
      if (!types.every((type) => known.includes(type))) return undefined
      const values: Record<string, unknown> = { type }
      for (const [field, column] of fields) {
        const isThere = types.includes(column.attribute)
        const value = isThere ? column.codec.read(from, column.attribute) : column.absent
        const mayMiss = 'optional' in column
        if (value === undefined && (isThere || !mayMiss)) return undefined
        if (value === undefined || (mayMiss && isSaidElsewhere(value, column, values))) continue
        values[field] = value
      }
      const expression = values as Of<T>
      const agrees = derived.every(
        ({ attribute, number }) => !types.includes(attribute) || from.u32be(attribute) === number(expression),
      )
      return agrees ? expression : undefined
    },
  }
}

function isSaidElsewhere(
  value: unknown,
  { unsaid, same }: OptionalColumn<unknown>,
  values: Readonly<Record<string, unknown>>,
): boolean {
  return value === unsaid || (same !== undefined && value === values[same])
}
