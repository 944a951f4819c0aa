/**
 * What is done in a store, step by step: each step asks or writes once, and the next one goes by its answer. The steps are
 * written once and carried out in two ways: a daemon waits for its store; a plugin's executable, which cannot wait, has a
 * directory and goes straight on.
 *
 *   function* rename(from, to) {
 *     const entry = yield* get(from)
 *     return entry && (yield* transact([at(entry)], [{ delete: from }, { put: to, value: entry.value }]))
 *   }
 *   await carryOut(rename('/a', '/b'), store)
 *
 * What is gone through is named before: QuickJS 2025-04-26 does not compile `for (const each of yield* list(prefix))`.
 */
import type { Condition, Entry, Listing, Revision, Store, Write } from '../store/store.ts'

export type Step =
  | { readonly get: string }
  | { readonly list: string }
  | { readonly conditions: readonly Condition[]; readonly writes: readonly Write[] }

export type Steps<T> = Generator<Step, T, unknown>

/** What steps need of a store. */
export type StepStore = Pick<Store, 'get' | 'list' | 'transact'>

/** The same of a store that answers at once. */
export interface PromptStore {
  get(key: string): Entry | undefined
  list(prefix: string): Listing
  transact(conditions: readonly Condition[], writes: readonly Write[]): Revision | undefined
}

export function* get(key: string): Steps<Entry | undefined> {
  return (yield { get: key }) as Entry | undefined
}

/** Every entry whose key starts so, by key. */
export function* list(prefix: string): Steps<readonly Entry[]> {
  return ((yield { list: prefix }) as Listing).entries
}

/** False when a condition did not hold: somebody came between. */
export function* transact(conditions: readonly Condition[], writes: readonly Write[]): Steps<boolean> {
  return (yield { conditions, writes }) !== undefined
}

/** The condition that nobody has changed it. */
export function at({ key, revision }: Entry): Condition {
  return { key, revision }
}

/** The condition that there is none. */
export function absent(key: string): Condition {
  return { key, revision: undefined }
}

/** StoreError when the store refuses or cannot be reached: what was written until then stays. */
export async function carryOut<T>(steps: Steps<T>, store: StepStore): Promise<T> {
  for (let next = steps.next(); ; ) {
    if (next.done) return next.value
    next = steps.next(await perform(next.value, store))
  }
}

export function carryOutNow<T>(steps: Steps<T>, store: PromptStore): T {
  for (let next = steps.next(); ; ) {
    if (next.done) return next.value
    next = steps.next(perform(next.value, store))
  }
}

function perform(step: Step, store: StepStore | PromptStore): unknown {
  if ('get' in step) return store.get(step.get)
  if ('list' in step) return store.list(step.list)
  return store.transact(step.conditions, step.writes)
}
