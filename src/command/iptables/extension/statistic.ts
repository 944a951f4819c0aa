/** `-m statistic`: libxt_statistic.c. */
import type { XtMatch } from '../../../kernel/xtables.ts'
import { badParameter } from '../error.ts'
import { parseNumber } from '../number.ts'
import type { Extension, Given } from './extension.ts'

type Statistic = Extract<XtMatch, { match: 'statistic' }>

/** A probability of 1. */
const ONE = 0x8000_0000

export const statistic: Extension<Statistic> = {
  options: [
    { name: 'mode', takes: 1 },
    { name: 'probability', takes: 1, invertible: true },
    { name: 'every', takes: 1, invertible: true },
    { name: 'packet', takes: 1 },
  ],
  parse(given) {
    // It is the first of the modes that is meant where none is told, though it must be told.
    const mode = given.text('mode') ?? 'random'
    if (mode === 'random') return parseRandom(given)
    if (mode === 'nth') return parseNth(given)
    throw badParameter(`Bad mode "${mode}"`)
  },
  save: (match) => format(match, '--'),
  list: (match) => ` statistic${format(match, '')}`,
}

function parseRandom(given: Given): Statistic {
  given.exclude('probability', 'every')
  given.exclude('probability', 'packet')
  const text = given.text('probability')
  if (text === undefined) throw badParameter('--probability must be specified when using random mode')
  const probability = Number(text)
  if (!(/\d/.test(text) && probability >= 0 && probability <= 1)) {
    throw badParameter('statistic: bad value for option "--probability", or out of range (0-1).\n')
  }
  given.require('mode')
  return {
    match: 'statistic',
    mode: 'random',
    probability: Math.round(ONE * probability),
    invert: given.isInverted('probability'),
  }
}

function parseNth(given: Given): Statistic {
  const [everyText, packetText] = [given.text('every'), given.text('packet')]
  if (everyText === undefined && packetText === undefined) {
    throw badParameter('--every and --packet must be specified when using nth mode')
  }
  for (const [one, other, text] of [
    ['every', 'packet', packetText],
    ['packet', 'every', everyText],
  ] as const) {
    if (text === undefined) throw badParameter(`statistic: option "--${one}" also requires "--${other}".\n`)
  }
  const every = parseNumber('statistic', 'every', everyText!, 0xffff_ffff, 1)
  const packet = parseNumber('statistic', 'packet', packetText!, 0xffff_ffff)
  if (packet >= every) throw badParameter('the --packet p must be 0 <= p <= n-1')
  return { match: 'statistic', mode: 'nth', every, packet, invert: given.isInverted('every') }
}

function format(match: Statistic, prefix: string): string {
  const start = ` ${prefix}mode ${match.mode}${match.invert ? ' !' : ''}`
  if (match.mode === 'random') return `${start} ${prefix}probability ${(match.probability / ONE).toFixed(11)}`
  const packet = match.packet > 0 || prefix ? ` ${prefix}packet ${match.packet}` : ''
  return `${start} ${prefix}every ${match.every}${packet}`
}
