/**
 * Desired − actual = operations.
 *
 *   state: what should be there ─┐
 *                                ├─ plan ─> operations ─ apply ─> the kernel
 *   observe: what is there ──────┘   └ compare ─> differences in words
 *
 * `plan` is a pure function, so whatever overlab does to a kernel can be tested without one; of an equal state it plans
 * nothing, so a daemon that starts again disturbs nothing. The parts: state.ts says what a state is, subjects.ts how
 * things of each subject compare, observe.ts reads them from a kernel, apply.ts carries operations out, compare.ts puts
 * differences into words.
 */
import { KernelError } from '../kernel/errors.ts'
import type { Desired, Operation, Owned, Seen, SeenState, State, SubjectName } from './state.ts'
import type { Subject } from './subject.ts'
import { subjects, subjectsOf } from './subjects.ts'

/**
 * The operations that make of `seen` what `desired` says: first removals, the last made first, then additions and
 * changes. KernelError EEXIST when something that is not ours, and cannot be changed, is in the way.
 */
export function plan(desired: State, seen: SeenState): Operation[] {
  const gone = goneLinks(desired, seen)
  const removals: Operation[] = []
  const additions: Operation[] = []
  for (const name of subjectsOf(desired)) planSubject(name, desired, seen, gone, removals, additions)
  return [...removals.reverse(), ...additions]
}

function planSubject<S extends SubjectName>(
  name: S,
  desired: State,
  seen: SeenState,
  gone: ReadonlySet<string>,
  removals: Operation[],
  additions: Operation[],
): void {
  const subject: Subject<Desired[S], Seen[S]> = subjects[name]
  const wanted = (desired[name] ?? []) as readonly Desired[S][]
  const owned: Owned = desired.owned ?? {}
  const found = new Map<string, Seen[S]>()
  for (const item of (seen[name] ?? []) as readonly Seen[S][]) {
    const link = subject.link?.(item)
    if (link === undefined || !gone.has(link)) found.set(subject.key(item), item)
  }

  const remove = (item: Seen[S]) => removals.push({ subject: name, operation: 'remove', seen: item } as Operation)
  const add = (item: Desired[S]) => additions.push({ subject: name, operation: 'add', desired: item } as Operation)

  const kept = new Set<string>()
  for (const item of wanted) {
    const key = subject.key(item)
    if (kept.has(key)) continue
    kept.add(key)
    const there = found.get(key)
    if (there === undefined) {
      add(item)
    } else if (subject.differences(item, there).length > 0) {
      if (subject.unchangeable?.(item, there)) {
        if (!subject.owned(there, owned)) throw inTheWay(subject.describe(item), subject.describe(there))
        remove(there)
        add(item)
      } else {
        additions.push({ subject: name, operation: 'change', desired: item, seen: there } as Operation)
      }
    }
  }
  for (const [key, item] of found) if (!kept.has(key) && subject.owned(item, owned)) remove(item)
}

/** Links that go, for good or to be made anew: with them goes everything that they had. */
function goneLinks(desired: State, seen: SeenState): Set<string> {
  const wanted = new Map((desired.links ?? []).map((link) => [link.name, link]))
  const gone = (seen.links ?? []).filter((there) => {
    const link = wanted.get(there.link.name)
    return link ? subjects.links.unchangeable!(link, there) : subjects.links.owned(there, desired.owned ?? {})
  })
  return new Set(gone.map(({ link }) => link.name))
}

function inTheWay(desired: string, seen: string): KernelError {
  return new KernelError('EEXIST', `make ${desired}`, `${seen} is in the way, and not ours to remove`)
}
