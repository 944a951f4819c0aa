/**
 * What a desired state is about, read from a kernel: a request per link or table that it names, a listing where there
 * are many. Things that nobody desires and that we do not own are not asked for.
 */
import { isErrno } from '../kernel/errors.ts'
import type { Kernel } from '../kernel/kernel.ts'
import type { Link } from '../kernel/link.ts'
import type { NftRuleset } from '../kernel/nftables.ts'
import type { Route, RouteFilter } from '../kernel/route.ts'
import { guestKey, seeGuest } from './nftables-guests.ts'
import type { Desired, Owned, OwnedRoutes, Seen, SeenLink, SeenState, SetElement, State, SubjectName } from './state.ts'
import { subjectsOf } from './subjects.ts'

/** So many single requests cost no more than one listing of everything. */
const FEW = 8

/** `known` is what the caller knows already, such as nothing at all of a link that it has just made: it is not asked for. */
export function observe(kernel: Kernel, desired: State, known: SeenState = {}): SeenState {
  const seen: Record<string, unknown> = { ...known }
  const owned = desired.owned ?? {}
  const rulesets = new Map<string, NftRuleset>()
  for (const name of subjectsOf(desired)) {
    if (known[name] === undefined && (desired[name]?.length || isOwned(owned, name))) {
      seen[name] = observers[name]({ kernel, desired, owned, rulesets, links: (seen as SeenState).links })
    }
  }
  return seen as SeenState
}

interface Asking {
  readonly kernel: Kernel
  readonly desired: State
  readonly owned: Owned
  /** Tables listed so far, by family and name. */
  readonly rulesets: Map<string, NftRuleset>
  /** Links seen so far. */
  readonly links: readonly SeenLink[] | undefined
}

function isOwned(owned: Owned, name: SubjectName): boolean {
  if (name === 'nftGuests') return owned.nftGuests !== undefined
  return name.startsWith('nft') ? owned.nftTables !== undefined : name in owned
}

const observers: { readonly [S in SubjectName]: (asking: Asking) => readonly Seen[S][] } = {
  links({ kernel, desired, owned }) {
    const names = new Set((desired.links ?? []).map(({ name }) => name))
    for (const ours of owned.links ?? []) {
      if ('prefix' in ours) return seeLinks(kernel)
      names.add(ours.name)
    }
    return seeLinks(kernel, names.size > FEW ? undefined : [...names])
  },

  sysctls: ({ kernel, desired }) =>
    (desired.sysctls ?? []).flatMap(({ key }) => {
      const value = kernel.sysctl.get(key)
      return value === undefined ? [] : [{ key, value }]
    }),

  vlans: ({ kernel, desired, owned }) =>
    linksOf(desired.vlans, owned.vlans).flatMap((link) =>
      kernel.bridgeVlans
        .list(link)
        .flatMap(({ id, end, pvid, untagged }) =>
          Array.from({ length: end - id + 1 }, (_, i) => ({ link, vlan: id + i, pvid, untagged })),
        ),
    ),

  addresses({ kernel, desired, owned }) {
    const links = linksOf(desired.addresses, { links: (owned.addresses ?? []).flatMap(({ links }) => links) })
    if (links.length > FEW) return kernel.addresses.list()
    return links.flatMap((link) => orNothing('ENODEV', () => kernel.addresses.list(link)))
  },

  linkStates: ({ kernel, desired, links }) =>
    linksOf(desired.linkStates).flatMap((name) => {
      const link = links?.find(({ link }) => link.name === name)?.link ?? kernel.links.get(name)
      return link ? [{ link: name, up: link.up }] : []
    }),

  neighbours: ({ kernel, desired, owned }) =>
    linksOf(desired.neighbours, owned.neighbours).flatMap((link) =>
      orNothing('ENODEV', () => kernel.neighbours.list({ link })),
    ),

  fdb: ({ kernel, desired, owned }) =>
    linksOf(desired.fdb, owned.fdb).flatMap((link) => orNothing('ENODEV', () => kernel.fdb.list({ link }))),

  routes({ kernel, desired, owned }) {
    const filters = routeFilters(desired.routes ?? [], owned.routes ?? [])
    return filters.flatMap((filter) => orNothing('ENODEV', () => kernel.routes.list(filter)))
  },

  rules: ({ kernel }) => kernel.rules.list(),

  nftTables: (asking) => rulesets(asking).flatMap(({ tables }) => tables),
  nftSets: (asking) => rulesets(asking).flatMap(({ sets }) => sets),
  nftRules: (asking) => rulesets(asking).flatMap(({ rules }) => rules),

  nftChains: (asking) =>
    rulesets(asking).flatMap(({ chains, rules }) =>
      chains.map((chain) => ({
        chain,
        content: rules.filter((rule) => rule.chain === chain.name),
      })),
    ),

  nftGuests({ kernel, desired, owned }) {
    const names = new Map([...(owned.nftGuests ?? []), ...(desired.nftGuests ?? [])].map((one) => [guestKey(one), one]))
    return [...names.values()].map((name) => seeGuest(kernel, name))
  },

  nftElements(asking) {
    const { kernel, desired, owned } = asking
    const wanted = desired.nftElements ?? []
    if (owned.nftTables || wanted.length > FEW) {
      return rulesets(asking).flatMap(({ sets }) =>
        sets.flatMap(({ family, table, name, elements }) =>
          elements.map((element): SetElement => ({ family, table, set: name, element })),
        ),
      )
    }
    return wanted.flatMap((item) => {
      const { family, table, set, element } = item
      const there = kernel.nftables.element({ family, table, name: set }, element.key)
      return there ? [{ family, table, set, element: there }] : []
    })
  },
}

/** The least that is to be listed so that everything is seen that is desired or ours: by protocol, or else by link. */
function routeFilters(desired: readonly Route[], owned: readonly OwnedRoutes[]): readonly RouteFilter[] {
  const ofProtocols = new Map<number, RouteFilter>()
  for (const { protocol, table, links } of owned) {
    if (!links) ofProtocols.set(protocol, { protocol, ...(table !== undefined && { table }) })
  }
  const links = new Set(owned.flatMap(({ links = [] }) => links))
  for (const { link, protocol } of desired) {
    if (protocol !== undefined && ofProtocols.has(protocol)) continue
    if (link !== undefined) links.add(link)
    else if (protocol !== undefined) ofProtocols.set(protocol, { protocol })
    else return [{}]
  }
  if (links.size > FEW) return [{}]
  return [...ofProtocols.values(), ...[...links].map((link) => ({ link }))]
}

/** The links of these names, all of them where left out, with their masters by name. */
export function seeLinks(kernel: Kernel, names?: readonly string[]): SeenLink[] {
  const links = names ? names.flatMap((name) => kernel.links.get(name) ?? []) : kernel.links.list()
  const byIndex = new Map<number, Link>(links.map((link) => [link.index, link]))
  return links.map((link) => seeLink(kernel, link, byIndex))
}

function seeLink(kernel: Kernel, link: Link, byIndex: Map<number, Link>): SeenLink {
  if (link.master === undefined) return { link, master: undefined, port: undefined }
  const master = byIndex.get(link.master) ?? kernel.links.getByIndex(link.master)
  if (master) byIndex.set(master.index, master)
  return { link, master: master?.name, port: link.port }
}

function linksOf(
  items: readonly { readonly link?: string }[] | undefined,
  owned?: { readonly links: readonly string[] },
): string[] {
  const links = new Set(owned?.links)
  for (const { link } of items ?? []) if (link !== undefined) links.add(link)
  return [...links]
}

/** The rulesets of all tables that are desired, or that something desired is in. */
function rulesets({ kernel, desired, owned, rulesets }: Asking): NftRuleset[] {
  const tables = [
    ...(owned.nftTables ?? []),
    ...(desired.nftTables ?? []),
    ...[...(desired.nftSets ?? []), ...(desired.nftRules ?? []), ...(desired.nftElements ?? [])].map(tableOf),
    ...(desired.nftChains ?? []).map(({ chain }) => tableOf(chain)),
  ]
  const names = new Map(tables.map(({ family, name }) => [`${family} ${name}`, { family, table: name }]))
  for (const [name, table] of names) if (!rulesets.has(name)) rulesets.set(name, kernel.nftables.list(table))
  return [...rulesets.values()]
}

const tableOf = ({ family, table }: Pick<Desired['nftSets'], 'family' | 'table'>) => ({ family, name: table })

function orNothing<T>(errno: string, list: () => T[]): T[] {
  try {
    return list()
  } catch (error) {
    if (isErrno(error, errno)) return []
    throw error
  }
}
