/**
 * A store in a directory: for a lab, one machine, or a few nodes that share a disk. log.ts keeps it; here are the
 * promises, the watches and the time.
 *
 * inotify(7) tells at once what processes of this machine write. What another machine writes to a shared disk it does not
 * tell: that is seen at the next look, LOOK milliseconds later at most.
 */
import { randomBytes } from 'node:crypto'
import type { WallClock } from '../clock.ts'
import type { State, Step } from '../state.ts'
import {
  type Condition,
  type Entry,
  type LeaseId,
  type Listing,
  type Revision,
  type Store,
  StoreError,
  type Watch,
  type WatchEvents,
  type Write,
} from '../store.ts'
import { checkSeconds, checkTransaction } from '../transaction.ts'
import type { StoreFiles } from './files.ts'
import { Log, type News } from './log.ts'
import { type DirectoryWatch, watchDirectory } from './node-files.ts'
import { FileWatch } from './watch.ts'

/** Milliseconds. */
const LOOK = 15_000
/** How long the lock may be held by others, and between attempts. */
const LOCK_LIMIT = 5_000
const LONGEST_LOCK_PAUSE = 20
/** Between attempts to come back. */
const FIRST_PAUSE = 100
const LONGEST_PAUSE = 800

export interface FileStoreOptions {
  readonly directory: string
  readonly files: StoreFiles
  readonly clock: WallClock
  /** For people: what in the store cannot be read and is left out. */
  report(problem: string): void
}

export function fileStore(options: FileStoreOptions): Store {
  return new FileStore(options)
}

class FileStore implements Store {
  readonly name: string
  readonly #directory: string
  readonly #clock: WallClock
  readonly #log: Log
  readonly #watches = new Set<FileWatch>()
  #directoryWatch: DirectoryWatch | undefined
  #cancelLook: () => void = () => {}
  #cancelExpiry: () => void = () => {}
  #pause = FIRST_PAUSE
  #isLost = false
  #isClosed = false

  constructor({ directory, files, clock, report }: FileStoreOptions) {
    this.name = `directory ${directory}`
    this.#directory = directory
    this.#clock = clock
    const changed = (news: News) => this.#tell(news)
    this.#log = new Log({ files, directory, clock, newId, changed, report })
  }

  async get(key: string): Promise<Entry | undefined> {
    return (await this.#read(`get "${key}"`)).get(key)
  }

  async list(prefix: string): Promise<Listing> {
    return (await this.#read(`list "${prefix}"`)).list(prefix)
  }

  async transact(conditions: readonly Condition[], writes: readonly Write[]): Promise<Revision | undefined> {
    checkTransaction(conditions, writes)
    const step = await this.#write('write', (state) => state.transaction(conditions, writes))
    return step && (step.revision ?? this.#log.state.revision)
  }

  async grant(seconds: number): Promise<LeaseId> {
    checkSeconds(seconds)
    const id = newId()
    await this.#write('grant a lease', (state) => state.granting(id, seconds, this.#clock.now()))
    return id
  }

  async keepAlive(lease: LeaseId): Promise<number> {
    const keep = (state: State) => state.keepingAlive(lease, this.#clock.now())
    const step = await this.#write(`keep lease ${lease} alive`, keep)
    return step.leases[0]!.granted
  }

  async timeToLive(id: LeaseId): Promise<{ left: number; granted: number } | undefined> {
    return (await this.#read(`look at lease ${id}`)).timeToLive(id, this.#clock.elapsed())
  }

  async revoke(lease: LeaseId): Promise<void> {
    await this.#write(`revoke lease ${lease}`, (state) => state.ending([lease]))
  }

  watch(prefix: string, events: WatchEvents): Watch {
    const watch = new FileWatch(prefix, events, () => this.#log.state)
    this.#watches.add(watch)
    void Promise.resolve().then(() => {
      if (this.#watches.has(watch)) this.#look()
    })
    return {
      close: () => {
        watch.close()
        this.#watches.delete(watch)
        if (this.#watches.size === 0) this.#rest()
      },
    }
  }

  reconnect(): void {
    this.#pause = FIRST_PAUSE
    if (this.#watches.size > 0) this.#look()
  }

  close(): void {
    this.#isClosed = true
    for (const watch of this.#watches) watch.close()
    this.#watches.clear()
    this.#rest()
    this.#log.close()
  }

  /** What is there now. Who comes by ends what has expired. */
  async #read(purpose: string): Promise<State> {
    const state = this.#attempt(purpose, () => {
      this.#log.read()
      return this.#log.state
    })
    if (state.expired(this.#clock.elapsed()).length > 0) await this.#write(purpose, () => undefined)
    return this.#log.state
  }

  async #write<T extends Step | undefined>(purpose: string, plan: (state: State) => T): Promise<T> {
    const limit = performance.now() + LOCK_LIMIT
    for (let pause = 1; ; pause = Math.min(2 * pause, LONGEST_LOCK_PAUSE)) {
      const written = this.#attempt(purpose, () => this.#log.tryWrite(plan))
      if (written) {
        this.#setExpiry()
        return written.step
      }
      if (performance.now() > limit) {
        const problem = 'another process holds its lock and does not let go'
        throw new StoreError('unavailable', `Cannot ${purpose} in ${this.name}: ${problem}`)
      }
      await new Promise((resolve) => setTimeout(resolve, pause))
    }
  }

  #attempt<T>(purpose: string, call: () => T): T {
    if (this.#isClosed) throw new StoreError('unavailable', `Cannot ${purpose} in ${this.name}: it is closed`)
    try {
      return call()
    } catch (error) {
      throw this.#error(purpose, error)
    }
  }

  #error(purpose: string, error: unknown): StoreError {
    if (error instanceof StoreError) return error
    const { code, message } = error as NodeJS.ErrnoException
    const kind = code === 'EACCES' || code === 'EPERM' || code === 'EROFS' ? 'refused' : 'unavailable'
    return new StoreError(kind, `Cannot ${purpose} in ${this.name}: ${message}`, { cause: error })
  }

  #tell(news: News): void {
    for (const watch of this.#watches) watch.tell(news)
  }

  /** For the watches: reads what is new, and sees to it that the next change is noticed. */
  #look(): void {
    this.#cancelLook()
    try {
      if (!this.#directoryWatch?.isCurrent()) {
        this.#directoryWatch?.close()
        this.#directoryWatch = undefined
      }
      this.#log.makeDirectory()
      // Before it reads, so that nothing is missed in between.
      this.#directoryWatch ??= watchDirectory(this.#directory, () => this.#look())
      this.#log.read()
      const wasLost = this.#isLost
      this.#isLost = false
      this.#pause = FIRST_PAUSE
      this.#tell([]) // who has just begun to watch lists
      if (wasLost) for (const watch of this.#watches) watch.back()
      this.#setExpiry()
      this.#cancelLook = this.#clock.after(LOOK, () => this.#look())
    } catch (error) {
      this.#isLost = true
      for (const watch of this.#watches) watch.lost(this.#error(`watch "${watch.prefix}"`, error))
      this.#cancelLook = this.#clock.after(this.#pause, () => this.#look())
      this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE)
    }
  }

  /** While somebody watches, leases end in time. */
  #setExpiry(): void {
    this.#cancelExpiry()
    const next = this.#log.state.nextExpiry
    if (this.#watches.size === 0 || next === undefined) return
    this.#cancelExpiry = this.#clock.after(Math.max(0, next - this.#clock.elapsed()), () => {
      this.#write('end leases', () => undefined).catch(() => {
        // Whoever comes by next ends them; that the store is away the watches are told.
        this.#look()
      })
    })
  }

  #rest(): void {
    this.#cancelLook()
    this.#cancelExpiry()
    this.#directoryWatch?.close()
    this.#directoryWatch = undefined
  }
}

/** Hexadecimal, of 64 bits. */
function newId(): string {
  return randomBytes(8).readBigUInt64BE().toString(16)
}
