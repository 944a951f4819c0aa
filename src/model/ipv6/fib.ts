/**
 * The forwarding information base of IPv6: tables, policy rules, and the lookup. Changes stand in fib-change.ts. Sources:
 * net/ipv6/ip6_fib.c, route.c (fib6_table_lookup, fib6_select_path), fib6_rules.c.
 */
import { RouteTable, type Rule } from '../../kernel/route.ts'
import type { Device } from '../device/device.ts'
import { type Namespace, notify } from '../namespace.ts'
import { keyAt } from './address.ts'
import { type Fib6Route, ignoresRoutesWithLinkDown, routeErrors } from './fib-route.ts'
import { type CompiledRule, compileRule, describeRule6, ruleMatches6 } from './fib-rule.ts'
import { Fib6Table } from './fib-table.ts'
import type { Ipv6Route, RouteError6 } from './route.ts'

/** What is looked for: struct flowi6. */
export interface Flow6 {
  destination: Uint8Array
  destinationAt: number
  /** Undefined: not chosen yet. */
  source: Uint8Array | undefined
  sourceAt: number
  traffic: number
  mark: number
  /** Index of the device that the packet came in by; the loopback's for what the host sends. */
  input: number
  /** Index of the device that is preferred, and where `strict` the only one: oif, or iif of what came in. 0: any. */
  device: number
  strict: boolean
  /** Of several next hops: the flow's hash, made when it is asked for. */
  hash: () => number
}

export interface Fib6Result {
  readonly route: Fib6Route | undefined
  readonly error: RouteError6 | undefined
  readonly rule: string | undefined
}

const NO_ROUTE: Fib6Result = { route: undefined, error: 'ENETUNREACH', rule: undefined }
const refusals: Readonly<Record<string, RouteError6>> = {
  blackhole: 'EINVAL',
  prohibit: 'EACCES',
  unreachable: 'ENETUNREACH',
}
const preferences = { low: 0, medium: 1, high: 2 } as const

const CACHE_LIMIT = 65_536

export class Fib6 {
  readonly namespace: Namespace
  readonly #tables = new Map<number, Fib6Table>()
  readonly local = this.table(RouteTable.local)
  readonly main = this.table(RouteTable.main)
  /** By priority. */
  rules: readonly Rule[] = [
    { family: 'ipv6', priority: 0, action: 'table', table: RouteTable.local, protocol: 2 },
    { family: 'ipv6', priority: 32766, action: 'table', table: RouteTable.main, protocol: 2 },
  ]
  #compiled: readonly CompiledRule[] = this.rules.map(compileRule)
  /** Nobody has changed the rules: the tables local and main are asked, one after the other. */
  #plain = true
  /** Of packets that come in, by device and destination; and of those that this host sends, by destination. */
  readonly #inputs: (Map<string, Ipv6Route> | undefined)[] = []
  readonly outputs = new Map<string, Ipv6Route>()

  constructor(namespace: Namespace) {
    this.namespace = namespace
  }

  table(id: number): Fib6Table {
    let table = this.#tables.get(id)
    if (!table) {
      table = new Fib6Table(id)
      this.#tables.set(id, table)
    }
    return table
  }

  tableIfAny(id: number): Fib6Table | undefined {
    return this.#tables.get(id)
  }

  tables(): Fib6Table[] {
    return [...this.#tables.values()]
  }

  get hasCustomRules(): boolean {
    return !this.#plain
  }

  setRules(rules: readonly Rule[]): void {
    const operation = rules.length < this.rules.length ? 'delete' : 'new'
    const longer = operation === 'new' ? rules : this.rules
    const shorter = operation === 'new' ? this.rules : rules
    this.rules = rules
    // fib6_rule_configure makes the table that a rule names.
    for (const { action, table } of rules) if (action === 'table') this.table(table!)
    this.#compiled = rules.map(compileRule)
    this.#plain = false
    this.flush()
    const rule = longer.find((each) => !shorter.includes(each))
    notify(this.namespace, 'rule', operation, rule?.inputLink ?? rule?.outputLink)
  }

  /** Called after each change of a table. */
  changed(operation: 'new' | 'delete', route: Fib6Route): void {
    this.flush()
    notify(this.namespace, 'route', operation, route.siblings.length > 1 ? undefined : route.device.name)
  }

  /** Nothing that was remembered counts any more. */
  flush(): void {
    this.#inputs.length = 0
    this.outputs.clear()
  }

  /** What a packet to this destination got that came in by this device, where only that matters. */
  rememberedInput(device: Device, bytes: Uint8Array, at: number): Ipv6Route | undefined {
    return this.#inputs[device.index]?.get(keyAt(bytes, at))
  }

  rememberInput(device: Device, bytes: Uint8Array, at: number, route: Ipv6Route): void {
    if (!this.#plain) return
    const known = this.#inputs[device.index] ?? new Map<string, Ipv6Route>()
    if (known.size >= CACHE_LIMIT) known.clear()
    known.set(keyAt(bytes, at), route)
    this.#inputs[device.index] = known
  }

  /** fib6_rule_lookup */
  lookup(flow: Flow6): Fib6Result {
    if (this.#plain) {
      const local = this.search(RouteTable.local, flow)
      if (local && local.error !== 'EAGAIN') return local as Fib6Result
      const main = this.search(RouteTable.main, flow)
      return main && main.error !== 'EAGAIN' ? (main as Fib6Result) : NO_ROUTE
    }
    const rules = this.#compiled
    for (let i = 0; i < rules.length; i++) {
      const rule = rules[i]!
      if (!ruleMatches6(rule, flow, this.namespace.devices)) continue
      const { action = 'table', goto, table = 0, suppressPrefixLength = -1 } = rule.rule
      if (action === 'nop') continue
      if (action === 'goto') {
        const target = rules.findIndex((each) => each.rule.priority === goto)
        if (target > i) i = target - 1
        continue
      }
      const error = refusals[action]
      if (error) return { route: undefined, error, rule: describeRule6(rule.rule) }
      const found = this.search(table, flow)
      if (!found || found.error === 'EAGAIN') continue
      if (found.error === undefined && found.route.length <= suppressPrefixLength) continue
      return found as Fib6Result
    }
    return NO_ROUTE
  }

  /** fib6_table_lookup: the longest prefix that has a route which will do. Undefined: none has. */
  search(
    id: number,
    flow: Flow6,
  ): { route: Fib6Route; error: Fib6Result['error'] | 'EAGAIN'; rule: undefined } | undefined {
    const table = this.#tables.get(id)
    if (!table) return undefined
    const { lengths } = table
    for (let i = 0; i < lengths.length; i++) {
      const routes = table.covering(flow.destination, flow.destinationAt, lengths[i]!)
      const found = routes && choose(routes, flow)
      if (found) return { route: selectPath(found, flow), error: routeErrors[found.type], rule: undefined }
    }
    return undefined
  }
}

/** find_rr_leaf: the best of those with the least metric that has one which will do. */
function choose(routes: readonly Fib6Route[], flow: Flow6): Fib6Route | undefined {
  let best: Fib6Route | undefined
  let bestScore = -1
  for (let i = 0; i < routes.length; i++) {
    const route = routes[i]!
    if (best && route.metric !== best.metric) break
    const score = scoreOf(route, flow)
    if (score <= bestScore) continue
    best = route
    bestScore = score
  }
  return best
}

/** rt6_score_route, without looking at whether a router answers. -1: it will not do. */
function scoreOf(route: Fib6Route, { device, strict }: Flow6): number {
  if (route.dead || (route.linkdown && ignoresRoutesWithLinkDown(route.device))) return -1
  const fits = device === 0 || route.device.index === device
  if (!fits && strict) return -1
  return (fits ? 2 : 0) | (preferences[route.preference] << 2)
}

/** fib6_select_path: of several next hops, from the first on, the one whose share the flow's hash falls into. */
function selectPath(found: Fib6Route, flow: Flow6): Fib6Route {
  const { siblings } = found
  if (siblings.length < 2) return found
  const hash = flow.hash()
  const chosen = siblings.find(({ upperBound }) => hash <= upperBound)
  return chosen && scoreOf(chosen, flow) >= 0 ? chosen : found
}
