/**
 * The decision process: RFC 4271 §9.1.2.2 with RFC 4456 §9, RFC 9494 §4.3 and, where wanted, RFC 5004.
 *
 * A list of comparisons in the order of the RFCs. Each leaves those of the remaining paths that none is better than, until one
 * is left. MED is compared among the paths of one neighbour AS only, so two paths alone do not always say which of them is
 * better. Leaving out step by step, as the RFC does, gives the same answer whatever the order of the paths.
 */
import { compareIp, parseIp } from '../../address/ip.ts'
import { isUsable, type Path, whyUnusable } from './path.ts'

export interface Comparison {
  readonly name: string
  readonly source: string
  /** Negative: `a` is better. */
  compare(a: Path, b: Path): number
  /** Paths that are compared with each other; all, where it is not there. */
  readonly comparable?: (a: Path, b: Path) => boolean
}

const COMPARISONS = [
  {
    name: 'not long-lived stale',
    source: 'RFC 9494 §4.3',
    compare: (a, b) => Number(a.longLivedStale) - Number(b.longLivedStale),
  },
  { name: 'highest LOCAL_PREF', source: 'RFC 4271 §9.1.1', compare: (a, b) => b.localPref - a.localPref },
  { name: 'locally originated', source: 'RFC 4271 §9.1.2', compare: (a, b) => Number(isLocal(b)) - Number(isLocal(a)) },
  { name: 'shortest AS_PATH', source: 'RFC 4271 §9.1.2.2 a', compare: (a, b) => a.asPathLength - b.asPathLength },
  { name: 'lowest ORIGIN', source: 'RFC 4271 §9.1.2.2 b', compare: (a, b) => a.origin - b.origin },
  {
    name: 'lowest MED',
    source: 'RFC 4271 §9.1.2.2 c',
    compare: (a, b) => a.med - b.med,
    comparable: (a, b) => a.neighbourAs === b.neighbourAs,
  },
  {
    name: 'eBGP before iBGP',
    source: 'RFC 4271 §9.1.2.2 d',
    compare: (a, b) => Number(isInternal(a)) - Number(isInternal(b)),
  },
  {
    name: 'lowest metric to the next hop',
    source: 'RFC 4271 §9.1.2.2 e',
    compare: (a, b) => (a.hop.metric ?? 0) - (b.hop.metric ?? 0),
  },
  { name: 'lowest BGP identifier', source: 'RFC 4271 §9.1.2.2 f', compare: (a, b) => a.routerId - b.routerId },
  {
    name: 'shortest CLUSTER_LIST',
    source: 'RFC 4456 §9',
    compare: (a, b) => a.clusterListLength - b.clusterListLength,
  },
  { name: 'lowest peer address', source: 'RFC 4271 §9.1.2.2 g', compare: comparePeers },
  // Of several paths of one peer: RFC 7911 leaves the choice, and it must be one.
  { name: 'lowest path identifier', source: 'RFC 7911 §2', compare: (a, b) => a.pathId - b.pathId },
] as const satisfies readonly Comparison[]

/** Paths that are equal up to here, and here, may be used side by side. */
const LAST_OF_MULTIPATH = 'eBGP before iBGP'
/** RFC 5004 §3 puts its step before the comparison of identifiers. */
const AFTER_OLDER = 'lowest BGP identifier'

const OLDEST = { name: 'oldest external path', source: 'RFC 5004 §3' } as const

export interface Step {
  readonly name: (typeof COMPARISONS)[number]['name'] | typeof OLDEST.name
  /** Where it is written. */
  readonly source: string
}

export interface DecisionOptions {
  /** RFC 5004: an external path that was there first stays, so that identifiers decide only when both are new. */
  readonly preferOlder: boolean
}

export interface Selection {
  readonly best: Path
  /** The best path first, then those that may be used beside it. */
  readonly equal: readonly Path[]
}

/** `paths` in the order in which they came. undefined when none can be used. */
export function decide(paths: readonly Path[], options: DecisionOptions): Selection | undefined {
  return eliminate(paths.filter(isUsable), options)
}

export interface Verdict {
  readonly path: Path
  /** undefined: it is the best. */
  readonly lost: Step | { readonly unusable: string } | undefined
  /** It is used beside the best. */
  readonly multipath: boolean
}

/** Every path with the step that decided against it; the best first, then as far as they came. */
export function explain(paths: readonly Path[], options: DecisionOptions): Verdict[] {
  const lost: Omit<Verdict, 'multipath'>[] = []
  const selection = eliminate(paths.filter(isUsable), options, (path, { name, source }) =>
    lost.unshift({ path, lost: { name, source } }),
  )
  if (selection) lost.unshift({ path: selection.best, lost: undefined })
  for (const path of paths) {
    const unusable = whyUnusable(path)
    if (unusable !== undefined) lost.push({ path, lost: { unusable } })
  }
  const multipath = selection && selection.equal.length > 1 ? selection.equal : []
  return lost.map((each) => ({ ...each, multipath: multipath.includes(each.path) }))
}

function eliminate(
  paths: readonly Path[],
  { preferOlder }: DecisionOptions,
  lose?: (path: Path, step: Step) => void,
): Selection | undefined {
  let left = paths
  let equal = paths
  let isMultipath = true
  const leave = (step: Step, remaining: readonly Path[]) => {
    if (lose) for (const path of left) if (!remaining.includes(path)) lose(path, step)
    left = remaining
  }
  for (const comparison of COMPARISONS) {
    if (left.length <= 1) break
    if (comparison.name === AFTER_OLDER && preferOlder) leave(OLDEST, oldest(left))
    leave(comparison, unbeaten(left, comparison))
    if (isMultipath) equal = left
    if (comparison.name === LAST_OF_MULTIPATH) isMultipath = false
  }
  const [best] = left
  if (!best) return undefined
  return { best, equal: equal.length === 1 ? equal : [best, ...equal.filter((path) => path !== best)] }
}

function unbeaten(paths: readonly Path[], { compare, comparable }: Comparison): readonly Path[] {
  if (paths.length <= 1) return paths
  if (comparable) return paths.filter((a) => !paths.some((b) => comparable(a, b) && compare(b, a) < 0))
  let best = paths[0]!
  for (const path of paths) if (compare(path, best) < 0) best = path
  return paths.filter((path) => compare(path, best) === 0)
}

/** The first that came, and those of the same speaker: for them RFC 5004 §3 leaves its step out. */
function oldest(paths: readonly Path[]): readonly Path[] {
  const [first] = paths
  if (first?.source.peer.kind !== 'external') return paths
  return paths.filter(({ routerId }) => routerId === first.routerId)
}

function isLocal({ source }: Path): boolean {
  return source.peer.kind === 'local'
}

function isInternal({ source }: Path): boolean {
  return source.peer.kind === 'internal'
}

function comparePeers(a: Path, b: Path): number {
  const [one, other] = [a.source.peer.address, b.source.peer.address]
  if (one === other) return 0
  // This speaker has no address, and comes first.
  if (one === '' || other === '') return one === '' ? -1 : 1
  return compareIp(parseIp(one), parseIp(other))
}
