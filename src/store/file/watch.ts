/** One watch of a store in a directory: what it is to be told, in order, each in a microtask. */
import { concerns, revisionOf, type State } from '../state.ts'
import type { Revision, StoreError, WatchEvents } from '../store.ts'
import type { News } from './log.ts'

export class FileWatch {
  readonly prefix: string
  readonly #events: WatchEvents
  readonly #state: () => State
  #mustList = true
  /** Until here it has been told. */
  #told: Revision = 0n
  #isLost = false
  #isClosed = false

  constructor(prefix: string, events: WatchEvents, state: () => State) {
    this.prefix = prefix
    this.#events = events
    this.#state = state
  }

  close(): void {
    this.#isClosed = true
  }

  tell(news: News): void {
    if (news === 'all' || this.#mustList) {
      this.#mustList = false
      this.#soon(() => this.#list())
      return
    }
    const changes = news.filter((change) => concerns(change, this.prefix))
    if (changes.length === 0) return
    this.#soon(() => {
      // A listing in between has told some of them.
      const later = changes.filter((change) => revisionOf(change) > this.#told)
      if (later.length === 0) return
      this.#told = revisionOf(later.at(-1)!)
      this.#isLost = false
      this.#events.changed(later)
    })
  }

  lost(error: StoreError): void {
    this.#soon(() => {
      if (this.#isLost) return
      this.#isLost = true
      this.#events.lost(error)
    })
  }

  back(): void {
    this.#soon(() => {
      if (!this.#isLost) return
      this.#isLost = false
      this.#events.changed([])
    })
  }

  #list(): void {
    const listing = this.#state().list(this.prefix)
    this.#told = listing.revision
    this.#isLost = false
    this.#events.listed(listing)
  }

  #soon(tell: () => void): void {
    void Promise.resolve().then(() => {
      if (!this.#isClosed) tell()
    })
  }
}
