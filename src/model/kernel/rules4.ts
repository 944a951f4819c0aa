/** IPv4's policy rules as text, and as the FIB keeps them. Source: net/core/fib_rules.c, net/ipv4/fib_rules.c. */
import { parsePrefix } from '../../address/prefix.ts'
import type { Rule } from '../../kernel/route.ts'
import { u32 } from '../bytes.ts'
import { formatAddress } from '../ipv4/address-text.ts'
import type { FibRule } from '../ipv4/fib-rule.ts'
import type { Namespace } from '../namespace.ts'

const ALL_BITS = 0xffff_ffff

export function listRules4({ fib }: Namespace): Rule[] {
  return fib.rules.map(viewOf)
}

/** Whether it was not there before. */
export function addRule4({ fib }: Namespace, rule: Rule): boolean {
  const wanted = ruleOf(rule, rule.priority ?? fib.defaultPriority())
  if (fib.rules.some((each) => exists(each, wanted))) return false
  fib.addRule(wanted)
  return true
}

/** rule_exists. `not` and the target of a goto are not compared; what it selects by, only where the new rule tells it. */
function exists(there: FibRule, wanted: FibRule): boolean {
  const compared = [
    'action',
    'table',
    'priority',
    'inputLink',
    'outputLink',
    'mark',
    'mask',
    'protocol',
    'suppressPrefixLength',
  ] as const
  return compared.every((name) => there[name] === wanted[name]) && selectsAlike(there, wanted)
}

/** fib4_rule_compare */
function selectsAlike(there: FibRule, wanted: FibRule): boolean {
  const { source, sourceLength, destination, destinationLength, tos } = wanted
  return (
    (sourceLength === 0 || (there.sourceLength === sourceLength && there.source === source)) &&
    (destinationLength === 0 || (there.destinationLength === destinationLength && there.destination === destination)) &&
    (tos === 0 || there.tos === tos)
  )
}

/** rule_find: what is left out is not compared. Whether there was one. */
export function deleteRule4({ fib }: Namespace, rule: Rule): boolean {
  const wanted = ruleOf(rule, rule.priority ?? 0)
  const found = fib.rules.find(
    (each) =>
      (rule.action === undefined && rule.table === undefined ? true : each.action === wanted.action) &&
      (!rule.table || each.table === wanted.table) &&
      (rule.priority === undefined || each.priority === wanted.priority) &&
      (rule.inputLink === undefined || each.inputLink === wanted.inputLink) &&
      (rule.outputLink === undefined || each.outputLink === wanted.outputLink) &&
      (!wanted.mark || each.mark === wanted.mark) &&
      (!wanted.mask || each.mask === wanted.mask) &&
      (!wanted.protocol || each.protocol === wanted.protocol) &&
      selectsAlike(each, wanted),
  )
  if (found) fib.deleteRule(found)
  return found !== undefined
}

function ruleOf(rule: Rule, priority: number): FibRule {
  const source = rule.source === undefined ? undefined : parsePrefix(rule.source)
  const destination = rule.destination === undefined ? undefined : parsePrefix(rule.destination)
  const { action = 'table', mark = 0 } = rule
  return {
    priority,
    action,
    table: action === 'table' ? (rule.table ?? 0) : 0,
    source: source?.length ? u32(source.address, 0) : 0,
    sourceLength: source?.length ?? 0,
    destination: destination?.length ? u32(destination.address, 0) : 0,
    destinationLength: destination?.length ?? 0,
    inputLink: rule.inputLink,
    outputLink: rule.outputLink,
    mark,
    mask: rule.mask ?? (mark === 0 ? 0 : ALL_BITS),
    tos: rule.tos ?? 0,
    invert: rule.invert ?? false,
    goto: rule.goto,
    protocol: rule.protocol ?? 0,
    suppressPrefixLength: rule.suppressPrefixLength ?? -1,
    ipProtocol: 0,
    sourcePorts: undefined,
    destinationPorts: undefined,
  }
}

function viewOf(rule: FibRule): Rule {
  const prefix = (address: number, length: number) => `${formatAddress(address)}/${length}`
  const marks = rule.mark !== 0 || rule.mask !== 0
  return {
    family: 'ipv4',
    priority: rule.priority,
    action: rule.action,
    ...(rule.action === 'table' && { table: rule.table }),
    ...(rule.sourceLength > 0 && { source: prefix(rule.source, rule.sourceLength) }),
    ...(rule.destinationLength > 0 && { destination: prefix(rule.destination, rule.destinationLength) }),
    ...(rule.inputLink !== undefined && { inputLink: rule.inputLink }),
    ...(rule.outputLink !== undefined && { outputLink: rule.outputLink }),
    ...(marks && { mark: rule.mark, mask: rule.mask }),
    ...(rule.tos !== 0 && { tos: rule.tos }),
    ...(rule.invert && { invert: true }),
    ...(rule.goto !== undefined && { goto: rule.goto }),
    ...(rule.protocol !== 0 && { protocol: rule.protocol }),
    ...(rule.suppressPrefixLength >= 0 && { suppressPrefixLength: rule.suppressPrefixLength }),
  }
}
