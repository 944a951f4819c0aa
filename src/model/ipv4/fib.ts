/**
 * The forwarding information base of a namespace: tables, the rules that choose between them, and the lookup. Changes stand in
 * fib-change.ts (routes), fib-device.ts (devices) and addresses.ts. Sources: net/ipv4/fib_frontend.c, fib_trie.c, fib_rules.c.
 *
 * Until the first rule is added or deleted, the kernel keeps the tables local and main as one (fib_unmerge): the longest
 * prefix of both wins, local first among equals. From then on each is asked on its own.
 *
 * What a lookup answered is remembered by destination for as long as nothing changes and nothing but the destination can make
 * a difference, which is so in most namespaces.
 */
import { RouteTable } from '../../kernel/route.ts'
import type { Device } from '../device/device.ts'
import { type Namespace, notify } from '../namespace.ts'
import {
  type FibNextHop,
  type FibResult,
  type FibRoute,
  ignoresRoutesWithLinkDown,
  routeProperties,
} from './fib-route.ts'
import { describeRule, type FibRule, type Flow, isPlain, ruleMatches, TOS_MASK } from './fib-rule.ts'
import { FibTable } from './fib-table.ts'
import { FlowRoutes } from './flow-routes.ts'
import type { Ipv4Route } from './route.ts'

/** Destinations that are remembered. */
const CACHE_LIMIT = 65_536

const NO_ROUTE: FibResult = { route: undefined, hop: undefined, error: 'ENETUNREACH', rule: undefined }
const refusedBy = (error: 'EINVAL' | 'EACCES' | 'ENETUNREACH') => (rule: FibRule) => ({
  route: undefined,
  hop: undefined,
  error,
  rule: describeRule(rule),
})
/** fib4_rule_action. */
const refusals: { readonly [action: string]: (rule: FibRule) => FibResult } = {
  blackhole: refusedBy('EINVAL'),
  prohibit: refusedBy('EACCES'),
  unreachable: refusedBy('ENETUNREACH'),
}

const plainRule = (priority: number, table: number): FibRule => ({
  priority,
  action: 'table',
  table,
  source: 0,
  sourceLength: 0,
  destination: 0,
  destinationLength: 0,
  inputLink: undefined,
  outputLink: undefined,
  mark: 0,
  mask: 0,
  tos: 0,
  invert: false,
  goto: undefined,
  protocol: 2,
  suppressPrefixLength: -1,
  ipProtocol: 0,
  sourcePorts: undefined,
  destinationPorts: undefined,
})

const NO_LENGTHS: readonly number[] = []
const NO_LENGTHS_OF: readonly (readonly number[])[] = []

const FIRST_RULES: readonly FibRule[] = [
  plainRule(0, RouteTable.local),
  plainRule(32766, RouteTable.main),
  plainRule(32767, RouteTable.default),
]

const FLOW: Flow = {
  destination: 0,
  source: 0,
  tos: 0,
  mark: 0,
  input: 0,
  output: 0,
  scope: 0,
  protocol: 0,
  sourcePort: 0,
  destinationPort: 0,
}

export type FibChange =
  | { readonly subject: 'route'; readonly operation: 'new' | 'delete'; readonly route: FibRoute }
  | { readonly subject: 'rule'; readonly operation: 'new' | 'delete'; readonly rule: FibRule }

export class Fib {
  readonly namespace: Namespace
  readonly local: FibTable
  readonly main: FibTable
  /** Further ones. */
  #tables: Map<number, FibTable> | undefined = undefined
  /** By priority. */
  #rules: readonly FibRule[] = FIRST_RULES
  #merged = true
  #mergedLengths: readonly number[] = NO_LENGTHS
  /** What they were made of. */
  #merging: readonly (readonly number[])[] = NO_LENGTHS_OF
  /** fib_has_custom_local_routes: somebody added a local route by hand. */
  customLocalRoutes = false
  /** Addresses of this host, with the devices that have them: inet_addr_lst. Keys are signed, so that they need no memory. */
  readonly addresses = new Map<number, Device[]>()
  /** Counts changes of addresses: what was derived from them is found anew. */
  addressGeneration = 1
  /** Counts what any route may depend on: tables, rules, addresses, devices, settings. */
  generation = 0
  /** Of packets that came in. */
  readonly inputRoutes = new FlowRoutes()
  #cache: Map<number, FibResult> | undefined = undefined
  /** routeOutput's, by destination: of packets that have no source yet, and of those that have. */
  outputCache: Map<number, Ipv4Route> | undefined = undefined
  boundOutputCache: Map<number, Ipv4Route> | undefined = undefined
  #onlyDestinationMatters = true
  #sawLinkDown = false
  /** The flow of the lookup that is being made: one object for all. */
  readonly flow = FLOW

  constructor(namespace: Namespace) {
    this.namespace = namespace
    this.local = new FibTable(RouteTable.local, namespace)
    this.main = new FibTable(RouteTable.main, namespace)
  }

  /** Made when it is first asked for. */
  table(id: number): FibTable {
    const known = this.tableIfAny(id)
    if (known) return known
    const table = new FibTable(id, this.namespace)
    this.#tables ??= new Map()
    this.#tables.set(id, table)
    return table
  }

  tableIfAny(id: number): FibTable | undefined {
    if (id === RouteTable.local) return this.local
    return id === RouteTable.main ? this.main : this.#tables?.get(id)
  }

  /** All of them, in the order of `ip route show table all`. */
  tables(): FibTable[] {
    return [this.local, this.main, ...(this.#tables?.values() ?? [])]
  }

  get rules(): readonly FibRule[] {
    return this.#rules
  }

  /** fib4_has_custom_rules. */
  get hasCustomRules(): boolean {
    return !this.#merged
  }

  /** Whether a lookup depends on nothing but where the packet goes. */
  get onlyDestinationMatters(): boolean {
    return this.#onlyDestinationMatters
  }

  /** A rule goes behind those of its priority. */
  addRule(rule: FibRule): void {
    const at = this.#rules.findIndex(({ priority }) => priority > rule.priority)
    this.#rules = this.#rules.toSpliced(at < 0 ? this.#rules.length : at, 0, rule)
    this.#merged = false
    this.changed({ subject: 'rule', operation: 'new', rule })
  }

  deleteRule(rule: FibRule): void {
    const at = this.#rules.indexOf(rule)
    if (at < 0) return
    this.#rules = this.#rules.toSpliced(at, 1)
    this.#merged = false
    this.changed({ subject: 'rule', operation: 'delete', rule })
  }

  /** The priority that a rule without one gets: one less than the first but that at 0. fib_default_rule_pref. */
  defaultPriority(): number {
    const second = this.#rules[1]
    return second && second.priority > 0 ? second.priority - 1 : 0
  }

  /** Nothing that was remembered counts any more: rt_cache_flush. */
  flush(): void {
    this.generation++
    this.#cache?.clear()
    this.outputCache?.clear()
    this.boundOutputCache?.clear()
  }

  /** Called after each change of tables and rules. */
  changed(change: FibChange): void {
    this.flush()
    this.#mergeLengths()
    if (change.subject === 'rule' || change.route.tos !== 0) this.#onlyDestinationMatters = this.#isPlain()
    notify(this.namespace, change.subject, change.operation, linkOf(change))
  }

  #mergeLengths(): void {
    const [local, main] = [this.local.lengths, this.main.lengths]
    if (this.#merging[0] === local && this.#merging[1] === main) return
    this.#merging = [local, main]
    this.#mergedLengths = [...new Set([...local, ...main])].sort((a, b) => b - a)
  }

  #isPlain(): boolean {
    return this.#rules.every(isPlain) && !this.tables().some((table) => table.awake().some(({ tos }) => tos !== 0))
  }

  /** What a lookup for this destination answered, where that is known and nothing else can matter. */
  remembered(destination: number): FibResult | undefined {
    return this.#onlyDestinationMatters ? this.#cache?.get(destination | 0) : undefined
  }

  /** Where the flow goes: fib_lookup. */
  lookup(flow: Flow): FibResult {
    if (!this.#onlyDestinationMatters || flow.output !== 0 || flow.scope !== 0) return this.search(flow)
    const known = this.#cache?.get(flow.destination | 0)
    if (known) return known
    this.#sawLinkDown = false
    const result = this.search(flow)
    // Whether a hop without carrier counts is a setting, which may change.
    if (this.#sawLinkDown) return result
    this.#cache ??= new Map()
    if (this.#cache.size >= CACHE_LIMIT) this.#cache.clear()
    this.#cache.set(flow.destination | 0, result)
    return result
  }

  /** As lookup, asking the tables anew. `ignoreLinkState`: hops without carrier are as good as any, and nobody keeps the answer. */
  search(flow: Flow, ignoreLinkState = false): FibResult {
    if (this.#merged) {
      const found =
        this.#searchMerged(flow, ignoreLinkState) ?? this.searchTable(RouteTable.default, flow, ignoreLinkState)
      return found && found.error !== 'EAGAIN' ? found : NO_ROUTE
    }
    for (let i = 0; i < this.#rules.length; i++) {
      const rule = this.#rules[i]!
      if (!ruleMatches(rule, flow, this.namespace.devices)) continue
      if (rule.action === 'nop') continue
      if (rule.action === 'goto') {
        // A goto whose target is not there does nothing.
        const target = this.#rules.findIndex(({ priority }) => priority === rule.goto)
        if (target > i) i = target - 1
        continue
      }
      const refusal = refusals[rule.action]
      if (refusal) return refusal(rule)
      const found = this.searchTable(rule.table, flow, ignoreLinkState)
      if (!found || found.error === 'EAGAIN') continue
      if (found.error === undefined && found.route!.length <= rule.suppressPrefixLength) continue
      return found
    }
    return NO_ROUTE
  }

  /** fib_table_lookup. Undefined: no route of this table covers the destination. */
  searchTable(id: number, flow: Flow, ignoreLinkState = false): FibResult | undefined {
    if (this.#merged && (id === RouteTable.local || id === RouteTable.main))
      return this.#searchMerged(flow, ignoreLinkState)
    const table = this.tableIfAny(id)
    if (!table) return undefined
    const { lengths } = table
    for (let i = 0; i < lengths.length; i++) {
      const routes = table.covering(flow.destination, lengths[i]!, ignoreLinkState)
      const found = routes && this.#choose(routes, flow, ignoreLinkState)
      if (found) return found
    }
    return undefined
  }

  #searchMerged(flow: Flow, ignoreLinkState: boolean): FibResult | undefined {
    const lengths = this.#mergedLengths
    for (let i = 0; i < lengths.length; i++) {
      const local = this.local.covering(flow.destination, lengths[i]!, ignoreLinkState)
      const found = local && this.#choose(local, flow, ignoreLinkState)
      if (found) return found
      const main = this.main.covering(flow.destination, lengths[i]!, ignoreLinkState)
      const second = main && this.#choose(main, flow, ignoreLinkState)
      if (second) return second.error === 'EAGAIN' ? undefined : second
    }
    return undefined
  }

  #choose(routes: readonly FibRoute[], flow: Flow, ignoreLinkState: boolean): FibResult | undefined {
    for (let i = 0; i < routes.length; i++) {
      const route = routes[i]!
      if (route.tos !== 0 && route.tos !== (flow.tos & TOS_MASK)) continue
      if (route.scope < flow.scope) continue
      if (routeProperties[route.type].error !== undefined) return route.result
      if (route.dead) continue
      const { hops } = route
      for (let j = 0; j < hops.length; j++) {
        if (this.#isGood(hops[j]!, flow, ignoreLinkState)) return hops[j]!.result
      }
    }
    return undefined
  }

  /** fib_lookup_good_nhc. */
  #isGood(hop: FibNextHop, flow: Flow, ignoreLinkState: boolean): boolean {
    if (hop.dead) return false
    if (hop.linkdown && !ignoreLinkState) {
      this.#sawLinkDown = true
      if (ignoresRoutesWithLinkDown(hop.device)) return false
    }
    return flow.output === 0 || flow.output === hop.device.index
  }
}

/** The link that a notification names. A route by several ways has none. */
function linkOf(change: FibChange): string | undefined {
  if (change.subject === 'rule') return change.rule.inputLink ?? change.rule.outputLink
  const { hops } = change.route
  return hops.length === 1 ? hops[0]?.device.name : undefined
}
