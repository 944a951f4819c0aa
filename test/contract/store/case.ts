/** What a claim about stores is made of. */
import assert from 'node:assert/strict'
import type {
  Change,
  Entry,
  Listing,
  Store,
  StoreError,
  StoreErrorKind,
  WatchEvents,
} from '../../../src/store/store.ts'

/** One store, as two nodes see it. */
export interface StoreWorld {
  readonly one: Store
  readonly other: Store
  /** Of keys that nobody else uses; it ends with a slash. */
  readonly prefix: string
  /** `one` cannot reach the store, until `mend`. */
  cut(): void | Promise<void>
  mend(): void | Promise<void>
  /** The store forgets what happened before now. */
  compact(): void | Promise<void>
  /** The store is away for a moment, and has lost all it had. */
  loseData(): void | Promise<void>
  /** Lets a moment pass. */
  passTime(): void | Promise<void>
}

export interface StoreCase {
  /** Unique. */
  readonly title: string
  check(world: StoreWorld): Promise<void>
}

/** Waits until it is so; fails after 15 seconds. */
export async function until(
  { passTime }: Pick<StoreWorld, 'passTime'>,
  holds: () => boolean | Promise<boolean>,
  what: string,
): Promise<void> {
  const limit = performance.now() + 15_000
  while (performance.now() < limit) {
    if (await holds()) return
    await passTime()
  }
  assert.fail(`It did not come to pass that ${what}`)
}

export function refused(call: () => Promise<unknown>, kind: StoreErrorKind): Promise<void> {
  return assert.rejects(call, (error: StoreError) => {
    assert.equal(error.name, 'StoreError', String(error))
    assert.equal(error.kind, kind, error.message)
    assert.match(error.message, /^Cannot [^.]/)
    return true
  })
}

export function succeeds(call: Promise<unknown>): Promise<boolean> {
  return call.then(
    () => true,
    () => false,
  )
}

/** Notes what a watch is told, and keeps what follows from it. */
export class Witness implements WatchEvents {
  /** `listed` alone, or with the keys; `put /a=1`, `delete /a`, `back` for changes that are none, `lost`. */
  readonly told: string[] = []
  readonly revisions: bigint[] = []
  #entries = new Map<string, Entry>()

  listed({ entries, revision }: Listing): void {
    this.told.push(['listed', ...entries.map(({ key, value }) => `${key}=${value}`)].join(' '))
    this.revisions.push(revision)
    this.#entries = new Map(entries.map((entry) => [entry.key, entry]))
  }

  changed(changes: readonly Change[]): void {
    if (changes.length === 0) this.told.push('back')
    for (const change of changes) this.#note(change)
  }

  lost({ kind, message }: StoreError): void {
    assert.equal(kind, 'unavailable', message)
    this.told.push('lost')
  }

  get entries(): Entry[] {
    return [...this.#entries.values()].sort((left, right) => (left.key < right.key ? -1 : 1))
  }

  get keys(): string[] {
    return this.entries.map(({ key }) => key)
  }

  has(...told: string[]): boolean {
    return told.every((each) => this.told.includes(each))
  }

  #note(change: Change): void {
    if (change.operation === 'put') {
      const { key, value, revision } = change.entry
      this.told.push(`put ${key}=${value}`)
      this.revisions.push(revision)
      this.#entries.set(key, change.entry)
    } else {
      this.told.push(`delete ${change.key}`)
      this.revisions.push(change.revision)
      this.#entries.delete(change.key)
    }
  }
}

/** A watch of the world's keys that has been told what is there. */
export async function watching(world: StoreWorld, store: Store, prefix = world.prefix): Promise<Witness> {
  const witness = new Witness()
  store.watch(prefix, witness)
  await until(world, () => witness.told.length > 0, 'the watch lists')
  return witness
}

export function put(store: Store, key: string, value: string, lease?: string): Promise<bigint | undefined> {
  return store.transact([], [{ put: key, value, lease }])
}
