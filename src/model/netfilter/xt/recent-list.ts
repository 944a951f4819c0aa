/** The lists of `recent`, one for each name in a namespace: who was seen, and when. Source: net/netfilter/xt_recent.c. */
import type { Microseconds } from '../../clock.ts'

/** ip_list_tot: addresses in a list. */
const MOST_ADDRESSES = 100
/** ip_pkt_list_tot, rounded up to a power of two. */
const USUAL_STAMPS = 32

export interface RecentEntry {
  /** The oldest is overwritten when there are too many. */
  readonly stamps: Microseconds[]
  next: number
}

export class RecentList {
  /** In the order in which they were last updated. */
  readonly #entries = new Map<string, RecentEntry>()
  /** nstamps_max_mask + 1. */
  mostStamps = USUAL_STAMPS

  get(address: string): RecentEntry | undefined {
    return this.#entries.get(address)
  }

  /** recent_entry_init: the one that was not updated for the longest time makes room. */
  add(address: string, now: Microseconds): void {
    if (this.#entries.size >= MOST_ADDRESSES) this.#entries.delete(this.#entries.keys().next().value!)
    this.#entries.set(address, { stamps: [now], next: 1 })
  }

  delete(address: string): void {
    this.#entries.delete(address)
  }

  /** recent_entry_update. */
  touch(address: string, now: Microseconds): void {
    const entry = this.#entries.get(address)
    if (!entry) return
    entry.next %= this.mostStamps
    entry.stamps[entry.next++] = now
    this.#entries.delete(address)
    this.#entries.set(address, entry)
  }

  /** recent_entry_reap: the one that was not updated for the longest time goes, if it was not seen since; not the one `kept`. */
  reap(since: Microseconds, kept: string | undefined): void {
    const [first] = this.#entries
    if (!first) return
    const [address, { stamps, next }] = first
    if (address !== kept && stamps[next - 1]! < since) this.#entries.delete(address)
  }
}

export class RecentLists {
  readonly #lists = new Map<string, RecentList>()

  /** recent_mt_check: the rule that wants the most packets remembered decides how many are. */
  open(name: string, hitCount: number): RecentList {
    const most = hitCount > 0 ? 2 ** Math.ceil(Math.log2(hitCount)) : USUAL_STAMPS
    const known = this.#lists.get(name)
    const list = known ?? new RecentList()
    list.mostStamps = known ? Math.max(known.mostStamps, most) : most
    this.#lists.set(name, list)
    return list
  }
}
