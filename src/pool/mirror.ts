/** What the store has below a prefix, by key. While the store is away it stays as it was. */
import type { Change, Entry, Store, Watch } from '../store/store.ts'

export class Mirror {
  readonly #entries = new Map<string, Entry>()
  readonly #watch: Watch
  isRead = false

  /** `changed`: something is another, or the store is back. */
  constructor(store: Store, prefix: string, changed: () => void, problem: (text: string) => void) {
    this.#watch = store.watch(prefix, {
      listed: ({ entries }) => {
        this.#entries.clear()
        for (const entry of entries) this.#entries.set(entry.key, entry)
        this.isRead = true
        changed()
      },
      changed: (changes) => {
        for (const change of changes) this.#apply(change)
        changed()
      },
      lost: ({ message }) => problem(message),
    })
  }

  get entries(): readonly Entry[] {
    return [...this.#entries.keys()].sort().map((key) => this.#entries.get(key)!)
  }

  close(): void {
    this.#watch.close()
  }

  #apply(change: Change): void {
    if (change.operation === 'put') this.#entries.set(change.entry.key, change.entry)
    else this.#entries.delete(change.key)
  }
}
