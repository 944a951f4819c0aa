/** What was compared with a kernel, counted by place: the data behind docs/fidelity.md. */
import type { Ran } from './coverage.ts'
import type { ModelFile } from './sites.ts'

export interface Fidelity {
  /** `Linux 6.18.44`: what the model was compared with. */
  readonly kernel: string
  /** Runs that were compared and equal. */
  readonly runs: readonly Run[]
  /** By the id of a site: names of the runs in which the decision was made, with blanks between. */
  readonly sites: Readonly<Record<string, string>>
  /** By file below src/model. */
  readonly files: Readonly<Record<string, FileTally>>
}

export interface Run {
  /** Without blanks: `S02`, `bridge`. */
  readonly name: string
  readonly what: 'scenario' | 'random' | 'test'
  readonly cases: number
}

export interface FileTally {
  readonly functions: Share
  readonly arms: Share
  /** Names of the functions that never ran in a comparison. */
  readonly never: readonly string[]
}

export interface Share {
  readonly compared: number
  readonly of: number
}

/** For the code of today: what is new was never compared, what is gone is left out. */
export function withModel({ kernel, runs, sites, files }: Fidelity, model: readonly ModelFile[]): Fidelity {
  const all = model.flatMap((file) => file.sites)
  const fileOf = ({ file, functions, arms }: ModelFile): FileTally => {
    const known = files[file]
    const never = functions.map(({ name }) => name).filter((name) => known === undefined || known.never.includes(name))
    return {
      functions: { compared: functions.length - never.length, of: functions.length },
      arms: { compared: Math.min(known?.arms.compared ?? 0, arms.length), of: arms.length },
      never,
    }
  }
  return {
    kernel,
    runs,
    sites: Object.fromEntries(all.map(({ id }) => [id, sites[id] ?? ''])),
    files: Object.fromEntries(model.map((each) => [each.file, fileOf(each)])),
  }
}

export class Tally {
  readonly #model: readonly ModelFile[]
  readonly #runs = new Map<string, { what: Run['what']; cases: number }>()
  readonly #sites = new Map<string, Set<string>>()
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
    const known = this.#runs.get(name)
    this.#runs.set(name, { what, cases: cases + (known?.cases ?? 0) })
    for (const { file, sites, functions, arms } of this.#model) {
      for (const { id, place } of sites) {
        if (!ran.at(file, place)) continue
        const runs = this.#sites.get(id)
        if (runs) runs.add(name)
        else this.#sites.set(id, new Set([name]))
      }
      const seenFunctions = this.#functions.get(file)!
      for (const [i, { place }] of functions.entries()) {
        if (!seenFunctions.has(i) && ran.at(file, place)) seenFunctions.add(i)
      }
      const seenArms = this.#arms.get(file)!
      for (const [i, place] of arms.entries()) if (!seenArms.has(i) && ran.at(file, place)) seenArms.add(i)
    }
  }

  fidelity(kernel: string): Fidelity {
    const runs = [...this.#runs].map(([name, rest]) => ({ name, ...rest }))
    const order = new Map(runs.map(({ name }, i) => [name, i]))
    const inOrder = (names: Iterable<string>) => [...names].sort((a, b) => order.get(a)! - order.get(b)!)
    const sites = this.#model.flatMap((file) => file.sites)
    return {
      kernel,
      runs,
      sites: Object.fromEntries(sites.map(({ id }) => [id, inOrder(this.#sites.get(id) ?? []).join(' ')])),
      files: Object.fromEntries(this.#model.map((each) => [each.file, this.#fileTally(each)])),
    }
  }

  #fileTally({ file, functions, arms }: ModelFile): FileTally {
    const ran = this.#functions.get(file)!
    return {
      functions: { compared: ran.size, of: functions.length },
      arms: { compared: this.#arms.get(file)!.size, of: arms.length },
      never: functions.flatMap(({ name }, i) => (ran.has(i) ? [] : [name])),
    }
  }
}
