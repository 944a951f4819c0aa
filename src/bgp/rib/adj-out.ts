/**
 * What a group of peers is sent of one family: RFC 4271 §3.2 and §9.1.3.
 *
 * Peers with the same export rules and the same way of writing messages are a group: a message is encoded once and sent to all
 * of them. Nothing is kept of what they have been sent. It follows from the best path before a change, and so does what must be
 * said now: nothing, the new route, or that there is none. A route that is replaced is announced, never withdrawn before.
 *
 * A peer that takes nothing now misses changes; they are kept for it, one a prefix, until it is ready again. So a slow peer is
 * sent the last state and not every one on the way, and holds nobody up.
 */
import type { PathAttributes } from '../attribute/attributes.ts'
import { sameAttributes } from '../attribute/same.ts'
import type { PrefixKey } from '../nlri.ts'
import { Batch, type GroupSending } from './batch.ts'
import { Exporter, type ExportRules, type Sent } from './export.ts'
import type { Changes, LocRib } from './loc.ts'

/** A session that routes are sent over. */
export interface Member {
  /** As RibPeer's. */
  readonly address: string
  send(messages: readonly Uint8Array[]): void
  /** false: what was sent has not left yet. */
  isReady(): boolean
}

/** A table on its way to members that have begun together. */
interface Fill {
  readonly keys: readonly PrefixKey[]
  at: number
  /** Each with what is sent behind the table. */
  readonly members: Map<Member, Uint8Array | undefined>
}

/** Prefixes of a table that are sent at a time: some milliseconds. */
const SLICE = 16_384

export class AdjOut {
  readonly sending: GroupSending
  readonly #table: LocRib
  #rules: ExportRules
  #exporter: Exporter
  readonly #members = new Map<string, Member>()
  #fills: Fill[] = []
  /** Members that have joined and not begun. */
  #starting: Fill['members'] = new Map()
  /** Of members that were not ready: prefixes that have changed since, with what the member has of them. */
  readonly #missed = new Map<Member, Map<PrefixKey, Sent | undefined>>()

  constructor(table: LocRib, rules: ExportRules, sending: GroupSending) {
    this.#table = table
    this.#rules = rules
    this.#exporter = new Exporter(table.family, rules)
    this.sending = sending
  }

  get rules(): ExportRules {
    return this.#rules
  }

  get size(): number {
    return this.#members.size
  }

  has(address: string): boolean {
    return this.#members.has(address)
  }

  /** The whole table, then `last` (End-of-RIB), and from now on what changes. Sent by `pump`. */
  join(member: Member, last?: Uint8Array): void {
    this.#members.set(member.address, member)
    this.#starting.set(member, last)
  }

  leave(address: string): void {
    const member = this.#members.get(address)
    if (!member) return
    this.#members.delete(address)
    this.#missed.delete(member)
    this.#starting.delete(member)
    for (const { members } of this.#fills) members.delete(member)
    this.#fills = this.#fills.filter(({ members }) => members.size > 0)
  }

  /** The whole table again, then `last` (EoRR): RFC 2918 §4, RFC 7313 §4. Sent by `pump`. */
  refresh(address: string, last?: Uint8Array): void {
    const member = this.#members.get(address)
    if (member) this.#starting.set(member, last)
  }

  /** Sends what has changed; prefixes that only other paths than the best have changed of are none of our business. */
  flush(changes: Changes): void {
    if (changes.size === 0 || this.#members.size === 0) return
    const had = (key: PrefixKey) => this.#exporter.of(changes.get(key), key)
    this.#changed(changes.keys(), had)
  }

  /** Other rules for the same members: they are sent what is not as before. The changes of the table must have been flushed. */
  setRules(rules: ExportRules): void {
    const before = this.#exporter
    this.#rules = rules
    this.#exporter = new Exporter(this.#table.family, rules)
    if (this.#members.size > 0) this.#changed(this.#table.keys(), (key) => before.of(this.#table.best(key), key))
  }

  /** Sends some more to members that are ready. Answers whether there is still something that could be sent at once. */
  pump(): boolean {
    for (const [member, missed] of this.#missed) {
      if (!member.isReady()) continue
      this.#missed.delete(member)
      this.#send(missed, [member])
    }
    if (this.#starting.size > 0) {
      this.#fills.push({ keys: this.#table.keys(), at: 0, members: this.#starting })
      this.#starting = new Map()
    }
    const fills = this.#fills
    this.#fills = []
    for (const fill of fills) this.#fill(fill)
    return this.#fills.some(({ members }) => [...members.keys()].some((member) => member.isReady()))
  }

  /** What the peer has, or is about to be sent. */
  *routes(address: string): Generator<{ readonly key: PrefixKey; readonly attributes: PathAttributes }> {
    for (const { key, best } of this.#table.all()) {
      const sent = this.#exporter.of(best, key)
      if (sent && sent.from !== address) yield { key, attributes: sent.attributes }
    }
  }

  #changed(keys: Iterable<PrefixKey>, had: (key: PrefixKey) => Sent | undefined): void {
    const ready: Member[] = []
    const missing: Member[] = []
    for (const member of this.#members.values()) {
      if (this.#missed.has(member) || !member.isReady()) missing.push(member)
      else ready.push(member)
    }
    if (missing.length === 0) {
      this.#send(withHad(keys, had), ready)
      return
    }
    const all = new Map(withHad(keys, had))
    for (const member of missing) this.#miss(member, all)
    this.#send(all, ready)
  }

  #miss(member: Member, changes: ReadonlyMap<PrefixKey, Sent | undefined>): void {
    const missed = this.#missed.get(member)
    if (!missed) this.#missed.set(member, new Map(changes))
    else for (const [key, had] of changes) if (!missed.has(key)) missed.set(key, had)
  }

  /** Members that are ready go on; those that are not become a fill of their own. */
  #fill({ keys, at, members }: Fill): void {
    const ready = [...members].filter(([member]) => member.isReady())
    const others = [...members].filter(([member]) => !member.isReady())
    if (others.length > 0) this.#fills.push({ keys, at, members: new Map(others) })
    if (ready.length === 0) return
    const end = Math.min(at + SLICE, keys.length)
    const slice = keys.slice(at, end)
    this.#send(
      withHad(slice, () => undefined),
      ready.map(([member]) => member),
    )
    if (end < keys.length) this.#fills.push({ keys, at: end, members: new Map(ready) })
    else for (const [member, last] of ready) if (last) member.send([last])
  }

  #send(changes: Iterable<readonly [PrefixKey, Sent | undefined]>, members: readonly Member[]): void {
    if (members.length === 0) return
    const batch = new Batch(this.#table.family, this.sending)
    for (const [key, had] of changes) {
      const now = this.#exporter.of(this.#table.best(key), key)
      if (!now) {
        if (had) batch.withdraw(key, had)
        continue
      }
      if (had && (had === now || (had.from === now.from && sameAttributes(had.attributes, now.attributes)))) continue
      batch.announce(key, now)
      // It is not sent back to where it comes from, which has had another until now.
      if (had && had.from !== now.from && this.#members.has(now.from)) batch.withdrawFrom(key, now.from)
    }
    batch.deliver(
      members.map(({ address }) => address),
      (address, messages) => this.#members.get(address)?.send(messages),
    )
  }
}

function* withHad(
  keys: Iterable<PrefixKey>,
  had: (key: PrefixKey) => Sent | undefined,
): Generator<readonly [PrefixKey, Sent | undefined]> {
  for (const key of keys) yield [key, had(key)]
}
