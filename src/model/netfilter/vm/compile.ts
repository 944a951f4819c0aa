/** A rule's expressions become operations, once, when the rule is committed. */
import type { NftExpression, NftFamily } from '../../../kernel/nftables.ts'
import type { Namespace } from '../../namespace.ts'
import type { TupleFamily } from '../conntrack/tuple.ts'
import type { IpSetPlace } from '../ipset/ipsets.ts'
import { compileXtMatch } from '../xt/match.ts'
import { compileXtTarget } from '../xt/target.ts'
import { compileBitwise, compileCompare, compileImmediate, compileRange } from './compare.ts'
import { compileCounter, compileLimit } from './counter.ts'
import { compileCt, compileCtSet } from './ct.ts'
import { listed } from './describe.ts'
import { compileFib } from './fib.ts'
import { fuse, type Placed, type Test } from './fuse.ts'
import { logged } from './log.ts'
import { compileLookup } from './lookup.ts'
import type { Base, Operation } from './machine.ts'
import { compileMeta, compileMetaSet } from './meta.ts'
import { compileMasquerade, compileNat, compileRedirect } from './nat.ts'
import { compileOther } from './other.ts'
import { compilePayload } from './payload.ts'
import { refusal } from './refusal.ts'
import { Registers } from './registers.ts'
import { compileReject } from './reject.ts'
import type { Chain, Table } from './ruleset.ts'
import type { NftSetState } from './set.ts'
import { compileVerdict } from './verdict-expression.ts'

/** What an expression compiles to. */
export interface Compiled {
  readonly operation: Operation
  /** As it is listed now, where that changes. */
  readonly describe?: () => NftExpression
  /** Where it jumps to. */
  readonly chain?: Chain | undefined
  /** Where it looks. */
  readonly set?: NftSetState
  /** The same of ipset's. */
  readonly ipSets?: readonly IpSetPlace[]
  /** It needs connections: nf_ct_netns_get. Of one family, or of all that its table has. */
  readonly tracks?: true | TupleFamily
  /** Whether it may stand where this base chain leads: nft_expr_ops.validate. All may, where it is left out. */
  readonly allows?: (base: Base) => boolean
  /** What the rule is refused with, where it may not: EOPNOTSUPP where left out. */
  readonly errno?: 'EINVAL'
}

export interface CompiledRule {
  readonly operations: readonly Operation[]
  /** What must hold before the rule does anything. */
  readonly tests: readonly Test[]
  readonly chains: readonly Chain[]
  readonly sets: readonly NftSetState[]
  readonly ipSets: readonly IpSetPlace[]
  /** The families whose connections it needs. */
  readonly tracks: readonly TupleFamily[]
  /** Why it must not stand where this base chain leads. */
  refusedAt(base: Base): 'EOPNOTSUPP' | 'EINVAL' | undefined
  /** As they are listed. */
  expressions(): NftExpression[]
}

/** What a rule stands in. */
export interface Surroundings {
  readonly namespace: Namespace
  readonly table: Table
  /** `rule ip filter FORWARD handle 7`. */
  readonly ref: string
}

/** nf_tables_expr_parse: whether there are such expressions. */
export function checkFamily(expressions: readonly NftExpression[], family: NftFamily): void {
  if (expressions.some(({ type }) => FAMILIES[type]?.includes(family) === false)) throw refusal('ENOENT')
}

/** KernelError where the kernel would refuse the rule. */
export function compileRule(expressions: readonly NftExpression[], surroundings: Surroundings): CompiledRule {
  const registers = new Registers()
  const { family } = surroundings.table
  const placed = expressions.map((given): Placed => {
    const expression = listed(given)
    const compiled = compileExpression(expression, registers, surroundings)
    // nf_ct_netns_get, without nf_conntrack_bridge.
    if (compiled.tracks && !['ip', 'ip6', 'inet'].includes(family)) throw refusal('EPROTO')
    const pure = PURE.includes(expression.type) && !leads(expression)
    return { describe: () => expression, ...compiled, ...registers.take(), pure, expression }
  })
  const checked = placed.filter(({ allows }) => allows !== undefined)
  return {
    ...fuse(placed),
    chains: placed.flatMap(({ chain }) => chain ?? []),
    sets: placed.flatMap(({ set }) => set ?? []),
    ipSets: placed.flatMap(({ ipSets }) => ipSets ?? []),
    tracks: trackedFamilies(placed, family),
    refusedAt(base) {
      const wrong = checked.find(({ allows }) => !allows!(base))
      return wrong && (wrong.errno ?? 'EOPNOTSUPP')
    },
    expressions: () => placed.map(({ describe }) => describe!()),
  }
}

function trackedFamilies(placed: readonly Placed[], table: NftFamily): readonly TupleFamily[] {
  const all: readonly TupleFamily[] = table === 'ip' || table === 'ip6' ? [table] : ['ip', 'ip6']
  return all.filter((family) => placed.some(({ tracks }) => tracks === true || tracks === family))
}

/** They change nothing but registers: a rule that has come so far has left no trace. */
const PURE: readonly NftExpression['type'][] = [
  'meta',
  'payload',
  'cmp',
  'range',
  'bitwise',
  'immediate',
  'lookup',
  'ct',
  'fib',
]

function leads(expression: NftExpression): boolean {
  return expression.type === 'lookup' && expression.register === 0
}

/** Families in which the kernel has the expression; of the others all have it. */
const FAMILIES: { readonly [T in NftExpression['type']]?: readonly NftFamily[] } = {
  masquerade: ['ip', 'ip6', 'inet'],
  redirect: ['ip', 'ip6', 'inet'],
  reject: ['ip', 'ip6', 'inet', 'bridge', 'netdev'],
  fib: ['ip', 'ip6', 'inet', 'netdev'],
}

function compileExpression(expression: NftExpression, registers: Registers, surroundings: Surroundings): Compiled {
  const { table, namespace, ref } = surroundings
  switch (expression.type) {
    case 'meta':
      return compileMeta(expression, registers, table.family)
    case 'meta set':
      return compileMetaSet(expression, registers)
    case 'payload':
      return compilePayload(expression, registers)
    case 'cmp':
      return compileCompare(expression, registers)
    case 'range':
      return compileRange(expression, registers)
    case 'bitwise':
      return compileBitwise(expression, registers)
    case 'immediate':
      return compileImmediate(expression, registers)
    case 'lookup':
      return compileLookup(expression, registers, table)
    case 'verdict':
      return compileVerdict(expression, table)
    case 'counter':
      return compileCounter(expression)
    case 'limit':
      return compileLimit(expression, namespace.model.clock)
    case 'ct':
      return compileCt(expression, registers)
    case 'ct set':
      return compileCtSet(expression, registers)
    case 'fib':
      return compileFib(expression, registers)
    case 'masquerade':
      return compileMasquerade(expression, registers, ref)
    case 'nat':
      return compileNat(expression, registers, table.family, ref)
    case 'redirect':
      return compileRedirect(expression, registers, ref)
    case 'reject':
      return compileReject(expression, table.family)
    case 'log':
      return { operation: logged(expression.prefix, ref) }
    case 'xt match':
      return compileXtMatch(expression, surroundings)
    case 'xt target':
      return compileXtTarget(expression, surroundings)
    case 'other':
      return compileOther(expression.name, expression.data, registers, surroundings)
  }
}
