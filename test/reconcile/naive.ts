/** A namespace that is nothing but lists, and what operations make of it: the naive twin of a kernel. */
import type { Link, NewLink } from '../../src/kernel/link.ts'
import type { DesiredLink, Operation, SeenLink, SeenState, SubjectName } from '../../src/reconcile/state.ts'
import type { Subject } from '../../src/reconcile/subject.ts'
import { subjects } from '../../src/reconcile/subjects.ts'
import { plainLink } from '../support/plain-link.ts'

type Anything = Subject<unknown, unknown>

/** The state after the operations, each carried out in its turn. */
export function carriedOut(state: SeenState, operations: readonly Operation[]): SeenState {
  return operations.reduce(carryOut, state)
}

export function keysOf(state: SeenState, name: SubjectName): string[] {
  return (state[name] ?? []).map((item) => (subjects[name] as Anything).key(item)).sort()
}

function carryOut(state: SeenState, operation: Operation): SeenState {
  const name = operation.subject
  const subject = subjects[name] as Anything
  const items = (state[name] ?? []) as readonly unknown[]
  if (operation.operation === 'remove') {
    const key = subject.key(operation.seen)
    const left = { ...state, [name]: items.filter((item) => subject.key(item) !== key) }
    return name === 'links' ? withoutLink(left, key) : left
  }
  const key = subject.key(operation.desired)
  const there = items.find((item) => subject.key(item) === key)
  if (operation.operation === 'add' && there) throw new Error(`EEXIST: ${subject.describe(operation.desired)}`)
  if (operation.operation === 'change' && !there) throw new Error(`ENOENT: ${subject.describe(operation.desired)}`)
  const others = items.filter((item) => item !== there)
  return { ...state, [name]: [...others, seenOf(name, operation.desired, there)] }
}

/** What is on a link goes with it. */
function withoutLink(state: SeenState, link: string): SeenState {
  return Object.fromEntries(
    Object.entries(state).map(([name, items]) => {
      const linkOf = (subjects[name as SubjectName] as Anything).link
      return [name, linkOf ? (items as readonly unknown[]).filter((item) => linkOf(item) !== link) : items]
    }),
  ) as SeenState
}

function seenOf(name: SubjectName, desired: unknown, there: unknown): unknown {
  if (name === 'links') return seenLink(desired as DesiredLink, there as SeenLink | undefined)
  return { ...(there as object | undefined), ...(desired as object) }
}

export function seenLink({ birth, master, port, parent, ...rest }: DesiredLink, there?: SeenLink): SeenLink {
  const link = { ...plainLink, ...(birth as Partial<NewLink> as object), ...there?.link, ...rest } as Link
  return { link, master: master === undefined ? there?.master : (master ?? undefined), port: there?.port }
}
