/**
 * The table of one family: every path of every peer, and which of them is the best. RFC 4271 §3.2.
 *
 * Adj-RIBs-In and Loc-RIB are one here: what a peer has announced are the paths that come from it, the routes in use are the
 * best ones. What adj-in.ts keeps though it cannot be used stands here too, so that it can be shown and taken up again.
 *
 * A hundred thousand prefixes with one path each are a hundred thousand references to few paths. Prefixes with several have a
 * set of candidates with what was decided about them, and neighbours in the message often the same set.
 */
import { sameAttributes } from '../attribute/same.ts'
import type { Family } from '../family.ts'
import type { PrefixKey } from '../nlri.ts'
import { type DecisionOptions, decide, explain, type Verdict } from './decision.ts'
import { isSameRoute, isUsable, type Path, type RibPeer } from './path.ts'

/** Two paths or more, in the order in which they came. */
class Candidates {
  readonly paths: readonly Path[]
  readonly usable: readonly Path[]
  readonly best: Path | undefined
  readonly equal: readonly Path[]

  constructor(paths: readonly Path[], options: DecisionOptions) {
    const selection = decide(paths, options)
    this.paths = paths
    this.usable = paths.every(isUsable) ? paths : paths.filter(isUsable)
    this.best = selection?.best
    this.equal = selection?.equal ?? NONE
  }
}

type Entry = Path | Candidates

export interface TableRow {
  readonly key: PrefixKey
  readonly best: Path | undefined
  readonly paths: readonly Path[]
}

/** What could be used for a prefix at some time: one path, or several. */
export type Snapshot = Path | Candidates

/** Prefixes about which something has changed, each with what there was before. */
export type Changes = ReadonlyMap<PrefixKey, Snapshot | undefined>

const NONE: readonly never[] = []

export class LocRib {
  readonly family: Family
  readonly #options: DecisionOptions
  readonly #entries = new Map<PrefixKey, Entry>()
  #changes = new Map<PrefixKey, Snapshot | undefined>()
  #withBest = 0
  /** The last set that was made: the next prefix often has the same. */
  #recent: Candidates | undefined
  readonly #pathIds = new Map<string, number>()

  constructor(family: Family, options: DecisionOptions) {
    this.family = family
    this.#options = options
  }

  /** Prefixes that have a best path. */
  get size(): number {
    return this.#withBest
  }

  best(key: PrefixKey): Path | undefined {
    return bestOf(this.now(key))
  }

  /** The best path first, then those that may be used beside it. */
  equal(key: PrefixKey): readonly Path[] {
    const now = this.now(key)
    if (!now) return NONE
    return now instanceof Candidates ? now.equal : [now]
  }

  now(key: PrefixKey): Snapshot | undefined {
    const entry = this.#entries.get(key)
    return entry && snapshotOf(entry)
  }

  /** As it was when changes were last taken, which is what the world has been told. */
  settled(key: PrefixKey): Snapshot | undefined {
    return this.#changes.size > 0 && this.#changes.has(key) ? this.#changes.get(key) : this.now(key)
  }

  /** In the order in which they came. */
  paths(key: PrefixKey): readonly Path[] {
    const entry = this.#entries.get(key)
    return entry ? pathsOf(entry) : NONE
  }

  explain(key: PrefixKey): Verdict[] {
    return explain(this.paths(key), this.#options)
  }

  *all(): Generator<TableRow> {
    for (const [key, entry] of this.#entries) yield { key, best: bestOf(snapshotOf(entry)), paths: pathsOf(entry) }
  }

  /** Of all prefixes that are there now. */
  keys(): PrefixKey[] {
    return [...this.#entries.keys()]
  }

  /** Answers the path of the same peer and path identifier that was there before. */
  put(key: PrefixKey, path: Path): Path | undefined {
    const entry = this.#entries.get(key)
    if (!entry) {
      this.#entries.set(key, path)
      this.#changed(key, undefined, snapshotOf(path))
      return undefined
    }
    if (entry === path) return path
    const { peer } = path.source
    if (!(entry instanceof Candidates)) {
      if (!isSameRoute(entry, peer, path.pathId)) {
        this.#store(key, [entry, path], entry)
        return undefined
      }
      const before = snapshotOf(entry)
      this.#entries.set(key, path)
      this.#changed(key, before, snapshotOf(path))
      return entry
    }
    const at = entry.paths.findIndex((each) => isSameRoute(each, peer, path.pathId))
    const replaced = entry.paths[at]
    if (replaced === path) return path
    this.#store(key, this.#placed(entry.paths, path, replaced, at), entry)
    return replaced
  }

  /** Answers the path that was there. */
  remove(key: PrefixKey, peer: RibPeer, pathId: number): Path | undefined {
    const entry = this.#entries.get(key)
    if (!entry) return undefined
    if (!(entry instanceof Candidates)) {
      if (!isSameRoute(entry, peer, pathId)) return undefined
      this.#entries.delete(key)
      this.#changed(key, snapshotOf(entry), undefined)
      return entry
    }
    const removed = entry.paths.find((each) => isSameRoute(each, peer, pathId))
    if (!removed) return undefined
    this.#store(
      key,
      entry.paths.filter((each) => each !== removed),
      entry,
    )
    return removed
  }

  /** Puts what `to` answers in the place of each path that is concerned; undefined: removes it. */
  replaceAll(concerned: (path: Path) => boolean, to: (key: PrefixKey, path: Path) => Path | undefined): void {
    for (const [key, entry] of this.#entries) {
      if (!(entry instanceof Candidates)) {
        if (!concerned(entry)) continue
        const before = snapshotOf(entry)
        const path = to(key, entry)
        if (path) this.#entries.set(key, path)
        else this.#entries.delete(key)
        this.#changed(key, before, path && snapshotOf(path))
      } else if (entry.paths.some(concerned)) {
        const paths = entry.paths.flatMap((path) => (concerned(path) ? (to(key, path) ?? []) : path))
        this.#store(key, paths, entry)
      }
    }
  }

  /** To be called before the next hops of paths change, and its answer behind it: what was decided about them is void. */
  beforeChangeOf(concerned: (path: Path) => boolean): () => void {
    const before = new Map<PrefixKey, Snapshot | undefined>()
    for (const [key, entry] of this.#entries) {
      const isConcerned = entry instanceof Candidates ? entry.paths.some(concerned) : concerned(entry)
      if (isConcerned) before.set(key, snapshotOf(entry))
    }
    return () => {
      this.#recent = undefined
      for (const [key, snapshot] of before) {
        const entry = this.#entries.get(key)!
        const decided = entry instanceof Candidates ? this.#candidates(entry.paths) : entry
        this.#entries.set(key, decided)
        this.#changed(key, snapshot, snapshotOf(decided))
      }
    }
  }

  /** A number for each peer and path identifier that paths have come from, to send them by: RFC 7911 §3. */
  pathIdOf({ source, pathId }: Path): number {
    const name = `${source.peer.address} ${pathId}`
    let id = this.#pathIds.get(name)
    if (id === undefined) {
      id = this.#pathIds.size + 1
      this.#pathIds.set(name, id)
    }
    return id
  }

  /** Something has changed that has not been taken yet. */
  get hasChanges(): boolean {
    return this.#changes.size > 0
  }

  /** What has changed since it was last asked, the first `most` of it. Who is told must be told before the table changes again. */
  takeChanges(most = Number.POSITIVE_INFINITY): Changes {
    const all = this.#changes
    if (all.size <= most) {
      if (all.size > 0) this.#changes = new Map()
      return all
    }
    const changes = new Map<PrefixKey, Snapshot | undefined>()
    for (const [key, before] of all) {
      if (changes.size === most) break
      changes.set(key, before)
      all.delete(key)
    }
    return changes
  }

  #store(key: PrefixKey, paths: readonly Path[], before: Entry): void {
    const snapshot = snapshotOf(before)
    const [only] = paths
    if (!only) {
      this.#entries.delete(key)
      this.#changed(key, snapshot, undefined)
      return
    }
    const entry = paths.length === 1 ? only : this.#candidates(paths)
    this.#entries.set(key, entry)
    this.#changed(key, snapshot, snapshotOf(entry))
  }

  /** A path that says something new is a new one: RFC 5004 asks which was there first. */
  #placed(paths: readonly Path[], path: Path, replaced: Path | undefined, at: number): readonly Path[] {
    if (!replaced) return [...paths, path]
    const isNew = this.#options.preferOlder && !sameAttributes(replaced.received, path.received)
    return isNew ? [...paths.toSpliced(at, 1), path] : paths.with(at, path)
  }

  #candidates(paths: readonly Path[]): Candidates {
    const recent = this.#recent
    if (recent?.paths.length === paths.length && paths.every((path, i) => path === recent.paths[i])) return recent
    this.#recent = new Candidates(paths, this.#options)
    return this.#recent
  }

  #changed(key: PrefixKey, before: Snapshot | undefined, after: Snapshot | undefined): void {
    const [had, has] = [bestOf(before) !== undefined, bestOf(after) !== undefined]
    if (had !== has) this.#withBest += has ? 1 : -1
    if (!this.#changes.has(key)) this.#changes.set(key, before)
  }
}

export function bestOf(snapshot: Snapshot | undefined): Path | undefined {
  return snapshot instanceof Candidates ? snapshot.best : snapshot
}

/** In the order in which they came. */
export function usableOf(snapshot: Snapshot | undefined): readonly Path[] {
  if (!snapshot) return NONE
  return snapshot instanceof Candidates ? snapshot.usable : [snapshot]
}

function snapshotOf(entry: Entry): Snapshot | undefined {
  return entry instanceof Candidates || isUsable(entry) ? entry : undefined
}

function pathsOf(entry: Entry): readonly Path[] {
  return entry instanceof Candidates ? entry.paths : [entry]
}
