/**
 * What one peer has announced of one family, over its sessions: RFC 4271 §3.2, graceful restart (RFC 4724 §4.2), enhanced route
 * refresh (RFC 7313 §4) and long-lived graceful restart (RFC 9494 §4.2).
 *
 * The paths are in the table of the family. Here is what is known of them as a whole: how many there are, and which source they
 * are of. With a new session, or a refresh, a new source begins; what is still of an older one when the peer has said that it
 * has sent all is swept away. So nothing needs to be marked route by route.
 */
import { WellKnown } from '../attribute/communities.ts'
import type { Announcement, Routes } from '../message/update.ts'
import type { PrefixKey } from '../nlri.ts'
import { Importer, type ImportRules } from './import.ts'
import type { LocRib } from './loc.ts'
import type { NextHops } from './next-hops.ts'
import { createPath, isFrom, type Path, type RibPeer, type Source } from './path.ts'

export class AdjIn {
  readonly #table: LocRib
  readonly #hops: NextHops
  #peer: RibPeer | undefined
  #rules: ImportRules | undefined
  /** What comes now; undefined while the session is down. */
  #source: Source | undefined
  #importer: Importer | undefined
  #hasOlder = false
  #routes = 0
  #accepted = 0

  constructor(table: LocRib, hops: NextHops) {
    this.#table = table
    this.#hops = hops
  }

  /** Routes that are not excluded: what a limit on prefixes counts. */
  get accepted(): number {
    return this.#accepted
  }

  /** All that the peer has announced. */
  get received(): number {
    return this.#routes
  }

  /** A session is up. Routes that were kept stay until `sweep`. */
  open(peer: RibPeer, rules: ImportRules): void {
    this.#peer = peer
    this.#rules = rules
    this.#begin(peer, rules)
  }

  announce({ prefixes, pathIds, attributes }: Announcement): void {
    const paths = this.#requireImporter().of(attributes)
    const table = this.#table
    for (let i = 0; i < prefixes.length; i++) {
      const key = prefixes[i]!
      const path = paths.path(key, pathIds ? pathIds[i]! : 0)
      const replaced = table.put(key, path)
      if (replaced === path) continue
      if (replaced) this.#uncount(replaced)
      this.#count(path)
    }
  }

  withdraw({ prefixes, pathIds }: Routes): void {
    const peer = this.#peer
    if (!peer) return
    for (let i = 0; i < prefixes.length; i++) {
      const removed = this.#table.remove(prefixes[i]!, peer, pathIds ? pathIds[i]! : 0)
      if (removed) this.#uncount(removed)
    }
  }

  /** The peer has said that it begins to send all again (BoRR). Ends with `sweep` (EoRR). */
  refreshBegins(): void {
    const { peer, rules } = this.#requireOpen()
    if (this.#source) this.#source.stale = true
    this.#begin(peer, rules)
  }

  /** The peer has sent all (End-of-RIB, EoRR), or is waited for no longer: what it has not announced again is gone. */
  sweep(): void {
    if (!this.#hasOlder) return
    this.#hasOlder = false
    this.#removeAll((path) => path.source !== this.#source)
  }

  /** The session is down, and the peer's routes are to be used until it is back: RFC 4724 §4.2. */
  keep(): void {
    // "any such routes previously marked as stale MUST be deleted": a peer that restarts twice.
    this.sweep()
    if (this.#source) this.#source.stale = true
    this.#source = undefined
    this.#importer = undefined
    this.#hasOlder = this.#routes > 0
  }

  /** The peer is still away when its restart time is over: its routes are used where there are no others. */
  keepLongLived(): void {
    const longLived = new Map<Path, Path | undefined>()
    this.#replaceAll(
      (path) => path.source !== this.#source && !path.longLivedStale,
      (_, path) => {
        if (!longLived.has(path)) longLived.set(path, longLivedStale(path))
        return longLived.get(path)
      },
    )
  }

  /** The session is down, and so are its routes. */
  clear(): void {
    this.#source = undefined
    this.#importer = undefined
    this.#hasOlder = false
    this.#removeAll(() => true)
  }

  /** Other rules for all that was announced: the peer need not send it again. */
  setRules(rules: ImportRules): void {
    this.#rules = rules
    const importers = new Map<Source, Importer>()
    const importerOf = (source: Source): Importer => {
      const known = importers.get(source)
      if (known) return known
      const importer = new Importer(source, rules, this.#hops)
      importers.set(source, importer)
      return importer
    }
    if (this.#source) this.#importer = importerOf(this.#source)
    this.#replaceAll(
      () => true,
      (key, { source, received, pathId }) => importerOf(source).of(received).path(key, pathId),
    )
  }

  *routes(): Generator<{ readonly key: PrefixKey; readonly path: Path }> {
    const peer = this.#peer
    if (!peer) return
    for (const { key, paths } of this.#table.all()) {
      for (const path of paths) if (isFrom(path, peer)) yield { key, path }
    }
  }

  #begin(peer: RibPeer, rules: ImportRules): void {
    this.#source = { peer, stale: false }
    this.#importer = new Importer(this.#source, rules, this.#hops)
    this.#hasOlder = this.#routes > 0
  }

  #removeAll(concerned: (path: Path) => boolean): void {
    this.#replaceAll(concerned, () => undefined)
  }

  #replaceAll(concerned: (path: Path) => boolean, to: (key: PrefixKey, path: Path) => Path | undefined): void {
    const peer = this.#peer
    if (!peer || this.#routes === 0) return
    this.#table.replaceAll(
      (path) => isFrom(path, peer) && concerned(path),
      (key, path) => {
        const replacement = to(key, path)
        this.#uncount(path)
        if (replacement) this.#count(replacement)
        return replacement
      },
    )
  }

  #count({ excluded }: Path): void {
    this.#routes++
    if (!excluded) this.#accepted++
  }

  #uncount({ excluded }: Path): void {
    this.#routes--
    if (!excluded) this.#accepted--
  }

  #requireOpen(): { readonly peer: RibPeer; readonly rules: ImportRules } {
    if (this.#peer && this.#rules) return { peer: this.#peer, rules: this.#rules }
    throw new RangeError('Cannot take routes of a peer without a session')
  }

  #requireImporter(): Importer {
    if (this.#importer) return this.#importer
    throw new RangeError('Cannot take routes of a peer without a session')
  }
}

/** undefined: "MUST NOT be retained" (RFC 9494 §4.2, NO_LLGR). */
function longLivedStale(path: Path): Path | undefined {
  if (path.received.communities.includes(WellKnown['no-llgr'])) return undefined
  const mark = <T extends Path['attributes']>(attributes: T): T => ({
    ...attributes,
    communities: [...attributes.communities, WellKnown['llgr-stale']],
  })
  return createPath({ ...path, received: mark(path.received), attributes: mark(path.attributes) })
}
