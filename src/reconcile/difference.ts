/**
 * What has come into a desired state and what has gone from it since the one before: as operations, where nothing needs to be
 * seen for them. A network has three entries for every node, and hears of nodes one at a time.
 */
import type { Change } from '../kernel/live.ts'
import type { Desired, Operation, State, SubjectName } from './state.ts'
import type { Subject } from './subject.ts'
import { subjectNames, subjects } from './subjects.ts'

/** Subjects that have many things. Each is made by a call that does not mind what was there, and told from others by its key. */
const MANY = ['neighbours', 'fdb', 'routes'] as const satisfies readonly SubjectName[]
type Many = (typeof MANY)[number]

const FEW = subjectNames.filter((name) => !(MANY as readonly string[]).includes(name))

/** A state that becomes another one, and knows its many things by key. */
export class DesiredState {
  #state: State
  readonly #tables: ReadonlyMap<Many, Table>

  constructor(state: State) {
    this.#state = state
    this.#tables = new Map(MANY.map((name) => [name, new Table(name, state[name] ?? [])]))
  }

  get state(): State {
    return this.#state
  }

  /** What is to be done for it. Undefined where states differ in other subjects, or in what they own: then one has to look. */
  become(now: State): Operation[] | undefined {
    const before = this.#state
    this.#state = now
    const isKnown = FEW.every((name) => isSame(before[name] ?? [], now[name] ?? [])) && isSame(before.owned, now.owned)
    const removals: Operation[] = []
    const additions: Operation[] = []
    for (const [name, table] of this.#tables) table.become(now[name] ?? [], removals, additions)
    return isKnown ? [...removals.reverse(), ...additions] : undefined
  }

  /** Whether what the kernel tells is nothing to be put right: what came is desired so, or what went is not desired. */
  expects({ subject, operation, thing }: Change): boolean {
    const name = SUBJECTS[subject]
    if (!name || !thing) return false
    const desired = this.#tables.get(name)!.find(thing as Item)
    if (operation === 'delete') return desired === undefined
    return desired !== undefined && rowOf(name).differences(desired, thing).length === 0
  }
}

const SUBJECTS: { readonly [S in Change['subject']]?: Many } = { neighbour: 'neighbours', fdb: 'fdb', route: 'routes' }

const rowOf = (name: Many) => subjects[name] as Subject<unknown, unknown>

type Item = Desired[Many]

/** The things of one subject, by key. Of two with one key the first counts: see plan(). */
class Table {
  readonly #name: Many
  #items: readonly Item[]
  #byKey: Map<string, Item>

  constructor(name: Many, items: readonly Item[]) {
    this.#name = name
    this.#items = items
    this.#byKey = this.#index(items)
  }

  find(item: Item): Item | undefined {
    return this.#byKey.get(rowOf(this.#name).key(item))
  }

  become(items: readonly Item[], removals: Operation[], additions: Operation[]): void {
    const subject = this.#name
    const [old, now] = this.#exchange(items)
    for (const [key, desired] of now) {
      const seen = old.get(key)
      if (seen === undefined) additions.push({ subject, operation: 'add', desired } as Operation)
      else if (!isSame(seen, desired)) additions.push({ subject, operation: 'change', desired, seen } as Operation)
    }
    for (const [key, seen] of old) {
      if (!now.has(key)) removals.push({ subject, operation: 'remove', seen } as Operation)
    }
  }

  /** What there was and what there is instead, without most of what has stayed. */
  #exchange(items: readonly Item[]): [Map<string, Item>, Map<string, Item>] {
    const [gone, come] = between(this.#items, items)
    const [old, now] = [this.#index(gone), this.#index(come)]
    const isUnique = this.#byKey.size === this.#items.length && now.size === come.length
    this.#items = items
    if (isUnique && [...now.keys()].every((key) => old.has(key) || !this.#byKey.has(key))) {
      for (const key of old.keys()) this.#byKey.delete(key)
      for (const [key, item] of now) this.#byKey.set(key, item)
      return [old, now]
    }
    const before = this.#byKey
    this.#byKey = this.#index(items)
    return [before, this.#byKey]
  }

  #index(items: readonly Item[]): Map<string, Item> {
    const { key } = rowOf(this.#name)
    const byKey = new Map<string, Item>()
    for (const item of items) {
      const its = key(item)
      if (!byKey.has(its)) byKey.set(its, item)
    }
    return byKey
  }
}

/** The two lists without the objects that they begin and end with alike. */
function between<T>(before: readonly T[], now: readonly T[]): [readonly T[], readonly T[]] {
  const shorter = Math.min(before.length, now.length)
  let start = 0
  while (start < shorter && before[start] === now[start]) start++
  let end = 0
  while (end < shorter - start && before.at(-1 - end) === now.at(-1 - end)) end++
  return [before.slice(start, before.length - end), now.slice(start, now.length - end)]
}

function isSame(one: unknown, other: unknown): boolean {
  if (one === other) return true
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false
  const [fields, others] = [Object.entries(one), Object.keys(other)]
  if (fields.length !== others.length) return false
  return fields.every(([field, value]) => isSame(value, (other as Record<string, unknown>)[field]))
}
