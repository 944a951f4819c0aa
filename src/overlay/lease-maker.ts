/** Makes leases in a store that other nodes use at the same time, over a connection that can lose an answer. */
import type { LeaseId, Revision, Store } from '../store/store.ts'
import type { Subnets } from './lease-key.ts'
import type { LeaseRecord, LeaseTable } from './lease-table.ts'
import type { LeaseTime } from './lease-time.ts'

export interface NewLease {
  readonly key: string
  readonly subnets: Subnets
  readonly value: string
  /** A lease that goes when this one comes. */
  readonly replaced: LeaseRecord | undefined
}

export class LeaseMaker {
  readonly #store: Store
  readonly #table: LeaseTable
  readonly #time: LeaseTime
  /** The key that is being made, or was, and nobody answered whether it is there. */
  #making: string | undefined
  #lostRaces: Subnets[] = []

  constructor(store: Store, table: LeaseTable, time: LeaseTime) {
    this.#store = store
    this.#table = table
    this.#time = time
  }

  /** What others took just before us; the table may not have it yet. */
  get lostRaces(): readonly Subnets[] {
    return this.#lostRaces
  }

  /** The table knows more now. */
  forgetRaces(): void {
    this.#lostRaces = []
  }

  isMaking(key: string): boolean {
    return key === this.#making
  }

  /** Whether the table has what was made last. A key whose answer was lost may be there, and the table not know it yet. */
  async isTold(): Promise<boolean> {
    const key = this.#making
    if (key === undefined) return true
    // It may be bound to the key; another one must not share it.
    this.#time.forgetGranted()
    if (!this.#table.get(key) && (await this.#store.get(key))) return false
    this.#making = undefined
    return true
  }

  /** Undefined when somebody was there before us. */
  async make(lease: NewLease): Promise<{ readonly lease: LeaseId; readonly revision: Revision } | undefined> {
    const { key, subnets, value, replaced } = lease
    const granted = await this.#time.grant()
    this.#making = key
    const revision = await this.#store.transact(
      [
        { key, revision: undefined },
        ...(replaced ? [{ key: replaced.entry.key, revision: replaced.entry.revision }] : []),
      ],
      [{ put: key, value, lease: granted }, ...(replaced ? [{ delete: replaced.entry.key }] : [])],
    )
    this.#making = undefined
    if (revision !== undefined) return { lease: granted, revision }
    this.#lostRaces.push(subnets)
    return undefined
  }
}
