/** `-m set`, `-j SET`: libxt_set.c, libxt_SET.c, libxt_set.h. */
import type { XtMatch, XtSet, XtTarget } from '../../../kernel/xtables.ts'
import { badParameter, NotModelledError } from '../error.ts'
import { readNumber } from '../number.ts'
import { bang, type Extension, type Given, type ParseContext } from './extension.ts'

type SetMatch = Extract<XtMatch, { match: 'set' }>
type SetTarget = Extract<XtTarget, { target: 'SET' }>

const IPSET_DIM_MAX = 6
/** Bytes of a set's name, with the NUL behind it. */
const IPSET_MAXNAMELEN = 32
const COUNTERS = ['packets-eq', 'packets-lt', 'packets-gt', 'bytes-eq', 'bytes-lt', 'bytes-gt'] as const
const MAP_OPTIONS = ['map-mark', 'map-prio', 'map-queue'] as const

export const set: Extension<SetMatch> = {
  options: [
    { name: 'match-set', synonyms: ['set'], takes: 2, invertible: true },
    { name: 'return-nomatch', takes: 0 },
    { name: 'update-counters', takes: 0, invertible: true },
    { name: 'update-subcounters', takes: 0, invertible: true },
    ...COUNTERS.map((name) => ({ name, takes: 1, invertible: true }) as const),
  ],
  parse(given, context) {
    const other = [...COUNTERS, 'update-subcounters'].find((name) => given.has(name))
    if (other) throw new NotModelledError(`-m set --${other}`)
    if (!given.has('match-set')) {
      throw badParameter("You must specify `--match-set' with proper arguments")
    }
    return {
      match: 'set',
      set: parseSet(given, 'match-set', context),
      invert: given.isInverted('match-set'),
      ...(given.has('return-nomatch') && { returnNoMatch: true }),
      ...(given.isInverted('update-counters') && { keepsCounters: true }),
    }
  },
  save: (match) => `${bang(match)} --match-set ${words(match.set)}${flags(match, '--')}`,
  list: (match) => `${bang(match)} match-set ${words(match.set)}${flags(match, '')}`,
}

export const SET: Extension<SetTarget> = {
  options: [
    { name: 'add-set', takes: 2 },
    { name: 'del-set', takes: 2 },
    { name: 'map-set', takes: 2 },
    { name: 'timeout', takes: 1 },
    { name: 'exist', takes: 0 },
    ...MAP_OPTIONS.map((name) => ({ name, takes: 0 }) as const),
  ],
  parse(given, context) {
    const other = ['map-set', ...MAP_OPTIONS].find((name) => given.has(name))
    if (other) throw new NotModelledError(`-j SET --${other}`)
    if (!given.has('add-set') && !given.has('del-set')) {
      throw badParameter("You must specify either `--add-set' or `--del-set' or `--map-set'")
    }
    for (const [what, name] of [
      ['Flag', 'exist'],
      ['Option', 'timeout'],
    ] as const) {
      if (given.has(name) && !given.has('add-set')) {
        throw badParameter(`${what} \`--${name}' can be used with \`--add-set' only`)
      }
    }
    const timeout = given.text('timeout')
    return {
      target: 'SET',
      ...(given.has('add-set') && { add: parseSet(given, 'add-set', context) }),
      ...(given.has('del-set') && { delete: parseSet(given, 'del-set', context) }),
      ...(given.has('exist') && { exist: true }),
      ...(timeout !== undefined && { timeout: parseTimeout(timeout) }),
    }
  },
  save: (target) => targetWords(target, '--'),
  list: (target) => targetWords(target, ''),
}

function targetWords({ add, delete: removed, exist, timeout }: SetTarget, dashes: string): string {
  return [
    ...(add ? [`${dashes}add-set ${words(add)}`] : []),
    ...(exist ? [`${dashes}exist`] : []),
    ...(timeout === undefined ? [] : [`${dashes}timeout ${timeout}`]),
    ...(removed ? [`${dashes}del-set ${words(removed)}`] : []),
  ]
    .map((word) => ` ${word}`)
    .join('')
}

const words = ({ name, sides }: XtSet) => `${name} ${sides.join(',')}`

function flags({ returnNoMatch, keepsCounters }: SetMatch, dashes: string): string {
  return (returnNoMatch ? ` ${dashes}return-nomatch` : '') + (keepsCounters ? ` ! ${dashes}update-counters` : '')
}

function parseSet(given: Given, option: string, { family, findSet }: ParseContext): XtSet {
  const [name = '', sides = ''] = given.words(option)
  if (name.length >= IPSET_MAXNAMELEN) {
    throw badParameter(`setname \`${name}' too long, max ${IPSET_MAXNAMELEN - 1} characters.`)
  }
  const found = findSet(name)
  if (!found) throw badParameter(`Set ${name} doesn't exist.\n`)
  if (found.family !== undefined && (found.family === 'ipv4') !== (family === 'ip')) {
    const own = found.family === 'ipv4' ? 'IPv4' : 'IPv6'
    throw badParameter(`The protocol family of set ${name} is ${own}, which is not applicable.\n`)
  }
  return { name, sides: parseSides(sides) }
}

function parseSides(text: string): XtSet['sides'] {
  const sides = text.split(',')
  if (sides.length > IPSET_DIM_MAX) throw badParameter(`Can't be more src/dst options than ${IPSET_DIM_MAX}.`)
  return sides.map((side) => {
    if (side === 'src' || side === 'dst') return side
    throw badParameter("You must spefify (the comma separated list of) 'src' or 'dst'.")
  })
}

function parseTimeout(text: string): number {
  const seconds = readNumber(text, 0xffff_fffe)
  if (seconds === undefined) throw badParameter(`Invalid value for option --timeout or out of range 0-4294967294`)
  return seconds
}
