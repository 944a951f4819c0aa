/**
 * A node's own lease in the store: acquired, kept, changed, and acquired again when it is lost.
 *
 * Whatever happens (a change in the store, an answer, a timer) sets off a turn, which compares what the table says of our
 * lease with what we hold, and does what is missing. Every write is made under the condition that nobody wrote in between, so
 * that a turn that knew too little changes nothing; the table will know more, and the next turn does it.
 *
 *   nothing held ── acquire ──> held ── the table has it, and nobody was there before us ──> settled: told
 *        ^                       │                                                             │
 *        └──── somebody was ─────┘<──────────── gone, or somebody else's: told ────────────────┘
 *
 * A lease with our address may be ours from an earlier life, or that of another node which has the same address: a NAT card's,
 * as every Vagrant machine has it. Where nothing shows that it was ours (subnet.env is lost), the key is bound to a new etcd
 * lease. A node that is alive sees that, and binds its key to its own again; then it is not ours. It has a second for that.
 *
 * A subnet belongs to whoever has its key. With both families two keys can name one subnet: the one that was written first
 * counts, and the other node takes its own back before it has used it.
 */
import { type Prefix, parsePrefix } from '../address/prefix.ts'
import { type LeaseId, type Revision, StoreError } from '../store/store.ts'
import { OutOfSubnets } from './allocate.ts'
import { type Announcement, chooseSubnets, fits, isPrevious, ownRecords, rivalOf } from './claim.ts'
import { FAMILIES, formatLeaseAttributes, type Lease, type LeaseAttributes, leaseOf } from './lease.ts'
import { formatLeaseKey, type Subnets } from './lease-key.ts'
import { LeaseMaker } from './lease-maker.ts'
import { isSameNode, type LeaseRecord, type LeaseTable } from './lease-table.ts'
import { LeaseTime, type LeaseTimeOptions } from './lease-time.ts'
import type { Notice } from './notice.ts'

const SECOND = 1000
/** Until what failed is tried again: doubled each time. The watch sets off a turn too, as soon as the store is back. */
const FIRST_RETRY = SECOND
const LAST_RETRY = 16 * SECOND
/** So many keys are tried one after the other before the table must know more. */
const RACES = 3
/** How often at most we write our lease again over what somebody else with our address wrote. */
const REASSERT = 10 * SECOND
/** For another node that has our address to say that the lease is its own. */
const OBJECTION = SECOND

export interface OwnLeaseOptions extends Omit<LeaseTimeOptions, 'onDue'> {
  /** What the keys of leases begin with. */
  readonly prefix: string
  readonly table: LeaseTable
  readonly random: () => number
  readonly previous: Subnets
  readonly events: {
    lease(lease: Lease | undefined): void
    notice(notice: Notice): void
  }
}

interface Held {
  readonly key: string
  readonly subnets: Subnets
  readonly attributes: LeaseAttributes
  readonly value: string
  /** Undefined: it is a reservation, and stays one. */
  readonly lease: LeaseId | undefined
  /** Of our last write, or of what we found and kept as it was. */
  readonly revision: Revision
  /** Listings that the table had had before that. */
  readonly listings: number
  /** It had our address, and nothing else showed that it was ours. */
  readonly isTakenOver: boolean
  readonly isSettled: boolean
}

export class OwnLease {
  readonly #options: OwnLeaseOptions
  #announcement: Announcement | undefined
  #held: Held | undefined
  /** Subnets that we had last. */
  #previous: Subnets
  /** The lease that was last told to whoever listens. */
  #told: Lease | undefined
  #isKnown = false
  /** Keys of leases with our address that are another node's. */
  readonly #foreign = new Set<string>()
  readonly #time: LeaseTime
  readonly #maker: LeaseMaker
  #retry = FIRST_RETRY
  /** The last problem of each subject, so that it is told once. */
  readonly #problems = new Map<Notice['subject'], string>()
  /** What is waited for, and how to end that. */
  readonly #waits = new Map<'retry' | 'reassertion' | 'objection', () => void>()
  #isDue = false
  #isTurning = false
  #isClosed = false

  constructor(options: OwnLeaseOptions) {
    this.#options = options
    this.#previous = options.previous
    this.#time = new LeaseTime({ ...options, onDue: () => this.wake() })
    this.#maker = new LeaseMaker(options.store, options.table, this.#time)
  }

  /** Whether there has been a lease to tell. */
  get isKnown(): boolean {
    return this.#isKnown
  }

  /** On the clock: when the store last began the lease's time anew. */
  get renewedAt(): number | undefined {
    return this.#time.beganAt
  }

  /** Of the subnets that are ours. */
  get prefixes(): readonly Prefix[] {
    return this.#held?.isSettled ? FAMILIES.flatMap((family) => this.#held!.subnets[family] ?? []).map(parsePrefix) : []
  }

  isOwn(key: string): boolean {
    return key === this.#held?.key || this.#maker.isMaking(key)
  }

  announce(announcement: Announcement): void {
    this.#announcement = announcement
    this.wake()
  }

  /** Something happened: the table has changed, or time has passed. */
  wake(): void {
    this.#maker.forgetRaces()
    this.#isDue = true
    if (!this.#isTurning) void this.#run()
  }

  close(): void {
    this.#isClosed = true
    this.#time.close()
    for (const cancel of this.#waits.values()) cancel()
  }

  async #run(): Promise<void> {
    this.#isTurning = true
    await undefined // so that nothing is told within the caller's call
    while (this.#isDue && !this.#isClosed) {
      this.#isDue = false
      try {
        await this.#turn()
      } catch (error) {
        this.#failed(error)
      }
    }
    this.#isTurning = false
  }

  async #turn(): Promise<void> {
    const announcement = this.#announcement
    if (!announcement || !this.#options.table.isListed) return
    for (const key of this.#foreign) if (!this.#options.table.get(key)) this.#foreign.delete(key)
    if (this.#held) await this.#check(this.#held, announcement)
    if (!this.#held) await this.#acquire(announcement)
    if (this.#held && !this.#held.isSettled) await this.#settle(this.#held)
    await this.#time.renew(this.#held?.lease)
  }

  #failed(error: unknown): void {
    if (!(error instanceof StoreError)) throw error
    if (this.#isClosed) return
    // What an etcd lease that ended took with it, the watch will tell.
    if (error.kind === 'not found') this.#time.forgetGranted()
    else this.#problem(error.kind === 'refused' ? 'error' : 'warning', 'store', `${error.message}; trying again`)
    this.#retryLater()
  }

  /** Is what we hold still there, and as we want it? */
  async #check(held: Held, announcement: Announcement): Promise<void> {
    const { table, store } = this.#options
    if (!this.#isTold(held)) return
    const record = table.get(held.key)
    if (record?.entry.value !== held.value && table.seen < held.revision) {
      // The store began anew, or the listing is older than our write.
      const entry = await store.get(held.key)
      if (entry?.revision !== record?.entry.revision) return this.#retryLater()
    }
    if (!record) {
      this.#notice(
        'warning',
        'lease',
        `Lease ${nameOf(held)} is gone: it was deleted, or has ended; acquiring it again`,
      )
      this.#drop(held)
      return
    }
    const { config, attributes } = announcement
    const value = formatLeaseAttributes(attributes)
    const { lease } = record.entry
    if (record.entry.value !== held.value) {
      if (record.entry.value !== value) return await this.#overwritten(held, record)
      // Our own write, whose answer was lost.
      this.#hold({ ...held, attributes, value })
      if (held.isSettled) this.#tell(leaseOf(held.subnets, attributes))
    }
    if (lease !== held.lease) {
      if (lease !== undefined && held.lease !== undefined) return await this.#overwritten(held, record)
      // An operator makes a reservation of it, or no longer has it as one.
      this.#hold({ ...this.#held!, lease })
      this.#time.bind(lease)
      this.#time.setDue()
    }
    if (!fits(config, held.subnets)) await this.#acquire(announcement, record)
    else if (value !== record.entry.value) await this.#write(held, record, attributes)
  }

  /**
   * What another node wrote is that node's lease, and so is what has our address in a lease that we took over. Anything else is
   * written over: what is nobody's, or an operator's.
   */
  async #overwritten(held: Held, record: LeaseRecord): Promise<void> {
    const { attributes, entry } = record
    const isAnybodys = attributes?.ipv4 !== undefined || attributes?.ipv6 !== undefined
    const isOurs = isAnybodys && isSameNode(held.attributes, attributes)
    const isTwins = isOurs && held.isTakenOver && entry.lease !== undefined
    if (isTwins || (isAnybodys && !isOurs)) {
      if (isTwins) this.#foreign.add(held.key)
      const whose = isTwins ? 'another node that has our address' : 'another node'
      const message = `Lease ${nameOf(held)} belongs to ${whose}, which wrote ${entry.value}; acquiring another one`
      this.#notice('error', 'conflict', message)
      this.#drop(held)
      this.#tell(undefined)
      return
    }
    if (this.#waits.has('reassertion')) return
    this.#wait('reassertion', REASSERT)
    this.#notice(
      'error',
      'conflict',
      `Somebody wrote ${entry.value} into our lease ${nameOf(held)}; writing ours again`,
    )
    await this.#write(held, record, held.attributes)
  }

  async #write(held: Held, { entry }: LeaseRecord, attributes: LeaseAttributes): Promise<void> {
    const { listings } = this.#options.table
    // A key without etcd lease is a reservation, whoever made it one.
    const lease = entry.lease === undefined ? undefined : await this.#time.aliveOrNew(held.lease)
    const value = formatLeaseAttributes(attributes)
    const revision = await this.#options.store.transact(
      [{ key: held.key, revision: entry.revision }],
      [{ put: held.key, value, lease }],
    )
    if (revision === undefined) return this.#retryLater()
    this.#hold({ ...held, attributes, value, lease, revision, listings })
    this.#time.bind(lease)
    if (held.isSettled) this.#tell(leaseOf(held.subnets, attributes))
  }

  /** `outgrown`: ours, and to be given up for what the configuration allows. */
  async #acquire(announcement: Announcement, outgrown?: LeaseRecord): Promise<void> {
    const { table, random } = this.#options
    if (!(await this.#maker.isTold())) return this.#retryLater()
    const records = [...table.records]
    const own = ownRecords(records, announcement, this.#previous).filter(
      ({ entry }) => !this.#foreign.has(entry.key) && entry.key !== outgrown?.entry.key,
    )
    const fitting = own.find(({ subnets }) => fits(announcement.config, subnets!))
    if (fitting) return await this.#adopt(fitting, announcement)

    const unfit = outgrown ?? own[0]
    // A reservation is its operator's.
    const replaced = unfit?.entry.lease === undefined ? undefined : unfit
    const others = records.filter((record) => record !== replaced).flatMap(({ subnets }) => subnets ?? [])
    try {
      const subnets = chooseSubnets(announcement.config, {
        preferred: [replaced?.subnets ?? {}, this.#previous],
        taken: [...others, ...this.#maker.lostRaces],
        random,
      })
      await this.#make(subnets, announcement, replaced)
    } catch (error) {
      if (!(error instanceof OutOfSubnets)) throw error
      // What we had is taken too.
      if (!this.#held) this.#tell(undefined)
      this.#problem('error', 'lease', `Cannot acquire a lease: ${error.message}; waiting until one is free`)
    }
  }

  async #make(subnets: Subnets, { attributes }: Announcement, replaced: LeaseRecord | undefined): Promise<void> {
    const { prefix, table } = this.#options
    const { listings } = table
    const key = prefix + formatLeaseKey(subnets)
    const value = formatLeaseAttributes(attributes)
    const made = await this.#maker.make({ key, subnets, value, replaced })
    if (!made) {
      if (this.#maker.lostRaces.length < RACES) this.#isDue = true
      else this.#retryLater()
      return
    }
    if (replaced) this.#notice('info', 'lease', `Lease ${replaced.name} does not fit the configuration: replaced`)
    this.#hold({ key, subnets, attributes, value, ...made, listings, isTakenOver: false, isSettled: false })
    this.#time.bind(made.lease)
  }

  /** Makes a lease ours that has our address. It is kept as it is where we had it before, and it says what we say. */
  async #adopt({ entry, subnets }: LeaseRecord, { attributes }: Announcement): Promise<void> {
    const { store, table } = this.#options
    const { listings } = table
    const { key } = entry
    const value = formatLeaseAttributes(attributes)
    const isTakenOver = entry.lease !== undefined && !isPrevious(subnets!, this.#previous)
    const old = isTakenOver ? undefined : entry.lease
    const lease = entry.lease === undefined ? undefined : await this.#time.aliveOrNew(old)
    const isSame = value === entry.value && lease === entry.lease
    const conditions = [{ key, revision: entry.revision }]
    const revision = isSame ? entry.revision : await store.transact(conditions, [{ put: key, value, lease }])
    if (revision === undefined) return this.#retryLater()
    if (isTakenOver) this.#wait('objection', OBJECTION)
    const rest = { listings, isTakenOver, isSettled: false }
    this.#hold({ key, subnets: subnets!, attributes, value, lease, revision, ...rest })
    this.#time.bind(lease)
  }

  /** Once the table knows of our lease, it knows of all that were written before. */
  async #settle(held: Held): Promise<void> {
    const { table, store } = this.#options
    if (!this.#isTold(held) || (held.isTakenOver && this.#waits.has('objection'))) return
    const record = table.get(held.key)
    if (record?.entry.value !== held.value) return
    const rival = rivalOf(record, table.records)
    if (rival) {
      const message = `Lease ${nameOf(held)} overlaps ${rival.name}, which was there before it; acquiring another one`
      this.#notice('warning', 'conflict', message)
      this.#foreign.add(held.key)
      this.#drop(held)
      this.#isDue = true
      const conditions = [{ key: held.key, revision: record.entry.revision }]
      if (held.lease !== undefined) await store.transact(conditions, [{ delete: held.key }])
      return
    }
    this.#hold({ ...held, isSettled: true })
    this.#isKnown = true
    this.#problems.clear()
    const how = held.lease === undefined ? ', a reservation' : ''
    this.#notice('info', 'lease', `This node has lease ${nameOf(held)}${how}`)
    this.#tell(leaseOf(held.subnets, held.attributes))
    await this.#time.giveBack()
  }

  #hold(held: Held): void {
    this.#held = held
    this.#previous = held.subnets
    this.#retry = FIRST_RETRY
    this.#problems.delete('store')
  }

  #drop(held: Held): void {
    this.#previous = held.subnets
    this.#held = undefined
    this.#time.bind(undefined)
  }

  /** Whether the table has our write, or came after it. A store that began anew counts its revisions from the start. */
  #isTold({ revision, listings }: Held): boolean {
    const { table } = this.#options
    return table.seen >= revision || table.listings > listings
  }

  #tell(lease: Lease | undefined): void {
    if (this.#isClosed || JSON.stringify(lease) === JSON.stringify(this.#told)) return
    this.#told = lease
    this.#options.events.lease(lease)
  }

  #notice(level: Notice['level'], subject: Notice['subject'], message: string): void {
    if (!this.#isClosed) this.#options.events.notice({ level, subject, message })
  }

  #problem(level: Notice['level'], subject: Notice['subject'], message: string): void {
    if (this.#problems.get(subject) === message) return
    this.#problems.set(subject, message)
    this.#notice(level, subject, message)
  }

  #retryLater(): void {
    this.#wait('retry', this.#retry)
    this.#retry = Math.min(2 * this.#retry, LAST_RETRY)
  }

  /** Then a turn is due. */
  #wait(name: 'retry' | 'reassertion' | 'objection', milliseconds: number): void {
    if (this.#isClosed) return
    this.#waits.get(name)?.()
    const cancel = this.#options.clock.after(milliseconds, () => {
      this.#waits.delete(name)
      this.wake()
    })
    this.#waits.set(name, cancel)
  }
}

function nameOf({ subnets }: Held): string {
  return formatLeaseKey(subnets)
}
