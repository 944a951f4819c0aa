/** What the store says of this node before it has asked for anything: its lease of an earlier life. Looked for once. */
import type { Clock } from '../store/clock.ts'
import { type Store, StoreError } from '../store/store.ts'
import { type Announcement, isPrevious, ownRecords } from './claim.ts'
import type { LeaseAttributes } from './lease.ts'
import { networkKeys, type Subnets } from './lease-key.ts'
import { LeaseTable } from './lease-table.ts'

/** Milliseconds until a store that is away is asked again. */
const FIRST_PAUSE = 500
const LONGEST_PAUSE = 10_000

export interface EarlierLeaseOptions {
  readonly store: Store
  readonly prefix: string
  readonly clock: Clock
  readonly previous: Subnets
}

export class EarlierLease {
  readonly #options: EarlierLeaseOptions
  #found: Promise<LeaseAttributes | undefined> | undefined
  #isClosed = false
  #stopWaiting: () => void = () => {}

  constructor(options: EarlierLeaseOptions) {
    this.#options = options
  }

  /** Waits for as long as the store is away. The first announcement says who we are; a MAC need not be in it. */
  find(announcement: Announcement): Promise<LeaseAttributes | undefined> {
    this.#found ??= this.#look(announcement)
    return this.#found
  }

  close(): void {
    this.#isClosed = true
    this.#stopWaiting()
  }

  async #look(announcement: Announcement): Promise<LeaseAttributes | undefined> {
    const { store, prefix, previous } = this.#options
    const { subnets } = networkKeys(prefix)
    for (let pause = FIRST_PAUSE; !this.#isClosed; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
      try {
        const table = new LeaseTable(subnets)
        table.list(await store.list(subnets))
        // Our address alone may be another node's too, behind another NAT; its MAC must not become ours.
        const own = ownRecords(table.records, announcement, previous)
        return own.find(({ subnets: had }) => isPrevious(had!, previous))?.attributes
      } catch (error) {
        // The registry, which watches the same keys, tells it.
        if (!(error instanceof StoreError)) throw error
        await this.#wait(pause)
      }
    }
    return undefined
  }

  #wait(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.clock.after(milliseconds, resolve)
      this.#stopWaiting = () => {
        cancel()
        resolve()
      }
    })
  }
}
