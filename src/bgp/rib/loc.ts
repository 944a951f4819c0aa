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
  readonly best: Path | undefined
  readonly equal: readonly Path[]

  constructor(paths: readonly Path[], options: DecisionOptions) {
    const selection = decide(paths, options)
    this.paths = paths
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

/** Prefixes about which something has changed, each with its best path before. */
export type Changes = ReadonlyMap<PrefixKey, Path | undefined>

const NONE: readonly never[] = []

export class LocRib {
  readonly family: Family
  readonly #options: DecisionOptions
  readonly #entries = new Map<PrefixKey, Entry>()
  #changes = new Map<PrefixKey, Path | undefined>()
  #withBest = 0
  /** The last set that was made: the next prefix often has the same. */
  #recent: Candidates | undefined

  constructor(family: Family, options: DecisionOptions) {
    this.family = family
    this.#options = options
  }

  /** Prefixes that have a best path. */
  get size(): number {
    return this.#withBest
  }

  best(key: PrefixKey): Path | undefined {
    const entry = this.#entries.get(key)
    return entry && bestOf(entry)
  }

  /** The best path first, then those that may be used beside it. */
  equal(key: PrefixKey): readonly Path[] {
    const entry = this.#entries.get(key)
    if (!entry) return NONE
    if (entry instanceof Candidates) return entry.equal
    return isUsable(entry) ? [entry] : NONE
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
    for (const [key, entry] of this.#entries) yield { key, best: bestOf(entry), paths: pathsOf(entry) }
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
      this.#changed(key, undefined, isUsable(path) ? path : undefined)
      return undefined
    }
    if (entry === path) return path
    const { peer } = path.source
    if (!(entry instanceof Candidates)) {
      if (!isSameRoute(entry, peer, path.pathId)) {
        this.#store(key, [entry, path], bestOf(entry))
        return undefined
      }
      const before = bestOf(entry)
      this.#entries.set(key, path)
      this.#changed(key, before, isUsable(path) ? path : undefined)
      return entry
    }
    const at = entry.paths.findIndex((each) => isSameRoute(each, peer, path.pathId))
    const replaced = entry.paths[at]
    if (replaced === path) return path
    const paths = [...entry.paths]
    if (!replaced) paths.push(path)
    else if (!this.#options.preferOlder || sameAttributes(replaced.received, path.received)) paths[at] = path
    else {
      paths.splice(at, 1)
      paths.push(path)
    }
    this.#store(key, paths, entry.best)
    return replaced
  }

  /** Answers the path that was there. */
  remove(key: PrefixKey, peer: RibPeer, pathId: number): Path | undefined {
    const entry = this.#entries.get(key)
    if (!entry) return undefined
    if (!(entry instanceof Candidates)) {
      if (!isSameRoute(entry, peer, pathId)) return undefined
      this.#entries.delete(key)
      this.#changed(key, bestOf(entry), undefined)
      return entry
    }
    const removed = entry.paths.find((each) => isSameRoute(each, peer, pathId))
    if (!removed) return undefined
    const paths = entry.paths.filter((each) => each !== removed)
    this.#store(key, paths, entry.best)
    return removed
  }

  /** Puts what `to` answers in the place of each path that is concerned; undefined: removes it. */
  replaceAll(concerned: (path: Path) => boolean, to: (key: PrefixKey, path: Path) => Path | undefined): void {
    for (const [key, entry] of this.#entries) {
      const paths = pathsOf(entry)
      if (!paths.some(concerned)) continue
      const replaced = paths.flatMap((path) => (concerned(path) ? (to(key, path) ?? []) : path))
      this.#store(key, replaced, bestOf(entry))
    }
  }

  /** To be called before the next hops of paths change, and its answer behind it: what was decided about them is void. */
  beforeChangeOf(concerned: (path: Path) => boolean): () => void {
    const before = new Map<PrefixKey, Path | undefined>()
    for (const [key, entry] of this.#entries) {
      if (pathsOf(entry).some(concerned)) before.set(key, bestOf(entry))
    }
    return () => {
      this.#recent = undefined
      for (const [key, best] of before) this.#store(key, this.paths(key), best)
    }
  }

  /** What has changed since it was last asked. */
  takeChanges(): Changes {
    const changes = this.#changes
    if (changes.size > 0) this.#changes = new Map()
    return changes
  }

  #store(key: PrefixKey, paths: readonly Path[], before: Path | undefined): void {
    const [only] = paths
    if (!only) this.#entries.delete(key)
    else this.#entries.set(key, paths.length === 1 ? only : this.#candidates(paths))
    this.#changed(key, before, this.best(key))
  }

  #candidates(paths: readonly Path[]): Candidates {
    const recent = this.#recent
    if (recent && recent.paths.length === paths.length && paths.every((path, i) => path === recent.paths[i]))
      return recent
    this.#recent = new Candidates(paths, this.#options)
    return this.#recent
  }

  #changed(key: PrefixKey, before: Path | undefined, after: Path | undefined): void {
    if (!before !== !after) this.#withBest += after ? 1 : -1
    if (!this.#changes.has(key)) this.#changes.set(key, before)
  }
}

function bestOf(entry: Entry): Path | undefined {
  if (entry instanceof Candidates) return entry.best
  return isUsable(entry) ? entry : undefined
}

function pathsOf(entry: Entry): readonly Path[] {
  return entry instanceof Candidates ? entry.paths : [entry]
}
