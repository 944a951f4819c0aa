/**
 * Chains of ours in tables that belong to many, as iptables' do:
 *
 *   POSTROUTING    …                                   FLANNEL-POSTRTG    our rules, and no others
 *                  a rule that jumps here ───────────>
 *                  …
 *
 * The chain is ours whole, of the other one we have a single rule, known by where it jumps. Everything is made with
 * operations that change nothing of what is there already: the table and the calling chain may be anybody's.
 *
 * A jump that is missing is put at the end, where it does not come before rules of network policies; but before a rule that
 * lets nothing pass (`-A FORWARD -j REJECT`, as distributions have it), behind which it would be of no use. Where it stands
 * once it is there, is left to whoever moves it: who puts a rule before it means that.
 */
import type { Kernel } from '../kernel/kernel.ts'
import type { NftExpression, NftOperation, NftRule } from '../kernel/nftables.ts'
import { sameRule, sameRules } from './nftables-rules.ts'
import type { GuestChain, GuestName, SeenGuest } from './state.ts'
import type { Subject } from './subject.ts'

export const guestKey = ({ family, table, name }: GuestName) => `${family} ${table} ${name}`

export const guestSubject: Subject<GuestChain, SeenGuest> = {
  key: guestKey,
  differences: (desired, seen) => [...contentDifferences(desired, seen), ...jumpDifferences(desired, seen)],
  owned: (seen, { nftGuests = [] }) => isThere(seen) && nftGuests.some((ours) => guestKey(ours) === guestKey(seen)),
  describe: (guest) => `chain ${guest.name} of table ${guest.family} ${guest.table}`,
}

function contentDifferences({ content }: GuestChain, seen: SeenGuest): string[] {
  if (seen.content === undefined) return ['there is none']
  return sameRules(content, seen.content) ? [] : ['its rules are others']
}

function jumpDifferences({ from, jump }: GuestChain, { jumps }: SeenGuest): string[] {
  const [first, ...others] = jumps
  if (!first) return [`nothing in ${from} jumps to it`]
  if (others.length > 0) return [`${jumps.length} rules in ${from} jump to it`]
  return sameRule(jump, first) ? [] : [`the rule in ${from} that jumps to it says otherwise`]
}

const isThere = ({ content, jumps }: SeenGuest) => content !== undefined || jumps.length > 0

/** What is there of it, which may be nothing. */
export function seeGuest({ nftables }: Kernel, { family, table, name, from }: GuestName): SeenGuest {
  const chain = nftables.chain({ family, table, name })
  const calling = nftables.rules({ family, table, name: from })
  const jumps = calling.filter(({ expressions }) => expressions.some((one) => jumpsTo(one, name)))
  const content = chain && nftables.rules({ family, table, name })
  return { family, table, name, from, content, jumps, before: calling.find(letsNothingPass)?.handle }
}

/** Makes of it what differs. */
export function ensureGuest(desired: GuestChain, seen: SeenGuest): NftOperation[] {
  const { family, table, name, content, called } = desired
  return [
    { operation: 'add table', table: { family, name: table } },
    ...(contentDifferences(desired, seen).length > 0 ? fill({ family, table, name }, content) : []),
    ...(jumpDifferences(desired, seen).length > 0
      ? [...called.map((chain) => ({ operation: 'add chain', chain }) as const), ...renewJump(desired, seen)]
      : []),
  ]
}

export function removeGuest({ family, table, name, from, content, jumps }: SeenGuest): NftOperation[] {
  const chain = { family, table, name }
  return [
    ...jumps.map((jump) => deletion({ family, table, chain: from }, jump)),
    ...(content === undefined
      ? []
      : ([
          { operation: 'flush chain', chain },
          { operation: 'delete chain', chain },
        ] as const)),
  ]
}

type ChainName = Pick<GuestName, 'family' | 'table' | 'name'>

function fill(chain: ChainName, content: GuestChain['content']): NftOperation[] {
  const { family, table, name } = chain
  return [
    { operation: 'add chain', chain },
    { operation: 'flush chain', chain },
    ...content.map((rule): NftOperation => ({ operation: 'add rule', rule: { family, table, chain: name, ...rule } })),
  ]
}

/** In the place of the first that is there. */
function renewJump({ family, table, from, jump }: GuestChain, { jumps: old, before }: SeenGuest): NftOperation[] {
  const at = old[0]?.handle ?? before
  const rule = { family, table, chain: from, ...jump }
  return [
    at === undefined ? { operation: 'add rule', rule } : { operation: 'insert rule', rule, at },
    ...old.map((rule) => deletion({ family, table, chain: from }, rule)),
  ]
}

function deletion(
  where: { family: GuestName['family']; table: string; chain: string },
  { handle }: NftRule,
): NftOperation {
  if (handle === undefined)
    throw new TypeError(`A rule seen in ${where.family} ${where.table} ${where.chain} has no handle`)
  return { operation: 'delete rule', rule: { ...where, handle } }
}

function jumpsTo(expression: NftExpression, chain: string): boolean {
  return (
    expression.type === 'verdict' &&
    (expression.verdict === 'jump' || expression.verdict === 'goto') &&
    expression.chain === chain
  )
}

/** Without a condition, and what it does is to drop or to reject. */
function letsNothingPass({ expressions }: NftRule): boolean {
  const said = expressions.filter(
    (one) => one.type !== 'counter' && !(one.type === 'xt match' && one.match === 'comment'),
  )
  return said.length === 1 && refuses(said[0]!)
}

function refuses(expression: NftExpression): boolean {
  if (expression.type === 'verdict') return expression.verdict === 'drop'
  return expression.type === 'reject' || (expression.type === 'xt target' && expression.target === 'REJECT')
}
