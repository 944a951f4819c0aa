/**
 * The time that a node's key in the store has: etcd leases, granted for the key and kept alive before they end. Kept alive, the
 * key does not change; flannel grants a new one and puts the key again, which all nodes are told.
 */
import type { Clock } from '../store/clock.ts'
import { type LeaseId, type Store, StoreError } from '../store/store.ts'

const SECOND = 1000

export interface LeaseTimeOptions {
  readonly store: Store
  readonly clock: Clock
  /** For how long leases are granted. */
  readonly leaseSeconds: number
  /** How long before its end one is kept alive. */
  readonly renewSeconds: number
  /** One is due to be kept alive. */
  onDue(): void
}

export class LeaseTime {
  readonly #options: LeaseTimeOptions
  /** One that no key is bound to yet. */
  #granted: LeaseId | undefined
  #beganAt: number | undefined
  #isDue = false
  #isClosed = false
  #cancel = () => {}

  constructor(options: LeaseTimeOptions) {
    this.#options = options
  }

  /** On the clock: when the bound lease's time last began anew. */
  get beganAt(): number | undefined {
    return this.#beganAt
  }

  /** For the next key: the same one until a key is bound to it. */
  async grant(): Promise<LeaseId> {
    this.#granted ??= await this.#options.store.grant(this.#options.leaseSeconds)
    return this.#granted
  }

  /** It has ended; or a key may be bound to it after all, and another one must not share it. */
  forgetGranted(): void {
    this.#granted = undefined
  }

  /** It was not needed. */
  async giveBack(): Promise<void> {
    const lease = this.#granted
    this.#granted = undefined
    if (lease !== undefined) await this.#options.store.revoke(lease)
  }

  /** Begins the lease's time anew; another one where that is impossible, or its time is not ours. */
  async aliveOrNew(lease: LeaseId | undefined): Promise<LeaseId> {
    if (lease === undefined) return await this.grant()
    try {
      const seconds = await this.#options.store.keepAlive(lease)
      return seconds === this.#options.leaseSeconds ? lease : await this.grant()
    } catch (error) {
      if (!(error instanceof StoreError) || error.kind !== 'not found') throw error
      return await this.grant()
    }
  }

  /** Our key is bound to it since just now; undefined: to none, or we have no key. */
  bind(lease: LeaseId | undefined): void {
    if (lease === this.#granted) this.#granted = undefined
    this.#stop()
    this.#beganAt = undefined
    if (lease !== undefined) this.#began(this.#options.leaseSeconds)
  }

  /** Its time is not known: it is to be kept alive next. */
  setDue(): void {
    this.#isDue = true
  }

  /** Keeps it alive, where that is due. */
  async renew(lease: LeaseId | undefined): Promise<void> {
    if (this.#isDue && lease !== undefined) this.#began(await this.#options.store.keepAlive(lease))
  }

  close(): void {
    this.#isClosed = true
    this.#stop()
  }

  #stop(): void {
    this.#isDue = false
    this.#cancel()
  }

  #began(seconds: number): void {
    const { clock, renewSeconds, onDue } = this.#options
    this.#stop()
    this.#beganAt = clock.now()
    if (this.#isClosed) return
    this.#cancel = clock.after(Math.max(1, seconds - renewSeconds) * SECOND, () => {
      this.#isDue = true
      onDue()
    })
  }
}
