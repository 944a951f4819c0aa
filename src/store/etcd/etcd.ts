/**
 * etcd v3, over gRPC: https://etcd.io/docs/v3.4/learning/api/
 *
 *   settings.ts     endpoints and TLS
 *   connection.ts   one connection, failover, users
 *   watch.ts        watches that outlive connections
 *   messages.ts     the API's messages, as tables for protobuf.ts
 */
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
import { checkSeconds, checkTransaction, keyOf } from '../transaction.ts'
import { Connection } from './connection.ts'
import { compareOf, entryOf, formatLease, operationOf, parseLease } from './entry.ts'
import { leaseGrant, leaseKeepAlive, leaseRevoke, leaseTimeToLive, range, txn } from './messages.ts'
import type { EtcdSettings } from './settings.ts'
import { EtcdWatch, list } from './watch.ts'

/** Nothing is sent before the first call. RangeError when the settings cannot be meant so. */
export function etcdStore(settings: EtcdSettings): Store {
  return new EtcdStore(new Connection(settings))
}

class EtcdStore implements Store {
  readonly #connection: Connection
  readonly #watches = new Set<EtcdWatch>()

  constructor(connection: Connection) {
    this.#connection = connection
  }

  get name(): string {
    return this.#connection.name
  }

  async get(key: string): Promise<Entry | undefined> {
    const { kvs } = await this.#connection.call(range, { key }, `get "${key}"`)
    return kvs[0] && entryOf(kvs[0])
  }

  list(prefix: string): Promise<Listing> {
    return list(this.#connection, prefix, `list "${prefix}"`)
  }

  async transact(conditions: readonly Condition[], writes: readonly Write[]): Promise<Revision | undefined> {
    checkTransaction(conditions, writes)
    const request = { compare: conditions.map(compareOf), success: writes.map(operationOf) }
    const { header, succeeded } = await this.#connection.call(txn, request, purposeOf(writes))
    return succeeded ? header.revision : undefined
  }

  async grant(seconds: number): Promise<LeaseId> {
    checkSeconds(seconds)
    const { id } = await this.#connection.call(leaseGrant, { ttl: BigInt(seconds) }, 'grant a lease')
    return formatLease(id)
  }

  async keepAlive(lease: LeaseId): Promise<number> {
    const purpose = `keep lease ${lease} alive`
    const { ttl } = await this.#connection.callOnce(leaseKeepAlive, { id: parseLease(lease) }, purpose)
    if (ttl <= 0n) throw new StoreError('not found', `Cannot ${purpose} in ${this.name}: it has ended`)
    return Number(ttl)
  }

  async timeToLive(lease: LeaseId): Promise<{ left: number; granted: number } | undefined> {
    const request = { id: parseLease(lease) }
    const { ttl, grantedTtl } = await this.#connection.call(leaseTimeToLive, request, `look at lease ${lease}`)
    return ttl < 0n ? undefined : { left: Number(ttl), granted: Number(grantedTtl) }
  }

  async revoke(lease: LeaseId): Promise<void> {
    try {
      await this.#connection.call(leaseRevoke, { id: parseLease(lease) }, `revoke lease ${lease}`)
    } catch (error) {
      if (!(error instanceof StoreError && error.kind === 'not found')) throw error
    }
  }

  watch(prefix: string, events: WatchEvents): Watch {
    const watch = new EtcdWatch(this.#connection, prefix, events)
    this.#watches.add(watch)
    return {
      close: () => {
        watch.close()
        this.#watches.delete(watch)
      },
    }
  }

  reconnect(): void {
    this.#connection.prove()
    for (const watch of this.#watches) watch.hurry()
  }

  close(): void {
    for (const watch of this.#watches) watch.close()
    this.#watches.clear()
    this.#connection.close()
  }
}

function purposeOf(writes: readonly Write[]): string {
  const [first, ...more] = writes
  if (!first) return 'look at keys'
  const verb = 'put' in first ? 'put' : 'delete'
  return `${verb} "${keyOf(first)}"${more.length > 0 ? ` and ${more.length} more` : ''}`
}
