/** `-m limit`: libxt_limit.c. */
import type { XtMatch } from '../../../kernel/xtables.ts'
import { badParameter } from '../error.ts'
import { parseNumber } from '../number.ts'
import type { Extension } from './extension.ts'

export type Limit = Extract<XtMatch, { match: 'limit' }>

/** XT_LIMIT_SCALE: `average` counts ten-thousandths of a second from packet to packet. */
export const LIMIT_SCALE = 10_000

/** Longest first; the shortest in which the rate is a whole number, as near as can be, is the one that is printed. */
export const LIMIT_UNITS = [
  { name: 'day', word: 'day', seconds: 86_400 },
  { name: 'hour', word: 'hour', seconds: 3_600 },
  { name: 'min', word: 'minute', seconds: 60 },
  { name: 'sec', word: 'second', seconds: 1 },
] as const

const DEFAULT_BURST = 5
const DEFAULT_RATE = '3/hour'

export const limit: Extension<Limit> = {
  options: [
    { name: 'limit', takes: 1, invertible: true },
    { name: 'limit-burst', takes: 1 },
  ],
  parse(given) {
    if (given.isInverted('limit')) throw badParameter('limit: option "--limit" cannot be inverted.\n')
    const burst = given.text('limit-burst')
    return {
      match: 'limit',
      average: parseRate(given.text('limit') ?? DEFAULT_RATE),
      burst: burst === undefined ? DEFAULT_BURST : parseNumber('limit', 'limit-burst', burst, 10_000),
    }
  },
  save: ({ average, burst }) =>
    ` --limit ${formatRate(average)}${burst === DEFAULT_BURST ? '' : ` --limit-burst ${burst}`}`,
  list: ({ average, burst }) => ` limit: avg ${formatRate(average)} burst ${burst}`,
}

/** The unit in which a rate is told: nft's `limit` as iptables-nft makes it, and what is printed. */
export function limitUnit(average: number): (typeof LIMIT_UNITS)[number] {
  let unit: (typeof LIMIT_UNITS)[number] = LIMIT_UNITS[0]
  for (const shorter of LIMIT_UNITS.slice(1)) {
    const period = LIMIT_SCALE * shorter.seconds
    if (average > period || Math.floor(period / average) < period % average) break
    unit = shorter
  }
  return unit
}

export function limitRate(average: number): number {
  return Math.floor((LIMIT_SCALE * limitUnit(average).seconds) / average)
}

function parseRate(text: string): number {
  const [count, unit] = text.split('/')
  const rate = Number.parseInt(count!, 10)
  const named = unit === undefined ? 'second' : unit.toLowerCase()
  const known = LIMIT_UNITS.find(({ word }) => named !== '' && word.startsWith(named))
  if (!known || !(rate > 0)) throw badParameter(`bad rate "${text}"'`)
  const average = Math.floor((LIMIT_SCALE * known.seconds) / rate)
  if (average === 0) throw badParameter(`Rate too fast "${text}"`)
  return average
}

function formatRate(average: number): string {
  return `${limitRate(average)}/${limitUnit(average).name}`
}
