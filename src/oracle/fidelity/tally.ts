/** What was compared with a kernel, counted by place: the data behind docs/fidelity.md. */
import type { Ran } from './coverage.ts'
import type { ModelFile } from './sites.ts'

export interface Fidelity {
  /** `Linux 6.18.44`: what the model was compared with. */
  readonly kernel: string
  /** `Linux 6.1.0`: a second one. */
  readonly second: string
  /** Runs that were compared and equal. */
  readonly runs: readonly Run[]
  /** By the id of a site: names of the runs in which the decision was made, with blanks between. */
  readonly sites: Readonly<Record<string, string>>
  /** And of those of the second kernel. */
  readonly secondSites: Readonly<Record<string, string>>
  /** By file below src/model. */
  readonly files: Readonly<Record<string, FileTally>>
}

export interface Run {
  /** Without blanks: `S02`, `bridge`. */
  readonly name: string
  readonly what: (typeof ORDER)[number]
  readonly cases: number
}

/** In which runs are told. */
const ORDER = ['scenario', 'golden', 'random', 'test', 'second', 'guest'] as const

export interface FileTally {
  readonly functions: number
  /** Names of the functions that never ran in a comparison. */
  readonly never: readonly string[]
  /** Of each arm, in the order of the file: `1` where it ran in a comparison. */
  readonly arms: string
}

/** Which runs are measured anew. */
export type Wanted = (what: Run['what'], name: string) => boolean

/** For the code of today: what is new was never compared, what is gone is left out. */
export function withModel(fidelity: Fidelity, model: readonly ModelFile[]): Fidelity {
  const all = model.flatMap((file) => file.sites)
  const fileOf = ({ file, functions, arms }: ModelFile): FileTally => {
    const known = fidelity.files[file]
    const never = functions.map(({ name }) => name).filter((name) => known === undefined || known.never.includes(name))
    const compared = (known?.arms ?? '').slice(0, arms.length).padEnd(arms.length, '0')
    return { functions: functions.length, never, arms: compared }
  }
  const namesOf = (sites: Fidelity['sites']) => Object.fromEntries(all.map(({ id }) => [id, sites[id] ?? '']))
  return {
    ...fidelity,
    sites: namesOf(fidelity.sites),
    secondSites: namesOf(fidelity.secondSites),
    files: Object.fromEntries(model.map((each) => [each.file, fileOf(each)])),
  }
}

/** What was measured now, beside what was `known` of the runs that have not been measured anew. Both are of the same model. */
export function joined(known: Fidelity, measured: Fidelity, wanted: Wanted): Fidelity {
  const kept = known.runs.filter(({ what, name }) => !wanted(what, name))
  const runs = [...kept, ...measured.runs].sort(byOrder)
  const { sites, secondSites } = measured
  return {
    kernel: measured.kernel,
    second: measured.second,
    runs,
    sites: joinedSites(known.sites, sites, { kept: kept.filter(isOfFirst), runs: runs.filter(isOfFirst) }),
    secondSites: joinedSites(known.secondSites, secondSites, {
      kept: kept.filter((run) => !isOfFirst(run)),
      runs: runs.filter((run) => !isOfFirst(run)),
    }),
    files: Object.fromEntries(
      Object.entries(measured.files).map(([file, tally]) => [file, joinedFile(known.files[file], tally)]),
    ),
  }
}

const isOfFirst = ({ what }: Pick<Run, 'what'>) => what !== 'second' && what !== 'guest'
const byOrder = (a: Run, b: Run) => ORDER.indexOf(a.what) - ORDER.indexOf(b.what) || (a.name < b.name ? -1 : 1)

function joinedSites(
  known: Fidelity['sites'],
  measured: Fidelity['sites'],
  { kept, runs }: { readonly kept: readonly Run[]; readonly runs: readonly Run[] },
): Fidelity['sites'] {
  const keeps = new Set(kept.map(({ name }) => name))
  const inOrder = [...new Set(runs.map(({ name }) => name))]
  return Object.fromEntries(
    Object.entries(measured).map(([id, now]) => {
      const before = (known[id] ?? '').split(' ').filter((name) => keeps.has(name))
      const names = new Set([...before, ...now.split(' ')])
      return [id, inOrder.filter((name) => names.has(name)).join(' ')]
    }),
  )
}

function joinedFile(known: FileTally | undefined, { functions, never, arms }: FileTally): FileTally {
  if (!known) return { functions, never, arms }
  return {
    functions,
    never: never.filter((name) => known.never.includes(name)),
    arms: [...arms].map((arm, i) => (arm === '1' || known.arms[i] === '1' ? '1' : '0')).join(''),
  }
}

/** Whether either kernel was seen to decide so. */
export function isCompared({ sites, secondSites }: Fidelity, id: string): boolean {
  return Boolean(sites[id] || secondSites[id])
}

export class Tally {
  readonly #model: readonly ModelFile[]
  readonly #runs = new Map<string, Run>()
  /** By a site's id, names. */
  readonly #sites = { first: new Map<string, Set<string>>(), second: new Map<string, Set<string>>() }
  /** Places that have run, by file: their index. */
  readonly #functions = new Map<string, Set<number>>()
  readonly #arms = new Map<string, Set<number>>()

  constructor(model: readonly ModelFile[]) {
    this.#model = model
    for (const { file } of model) {
      this.#functions.set(file, new Set())
      this.#arms.set(file, new Set())
    }
  }

  /** The model and a kernel were equal in `cases` cases, in which this ran of the model. */
  add({ name, what, cases }: Run, ran: Ran): void {
    const key = `${what} ${name}`
    this.#runs.set(key, { name, what, cases: cases + (this.#runs.get(key)?.cases ?? 0) })
    const known = isOfFirst({ what }) ? this.#sites.first : this.#sites.second
    for (const { file, sites, functions, arms } of this.#model) {
      for (const { id, place } of sites) {
        if (!ran.at(file, place)) continue
        const runs = known.get(id)
        if (runs) runs.add(name)
        else known.set(id, new Set([name]))
      }
      const seenFunctions = this.#functions.get(file)!
      for (const [i, { place }] of functions.entries()) {
        if (!seenFunctions.has(i) && ran.at(file, place)) seenFunctions.add(i)
      }
      const seenArms = this.#arms.get(file)!
      for (const [i, place] of arms.entries()) if (!seenArms.has(i) && ran.at(file, place)) seenArms.add(i)
    }
  }

  fidelity(kernel: string, second: string): Fidelity {
    const runs = [...this.#runs.values()].sort(byOrder)
    const order = [...new Set(runs.map(({ name }) => name))]
    const ids = this.#model.flatMap((file) => file.sites.map(({ id }) => id))
    const namesOf = (sites: ReadonlyMap<string, ReadonlySet<string>>) =>
      Object.fromEntries(ids.map((id) => [id, order.filter((name) => sites.get(id)?.has(name)).join(' ')]))
    return {
      kernel,
      second,
      runs,
      sites: namesOf(this.#sites.first),
      secondSites: namesOf(this.#sites.second),
      files: Object.fromEntries(this.#model.map((each) => [each.file, this.#fileTally(each)])),
    }
  }

  #fileTally({ file, functions, arms }: ModelFile): FileTally {
    const [ran, seen] = [this.#functions.get(file)!, this.#arms.get(file)!]
    return {
      functions: functions.length,
      never: functions.flatMap(({ name }, i) => (ran.has(i) ? [] : [name])),
      arms: arms.map((_, i) => (seen.has(i) ? '1' : '0')).join(''),
    }
  }
}
