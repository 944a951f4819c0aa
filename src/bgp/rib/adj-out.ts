/**
 * What a group of peers is sent of one family: RFC 4271 §3.2 and §9.1.3.
 *
 * Peers with the same export rules and the same way of writing messages are a group: a message is encoded once and sent to all
 * of them. Nothing is kept of what they have been sent. It follows from the paths before a change, and so does what must be said
 * now: nothing, the new route, or that there is none. A route that is replaced is announced, never withdrawn before.
 *
 * A peer that takes nothing now misses changes; they are kept for it, one a prefix, until it is ready again. So a slow peer is
 * sent the last state and not every one on the way, and holds nobody up.
 */
import { sameAttributes } from '../attribute/same.ts'
import type { PrefixKey } from '../nlri.ts'
import { Batch, type GroupSending } from './batch.ts'
import { Exporter, type ExportRules, ONLY_PATH_ID, type Sent } from './export.ts'
import { bestOf, type Changes, type LocRib, type Snapshot, usableOf } from './loc.ts'
import type { Path } from './path.ts'

/** A session that routes are sent over. */
export interface Member {
  /** As RibPeer's. */
  readonly address: string
  send(messages: readonly Uint8Array[]): void
  /** false: what was sent has not left yet. */
  isReady(): boolean
}

/** A member between two groups. */
export interface Leaving {
  readonly member: Member
  /** It has not got the whole table yet; `last` is what is to be sent behind it. */
  readonly isFilling: boolean
  readonly last: Uint8Array | undefined
  /** What it has of prefixes that something may be said about. */
  had(): Iterable<readonly [PrefixKey, readonly Sent[]]>
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
  readonly rules: ExportRules
  readonly sending: GroupSending
  readonly #table: LocRib
  readonly #exporter: Exporter
  /** The last route that was alone, as a list. */
  #alone: readonly [Sent] | undefined
  readonly #members = new Map<string, Member>()
  #fills: Fill[] = []
  /** Members that are to be sent the whole table, and have not begun. They have nothing, or want it again. */
  #joining: Fill['members'] = new Map()
  #refreshing: Fill['members'] = new Map()
  /** Of members that were not ready: prefixes that have changed since, with what the member has of them. */
  readonly #missed = new Map<Member, Map<PrefixKey, readonly Sent[]>>()

  constructor(table: LocRib, rules: ExportRules, sending: GroupSending) {
    this.#table = table
    this.rules = rules
    this.sending = sending
    const pathIdOf = (path: Path) => (sending.addPath ? table.pathIdOf(path) : ONLY_PATH_ID)
    this.#exporter = new Exporter(table.family, rules, pathIdOf)
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
    this.#joining.set(member, last)
  }

  /** Answers what another group must know to go on with the member; undefined: it is not in this one. */
  leave(address: string): Leaving | undefined {
    const member = this.#members.get(address)
    if (!member) return undefined
    const waiting = [this.#joining, this.#refreshing, ...this.#fills.map(({ members }) => members)]
    const fill = waiting.find((members) => members.has(member))
    const leaving = { member, isFilling: fill !== undefined, last: fill?.get(member), had: this.#hadBy(member) }
    this.#members.delete(address)
    this.#missed.delete(member)
    for (const members of waiting) members.delete(member)
    this.#fills = this.#fills.filter(({ members }) => members.size > 0)
    return leaving
  }

  /** Takes a member from another group: it is sent what is not as it has it. Sent by `pump`. */
  adopt({ member, isFilling, last, had }: Leaving): void {
    this.#members.set(member.address, member)
    this.#missed.set(member, new Map(had()))
    if (isFilling) this.#refreshing.set(member, last)
  }

  /** The whole table again, then `last` (EoRR): RFC 2918 §4, RFC 7313 §4. Sent by `pump`. */
  refresh(address: string, last?: Uint8Array): void {
    const member = this.#members.get(address)
    if (member) this.#refreshing.set(member, last)
  }

  /** Sends what has changed, if it is anything that these peers see. */
  flush(changes: Changes): void {
    if (changes.size === 0 || this.#members.size === 0) return
    this.#changed(changes.keys(), (key) => this.#sentOf(changes.get(key), key))
  }

  /** Sends some more to members that are ready. Answers whether there is still something that could be sent at once. */
  pump(): boolean {
    for (const [member, missed] of this.#missed) {
      if (!member.isReady()) continue
      this.#missed.delete(member)
      this.#send(missed, [member])
    }
    if (this.#joining.size + this.#refreshing.size > 0) {
      const members = new Map([...this.#joining, ...this.#refreshing])
      this.#fills.push({ keys: this.#table.keys(), at: 0, members })
      this.#joining.clear()
      this.#refreshing.clear()
    }
    const fills = this.#fills
    this.#fills = []
    for (const fill of fills) this.#fill(fill)
    return this.#fills.some(({ members }) => [...members.keys()].some((member) => member.isReady()))
  }

  /** What the peer has, or is about to be sent. */
  *routes(address: string): Generator<{ readonly key: PrefixKey; readonly sent: Sent }> {
    for (const key of this.#table.keys()) {
      for (const sent of this.#sentOf(this.#table.settled(key), key)) {
        if (sent.from !== address) yield { key, sent }
      }
    }
  }

  /** What the member has of every prefix, as it is now. */
  #hadBy(member: Member): () => Iterable<readonly [PrefixKey, readonly Sent[]]> {
    const missed = this.#missed.get(member)
    return () => {
      const had = new Map(withHad(this.#table.keys(), (key) => this.#sentOf(this.#table.settled(key), key)))
      if (missed) for (const [key, before] of missed) had.set(key, before)
      return had
    }
  }

  /** With path identifiers all that can be used, else the best. */
  #sentOf(snapshot: Snapshot | undefined, key: PrefixKey): readonly Sent[] {
    if (this.sending.addPath) return usableOf(snapshot).flatMap((path) => this.#exporter.of(path, key) ?? [])
    const best = bestOf(snapshot)
    const sent = best && this.#exporter.of(best, key)
    if (!sent) return NOTHING
    if (this.#alone?.[0] !== sent) this.#alone = [sent]
    return this.#alone
  }

  #changed(keys: Iterable<PrefixKey>, had: (key: PrefixKey) => readonly Sent[]): void {
    const ready: Member[] = []
    const missing: Member[] = []
    for (const member of this.#members.values()) {
      if (this.#joining.has(member)) continue
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

  #miss(member: Member, changes: ReadonlyMap<PrefixKey, readonly Sent[]>): void {
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
      withHad(slice, () => NOTHING),
      ready.map(([member]) => member),
    )
    if (end < keys.length) this.#fills.push({ keys, at: end, members: new Map(ready) })
    else for (const [member, last] of ready) if (last) member.send([last])
  }

  #send(changes: Iterable<readonly [PrefixKey, readonly Sent[]]>, members: readonly Member[]): void {
    if (members.length === 0) return
    const batch = new Batch(this.#table.family, this.sending)
    for (const [key, had] of changes) {
      const now = this.#sentOf(this.#table.settled(key), key)
      if (now !== had) this.#sendChange(batch, key, had, now)
    }
    batch.deliver(
      members.map(({ address }) => address),
      (address, messages) => this.#members.get(address)?.send(messages),
    )
  }

  #sendChange(batch: Batch, key: PrefixKey, had: readonly Sent[], now: readonly Sent[]): void {
    for (const sent of now) {
      const before = byPathId(had, sent.pathId)
      if (before && isSame(before, sent)) continue
      batch.announce(key, sent)
      // It is not sent back to where it comes from, which has had another until now.
      if (before && before.from !== sent.from) batch.withdrawFrom(sent.from, key, sent.pathId)
    }
    for (const sent of had) if (!byPathId(now, sent.pathId)) batch.withdraw(key, sent)
  }
}

const NOTHING: readonly Sent[] = []

function byPathId(list: readonly Sent[], pathId: number): Sent | undefined {
  for (const sent of list) if (sent.pathId === pathId) return sent
  return undefined
}

function isSame(a: Sent, b: Sent): boolean {
  return a === b || (a.from === b.from && sameAttributes(a.attributes, b.attributes))
}

function* withHad(
  keys: Iterable<PrefixKey>,
  had: (key: PrefixKey) => readonly Sent[],
): Generator<readonly [PrefixKey, readonly Sent[]]> {
  for (const key of keys) yield [key, had(key)]
}
