/**
 * A store in a directory for whoever cannot wait, as a plugin's executable: it answers at once, or when whoever holds the lock
 * lets go of it. Daemons that watch the directory hear of what it writes.
 */
import type { WallClock } from '../clock.ts'
import type { State } from '../state.ts'
import { type Condition, type Entry, type Listing, type Revision, StoreError, type Write } from '../store.ts'
import { checkTransaction } from '../transaction.ts'
import type { StoreFiles } from './files.ts'
import { Log } from './log.ts'

/** Bytes: it is read anew by every process. */
const LONG = 128 << 10

export interface PromptFileStoreOptions {
  readonly directory: string
  /** Whose `tryLock` waits for the lock. */
  readonly files: StoreFiles
  readonly clock: Pick<WallClock, 'now' | 'elapsed'>
  /** Text that nobody else gets. */
  newId(): string
  /** For people: what in the store cannot be read and is left out. */
  report(problem: string): void
}

export class PromptFileStore {
  readonly #log: Log
  readonly #directory: string
  #isRead = false

  constructor(options: PromptFileStoreOptions) {
    this.#directory = options.directory
    this.#log = new Log({ ...options, long: LONG, changed: () => {} })
  }

  get(key: string): Entry | undefined {
    return this.#state.get(key)
  }

  list(prefix: string): Listing {
    return this.#state.list(prefix)
  }

  /** As Store.transact. What others have written meanwhile is read, whether a condition holds or not. */
  transact(conditions: readonly Condition[], writes: readonly Write[]): Revision | undefined {
    checkTransaction(conditions, writes)
    const written = this.#log.tryWrite((state) => state.transaction(conditions, writes))
    if (!written) throw new StoreError('unavailable', `Cannot write to directory ${this.#directory}: it is locked`)
    this.#isRead = true
    return written.step && this.#state.revision
  }

  close(): void {
    this.#log.close()
  }

  /** As it was when it was first asked, and with each write as it is then. */
  get #state(): State {
    if (!this.#isRead) this.#log.read()
    this.#isRead = true
    return this.#log.state
  }
}
