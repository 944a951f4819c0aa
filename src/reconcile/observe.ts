/**
 * What a desired state is about, read from a kernel: a request per link or table that it names, a listing where there
 * are many. Things that nobody desires and that we do not own are not asked for.
 */
import { isErrno } from '../kernel/errors.ts'
import type { Kernel } from '../kernel/kernel.ts'
import type { Link } from '../kernel/link.ts'
import type { NftRuleset } from '../kernel/nftables.ts'
import type { Desired, Owned, Seen, SeenLink, SeenState, SetElement, State, SubjectName } from './state.ts'
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
  return name.startsWith('nft') ? owned.nftTables !== undefined : name in owned
}

const observers: { readonly [S in SubjectName]: (asking: Asking) => readonly Seen[S][] } = {
  links({ kernel, desired, owned }) {
    const names = (desired.links ?? []).map(({ name }) => name)
    return seeLinks(kernel, owned.links || names.length > FEW ? undefined : names)
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
    const links = linksOf(desired.addresses, owned.addresses)
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
    if (owned.routes) return kernel.routes.list(owned.routes)
    const links = linksOf(desired.routes)
    const everyOneHasALink = desired.routes?.every(({ link }) => link !== undefined)
    if (!everyOneHasALink || links.length > FEW) return kernel.routes.list()
    return links.flatMap((link) => orNothing('ENODEV', () => kernel.routes.list({ link })))
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
