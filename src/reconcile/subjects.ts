/**
 * The table of subjects: how a thing of each is told from others, when the one that is there is as desired, whose it is,
 * and what it is called in a message. Everything else in this room is written once for all rows.
 */
import { contains, parsePrefix } from '../address/prefix.ts'
import type { FdbEntry } from '../kernel/neighbour.ts'
import { type NextHop, type Route, RouteTable, type Rule } from '../kernel/route.ts'
import { nftablesSubjects } from './nftables-subjects.ts'
import type { Desired, DesiredLink, OwnedRoutes, Seen, SeenLink, State, SubjectName } from './state.ts'
import type { Subject } from './subject.ts'

export const subjects: { readonly [S in SubjectName]: Subject<Desired[S], Seen[S]> } = {
  links: {
    key: linkName,
    differences: (desired, { link, master, port }) => [
      ...fieldDifferences(desired, link, LINK_FIELDS),
      ...partDifferences(desired.bridge, link.bridge),
      ...partDifferences(desired.port, port),
      ...partDifferences(desired.vxlan, link.vxlan),
      ...fieldDifferences(desired, { master }, ['master']),
    ],
    owned: ({ link }, { links = [] }) =>
      links.some((ours) => ('name' in ours ? link.name === ours.name : link.name.startsWith(ours.prefix))),
    describe: (link) => `${('link' in link ? link.link.kind : link.kind) ?? 'link'} "${linkName(link)}"`,
    unchangeable: (desired, { link }) =>
      desired.kind !== link.kind || partDifferences(unchangeablePart(desired.vxlan), link.vxlan).length > 0,
  },

  sysctls: {
    key: ({ key }) => key,
    differences: (desired, seen) => fieldDifferences(desired, seen, ['value']),
    owned: () => false,
    describe: ({ key }) => `sysctl ${key}`,
  },

  vlans: {
    key: ({ link, vlan }) => `${link} ${vlan}`,
    differences: (desired, seen) => fieldDifferences(desired, seen, ['pvid', 'untagged']),
    owned: ({ link }, { vlans }) => vlans?.links.includes(link) ?? false,
    describe: ({ link, vlan }) => `VLAN ${vlan} on "${link}"`,
    link: ({ link }) => link,
  },

  addresses: {
    key: ({ link, prefix }) => `${link} ${prefix}`,
    differences: (desired, seen) => [
      ...fieldDifferences(desired, seen, ['scope', 'peer', 'broadcast', 'label']),
      ...(seen.dadFailed ? ['another host has it: duplicate address detection failed'] : []),
    ],
    owned: ({ link, scope, prefix }, { addresses = [] }) =>
      !(scope === 'link' && prefix.startsWith('fe80:')) &&
      addresses.some(({ links, within }) => links.includes(link) && (within === undefined || isWithin(prefix, within))),
    describe: ({ link, prefix }) => `address ${prefix} dev ${link}`,
    link: ({ link }) => link,
  },

  linkStates: {
    key: ({ link }) => link,
    differences: (desired, seen) => (desired.up === seen.up ? [] : [seen.up ? 'it is up' : 'it is down']),
    owned: () => false,
    describe: ({ link }) => `link "${link}"`,
    link: ({ link }) => link,
  },

  neighbours: {
    key: ({ link, address, proxy }) => `${link} ${address} ${proxy ?? false}`,
    differences: (desired, seen) =>
      fieldDifferences({ ...PERMANENT, ...desired }, { ...PERMANENT, ...seen }, ['mac', 'state', 'router']),
    owned: ({ link, state = 'permanent' }, { neighbours }) =>
      state === 'permanent' && (neighbours?.links.includes(link) ?? false),
    describe: ({ link, address, mac }) => `neighbour ${address}${mac ? ` lladdr ${mac}` : ''} dev ${link}`,
    link: ({ link }) => link,
  },

  fdb: {
    key: (entry) =>
      `${entry.link} ${entry.owner} ${entry.mac} ${entry.vlan ?? ''} ${hasPeers(entry) ? entry.destination : ''}`,
    differences: (desired, seen) =>
      fieldDifferences({ ...PERMANENT, ...desired }, { ...PERMANENT, ...seen }, FDB_FIELDS),
    owned: ({ link, learnt, state = 'permanent' }, { fdb }) =>
      !learnt && state !== 'dynamic' && (fdb?.links.includes(link) ?? false),
    describe: ({ link, mac, destination }) => `fdb entry ${mac}${destination ? ` dst ${destination}` : ''} dev ${link}`,
    link: ({ link }) => link,
  },

  routes: {
    key: routeKey,
    differences: routeDifferences,
    owned: (route, { routes = [] }) => routes.some((ours) => isOneOf(route, ours)),
    describe: describeRoute,
    link: ({ link }) => link,
  },

  rules: {
    key: ruleText,
    differences: () => [],
    owned: ({ protocol }, { rules }) => rules !== undefined && protocol === rules.protocol,
    describe: (rule) => `rule ${ruleText(rule)}`,
  },

  ...nftablesSubjects,
}

/** The subjects in the order in which their things are made. */
export const subjectNames = Object.keys(subjects) as SubjectName[]

/** Those that the state says anything about, in that order. */
export function subjectsOf(state: State): SubjectName[] {
  return state.owned ? subjectNames : subjectNames.filter((name) => state[name])
}

const LINK_FIELDS = [
  'kind',
  'mac',
  'mtu',
  'promiscuous',
  'allMulticast',
  'txQueueLength',
  'alias',
  'group',
  'parent',
] as const
const FDB_FIELDS = ['destination', 'port', 'vni', 'state'] as const
const ROUTE_FIELDS = ['protocol', 'source'] as const
const SCOPE_FIELD = ['scope'] as const

export const differs = (field: string, desired: unknown, seen: unknown) =>
  `${field} is ${seen ?? 'not set'} instead of ${desired}`

/** Fields that the desired thing names and that are otherwise in the seen one. `null` means: not set. */
function fieldDifferences<K extends string>(
  desired: { readonly [P in K]?: unknown },
  seen: { readonly [P in K]?: unknown },
  fields: readonly K[],
): readonly string[] {
  let differences: string[] | undefined
  for (const field of fields) {
    const wanted = desired[field]
    if (wanted === undefined || (wanted ?? undefined) === seen[field]) continue
    differences ??= []
    differences.push(differs(field, wanted, seen[field]))
  }
  return differences ?? NONE
}

const NONE: readonly string[] = []

function partDifferences<T extends object>(
  desired: { readonly [K in keyof T]?: T[K] | null } | undefined,
  seen: T | undefined,
): readonly string[] {
  if (!desired) return NONE
  return fieldDifferences(
    desired as Record<string, unknown>,
    (seen ?? {}) as Record<string, unknown>,
    Object.keys(desired),
  )
}

/** A MAC with several destinations at once: vxlan's default entry and groups. */
export function hasPeers({ mac, owner }: FdbEntry): boolean {
  return owner === 'self' && (mac === '00:00:00:00:00:00' || (Number.parseInt(mac.slice(0, 2), 16) & 1) === 1)
}

/** What an entry is that does not say. */
const PERMANENT = { state: 'permanent' } as const

/** vxlan_nl2conf(), drivers/net/vxlan/vxlan_core.c. */
function unchangeablePart(vxlan: DesiredLink['vxlan']): DesiredLink['vxlan'] {
  if (!vxlan) return undefined
  const { learning: _, ...others } = vxlan
  return others
}

function linkName(link: DesiredLink | SeenLink): string {
  return 'link' in link ? link.link.name : link.name
}

const isIpv6 = ({ destination }: Route) => destination.includes(':')

/** What makes two routes one to the kernel: fib_table_insert (IPv4), fib6_add_rt2node (IPv6). */
function routeKey(route: Route): string {
  const metric = route.metric || (isIpv6(route) ? IPV6_METRIC : 0)
  return `${route.destination} ${route.table ?? RouteTable.main} ${route.tos ?? 0} ${metric}`
}

/** IP6_RT_PRIO_USER, net/ipv6.h: what the kernel makes of metric 0. */
const IPV6_METRIC = 1024

function isOneOf(route: Route, { protocol, type, table, links, subnets }: OwnedRoutes): boolean {
  if (route.protocol !== protocol) return false
  if (type !== undefined && (route.type ?? 'unicast') !== type) return false
  if (table !== undefined && (route.table ?? RouteTable.main) !== table) return false
  if (links && !(route.link !== undefined && links.includes(route.link))) return false
  return !subnets || (lengthOf(route.destination) === subnets.length && isWithin(route.destination, subnets.network))
}

const lengthOf = (prefix: string) => Number(prefix.slice(prefix.indexOf('/') + 1))

function isWithin(prefix: string, network: string): boolean {
  const [inner, outer] = [parsePrefix(prefix), parsePrefix(network)]
  return inner.length >= outer.length && contains(outer, inner.address)
}

/** Of 100,000 routes most are as desired: for those no text is made. */
function routeDifferences(desired: Route, seen: Route): readonly string[] {
  const differences = [
    (desired.type ?? 'unicast') === (seen.type ?? 'unicast') ? NONE : [differs('type', desired.type, seen.type)],
    fieldDifferences(desired, seen, ROUTE_FIELDS),
    // IPv6 has no scopes: the kernel answers "global" whatever was asked for.
    isIpv6(desired) ? NONE : fieldDifferences(desired, seen, SCOPE_FIELD),
    partDifferences(desired.metrics, seen.metrics),
    hopDifferences(desired, seen),
  ]
  return differences.every((some) => some === NONE) ? NONE : differences.flat()
}

function hopDifferences(desired: Route, seen: Route): readonly string[] {
  if (!desired.nextHops && !seen.nextHops && sameHop(desired, seen)) return NONE
  const wanted = hopsText(desired, desired)
  const found = hopsText(seen, desired)
  return wanted === found ? NONE : [differs('path', `"${wanted}"`, `"${found}"`)]
}

function sameHop(desired: Route, seen: Route): boolean {
  return (
    desired.gateway === seen.gateway &&
    (desired.link === undefined || desired.link === seen.link) &&
    (desired.onlink === undefined || desired.onlink === (seen.onlink ?? false))
  )
}

/** The next hops in a form that can be compared; what `like` leaves out of its only hop is left out. */
function hopsText(route: Route, like: Route): string {
  if (like.nextHops || route.nextHops) return (route.nextHops ?? [route]).map(hopText).sort().join(' ')
  return hopText({
    ...(route.gateway !== undefined && { gateway: route.gateway }),
    ...(like.link !== undefined && route.link !== undefined && { link: route.link }),
    ...(like.onlink !== undefined && { onlink: route.onlink ?? false }),
  })
}

function hopText({ gateway, link, weight = 1, onlink }: NextHop): string {
  const parts = [
    gateway && `via ${gateway}`,
    link && `dev ${link}`,
    weight !== 1 && `weight ${weight}`,
    onlink && 'onlink',
  ]
  return parts.filter(Boolean).join(' ')
}

function describeRoute(route: Route): string {
  const { type = 'unicast', destination, table = RouteTable.main, metric } = route
  const parts = [
    type === 'unicast' ? 'route' : `route ${type}`,
    destination,
    (route.nextHops ?? [route]).map(hopText).join(' '),
    table === RouteTable.main ? '' : `table ${table}`,
    metric ? `metric ${metric}` : '',
  ]
  return parts.filter((part) => part !== '').join(' ')
}

/** As `ip rule` writes it. All of it is the key: nothing of a rule can be changed. */
function ruleText(rule: Rule): string {
  const {
    family,
    priority,
    action = 'table',
    table,
    source,
    destination,
    inputLink,
    outputLink,
    mark,
    mask,
    tos,
  } = rule
  const parts = [
    family,
    `${priority}:`,
    rule.invert && 'not',
    `from ${source ?? 'all'}`,
    destination && `to ${destination}`,
    inputLink && `iif ${inputLink}`,
    outputLink && `oif ${outputLink}`,
    mark !== undefined && `fwmark ${mark}/${mask ?? 0xffff_ffff}`,
    tos && `tos ${tos}`,
    action === 'table' ? `lookup ${table ?? RouteTable.main}` : action,
    rule.goto,
    rule.suppressPrefixLength !== undefined && `suppress_prefixlength ${rule.suppressPrefixLength}`,
  ]
  return parts.filter((part) => part !== undefined && part !== false && part !== 0).join(' ')
}
