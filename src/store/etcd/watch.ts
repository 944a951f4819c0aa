/**
 * A watch that outlives its connections.
 *
 * It lists, and asks for all changes since the listing's revision. When the connection breaks, it waits a little longer each
 * time, connects, and asks for what came after the last revision that it has seen, if etcd still has that. It lists again
 * when that is compacted, or when this is another etcd than before, such as one that lost its data. Revisions alone do not
 * tell: they count up again from 1, and the cluster keeps its number. So the watch remembers the entry that was put last,
 * its witness, and asks whether it stood there at that revision.
 */
import type { ServiceError } from '@grpc/grpc-js'
import {
  type Change,
  type Entry,
  type Listing,
  type Revision,
  StoreError,
  type Watch,
  type WatchEvents,
} from '../store.ts'
import type { Connection, Stream } from './connection.ts'
import { changeOf, entryOf, prefixEnd } from './entry.ts'
import { isOutOfRange, storeError } from './errors.ts'
import { range, type WatchRequest, type WatchResponse, watch } from './messages.ts'
import type { Decoded } from './protobuf.ts'

/** Milliseconds between attempts to come back; whoever was away is told within a second. */
const SHORTEST_PAUSE = 50
const FIRST_PAUSE = 100
const LONGEST_PAUSE = 800

type WatchStream = Stream<Decoded<typeof WatchRequest>, WatchResponse>

interface Seen {
  readonly revision: Revision
  /** Undefined when the entry put last is deleted. */
  readonly witness: Entry | undefined
}

export class EtcdWatch implements Watch {
  readonly #connection: Connection
  readonly #prefix: string
  readonly #events: WatchEvents
  readonly #purpose: string
  #stream: WatchStream | undefined
  #seen: Seen | undefined
  #isClosed = false
  #isLost = false
  #pause = FIRST_PAUSE
  #wake: () => void = () => {}

  constructor(connection: Connection, prefix: string, events: WatchEvents) {
    this.#connection = connection
    this.#prefix = prefix
    this.#events = events
    this.#purpose = `watch "${prefix}"`
    void this.#run()
  }

  close(): void {
    this.#isClosed = true
    this.#stream?.cancel()
    this.#wake()
  }

  /** Tries at once what it waits for. */
  hurry(): void {
    this.#pause = FIRST_PAUSE
    this.#wake()
  }

  async #run(): Promise<void> {
    while (!this.#isClosed) {
      const began = performance.now()
      try {
        await this.#follow()
      } catch (error) {
        if (this.#isClosed) return
        this.#tellLost(storeError(`${this.#purpose} in ${this.#connection.name}`, error))
        // An attempt that was not answered has waited itself.
        const rest = this.#nextPause() - (performance.now() - began)
        await this.#sleep(Math.max(rest, SHORTEST_PAUSE))
      }
    }
  }

  /** Until the stream breaks, which is an error, or etcd no longer has what comes next. */
  async #follow(): Promise<void> {
    if (!(await this.#isContinued())) await this.#list()
    if (this.#isClosed) return
    const stream = await this.#connection.open(watch, this.#purpose)
    if (this.#isClosed) {
      stream.cancel()
      return
    }
    this.#stream = stream
    await new Promise<void>((resolve, reject) => {
      stream.on('data', (response: WatchResponse) => {
        if (this.#isClosed) return
        if (response.canceled) {
          stream.cancel()
          if (response.compactRevision === 0n) return reject(this.#cancelled(response.cancelReason))
          this.#seen = undefined
          resolve()
        } else this.#receive(response)
      })
      stream.on('error', (error: ServiceError) => reject(error))
      stream.on('end', () => reject(new Error('etcd has ended the stream')))
      stream.write({
        create: {
          key: this.#prefix || '\0',
          rangeEnd: prefixEnd(this.#prefix),
          startRevision: this.#seen!.revision + 1n,
          progressNotify: true,
        },
      })
    })
  }

  /** Whether this etcd goes on from what was seen. */
  async #isContinued(): Promise<boolean> {
    const witness = this.#seen?.witness
    if (!witness) return false
    try {
      const { revision } = this.#seen!
      const { kvs } = await this.#connection.call(range, { key: witness.key, revision }, this.#purpose)
      const found = kvs[0] && entryOf(kvs[0])
      return found?.revision === witness.revision && found.lease === witness.lease && found.value === witness.value
    } catch (error) {
      if (isOutOfRange(error)) return false
      throw error
    }
  }

  async #list(): Promise<void> {
    const listing = await list(this.#connection, this.#prefix, this.#purpose)
    if (this.#isClosed) return
    const witness = listing.entries.reduce<Entry | undefined>(
      (latest, entry) => (latest && latest.revision > entry.revision ? latest : entry),
      undefined,
    )
    this.#seen = { revision: listing.revision, witness }
    this.#isLost = false
    this.#events.listed(listing)
  }

  #receive({ header, created, events }: WatchResponse): void {
    if (created) {
      this.#pause = FIRST_PAUSE
      if (this.#isLost) {
        this.#isLost = false
        this.#events.changed([])
      }
      return
    }
    const changes = events.map(changeOf)
    let { witness } = this.#seen!
    for (const change of changes) {
      if (change.operation === 'put') witness = change.entry
      else if (change.key === witness?.key) witness = undefined
    }
    this.#seen = { revision: latest(this.#seen!.revision, header.revision, changes), witness }
    if (changes.length > 0) this.#events.changed(changes)
  }

  #cancelled(reason: string): Error {
    const kind = reason.includes('permission denied') ? 'refused' : 'unavailable'
    const problem = reason.replace(/^etcdserver: /, '') || 'etcd has cancelled it'
    return new StoreError(kind, `Cannot ${this.#purpose} in ${this.#connection.name}: ${problem}`)
  }

  #tellLost(error: StoreError): void {
    if (this.#isLost) return
    this.#isLost = true
    this.#events.lost(error)
  }

  /** Not all nodes at the same moment. */
  #nextPause(): number {
    const pause = this.#pause
    this.#pause = Math.min(2 * pause, LONGEST_PAUSE)
    return pause * (0.5 + Math.random() / 2)
  }

  #sleep(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}

export async function list(connection: Connection, prefix: string, purpose: string): Promise<Listing> {
  const request = { key: prefix || '\0', rangeEnd: prefixEnd(prefix) }
  const { header, kvs } = await connection.call(range, request, purpose)
  return { entries: kvs.map(entryOf), revision: header.revision }
}

function latest(seen: Revision, ofStore: Revision, changes: readonly Change[]): Revision {
  return changes.reduce(
    (latest, change) => {
      const revision = change.operation === 'put' ? change.entry.revision : change.revision
      return revision > latest ? revision : latest
    },
    ofStore > seen ? ofStore : seen,
  )
}
