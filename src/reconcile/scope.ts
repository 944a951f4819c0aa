/**
 * A part of a state: what a change in the kernel may have to do with. A daemon that is told of a change looks at that part and
 * not at all of it.
 */
import type { Change } from '../kernel/live.ts'
import type { Owned, State, SubjectName } from './state.ts'

/** Of a subject what is on these links, or all of it. */
type Links = ReadonlySet<string> | 'all'

export class Scope {
  readonly #parts = new Map<SubjectName, Set<string> | 'all'>()
  #everything = false

  get isEmpty(): boolean {
    return !this.#everything && this.#parts.size === 0
  }

  get isEverything(): boolean {
    return this.#everything
  }

  addEverything(): void {
    this.#everything = true
  }

  /** What the notification may have been told for. */
  addChange({ subject, link }: Change): void {
    for (const name of AFFECTED[subject]) this.add(name, link)
  }

  /** Of a subject what is on the link; all of it where that is left out. What is on a link belongs to it. */
  add(name: SubjectName, link: string | undefined): void {
    if (link === undefined || UNBOUND.has(name)) this.#parts.set(name, 'all')
    else if (this.#parts.get(name) !== 'all') this.#linksOf(name).add(link)
  }

  has(name: SubjectName, link: string | undefined): boolean {
    return this.#everything || isIn(link, this.#parts.get(name))
  }

  /** As much of the state as is in the scope. */
  narrow(state: State): State {
    if (this.#everything) return state
    const narrowed: Record<string, unknown> = {}
    for (const [name, links] of this.#parts) {
      const items = (state[name] ?? []) as readonly { readonly link?: string; readonly name?: string }[]
      narrowed[name] = items.filter((item) => isIn(name === 'links' ? item.name : item.link, links))
    }
    return { ...narrowed, ...(state.owned && { owned: this.#narrowOwned(state.owned) }) }
  }

  #linksOf(name: SubjectName): Set<string> {
    const links = this.#parts.get(name)
    if (links instanceof Set) return links
    const none = new Set<string>()
    this.#parts.set(name, none)
    return none
  }

  #narrowOwned(owned: Owned): Owned {
    const { links, vlans, addresses, neighbours, fdb, routes, rules, nftTables, nftGuests } = owned
    const of = (name: SubjectName, all: readonly string[]) => all.filter((link) => isIn(link, this.#parts.get(name)))
    const has = (name: SubjectName) => this.#parts.has(name)
    return {
      ...(links &&
        has('links') && { links: links.filter((one) => 'prefix' in one || isIn(one.name, this.#parts.get('links'))) }),
      ...(vlans && has('vlans') && { vlans: { links: of('vlans', vlans.links) } }),
      ...(addresses &&
        has('addresses') && { addresses: addresses.map((one) => ({ ...one, links: of('addresses', one.links) })) }),
      ...(neighbours && has('neighbours') && { neighbours: { links: of('neighbours', neighbours.links) } }),
      ...(fdb && has('fdb') && { fdb: { links: of('fdb', fdb.links) } }),
      ...(routes &&
        has('routes') && {
          routes: routes.map((one) => ({ ...one, ...(one.links && { links: of('routes', one.links) }) })),
        }),
      ...(rules && has('rules') && { rules }),
      ...(nftTables && has('nftTables') && { nftTables }),
      ...(nftGuests && has('nftGuests') && { nftGuests }),
    }
  }
}

/** A link that is not told, or told for what is on no link, may be any. */
function isIn(link: string | undefined, links: Links | undefined): boolean {
  return links === 'all' || (links !== undefined && link !== undefined && links.has(link))
}

const NFTABLES = ['nftTables', 'nftSets', 'nftChains', 'nftRules', 'nftElements', 'nftGuests'] as const

/**
 * What to look at when something of a kind has changed. With a link goes all that is on it, and a route of IPv4 without a word;
 * and when a route has been replaced, only the new one is told, which may be on any link.
 */
const AFFECTED: { readonly [S in Change['subject']]: readonly SubjectName[] } = {
  link: ['links', 'sysctls', 'vlans', 'addresses', 'linkStates', 'neighbours', 'fdb', 'routes'],
  address: ['addresses', 'routes'],
  route: ['routes'],
  rule: ['rules'],
  neighbour: ['neighbours'],
  fdb: ['fdb', 'vlans'],
  nftables: NFTABLES,
}

/** Subjects of which all is looked at, since what they are about is on no link, or may come to be on another. */
const UNBOUND: ReadonlySet<SubjectName> = new Set(['sysctls', 'routes', 'rules', ...NFTABLES])
