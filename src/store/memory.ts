/**
 * A store in the process, on a clock that it is given. A `MemoryServer` is what etcd's servers are; every node connects to
 * it, and can lose its connection alone:
 *
 *   const server = new MemoryServer(clock)
 *   const [one, other] = [server.connect(), server.connect()]
 *   one.cut()            // its calls are unavailable, its watches lost
 *   server.compact()     // what happened until now is forgotten
 *   one.mend()           // so its watches are told all that is there
 *
 * Watches are told in microtasks: never within the call that made the change.
 */
import type { Clock } from './clock.ts'
import { concerns, revisionOf, State, type Step } from './state.ts'
import {
  type Change,
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
} from './store.ts'
import { checkSeconds, checkTransaction } from './transaction.ts'

/** Changes that are remembered for connections that are cut. */
const HISTORY = 1000

export class MemoryServer {
  readonly clock: Clock
  readonly #connections = new Set<MemoryStore>()
  #state = new State()
  /** Grows when the store is emptied: revisions of two epochs have nothing to do with each other. */
  #epoch = 0
  #history: Change[] = []
  /** Of the latest change that is forgotten. */
  #compacted: Revision = 0n
  #isRunning = true
  #leases = 0
  #cancelExpiry: () => void = () => {}

  constructor(clock: Clock) {
    this.clock = clock
  }

  get isRunning(): boolean {
    return this.#isRunning
  }

  get state(): State {
    return this.#state
  }

  get epoch(): number {
    return this.#epoch
  }

  /** A node's connection, with this name for people. */
  connect(name = 'memory'): MemoryStore {
    const connection = new MemoryStore(this, name)
    this.#connections.add(connection)
    return connection
  }

  disconnect(connection: MemoryStore): void {
    this.#connections.delete(connection)
  }

  /** Nobody reaches it any more, until `start`. */
  stop(): void {
    this.#isRunning = false
    this.#tellWatches()
  }

  start(): void {
    this.#isRunning = true
    this.#tellWatches()
  }

  /** Forgets what happened before now. */
  compact(): void {
    this.#history = []
    this.#compacted = this.#state.revision
  }

  /** As etcd that lost its data directory: no keys, no leases, and revisions begin anew. */
  restartEmpty(): void {
    this.#state = new State()
    this.#history = []
    this.#compacted = 0n
    this.#epoch++
    this.#setExpiry()
    this.#tellWatches()
  }

  /** Undefined when not all of them are remembered. */
  changesSince(revision: Revision): Change[] | undefined {
    if (revision < this.#compacted) return undefined
    const first = this.#history.findIndex((change) => revisionOf(change) > revision)
    return first < 0 ? [] : this.#history.slice(first)
  }

  newLease(): LeaseId {
    return (++this.#leases).toString(16)
  }

  apply(step: Step): Revision {
    this.#history.push(...this.#state.apply(step))
    if (this.#history.length > HISTORY) this.#forgetSome()
    if (step.leases.length > 0 || step.ended.length > 0) this.#setExpiry()
    if (step.revision !== undefined) this.#tellWatches()
    return this.#state.revision
  }

  /** A revision is forgotten whole. */
  #forgetSome(): void {
    this.#compacted = revisionOf(this.#history.at(-HISTORY)!)
    this.#history = this.#history.filter((change) => revisionOf(change) > this.#compacted)
  }

  #setExpiry(): void {
    this.#cancelExpiry()
    const next = this.#state.nextExpiry
    if (next === undefined) return
    this.#cancelExpiry = this.clock.after(Math.max(0, next - this.clock.now()), () => {
      const step = this.#state.ending(this.#state.expired(this.clock.now()))
      this.apply(step)
      if (step.ended.length === 0) this.#setExpiry()
    })
  }

  #tellWatches(): void {
    for (const connection of this.#connections) connection.tellWatches()
  }
}

export class MemoryStore implements Store {
  readonly name: string
  readonly #server: MemoryServer
  readonly #watches = new Set<MemoryWatch>()
  #isCut = false
  #isClosed = false
  #losesAnswer = false

  constructor(server: MemoryServer, name: string) {
    this.#server = server
    this.name = name
  }

  get isConnected(): boolean {
    return this.#server.isRunning && !this.#isCut && !this.#isClosed
  }

  /** Loses the connection, until `mend`. */
  cut(): void {
    this.#isCut = true
    this.tellWatches()
  }

  mend(): void {
    this.#isCut = false
    this.tellWatches()
  }

  /** The next transaction takes place, but whoever asked for it is told `unavailable`. */
  loseAnswer(): void {
    this.#losesAnswer = true
  }

  async get(key: string): Promise<Entry | undefined> {
    return this.#reach(`get "${key}"`).get(key)
  }

  async list(prefix: string): Promise<Listing> {
    return this.#reach(`list "${prefix}"`).list(prefix)
  }

  async transact(conditions: readonly Condition[], writes: readonly Write[]): Promise<Revision | undefined> {
    checkTransaction(conditions, writes)
    const step = this.#reach('write').transaction(conditions, writes)
    const revision = step && this.#server.apply(step)
    if (this.#losesAnswer) {
      this.#losesAnswer = false
      throw new StoreError('unavailable', `Cannot write to ${this.name}: the connection was lost`)
    }
    return revision
  }

  async grant(seconds: number): Promise<LeaseId> {
    checkSeconds(seconds)
    const id = this.#server.newLease()
    this.#server.apply(this.#reach('grant a lease').granting(id, seconds, this.#server.clock.now()))
    return id
  }

  async keepAlive(lease: LeaseId): Promise<number> {
    const step = this.#reach(`keep lease ${lease} alive`).keepingAlive(lease, this.#server.clock.now())
    this.#server.apply(step)
    return step.leases[0]!.granted
  }

  async timeToLive(id: LeaseId): Promise<{ left: number; granted: number } | undefined> {
    return this.#reach(`look at lease ${id}`).timeToLive(id, this.#server.clock.now())
  }

  async revoke(lease: LeaseId): Promise<void> {
    this.#server.apply(this.#reach(`revoke lease ${lease}`).ending([lease]))
  }

  watch(prefix: string, events: WatchEvents): Watch {
    const watch = new MemoryWatch(this.#server, this, prefix, events)
    this.#watches.add(watch)
    watch.tell()
    return {
      close: () => {
        watch.close()
        this.#watches.delete(watch)
      },
    }
  }

  reconnect(): void {
    this.tellWatches()
  }

  close(): void {
    this.#isClosed = true
    for (const watch of this.#watches) watch.close()
    this.#watches.clear()
    this.#server.disconnect(this)
  }

  tellWatches(): void {
    for (const watch of this.#watches) watch.tell()
  }

  #reach(purpose: string): State {
    if (this.isConnected) return this.#server.state
    const problem = this.#isClosed ? 'it is closed' : 'it cannot be reached'
    throw new StoreError('unavailable', `Cannot ${purpose} in ${this.name}: ${problem}`)
  }
}

class MemoryWatch {
  readonly #server: MemoryServer
  readonly #connection: MemoryStore
  readonly #prefix: string
  readonly #events: WatchEvents
  #isClosed = false
  #isTelling = false
  #isLost = false
  /** What it was told last: of which epoch, and until which revision. */
  #told: { readonly epoch: number; readonly revision: Revision } | undefined

  constructor(server: MemoryServer, connection: MemoryStore, prefix: string, events: WatchEvents) {
    this.#server = server
    this.#connection = connection
    this.#prefix = prefix
    this.#events = events
  }

  /** What it has not been told yet, soon. */
  tell(): void {
    if (this.#isTelling || this.#isClosed) return
    this.#isTelling = true
    void Promise.resolve().then(() => {
      this.#isTelling = false
      if (!this.#isClosed) this.#tellNow()
    })
  }

  close(): void {
    this.#isClosed = true
  }

  #tellNow(): void {
    if (!this.#connection.isConnected) {
      if (this.#isLost) return
      this.#isLost = true
      const problem = `Cannot watch "${this.#prefix}" in ${this.#connection.name}: it cannot be reached`
      this.#events.lost(new StoreError('unavailable', problem))
      return
    }
    const wasLost = this.#isLost
    this.#isLost = false
    const { state, epoch } = this.#server
    const told = this.#told
    this.#told = { epoch, revision: state.revision }
    const missed = told?.epoch === epoch ? this.#server.changesSince(told.revision) : undefined
    const changes = missed?.filter((change) => concerns(change, this.#prefix))
    if (!changes) this.#events.listed(state.list(this.#prefix))
    else if (changes.length > 0 || wasLost) this.#events.changed(changes)
  }
}
