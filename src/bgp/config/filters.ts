/**
 * Filters as configurations have them: `spec` of Calico's BGPFilter, by a name in `filters` or where they are used.
 *
 * A peer's filters count as one, with the rules of the first before those of the second: as Calico has it.
 */
import { Filter, type FilterRule } from '../policy/filter.ts'
import type { Operation } from '../policy/operation.ts'
import type { NeighbourFilters } from '../speaker-settings.ts'
import { ConfigError, collecting, type Path, type Problem } from './problem.ts'
import {
  choice,
  defaulted,
  listOf,
  number,
  object,
  oneOf,
  optional,
  referred,
  refuse,
  required,
  type Shape,
  text,
} from './shape.ts'
import { address, asNumber, prefix } from './values.ts'

const U32 = 0xffff_ffff
const length = number(0, 128)

const operation: Shape<Operation> = oneOf('an operation, as { addCommunity: { value: "65000:100" } }', {
  addCommunity: object('{ value: "65000:100" }', { value: required(text(), 'Standard or large') }),
  prependASPath: object('{ prefix: [65000] }', {
    prefix: required(listOf(asNumber, 'a list of AS numbers', { min: 1 }), 'What the path starts with, in this order'),
  }),
  setPriority: object('{ value: 512 }', {
    value: required(number(1, 2_147_483_646), 'Metric of the route in the kernel'),
  }),
  setLocalPref: object('{ value: 200 }', { value: required(number(0, U32), 'LOCAL_PREF') }),
  setMed: object('{ value: 10 }', { value: required(number(0, U32), 'MULTI_EXIT_DISC') }),
  setNextHop: object('{ value: "10.0.0.1" }', { value: required(address, 'NEXT_HOP') }),
})

const prefixListEntry = object('a line as { action: "permit", prefix: "10.0.0.0/8", le: 24 }', {
  action: required(choice('permit', 'deny'), 'What the line says of the prefixes it means'),
  prefix: required(prefix, 'What all of them are inside of'),
  ge: optional(length, 'At least so long'),
  le: optional(length, 'At most so long'),
})

const rule = object('a rule as { action: "Reject", cidr: "10.0.0.0/8", matchOperator: "In" }', {
  action: required(choice('Accept', 'Reject'), 'What becomes of routes that all conditions hold of'),
  cidr: optional(prefix, 'Prefix that matchOperator compares with'),
  matchOperator: optional(choice('Equal', 'NotEqual', 'In', 'NotIn'), 'How the route must be to cidr'),
  prefixLength: optional(
    object('{ min: 24, max: 28 }', { min: optional(length, 'At least'), max: optional(length, 'At most') }),
    'With In and NotIn: which lengths are meant',
  ),
  prefixList: optional(
    listOf(prefixListEntry, 'a list of lines', { min: 1 }),
    'The first line that means the prefix decides; what none means is denied',
  ),
  source: optional(choice('RemotePeers'), 'Learned from a BGP peer'),
  interface: optional(text(), 'Of the route; * for any characters, ? for any one'),
  peerType: optional(choice('eBGP', 'iBGP'), 'Of the peer that the filter is for'),
  communities: optional(
    object('{ values: ["65000:100"] }', {
      values: required(listOf(text(), 'a list of communities', { min: 1 }), 'All of them, standard or large'),
    }),
    'What the route has',
  ),
  asPathPrefix: optional(listOf(asNumber, 'a list of AS numbers', { min: 1 }), 'What AS_PATH starts with'),
  priority: optional(number(0, U32), 'Metric of the route in the kernel'),
  operations: optional(listOf(operation, 'a list of operations'), 'With Accept: what is changed about the route'),
})

const rules = listOf(referred(rule, 'rule'), 'a list of rules')

const spec = object('a filter as { importV4: [ … ], exportV4: [ … ] }', {
  importV4: defaulted(rules, [], 'IPv4 routes that come from the peer'),
  exportV4: defaulted(rules, [], 'IPv4 routes that it is sent'),
  importV6: defaulted(rules, [], 'IPv6 routes that come from the peer'),
  exportV6: defaulted(rules, [], 'IPv6 routes that it is sent'),
})

const DIRECTIONS = ['importV4', 'exportV4', 'importV6', 'exportV6'] as const

/** Rules that mean nothing are refused with what is wrong about them. */
export const filters: Shape<NeighbourFilters> = {
  ...referred(spec, 'filter'),
  read(value, path) {
    const given = spec.read(value, path)
    const problems: Problem[] = []
    for (const direction of DIRECTIONS) {
      for (const [i, each] of given[direction].entries()) {
        collecting(problems, () => checkRule(each as FilterRule, direction, [...path, direction, i]))
      }
    }
    if (problems.length > 0) throw new ConfigError(problems)
    return given as NeighbourFilters
  },
}

/** For the schema. */
export const filterDefinitions = { filter: spec.schema, rule: rule.schema }

function checkRule(rule: FilterRule, direction: (typeof DIRECTIONS)[number], path: Path): void {
  const isIpv6 = direction.endsWith('V6')
  for (const prefix of [rule.cidr, ...(rule.prefixList ?? []).map((line) => line.prefix)]) {
    if (prefix === undefined || prefix.includes(':') === isIpv6) continue
    throw refuse(path, `has "${prefix}", which is no IPv${isIpv6 ? 6 : 4} prefix`)
  }
  try {
    new Filter([rule])
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw refuse(path, `means nothing: ${error.cause instanceof Error ? error.cause.message : error.message}`)
  }
}

export const NO_FILTERS: NeighbourFilters = { importV4: [], exportV4: [], importV6: [], exportV6: [] }

export function joinFilters(all: readonly NeighbourFilters[]): NeighbourFilters {
  if (all.length === 0) return NO_FILTERS
  return {
    importV4: all.flatMap(({ importV4 }) => importV4),
    exportV4: all.flatMap(({ exportV4 }) => exportV4),
    importV6: all.flatMap(({ importV6 }) => importV6),
    exportV6: all.flatMap(({ exportV6 }) => exportV6),
  }
}
