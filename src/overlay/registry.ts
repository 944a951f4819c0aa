/**
 * A node's part in the network that a store keeps: its configuration, its own lease, and everybody else's. What flannel calls
 * the subnet manager, pkg/subnet/etcd; real flannel nodes can use the same store.
 *
 *   <prefix>/config       watched  ── config-watch.ts ──>  config
 *   <prefix>/subnets/     watched  ── lease-table.ts ──>   own-lease.ts  ──>  lease
 *                                                          peers.ts      ──>  peers, as a whole
 */
import type { Clock } from '../store/clock.ts'
import type { Listing, Store, StoreError, Watch } from '../store/store.ts'
import type { Announcement } from './claim.ts'
import type { NetworkConfig } from './config.ts'
import { watchConfig } from './config-watch.ts'
import { type Lease, subnetsOf } from './lease.ts'
import { formatLeaseKey, networkKeys, type Subnets } from './lease-key.ts'
import { LeaseTable } from './lease-table.ts'
import type { Notice } from './notice.ts'
import { OwnLease } from './own-lease.ts'
import { peersOf } from './peers.ts'
import { Turns } from './turns.ts'

/** Life of a lease that is not renewed: flannel's subnetTTL. */
export const LEASE_SECONDS = 86_400
/** Milliseconds in which every node has found a store that lost its data, and has put its lease there again. */
const REUNION = 3_000

export interface RegistryOptions {
  readonly store: Store
  /** Of the network's keys: `/coreos.com/network`. */
  readonly prefix: string
  readonly clock: Clock
  /** From 0 to below 1. */
  readonly random: () => number
  /** What the node had before it started: subnet.env. */
  readonly previous: Subnets
  /** LEASE_SECONDS, where flannel nodes are in the network. */
  readonly leaseSeconds: number
  /** How long before its end a lease is renewed. */
  readonly renewSeconds: number
  readonly events: RegistryEvents
}

/** Called one after the other, never within a call of the registry. */
export interface RegistryEvents {
  /** The network's configuration, and every change of it. */
  config(config: NetworkConfig): void
  /** Our lease, and every change of it. Undefined: our subnets are somebody else's now, and there are no others yet. */
  lease(lease: Lease | undefined): void
  /** The leases of all nodes that our backend reaches, and every change of them; first told after our lease. */
  peers(peers: readonly Lease[]): void
  notice(notice: Notice): void
}

export class Registry {
  readonly #events: RegistryEvents
  readonly #clock: Clock
  readonly #table: LeaseTable
  readonly #own: OwnLease
  readonly #storeName: string
  /** For peers: where many nodes begin at once, etcd tells of each by itself. */
  readonly #turns: Turns
  readonly #watches: readonly Watch[]
  #announcement: Announcement | undefined
  #peers: readonly Lease[] | undefined
  /** Why a record is ignored, by key, so that it is told once. */
  #told = new Map<string, string>()
  #lostAt: number | undefined
  /** Ends the wait for peers whose leases were lost with ours; undefined: none is waited for. */
  #endReunion: (() => void) | undefined
  #isClosed = false

  constructor(options: RegistryOptions) {
    const { store, prefix, events } = options
    const keys = networkKeys(prefix)
    this.#events = events
    this.#clock = options.clock
    this.#storeName = store.name
    this.#table = new LeaseTable(keys.subnets)
    this.#own = new OwnLease({
      ...options,
      prefix: keys.subnets,
      table: this.#table,
      events: {
        lease: (lease) => {
          events.lease(lease)
          this.#tellPeers()
        },
        notice: events.notice,
      },
    })
    this.#turns = new Turns(options.clock, () => this.#tellPeers())
    this.#watches = [
      watchConfig(store, keys.config, events),
      store.watch(keys.subnets, {
        listed: (listing) => this.#changed(() => this.#list(listing)),
        changed: (changes) => this.#changed(() => this.#table.change(changes)),
        lost: (error) => this.#lost(error),
      }),
    ]
  }

  /**
   * What this node wants to be known by, from now on. The first time it asks for a lease; later, another address or MAC is
   * written into the lease, and subnets that another configuration does not allow are changed for others.
   */
  announce(announcement: Announcement): void {
    this.#announcement = announcement
    this.#own.announce(announcement)
    // Another network has other peers, also where our lease fits into it.
    void Promise.resolve().then(() => this.#tellPeers())
  }

  /** On the clock: when our lease was last known to have its whole time; undefined before, and for a reservation. */
  get renewedAt(): number | undefined {
    return this.#own.renewedAt
  }

  /** On the clock: since when the store cannot be reached; undefined while it can. */
  get lostAt(): number | undefined {
    return this.#lostAt
  }

  /** Ends the watches and timers. The lease stays, so that the node can start again with it. */
  close(): void {
    this.#isClosed = true
    for (const watch of this.#watches) watch.close()
    this.#own.close()
    this.#endReunion?.()
    this.#turns.close()
  }

  /** Where our own lease has vanished, the others' may have too, and their nodes put them there again as we do. */
  #list(listing: Listing): void {
    const hasOurs = () => [...this.#table.records].some(({ entry }) => this.#own.isOwn(entry.key))
    const hadOurs = hasOurs()
    this.#table.list(listing)
    if (!this.#endReunion && (!hadOurs || hasOurs())) return
    this.#endReunion?.()
    this.#endReunion = this.#clock.after(REUNION, () => {
      this.#endReunion = undefined
      this.#tellPeers()
    })
  }

  #changed(apply: () => void): void {
    if (this.#lostAt !== undefined) {
      this.#lostAt = undefined
      this.#events.notice({ level: 'info', subject: 'store', message: `${this.#storeName} is back` })
    }
    apply()
    this.#own.wake()
    this.#turns.now()
  }

  #lost(error: StoreError): void {
    this.#lostAt ??= this.#clock.now()
    const message = `${error.message}; trying again, and everything stays as it is`
    this.#events.notice({ level: error.kind === 'refused' ? 'error' : 'warning', subject: 'store', message })
  }

  /** After our first lease: before it, a lease of ours from an earlier life would look like another node's. */
  #tellPeers(): void {
    if (!this.#announcement || !this.#own.isKnown || this.#isClosed) return
    const { leases, ignored } = peersOf([...this.#table.records], {
      ...this.#announcement,
      prefixes: this.#own.prefixes,
      isOwn: (key) => this.#own.isOwn(key),
    })
    for (const [key, notice] of ignored) {
      if (this.#told.get(key) !== notice.message) this.#events.notice(notice)
    }
    this.#told = new Map([...ignored].map(([key, { message }]) => [key, message]))
    if (this.#endReunion) {
      if (!isSuperset(leases, this.#peers ?? [])) return
      this.#endReunion()
      this.#endReunion = undefined
    }
    if (this.#peers && sameLeases(this.#peers, leases)) return
    this.#peers = leases
    this.#events.peers(leases)
  }
}

/** In whatever order. The table keeps a lease's object as long as its value is the same. */
function sameLeases(a: readonly Lease[], b: readonly Lease[]): boolean {
  const known = new Set(a)
  return a.length === b.length && b.every((lease) => known.has(lease))
}

/** Whether who had a lease before has it again. */
function isSuperset(leases: readonly Lease[], before: readonly Lease[]): boolean {
  const names = new Set(leases.map((lease) => formatLeaseKey(subnetsOf(lease))))
  return before.every((lease) => names.has(formatLeaseKey(subnetsOf(lease))))
}
