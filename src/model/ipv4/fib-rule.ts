/**
 * Policy rules: in which table a packet's route is looked up. Sources: net/core/fib_rules.c, net/ipv4/fib_rules.c,
 * linux/fib_rules.h.
 */
import type { RuleAction } from '../../kernel/route.ts'
import type { Devices } from '../namespace.ts'
import { formatAddress } from './address-text.ts'
import { maskOf } from './fib-route.ts'
import { tableName } from './route-text.ts'

export interface FibRule {
  readonly priority: number
  readonly action: RuleAction
  /** 0 where the action looks into none. */
  readonly table: number
  readonly source: number
  readonly sourceLength: number
  readonly destination: number
  readonly destinationLength: number
  readonly inputLink: string | undefined
  readonly outputLink: string | undefined
  readonly mark: number
  readonly mask: number
  readonly tos: number
  readonly invert: boolean
  /** Priority of the rule that a `goto` goes on with. */
  readonly goto: number | undefined
  /** RTPROT_*. */
  readonly protocol: number
  /** -1: nothing is suppressed. */
  readonly suppressPrefixLength: number
  /** IP protocol; 0: any. */
  readonly ipProtocol: number
  readonly sourcePorts: readonly [number, number] | undefined
  readonly destinationPorts: readonly [number, number] | undefined
}

/** What a route is looked up for: struct flowi4. Filled anew for each lookup. */
export interface Flow {
  destination: number
  source: number
  tos: number
  mark: number
  /** Index of the device that the packet came in by; the loopback's for what the host sends. */
  input: number
  /** Index of the device that it must leave by; 0: any. */
  output: number
  scope: number
  protocol: number
  sourcePort: number
  destinationPort: number
}

/** A flow to `destination` of which nothing else is known. */
export function clearFlow(flow: Flow, destination: number): Flow {
  flow.destination = destination
  flow.source = 0
  flow.tos = 0
  flow.mark = 0
  flow.input = 0
  flow.output = 0
  flow.scope = 0
  flow.protocol = 0
  flow.sourcePort = 0
  flow.destinationPort = 0
  return flow
}

/** IPTOS_RT_MASK and what routes compare of it: INET_DSCP_LEGACY_TOS_MASK. */
export const TOS_MASK = 0x1c

const within = (port: number, range: readonly [number, number] | undefined) =>
  range === undefined || (port >= range[0] && port <= range[1])

/** fib_rule_match and fib4_rule_match. */
export function ruleMatches(rule: FibRule, flow: Flow, devices: Devices): boolean {
  return matches(rule, flow, devices) !== rule.invert
}

function matches(rule: FibRule, flow: Flow, devices: Devices): boolean {
  // A rule that names a device which is not there matches nothing.
  if (rule.inputLink !== undefined && devices.get(rule.inputLink)?.index !== flow.input) return false
  if (rule.outputLink !== undefined && devices.get(rule.outputLink)?.index !== flow.output) return false
  if (((rule.mark ^ flow.mark) & rule.mask) !== 0) return false
  if (((rule.source ^ flow.source) & maskOf(rule.sourceLength)) !== 0) return false
  if (((rule.destination ^ flow.destination) & maskOf(rule.destinationLength)) !== 0) return false
  if (rule.tos !== 0 && rule.tos !== (flow.tos & TOS_MASK)) return false
  if (rule.ipProtocol !== 0 && rule.ipProtocol !== flow.protocol) return false
  return within(flow.sourcePort, rule.sourcePorts) && within(flow.destinationPort, rule.destinationPorts)
}

/** Whether only the destination can make a difference to it: the rules that a namespace begins with. */
export const isPlain = (rule: FibRule) =>
  rule.action === 'table' &&
  !rule.invert &&
  rule.sourceLength === 0 &&
  rule.inputLink === undefined &&
  rule.outputLink === undefined &&
  rule.mask === 0 &&
  rule.tos === 0 &&
  rule.ipProtocol === 0 &&
  rule.sourcePorts === undefined &&
  rule.destinationPorts === undefined

/** `32766:	from all lookup main`, with one blank instead of the tab. */
export function describeRule(rule: FibRule): string {
  const prefix = (address: number, length: number) =>
    length === 32 ? formatAddress(address) : `${formatAddress(address)}/${length}`
  let text = `${rule.priority}:${rule.invert ? ' not' : ''} from `
  text += rule.sourceLength ? prefix(rule.source, rule.sourceLength) : 'all'
  if (rule.destinationLength) text += ` to ${prefix(rule.destination, rule.destinationLength)}`
  if (rule.tos) text += ` tos 0x${rule.tos.toString(16).padStart(2, '0')}`
  if (rule.mask)
    text += ` fwmark 0x${rule.mark.toString(16)}${rule.mask >>> 0 === 0xffffffff ? '' : `/0x${rule.mask.toString(16)}`}`
  if (rule.inputLink !== undefined) text += ` iif ${rule.inputLink}`
  if (rule.outputLink !== undefined) text += ` oif ${rule.outputLink}`
  if (rule.action === 'table') text += ` lookup ${tableName(rule.table)}`
  else text += ` ${rule.action}${rule.action === 'goto' ? ` ${rule.goto}` : ''}`
  return text
}
