/** Which of the kernel's notifications have to do with a state. */
import type { Change } from '../kernel/live.ts'
import type { State } from './state.ts'
import { subjectNames } from './subjects.ts'

type Subject = Change['subject']

export class Interest {
  /** Kinds of notifications that are needed. */
  readonly subjects: readonly Subject[]
  /** Links that something of the state is on, is, or lies upon. */
  readonly #links: ReadonlySet<string>
  readonly #neighbours: ReadonlySet<string>
  readonly #fdb: ReadonlySet<string>
  /** Links that the state itself makes. */
  readonly #made: ReadonlySet<string>

  constructor(state: State) {
    const { owned = {} } = state
    this.#made = new Set(
      [...(state.links ?? []), ...(owned.links ?? [])].flatMap((one) => ('name' in one ? [one.name] : [])),
    )
    this.#neighbours = linksOf(state.neighbours, owned.neighbours?.links)
    this.#fdb = linksOf(state.fdb, [...(owned.fdb?.links ?? []), ...(owned.vlans?.links ?? [])])
    this.#links = new Set([
      ...this.#made,
      ...this.#neighbours,
      ...this.#fdb,
      ...linksOf(state.vlans),
      ...linksOf(state.linkStates),
      ...linksOf(
        state.addresses,
        owned.addresses?.flatMap(({ links }) => links),
      ),
      ...linksOf(
        state.routes,
        owned.routes?.flatMap(({ links = [] }) => links),
      ),
    ])
    this.subjects = [
      'link',
      'address',
      ...(state.routes || owned.routes ? ['route' as const] : []),
      ...(state.rules || owned.rules ? ['rule' as const] : []),
      ...(state.neighbours || owned.neighbours ? ['neighbour' as const] : []),
      ...(state.fdb || owned.fdb || owned.vlans ? ['fdb' as const] : []),
      ...(isOfNftables(state) ? ['nftables' as const] : []),
    ]
  }

  has({ subject, link }: Change): boolean {
    if (!this.subjects.includes(subject)) return false
    if (link === undefined || subject === 'route' || subject === 'rule' || subject === 'nftables') return true
    if (subject === 'neighbour') return this.#neighbours.has(link)
    if (subject === 'fdb') return this.#fdb.has(link)
    return this.#links.has(link)
  }

  /** A link comes or goes, or an address of one, that the state does not make: what was refused may have waited for it. */
  mayBeAwaited({ subject, link }: Change): boolean {
    return (subject === 'link' || subject === 'address') && link !== undefined && !this.#made.has(link)
  }
}

function isOfNftables(state: State): boolean {
  const { nftTables, nftGuests } = state.owned ?? {}
  return !!nftTables || !!nftGuests || subjectNames.some((name) => name.startsWith('nft') && state[name])
}

function linksOf(
  items: readonly { readonly link?: string }[] | undefined,
  more: readonly string[] = [],
): ReadonlySet<string> {
  const links = new Set(more)
  for (const { link } of items ?? []) if (link !== undefined) links.add(link)
  return links
}
