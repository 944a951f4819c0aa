/**
 * Filters: which routes are taken from a peer, or sent to one, and what is changed about them.
 *
 * They are Calico's BGPFilter (`api/pkg/apis/projectcalico/v3/bgpfilter.go`) with its names, for one family and direction: rules
 * in their order, of which the first decides that all conditions of hold. A route that no rule decides about is accepted as it
 * is. Beyond it: prefix lists, and operations on LOCAL_PREF, MED and the next hop.
 *
 * Most conditions are about what a whole set of routes has in common. They are asked once for the set, and the prefix alone for
 * each route.
 */
import type { AsPath } from '../attribute/as-path.ts'
import type { PathAttributes } from '../attribute/attributes.ts'
import { parseCommunity } from '../attribute/communities.ts'
import { parseLargeCommunity } from '../attribute/large-communities.ts'
import type { PrefixKey } from '../nlri.ts'
import { type Change, type Changed, compileOperation, type Operation } from './operation.ts'
import { inPrefixList, insidePrefix, type PrefixListEntry, type PrefixTest, samePrefixAs } from './prefix-range.ts'

/** A member that is not there is no condition. */
export interface FilterRule {
  readonly action: 'Accept' | 'Reject'
  readonly cidr?: string
  /** Must be there with `cidr`. */
  readonly matchOperator?: 'Equal' | 'NotEqual' | 'In' | 'NotIn'
  /** With `In` and `NotIn`: which lengths of prefixes are meant. */
  readonly prefixLength?: { readonly min?: number; readonly max?: number }
  readonly prefixList?: readonly PrefixListEntry[]
  /** Learned from a BGP peer. */
  readonly source?: 'RemotePeers'
  /** Of the route, with `*` for any characters and `?` for any one. */
  readonly interface?: string
  /** Of the peer that the filter is for. */
  readonly peerType?: 'eBGP' | 'iBGP'
  /** All of them, standard or large. */
  readonly communities?: { readonly values: readonly string[] }
  /** AS_PATH starts with them. */
  readonly asPathPrefix?: readonly number[]
  /** Metric of the route in the kernel. */
  readonly priority?: number
  /** With `Accept` only. */
  readonly operations?: readonly Operation[]
}

/** What a set of routes has in common. */
export interface RouteFacts {
  readonly attributes: PathAttributes
  readonly peerType: 'eBGP' | 'iBGP'
  readonly learned: boolean
  readonly interface: string | undefined
  readonly priority: number | undefined
}

/** A rule that has decided about a route. One rule is one object, so that who asks can keep what came of it. */
export interface Decision {
  readonly accepts: boolean
  apply(route: Changed): Changed
}

/** undefined: no rule says anything about it. */
export type Decide = (key: PrefixKey) => Decision | undefined

interface CompiledRule extends Decision {
  readonly holds: (facts: RouteFacts) => boolean
  /** undefined: for any. */
  readonly prefix: PrefixTest | undefined
}

export class Filter {
  readonly #rules: readonly CompiledRule[]

  /** Throws RangeError for a rule that means nothing, saying which. */
  constructor(rules: readonly FilterRule[]) {
    this.#rules = rules.map((rule, i) => {
      try {
        return compile(rule)
      } catch (cause) {
        if (!(cause instanceof RangeError)) throw cause
        throw new RangeError(`Cannot use rule ${i + 1} of a filter: ${cause.message}`, { cause })
      }
    })
  }

  /** Answers who decides about the prefixes of a set of routes. */
  for(facts: RouteFacts): Decide {
    const rules = this.#rules.filter(({ holds }) => holds(facts))
    const [first] = rules
    if (!first?.prefix) return () => first
    return (key) => rules.find(({ prefix }) => !prefix || prefix(key))
  }
}

function compile(rule: FilterRule): CompiledRule {
  const accepts = rule.action === 'Accept'
  const operations = (rule.operations ?? []).map(compileOperation)
  if (!accepts && operations.length > 0) throw new RangeError('operations are for routes that are accepted')
  const prefixes = [prefixTest(rule), rule.prefixList && inPrefixList(rule.prefixList)].filter(
    (test) => test !== undefined,
  )
  const conditions = conditionsOf(rule)
  return {
    accepts,
    holds: (facts) => conditions.every((holds) => holds(facts)),
    prefix: prefixes.length > 0 ? (key) => prefixes.every((test) => test(key)) : undefined,
    apply: (route) => operations.reduce((changed: Changed, change: Change) => change(changed), route),
  }
}

function prefixTest({ cidr, matchOperator, prefixLength }: FilterRule): PrefixTest | undefined {
  if (cidr === undefined) {
    if (matchOperator === undefined && prefixLength === undefined) return undefined
    throw new RangeError('matchOperator and prefixLength need a cidr')
  }
  if (matchOperator === undefined) throw new RangeError(`cidr "${cidr}" needs a matchOperator`)
  const isRange = matchOperator === 'In' || matchOperator === 'NotIn'
  if (!isRange && prefixLength) throw new RangeError(`prefixLength is for In and NotIn, not for ${matchOperator}`)
  const test = isRange ? insidePrefix(cidr, prefixLength ?? {}) : samePrefixAs(cidr)
  return matchOperator === 'NotEqual' || matchOperator === 'NotIn' ? (key) => !test(key) : test
}

function conditionsOf(rule: FilterRule): ((facts: RouteFacts) => boolean)[] {
  const conditions: ((facts: RouteFacts) => boolean)[] = []
  const { source, peerType, priority, asPathPrefix, communities } = rule
  if (source) conditions.push(({ learned }) => learned)
  if (peerType) conditions.push((facts) => facts.peerType === peerType)
  if (priority !== undefined) conditions.push((facts) => facts.priority === priority)
  if (asPathPrefix) conditions.push(({ attributes }) => startsWith(attributes.asPath, asPathPrefix))
  if (rule.interface !== undefined) {
    const pattern = wildcards(rule.interface)
    conditions.push((facts) => facts.interface !== undefined && pattern.test(facts.interface))
  }
  for (const value of communities?.values ?? []) conditions.push(hasCommunity(value))
  return conditions
}

function hasCommunity(value: string): (facts: RouteFacts) => boolean {
  if (value.split(':').length === 3) {
    const large = parseLargeCommunity(value).join(':')
    return ({ attributes }) => attributes.largeCommunities.some((each) => each.join(':') === large)
  }
  const community = parseCommunity(value)
  return ({ attributes }) => attributes.communities.includes(community)
}

/** Only sequences: a set says nothing of an order. */
function startsWith(path: AsPath, prefix: readonly number[]): boolean {
  const numbers: number[] = []
  for (const segment of path) {
    if (segment.type === 'set') break
    numbers.push(...segment.numbers)
  }
  return prefix.every((as, i) => numbers[i] === as)
}

function wildcards(pattern: string): RegExp {
  const parts = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.')
  return new RegExp(`^${parts}$`)
}
