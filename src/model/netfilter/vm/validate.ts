/**
 * Where rules lead, from each base chain on: nft_chain_validate. What may stand in some hooks only must not be reached from
 * others; and nothing leads deeper than the machine's stack, round in a circle that is.
 */

import { type Base, MAX_DEPTH } from './machine.ts'
import { refusal } from './refusal.ts'
import type { Chain, Table } from './ruleset.ts'
import { GOTO, JUMP } from './verdict.ts'

export function checkTable(table: Table): void {
  for (const chain of table.chains.values()) {
    if (chain.base) checkChain(chain, chain.base, 0, new Map())
  }
}

/** `seen`: at what depth a chain was looked at already. */
function checkChain(chain: Chain, base: Base, depth: number, seen: Map<Chain, number>): void {
  if (depth === MAX_DEPTH) throw refusal('EMLINK')
  if ((seen.get(chain) ?? -1) >= depth) return
  seen.set(chain, depth)
  for (const { compiled } of chain.rules) {
    const errno = compiled.refusedAt(base)
    if (errno) throw refusal(errno)
    for (const next of compiled.chains) checkChain(next, base, depth + 1, seen)
    for (const set of compiled.sets) {
      if (set.definition.data?.type !== 'verdict') continue
      for (const { verdict } of set.all()) {
        const leads = verdict && (verdict.code === JUMP || verdict.code === GOTO) ? verdict.chain : undefined
        if (leads) checkChain(leads, base, depth + 1, seen)
      }
    }
  }
}
