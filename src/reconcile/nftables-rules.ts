/** When a rule that is listed says what was asked for. */
import type { NftExpression } from '../kernel/nftables.ts'
import type { ChainRule } from './state.ts'

export function sameRules(desired: readonly ChainRule[], seen: readonly ChainRule[]): boolean {
  return desired.length === seen.length && desired.every((rule, i) => sameRule(rule, seen[i]!))
}

export function sameRule(desired: ChainRule, { expressions, comment }: ChainRule): boolean {
  return (
    desired.comment === comment &&
    desired.expressions.length === expressions.length &&
    desired.expressions.every((part, i) => sameExpression(part, expressions[i]!))
  )
}

/** Counters count: they are the same whatever they stand at. */
function sameExpression(a: NftExpression, b: NftExpression): boolean {
  return a.type === b.type && (a.type === 'counter' || canonical(a) === canonical(b))
}

/** JSON with bytes as hex, big integers as text, keys in order, and without what is undefined. */
export function canonical(value: unknown): string {
  if (value instanceof Uint8Array) return `<${hex(value)}>`
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? ''
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`
  return Object.entries(value)
    .filter(([, member]) => member !== undefined && member !== false)
    .map(([key, member]) => `${key}:${canonical(member)}`)
    .sort()
    .join()
}

export function hex(bytes: Uint8Array | undefined): string {
  let text = ''
  for (const byte of bytes ?? []) text += (byte >> 4).toString(16) + (byte & 15).toString(16)
  return text
}
