/**
 * What a store holds, for the stores that do it themselves. A change is a step: it is computed first and applied then, so
 * that memory.ts can remember it and file/ can write it down in between.
 */
import {
  type Change,
  type Condition,
  type Entry,
  type LeaseId,
  type Listing,
  type Revision,
  StoreError,
  type Write,
} from './store.ts'
import { compareKeys, keyOf } from './transaction.ts'

export interface Lease {
  readonly id: LeaseId
  /** Seconds. */
  readonly granted: number
  /** Milliseconds since the epoch, by the clock of whoever granted it or kept it alive. */
  readonly until: number
}

/** All of it takes place, or nothing. */
export interface Step {
  /** Of the writes; absent where there are none. */
  readonly revision?: Revision
  readonly writes: readonly Write[]
  /** Granted, or begun anew. */
  readonly leases: readonly Lease[]
  readonly ended: readonly LeaseId[]
}

interface Binding {
  readonly lease: Lease
  /** On our own clock. */
  readonly endsAt: number
  readonly keys: Set<string>
}

/** Of a store in which nothing was ever written; as etcd counts. */
const FIRST_REVISION: Revision = 1n

export class State {
  readonly #entries = new Map<string, Entry>()
  readonly #bindings = new Map<LeaseId, Binding>()
  #revision: Revision

  constructor(revision: Revision = FIRST_REVISION) {
    this.#revision = revision
  }

  get revision(): Revision {
    return this.#revision
  }

  get leases(): Lease[] {
    return [...this.#bindings.values()].map(({ lease }) => lease)
  }

  get(key: string): Entry | undefined {
    return this.#entries.get(key)
  }

  list(prefix: string): Listing {
    const entries = [...this.#entries.values()].filter(({ key }) => key.startsWith(prefix))
    return { entries: entries.sort((left, right) => compareKeys(left.key, right.key)), revision: this.#revision }
  }

  /** The leases whose time is over. */
  expired(now: number): LeaseId[] {
    return [...this.#bindings.values()].filter(({ endsAt }) => endsAt <= now).map(({ lease }) => lease.id)
  }

  /** When the next lease ends; undefined when there is none. */
  get nextExpiry(): number | undefined {
    let next: number | undefined
    for (const { endsAt } of this.#bindings.values()) next = Math.min(next ?? endsAt, endsAt)
    return next
  }

  /** In seconds. */
  timeToLive(id: LeaseId, now: number): { readonly left: number; readonly granted: number } | undefined {
    const binding = this.#bindings.get(id)
    if (!binding) return undefined
    return { left: Math.max(0, Math.ceil((binding.endsAt - now) / 1000)), granted: binding.lease.granted }
  }

  /** When it ends, if we know it as it is: not kept alive since. */
  endOf({ id, until }: Lease): number | undefined {
    const binding = this.#bindings.get(id)
    return binding?.lease.until === until ? binding.endsAt : undefined
  }

  /** Undefined when a condition does not hold. StoreError `not found` for a lease that has ended. */
  transaction(conditions: readonly Condition[], writes: readonly Write[]): Step | undefined {
    if (conditions.some(({ key, revision }) => this.#entries.get(key)?.revision !== revision)) return undefined
    for (const write of writes) if ('put' in write && write.lease) this.#requireBinding(write.lease)
    const effective = writes.filter((write) => 'put' in write || this.#entries.has(write.delete))
    return { ...this.#revised(effective), leases: [], ended: [] }
  }

  granting(id: LeaseId, seconds: number, now: number): Step {
    return { writes: [], leases: [{ id, granted: seconds, until: now + seconds * 1000 }], ended: [] }
  }

  /** StoreError `not found` when it has ended. */
  keepingAlive(id: LeaseId, now: number): Step {
    return this.granting(id, this.#requireBinding(id).lease.granted, now)
  }

  /** Those that have ended already count for nothing. */
  ending(ids: readonly LeaseId[]): Step {
    const ended = ids.filter((id) => this.#bindings.has(id))
    const keys = ended.flatMap((id) => [...this.#bindings.get(id)!.keys])
    return { ...this.#revised(keys.map((key) => ({ delete: key }))), leases: [], ended }
  }

  /** `endsAt`: on our own clock, where the clock of whoever granted a lease is another one. */
  apply({ revision, writes, leases, ended }: Step, endsAt = ({ until }: Lease) => until): Change[] {
    for (const lease of leases) {
      const keys = this.#bindings.get(lease.id)?.keys ?? new Set()
      this.#bindings.set(lease.id, { lease, endsAt: endsAt(lease), keys })
    }
    if (revision !== undefined) this.#revision = revision
    const changes = writes.map((write) => this.#write(write))
    for (const id of ended) this.#bindings.delete(id)
    return changes
  }

  #write(write: Write): Change {
    const key = keyOf(write)
    const revision = this.#revision
    const bound = this.#entries.get(key)?.lease
    if (bound !== undefined) this.#bindings.get(bound)?.keys.delete(key)
    if ('delete' in write) {
      this.#entries.delete(key)
      return { operation: 'delete', key, revision }
    }
    const entry: Entry = { key, value: write.value, revision, lease: write.lease }
    this.#entries.set(key, entry)
    if (write.lease !== undefined) this.#bindings.get(write.lease)?.keys.add(key)
    return { operation: 'put', entry }
  }

  #revised(writes: readonly Write[]): Pick<Step, 'revision' | 'writes'> {
    return writes.length > 0 ? { revision: this.#revision + 1n, writes } : { writes }
  }

  #requireBinding(id: LeaseId): Binding {
    const binding = this.#bindings.get(id)
    if (!binding) throw new StoreError('not found', `Cannot use lease ${id}: it has ended`)
    return binding
  }
}

export function concerns(change: Change, prefix: string): boolean {
  return (change.operation === 'put' ? change.entry.key : change.key).startsWith(prefix)
}

export function revisionOf(change: Change): Revision {
  return change.operation === 'put' ? change.entry.revision : change.revision
}
