/** IPv6's policy rules: kept as text, since what they compare is written in one way only. Source: net/core/fib_rules.c. */
import { formatPrefix, networkOf, parsePrefix } from '../../address/prefix.ts'
import type { Rule } from '../../kernel/route.ts'
import type { Namespace } from '../namespace.ts'

const ALL_BITS = 0xffff_ffff

export function listRules6({ ipv6 }: Namespace): Rule[] {
  return [...ipv6.fib.rules]
}

/** Whether it was not there before. */
export function addRule6({ ipv6 }: Namespace, rule: Rule): boolean {
  const { fib } = ipv6
  const wanted = { ...canonical(rule), priority: rule.priority ?? defaultPriority(fib.rules) }
  if (fib.rules.some((each) => isSame(each, wanted))) return false
  const at = fib.rules.findIndex(({ priority }) => priority! > wanted.priority)
  fib.setRules(fib.rules.toSpliced(at < 0 ? fib.rules.length : at, 0, wanted))
  return true
}

/** rule_find: what is left out is not compared. Whether there was one. */
export function deleteRule6({ ipv6 }: Namespace, rule: Rule): boolean {
  const { fib } = ipv6
  const { action, table, ...wanted } = canonical(rule)
  const compared = {
    ...wanted,
    ...((rule.action !== undefined || rule.table !== undefined) && { action }),
    ...(rule.table !== undefined && { table }),
  }
  const found = fib.rules.find((each) =>
    Object.entries(compared).every(([name, value]) => each[name as keyof Rule] === value),
  )
  if (found) fib.setRules(fib.rules.filter((each) => each !== found))
  return found !== undefined
}

/** As it is listed: without what says nothing. */
function canonical(rule: Rule): Rule {
  const { action = 'table', mark = 0, source, destination } = rule
  const mask = rule.mask ?? (mark === 0 ? 0 : ALL_BITS)
  const prefix = (text: string) => formatPrefix(networkOf(parsePrefix(text)))
  return {
    family: 'ipv6',
    ...(rule.priority !== undefined && { priority: rule.priority }),
    action,
    ...(action === 'table' && { table: rule.table ?? 0 }),
    ...(source !== undefined && parsePrefix(source).length > 0 && { source: prefix(source) }),
    ...(destination !== undefined && parsePrefix(destination).length > 0 && { destination: prefix(destination) }),
    ...(rule.inputLink !== undefined && { inputLink: rule.inputLink }),
    ...(rule.outputLink !== undefined && { outputLink: rule.outputLink }),
    ...((mark !== 0 || mask !== 0) && { mark, mask }),
    ...(rule.tos && { tos: rule.tos }),
    ...(rule.invert && { invert: true }),
    ...(rule.goto !== undefined && { goto: rule.goto }),
    ...(rule.protocol && { protocol: rule.protocol }),
    ...(rule.suppressPrefixLength !== undefined && { suppressPrefixLength: rule.suppressPrefixLength }),
  }
}

/** rule_exists and fib6_rule_compare: as IPv4's. */
function isSame(there: Rule, wanted: Rule): boolean {
  const names = new Set([...Object.keys(there), ...Object.keys(wanted)]) as Set<keyof Rule>
  for (const name of ['invert', 'goto'] as const) names.delete(name)
  for (const name of ['source', 'destination', 'tos'] as const) if (wanted[name] === undefined) names.delete(name)
  return [...names].every((name) => there[name] === wanted[name])
}

/** fib_default_rule_pref: before all but the first. */
function defaultPriority(rules: readonly Rule[]): number {
  const second = rules[1]?.priority ?? 0
  return second > 0 ? second - 1 : 0
}
