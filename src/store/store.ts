/**
 * What several nodes agree on: small values under keys, in a store that all of them reach.
 *
 *   etcd/       etcd v3
 *   file/       a directory, for one machine or a disk that a few nodes share
 *   memory.ts   in the process, on a clock that it is given: for tests and for labs in the model
 *
 * The words are etcd's. Every change of the store has a revision, growing. A key may be bound to a lease: when the lease
 * ends, by its time or by `revoke`, the key is deleted as if somebody had done it. All three pass test/contract/store.ts.
 *
 * Keys are text, as paths: `/coreos.com/network/subnets/10.5.72.0-24`. Values are text. What cannot be had just now (no
 * endpoint answers, the disk is full) is StoreError `unavailable`; the same call may succeed later.
 */

/** Of the whole store; changes later are greater. */
export type Revision = bigint

/** Of a lease, in hexadecimal as etcdctl shows it. */
export type LeaseId = string

export interface Entry {
  readonly key: string
  readonly value: string
  /** Revision of its last change. */
  readonly revision: Revision
  /** The lease that it ends with; undefined: it stays until it is deleted. */
  readonly lease: LeaseId | undefined
}

export interface Listing {
  /** By key. */
  readonly entries: readonly Entry[]
  /** Of the store when it was read. */
  readonly revision: Revision
}

/** What must hold for a transaction to take place. `revision: undefined`: there is no such key. */
export interface Condition {
  readonly key: string
  readonly revision: Revision | undefined
}

export type Write =
  | { readonly put: string; readonly value: string; readonly lease?: LeaseId | undefined }
  | { readonly delete: string }

export type Change =
  | { readonly operation: 'put'; readonly entry: Entry }
  | { readonly operation: 'delete'; readonly key: string; readonly revision: Revision }

/**
 * What a watch tells, in the order of the store's revisions. Whoever keeps what he was last told, and applies what he is
 * told, has what the store has.
 */
export interface WatchEvents {
  /** All that is there: first of all, and again whenever changes were missed (a connection lost for long, a compaction). */
  listed(listing: Listing): void
  changed(changes: readonly Change[]): void
  /**
   * The store cannot be reached. The watch goes on trying; `listed` or `changed` say that it is back, `changed` without
   * changes when there were none. Told once per outage.
   */
  lost(error: StoreError): void
}

export interface Watch {
  /** No event comes after it. Closing twice is allowed. */
  close(): void
}

export interface Store {
  /** For people: `etcd http://127.0.0.1:2379`, without credentials. */
  readonly name: string
  get(key: string): Promise<Entry | undefined>
  /** Every entry whose key starts so. */
  list(prefix: string): Promise<Listing>
  /**
   * All writes or, when a condition does not hold, none; answers the revision of the writes, undefined when a condition did
   * not hold. After `unavailable` they may have taken place all the same: the answer was lost. A key may be written once.
   */
  transact(conditions: readonly Condition[], writes: readonly Write[]): Promise<Revision | undefined>
  /** A new lease of this many seconds. */
  grant(seconds: number): Promise<LeaseId>
  /** Begins its time anew; answers the seconds it has now. StoreError `not found` when it has ended. */
  keepAlive(lease: LeaseId): Promise<number>
  /** Seconds left, and for how many it was granted; undefined when it has ended. */
  timeToLive(lease: LeaseId): Promise<{ readonly left: number; readonly granted: number } | undefined>
  /** Ends it now. One that has ended already is no error. */
  revoke(lease: LeaseId): Promise<void>
  /** Events come later, never within a call. */
  watch(prefix: string, events: WatchEvents): Watch
  /** The way to the store may just be open again, as when a link came up: tries at once what waits for its next attempt. */
  reconnect(): void
  /** Ends its watches too. Leases and keys stay. */
  close(): void
}

/**
 * `unavailable`: later it may succeed. `refused`: who we are, or what we say, is not accepted; trying again does not help.
 * `not found`: the lease has ended.
 */
export type StoreErrorKind = 'unavailable' | 'refused' | 'not found'

export class StoreError extends Error {
  override readonly name = 'StoreError'
  readonly kind: StoreErrorKind

  constructor(kind: StoreErrorKind, message: string, options?: ErrorOptions) {
    super(message, options)
    this.kind = kind
  }
}
