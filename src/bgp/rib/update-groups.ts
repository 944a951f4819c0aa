/** The groups of peers that are sent the same of one family: who is in which, and when there is a new one. */

import { AdjOut, type Member } from './adj-out.ts'
import type { GroupSending } from './batch.ts'
import type { ExportRules } from './export.ts'
import type { Changes, LocRib } from './loc.ts'
import { sameRules } from './same-rules.ts'

export class UpdateGroups {
  readonly #table: LocRib
  #groups: AdjOut[] = []

  constructor(table: LocRib) {
    this.#table = table
  }

  get size(): number {
    return this.#groups.length
  }

  /** Joins the group that has these rules, or a new one. `last` is sent behind the table. */
  join(member: Member, rules: ExportRules, sending: GroupSending, last?: Uint8Array): void {
    this.#require(rules, sending).join(member, last)
  }

  leave(address: string): void {
    this.of(address)?.leave(address)
    this.#groups = this.#groups.filter(({ size }) => size > 0)
  }

  /** Other rules for a session that goes on: it is sent what is not as before. Sent by `pump`. */
  setRules(address: string, rules: ExportRules): void {
    const before = this.of(address)
    if (!before || sameRules(before.rules, rules)) return
    const leaving = before.leave(address)
    if (leaving) this.#require(rules, before.sending).adopt(leaving)
    this.#groups = this.#groups.filter(({ size }) => size > 0)
  }

  /** The group that a peer is in. */
  of(address: string): AdjOut | undefined {
    return this.#groups.find((group) => group.has(address))
  }

  flush(changes: Changes): void {
    for (const group of this.#groups) group.flush(changes)
  }

  /** Whether there is still something that could be sent at once. */
  pump(): boolean {
    let more = false
    for (const group of this.#groups) more = group.pump() || more
    return more
  }

  #require(rules: ExportRules, sending: GroupSending): AdjOut {
    const known = this.#groups.find((each) => sameRules(each.rules, rules) && sameRules(each.sending, sending))
    if (known) return known
    const group = new AdjOut(this.#table, rules, sending)
    this.#groups.push(group)
    return group
  }
}
