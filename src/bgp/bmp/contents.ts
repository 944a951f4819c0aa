/**
 * Routes of the tables for a station, in slices: all of them, and what has become of those that have changed.
 *
 * Each is told as it is when its turn comes. Who is not up for the station has no routes.
 */
import { FAMILIES, type Family } from '../family.ts'
import { encodeEndOfRib } from '../message/pack.ts'
import type { PrefixKey } from '../nlri.ts'
import type { ObservedSession } from '../observer.ts'
import { bestOf, type Changes, usableOf } from '../rib/loc.ts'
import { isSameRoute, isUsable, type Path } from '../rib/path.ts'
import type { Ribs } from '../rib/ribs.ts'
import { type BmpPeer, encodeRouteMonitoring } from './message.ts'
import { RouteMessages } from './routes.ts'

/** As they come, as our filters leave them, the best ones. */
export type Table = 'pre-policy' | 'post-policy' | 'loc-rib'

/** Messages of BMP. */
export type Slice = readonly Uint8Array[]

export interface ContentsOptions {
  readonly tables: readonly Table[]
  readonly ribs: () => Ribs
  /** Who the station has been told is up. */
  readonly sessions: () => Iterable<ObservedSession>
  readonly session: (address: string) => ObservedSession | undefined
  /** This speaker itself. */
  readonly own: () => BmpPeer
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** Prefixes that are looked at in a slice. */
const MOST = 1024

export class Contents {
  readonly #options: ContentsOptions

  constructor(options: ContentsOptions) {
    this.#options = options
  }

  /** Whether rounds are to be told. */
  has(table: Table): boolean {
    return this.#options.tables.includes(table)
  }

  /** All there is, and the End-of-RIB of each peer behind it. */
  *all(): Generator<Slice> {
    for (const family of FAMILIES) {
      const { tables } = this.#options.ribs()
      const sending = this.#sending(family)
      let looked = 0
      for (const key of tables[family].keys()) {
        for (const path of tables[family].paths(key)) this.#tell(sending, key, path)
        const best = tables[family].best(key)
        if (best) sending.of('loc-rib', undefined)?.announce(key, 0, best.attributes)
        if (++looked % MOST === 0 || sending.isFull) yield sending.take()
      }
      yield [...sending.take(), ...this.#ends(family)]
    }
  }

  *changed(family: Family, changes: Changes): Generator<Slice> {
    const table = this.#options.ribs().tables[family]
    const sending = this.#sending(family)
    let looked = 0
    for (const [key, snapshot] of changes) {
      const [was, is] = [bestOf(snapshot), table.best(key)]
      const locRib = was === is ? undefined : sending.of('loc-rib', undefined)
      if (is) locRib?.announce(key, 0, is.attributes)
      else locRib?.withdraw(key, 0)
      compare(sending, key, usableOf(snapshot), table.paths(key))
      if (++looked % MOST === 0 || sending.isFull) yield sending.take()
    }
    yield sending.take()
  }

  /** A route that is stale is not of the session that is up. */
  #tell(sending: Sending, key: PrefixKey, path: Path): void {
    const { source, pathId } = path
    if (source.peer.kind === 'local' || source.stale) return
    sending.of('pre-policy', path)?.announce(key, pathId, path.received)
    if (isUsable(path)) sending.of('post-policy', path)?.announce(key, pathId, path.attributes)
  }

  *#ends(family: Family): Generator<Uint8Array> {
    const { tables, sessions, own, now } = this.#options
    const end = encodeEndOfRib(family)
    for (const table of tables) {
      if (table === 'loc-rib') yield encodeRouteMonitoring(own(), now(), end)
      else {
        for (const session of sessions()) {
          if (session.negotiated?.families.includes(family))
            yield encodeRouteMonitoring(peerOf(session, table), now(), end)
        }
      }
    }
  }

  #sending(family: Family): Sending {
    return new Sending(family, this.#options)
  }
}

/** Routes behind the filters that have come, changed or gone; and before them, where they went without a message of the peer. */
function compare(sending: Sending, key: PrefixKey, before: readonly Path[], now: readonly Path[]): void {
  for (const path of now) {
    if (path.source.peer.kind === 'local' || before.includes(path) || !isUsable(path)) continue
    sending.of('post-policy', path)?.announce(key, path.pathId, path.attributes)
  }
  for (const path of before) {
    const { source, pathId } = path
    if (source.peer.kind === 'local') continue
    const other = now.find((each) => isSameRoute(each, source.peer, pathId))
    if (!other || !isUsable(other)) sending.of('post-policy', path)?.withdraw(key, pathId)
    if (!other) sending.of('pre-policy', path)?.withdraw(key, pathId)
  }
}

/** Messages that are being put together, by table and peer. */
class Sending {
  readonly #family: Family
  readonly #options: ContentsOptions
  readonly #messages = new Map<string, { readonly peer: BmpPeer; readonly routes: RouteMessages }>()

  constructor(family: Family, options: ContentsOptions) {
    this.#family = family
    this.#options = options
  }

  get isFull(): boolean {
    for (const { routes } of this.#messages.values()) if (routes.isFull) return true
    return false
  }

  /** undefined: the station is not to be told. `path`: whose routes; undefined: the speaker's. */
  of(table: Table, path: Path | undefined): RouteMessages | undefined {
    const { tables, session, own } = this.#options
    if (!tables.includes(table)) return undefined
    const address = path?.source.peer.address ?? ''
    const name = `${table} ${address}`
    const known = this.#messages.get(name)
    if (known) return known.routes
    const peer = session(address)
    if (path && !peer) return undefined
    const addPath = peer?.negotiated?.addPathReceived[this.#family] ?? false
    const routes = new RouteMessages(this.#family, addPath)
    this.#messages.set(name, { peer: peer ? peerOf(peer, table) : own(), routes })
    return routes
  }

  take(): Slice {
    const { now } = this.#options
    const time = now()
    const slice: Uint8Array[] = []
    for (const { peer, routes } of this.#messages.values()) {
      for (const update of routes.take()) slice.push(encodeRouteMonitoring(peer, time, update))
    }
    return slice
  }
}

/** What is encoded here has AS numbers of four octets, whatever the session has. */
export function peerOf({ settings, negotiated }: ObservedSession, table: Table, as4 = true): BmpPeer {
  return {
    kind: 'peer',
    address: settings.address,
    as: negotiated?.peerAs ?? 0,
    id: negotiated?.peerId ?? 0,
    postPolicy: table === 'post-policy',
    as4,
  }
}
