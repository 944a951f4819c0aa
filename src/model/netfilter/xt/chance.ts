/** What depends on packets before: `statistic`, `limit`, `recent`. Source: net/netfilter/xt_statistic.c, xt_limit.c, xt_recent.c. */
import type { XtMatch } from '../../../kernel/xtables.ts'
import { type Clock, SECOND } from '../../clock.ts'
import type { Random } from '../../random.ts'
import { type Machine, NetfilterProtocol, type Operation } from '../vm/machine.ts'
import { BREAK, CONTINUE } from '../vm/verdict.ts'
import type { RecentLists } from './recent-list.ts'

type Of<M extends XtMatch['match']> = Extract<XtMatch, { match: M }>

/** XT_LIMIT_SCALE: `average` counts ten-thousandths of a second. */
const LIMIT_TICK = 100

export function statisticMatch(match: Of<'statistic'>, random: Random): Operation {
  const hit = match.invert ? BREAK : CONTINUE
  const miss = match.invert ? CONTINUE : BREAK
  if (match.mode === 'random') {
    const { probability } = match
    return () => ((random.bits('statistic') & 0x7fff_ffff) < probability ? hit : miss)
  }
  const last = match.every - 1
  let count = last - match.packet
  return () => {
    count = count === last ? 0 : count + 1
    return count === 0 ? hit : miss
  }
}

/** A bucket of time. */
export function limitMatch({ average, burst }: Of<'limit'>, clock: Clock): Operation {
  const cost = average * LIMIT_TICK
  const most = cost * burst
  let credit = most
  let last = clock.now
  return () => {
    credit = Math.min(most, credit + clock.now - last)
    last = clock.now
    if (credit < cost) return BREAK
    credit -= cost
    return CONTINUE
  }
}

export function recentMatch(match: Of<'recent'>, lists: RecentLists, clock: Clock): Operation {
  const { action, side, invert, reap = false, seconds = 0, hitCount = 0 } = match
  const list = lists.open(match.name, hitCount)
  const isHit = (stamps: readonly number[]): boolean => {
    const since = clock.now - seconds * SECOND
    const counted = seconds === 0 ? stamps.length : stamps.filter((stamp) => stamp >= since).length
    return counted > 0 && counted >= hitCount
  }
  return (machine) => {
    const address = addressOf(machine, side === 'source')
    const entry = list.get(address)
    if (!entry) {
      if (action === 'set') list.add(address, clock.now)
      return (action === 'set') !== invert ? CONTINUE : BREAK
    }
    const holds = action === 'set' || action === 'remove' || isHit(entry.stamps)
    const matches = holds !== invert
    if (action === 'remove') list.delete(address)
    const updates = action === 'set' || (action === 'update' && matches)
    if (reap && (action === 'rcheck' || action === 'update')) {
      list.reap(clock.now - seconds * SECOND, action === 'update' && matches ? address : undefined)
    }
    if (updates) list.touch(address, clock.now)
    return matches ? CONTINUE : BREAK
  }
}

/** As text: lists are short and no packet of the fast path is looked up in them. */
function addressOf({ packet: { bytes, network }, protocol }: Machine, isSource: boolean): string {
  const [length, at] = protocol === NetfilterProtocol.ip6 ? [16, 8] : [4, 12]
  const start = network + at + (isSource ? 0 : length)
  return bytes.subarray(start, start + length).join('.')
}
