/** Rules and changes in the interface's words: as the kernel lists an expression, and what a change is called when it is refused. */
import type { NftExpression, NftOperation } from '../../../kernel/nftables.ts'

const REGISTER_FIELDS = ['register', 'source', 'addressMin', 'addressMax', 'portMin', 'portMax']
/** Fields that are left out where they are not set. */
const FLAG_FIELDS = ['inverted', 'over', 'bytes']
/** A field that says no more than that one. */
const SAME_AS: Readonly<Record<string, string>> = { addressMax: 'addressMin', portMax: 'portMin' }
const FIB_FLAGS = ['saddr', 'daddr', 'mark', 'iif', 'oif', 'present'] as const
/** NFT_LIMIT_PKT_BURST_DEFAULT. */
const DEFAULT_BURST = 5
/** syslog's warning, which goes without saying. */
const WARNING = 4

/** As it is listed: without what goes without saying, registers 8, 12, 16 and 20 by their other numbers. */
export function listed(expression: NftExpression): NftExpression {
  if (expression.type === 'fib') {
    return { ...named(expression), flags: FIB_FLAGS.filter((flag) => expression.flags.includes(flag)) }
  }
  if (expression.type === 'limit' && !expression.bytes && expression.burst === 0) {
    return { ...named(expression), burst: DEFAULT_BURST }
  }
  const unsaid = expression.type === 'log' && expression.level === WARNING ? 'level' : undefined
  return named(expression, unsaid)
}

function named<E extends NftExpression>(expression: E, unsaid?: string): E {
  const given: Readonly<Record<string, unknown>> = { ...expression }
  const fields = Object.entries(given).filter(
    ([field, value]) =>
      value !== undefined &&
      !(value === false && FLAG_FIELDS.includes(field)) &&
      field !== unsaid &&
      !(field === 'flags' && value === 0) &&
      !(field in SAME_AS && value === given[SAME_AS[field]!]),
  )
  return Object.fromEntries(fields.map(([field, value]) => [field, fieldValue(field, value)])) as unknown as E
}

function fieldValue(field: string, value: unknown): unknown {
  if (value instanceof Uint8Array) return value.slice()
  if (typeof value === 'number' && REGISTER_FIELDS.includes(field) && value >= 8 && value % 4 === 0)
    return value / 4 - 1
  return value
}

/** `add chain "c" of table inet "t"` */
export function callOf(operation: NftOperation): string {
  const verb = operation.operation
  if ('table' in operation) return `${verb} ${operation.table.family} "${operation.table.name}"`
  if ('chain' in operation) return `${verb} "${operation.chain.name}" of table ${tableOf(operation.chain)}`
  if ('rule' in operation) return `${verb} of chain "${operation.rule.chain}" of table ${tableOf(operation.rule)}`
  const of = 'elements' in operation ? ' of set' : ''
  return `${verb}${of} "${operation.set.name}" of table ${tableOf(operation.set)}`
}

function tableOf({ family, table }: { readonly family: string; readonly table: string }): string {
  return `${family} "${table}"`
}
