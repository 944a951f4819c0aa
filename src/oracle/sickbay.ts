/**
 * sickbay.yml: differences between the model and Linux that are known, each with its reason. What it names is no failure; an
 * entry whose case has become equal is one, so that the list only holds what is true. There are at most ten.
 */
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import type { Difference } from './difference.ts'

export interface Known {
  readonly id: string
  /** A fixed scenario's id, or the name of a kind of random world: one of the two. */
  readonly scenario?: string
  readonly kind?: string
  /** A regular expression that the difference's first line matches. */
  readonly what: string
  readonly reason: string
}

const MOST = 10
const KEYS = ['id', 'scenario', 'kind', 'what', 'reason'] as const

export class Sickbay {
  readonly #entries: readonly Known[]
  readonly #seen = new Set<Known>()
  readonly #asked = new Set<string>()

  constructor(entries: readonly Known[]) {
    this.#entries = entries
  }

  /** RangeError that names the entry which is none. */
  static read(path: string): Sickbay {
    return new Sickbay(parseSickbay(readFileSync(path, 'utf8'), path))
  }

  /** The entry that knows this difference of a scenario, or of a case of a kind. */
  know(name: string, difference: Difference | undefined): Known | undefined {
    this.#asked.add(name)
    if (!difference) return undefined
    const known = this.#entries.find((entry) => nameOf(entry) === name && new RegExp(entry.what).test(difference.what))
    if (known) this.#seen.add(known)
    return known
  }

  /** Entries of what was run, and did not differ so: they are to be taken out. */
  cured(): Known[] {
    return this.#entries.filter((entry) => this.#asked.has(nameOf(entry)) && !this.#seen.has(entry))
  }
}

const nameOf = ({ scenario, kind }: Known) => (scenario ?? kind)!

/** `path` is for messages. */
export function parseSickbay(text: string, path = 'sickbay.yml'): Known[] {
  const read: unknown = parse(text) ?? []
  if (!Array.isArray(read)) throw new RangeError(`Cannot read ${path}: it is no list`)
  if (read.length > MOST) throw new RangeError(`Cannot accept ${path}: ${read.length} entries are more than ${MOST}`)
  const ids = new Set<string>()
  for (const [i, entry] of read.entries()) {
    const wrong = faultOf(entry)
    if (wrong) throw new RangeError(`Cannot read entry ${i + 1} of ${path}: ${wrong}`)
    if (ids.has(entry.id))
      throw new RangeError(`Cannot read entry ${i + 1} of ${path}: there is a "${entry.id}" already`)
    ids.add(entry.id)
  }
  return read
}

function faultOf(entry: unknown): string | undefined {
  if (typeof entry !== 'object' || entry === null) return 'it is no mapping'
  const strange = Object.keys(entry).find((key) => !(KEYS as readonly string[]).includes(key))
  if (strange !== undefined) return `"${strange}" is none of ${KEYS.join(', ')}`
  const known = entry as Partial<Record<(typeof KEYS)[number], unknown>>
  for (const key of ['id', 'what', 'reason'] as const) {
    if (typeof known[key] !== 'string' || known[key] === '') return `"${key}" is missing`
  }
  if ((known.scenario === undefined) === (known.kind === undefined))
    return 'it names a scenario or a kind, one of the two'
  return undefined
}
