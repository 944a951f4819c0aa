/**
 * What has come into a desired state and what has gone from it since the one before: as operations, where nothing needs to be
 * seen for them. A network has three entries for every node, and hears of nodes one at a time.
 */
import type { Operation, State, SubjectName } from './state.ts'
import type { Subject } from './subject.ts'
import { subjectNames, subjects } from './subjects.ts'

/** Subjects that have many things. Each is made by a call that does not mind what was there, and told from others by its key. */
const MANY = ['neighbours', 'fdb', 'routes'] as const satisfies readonly SubjectName[]

/** Undefined where states differ in other subjects, or in what they own: then one has to look. */
export function difference(before: State, now: State): Operation[] | undefined {
  const few = subjectNames.filter((name) => !(MANY as readonly string[]).includes(name))
  if (few.some((name) => !isSame(before[name] ?? [], now[name] ?? [])) || !isSame(before.owned, now.owned))
    return undefined
  const removals: Operation[] = []
  const additions: Operation[] = []
  for (const name of MANY) compareSubject(name, before, now, removals, additions)
  return [...removals.reverse(), ...additions]
}

function compareSubject(
  name: (typeof MANY)[number],
  before: State,
  now: State,
  removals: Operation[],
  additions: Operation[],
): void {
  const subject = subjects[name] as Subject<unknown, unknown>
  const old = new Map<string, unknown>()
  for (const item of before[name] ?? []) {
    const key = subject.key(item)
    if (!old.has(key)) old.set(key, item) // of two with one key the first counts: see plan()
  }
  const kept = new Set<string>()
  for (const desired of now[name] ?? []) {
    const key = subject.key(desired)
    if (kept.has(key)) continue
    kept.add(key)
    const seen = old.get(key)
    if (seen === undefined) additions.push({ subject: name, operation: 'add', desired } as Operation)
    else if (!isSame(seen, desired)) additions.push({ subject: name, operation: 'change', desired, seen } as Operation)
  }
  for (const [key, seen] of old) {
    if (!kept.has(key)) removals.push({ subject: name, operation: 'remove', seen } as Operation)
  }
}

function isSame(one: unknown, other: unknown): boolean {
  if (one === other) return true
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false
  const [fields, others] = [Object.entries(one), Object.keys(other)]
  if (fields.length !== others.length) return false
  return fields.every(([field, value]) => isSame(value, (other as Record<string, unknown>)[field]))
}
