/** `-m recent`: libxt_recent.c. */
import type { XtMatch } from '../../../kernel/xtables.ts'
import { badParameter, NotModelledError } from '../error.ts'
import { parseNumber } from '../number.ts'
import type { Family } from '../rule.ts'
import type { Extension, Given } from './extension.ts'

type Recent = Extract<XtMatch, { match: 'recent' }>

const ACTIONS = ['set', 'rcheck', 'update', 'remove'] as const
const LISTED = { set: 'SET', rcheck: 'CHECK', update: 'UPDATE', remove: 'REMOVE' } as const
/** Whole addresses: the only mask there is here. */
const MASK = { ip: '255.255.255.255', ip6: 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff' } as const
const MAX = 0xffff_ffff

export const recent: Extension<Recent> = {
  options: [
    ...ACTIONS.map((name) => ({ name, takes: 0, invertible: true }) as const),
    { name: 'seconds', takes: 1 },
    { name: 'reap', takes: 0 },
    { name: 'hitcount', takes: 1 },
    { name: 'rttl', takes: 0 },
    { name: 'name', takes: 1 },
    { name: 'rsource', takes: 0 },
    { name: 'rdest', takes: 0 },
    { name: 'mask', takes: 1 },
  ],
  parse(given, { family }) {
    given.exclude(...ACTIONS)
    const action = ACTIONS.find((name) => given.has(name))
    if (!action) {
      throw badParameter("recent: you must specify one of `--set', `--rcheck' `--update' or `--remove'")
    }
    refuseOthers(given, family)
    const seconds = given.text('seconds')
    const hitCount = given.text('hitcount')
    if (given.has('reap') && seconds === undefined) {
      throw badParameter('recent: option "--reap" also requires "--seconds".\n')
    }
    return {
      match: 'recent',
      action,
      name: given.text('name') ?? 'DEFAULT',
      side: given.has('rdest') ? 'destination' : 'source',
      ...(seconds !== undefined && { seconds: parseNumber('recent', 'seconds', seconds, MAX, 1) }),
      ...(hitCount !== undefined && { hitCount: parseNumber('recent', 'hitcount', hitCount, MAX) }),
      ...(given.has('reap') && { reap: true }),
      invert: given.isInverted(action),
    }
  },
  save({ action, name, side, seconds, hitCount, reap, invert }, { family }) {
    return (
      `${invert ? ' !' : ''} --${action}` +
      (seconds ? ` --seconds ${seconds}` : '') +
      (reap ? ' --reap' : '') +
      (hitCount ? ` --hitcount ${hitCount}` : '') +
      ` --name ${name} --mask ${MASK[family]} --${side === 'source' ? 'rsource' : 'rdest'}`
    )
  },
  list({ action, name, side, seconds, hitCount, reap, invert }, _numeric, { family }) {
    return (
      `${invert ? ' !' : ''} recent: ${LISTED[action]}` +
      (seconds ? ` seconds: ${seconds}` : '') +
      (reap ? ' reap' : '') +
      (hitCount ? ` hit_count: ${hitCount}` : '') +
      ` name: ${name} side: ${side === 'source' ? 'source' : 'dest'} mask: ${MASK[family]}`
    )
  },
}

function refuseOthers(given: Given, family: Family): void {
  for (const action of ['set', 'remove']) given.exclude('rttl', action)
  if (given.has('rttl')) throw new NotModelledError('-m recent --rttl')
  const mask = given.text('mask')
  if (mask !== undefined && mask !== MASK[family]) throw new NotModelledError(`-m recent --mask ${mask}`)
}
