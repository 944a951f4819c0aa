/** IPv6's policy rules as a lookup asks them: fib6_rule_match, net/ipv6/fib6_rules.c. */
import { type Prefix, parsePrefix } from '../../address/prefix.ts'
import type { Rule } from '../../kernel/route.ts'
import type { Devices } from '../namespace.ts'
import { hasPrefix } from './address.ts'
import type { Flow6 } from './fib.ts'

export interface CompiledRule {
  readonly rule: Rule
  readonly source: Prefix | undefined
  readonly destination: Prefix | undefined
}

export function compileRule(rule: Rule): CompiledRule {
  return {
    rule,
    source: rule.source === undefined ? undefined : parsePrefix(rule.source),
    destination: rule.destination === undefined ? undefined : parsePrefix(rule.destination),
  }
}

/** INET_DSCP_MASK */
const DSCP = 0xfc

export function ruleMatches6(compiled: CompiledRule, flow: Flow6, devices: Devices): boolean {
  return matches(compiled, flow, devices) !== (compiled.rule.invert ?? false)
}

function matches({ rule, source, destination }: CompiledRule, flow: Flow6, devices: Devices): boolean {
  // A rule that names a device which is not there matches nothing.
  if (rule.inputLink !== undefined && devices.get(rule.inputLink)?.index !== flow.input) return false
  if (rule.outputLink !== undefined && devices.get(rule.outputLink)?.index !== flow.device) return false
  if ((((rule.mark ?? 0) ^ flow.mark) & (rule.mask ?? 0)) !== 0) return false
  if (destination && !hasPrefix(flow.destination, flow.destinationAt, destination.address, destination.length))
    return false
  if (source && (!flow.source || !hasPrefix(flow.source, flow.sourceAt, source.address, source.length))) return false
  return !rule.tos || rule.tos === (flow.traffic & DSCP)
}

/** `100: from fd00::/8 lookup 1000` */
export function describeRule6({ priority, invert, source, destination, inputLink, mark, ...rule }: Rule): string {
  let text = `${priority}:${invert ? ' not' : ''} from ${source ?? 'all'}`
  if (destination) text += ` to ${destination}`
  if (mark) text += ` fwmark 0x${mark.toString(16)}`
  if (inputLink) text += ` iif ${inputLink}`
  return `${text} ${rule.action === 'table' ? `lookup ${rule.table}` : rule.action}`
}
