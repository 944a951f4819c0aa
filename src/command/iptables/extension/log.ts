/** `-j LOG`, `NFLOG`, `TRACE`: libxt_LOG.c, libxt_NFLOG.c, libxt_TRACE.c. */
import type { XtTarget } from '../../../kernel/xtables.ts'
import { badParameter, NotModelledError } from '../error.ts'
import { parseNumber, quote, readNumber } from '../number.ts'
import type { Extension } from './extension.ts'

type Log = Extract<XtTarget, { target: 'LOG' }>
type Nflog = Extract<XtTarget, { target: 'NFLOG' }>
type Trace = Extract<XtTarget, { target: 'TRACE' }>

/** By number: those that -L prints, and the others that are understood. */
const LEVELS = ['emerg', 'alert', 'crit', 'err', 'warn', 'notice', 'info', 'debug']
const OTHER_LEVELS: Readonly<Record<string, number>> = { panic: 0, error: 3, warning: 4 }
/** What is printed where two names have one number. */
const LISTED_LEVELS = ['emerg', 'alert', 'crit', 'error', 'warn', 'notice', 'info', 'debug']
const DEFAULT_LEVEL = 4

const FLAGS = [
  ['tcp-sequence', 1],
  ['tcp-options', 2],
  ['ip-options', 4],
  ['uid', 8],
  ['macdecode', 32],
] as const

export const LOG: Extension<Log> = {
  options: [
    { name: 'log-level', takes: 1 },
    { name: 'log-prefix', takes: 1 },
    ...FLAGS.map(([name]) => ({ name: `log-${name}`, takes: 0 }) as const),
  ],
  parse(given) {
    const level = given.text('log-level')
    const flags = FLAGS.reduce((sum, [name, bit]) => (given.has(`log-${name}`) ? sum | bit : sum), 0)
    return {
      target: 'LOG',
      prefix: checkPrefix(given.text('log-prefix'), 29),
      level: level === undefined ? DEFAULT_LEVEL : parseLevel(level),
      ...(flags && { flags }),
    }
  },
  save: ({ prefix, level, flags = 0 }) =>
    (prefix ? ` --log-prefix ${quote(prefix)}` : '') +
    (level === DEFAULT_LEVEL ? '' : ` --log-level ${level}`) +
    FLAGS.map(([name, bit]) => (flags & bit ? ` --log-${name}` : '')).join(''),
  list: ({ prefix, level, flags = 0 }, numeric) =>
    (numeric
      ? ` LOG flags ${flags} level ${level}`
      : ` LOG level ${LISTED_LEVELS[level]}${FLAGS.map(([name, bit]) => (flags & bit ? ` ${name}` : '')).join('')}`) +
    (prefix ? ` prefix "${prefix}"` : ''),
}

export const NFLOG: Extension<Nflog> = {
  options: [
    { name: 'nflog-group', takes: 1 },
    { name: 'nflog-prefix', takes: 1 },
    { name: 'nflog-range', takes: 1 },
    { name: 'nflog-size', takes: 1 },
    { name: 'nflog-threshold', takes: 1 },
  ],
  parse(given) {
    if (given.has('nflog-range')) throw new NotModelledError('-j NFLOG --nflog-range')
    const number = (name: string, max: number) => {
      const text = given.text(name)
      return text === undefined ? undefined : parseNumber('NFLOG', name, text, max)
    }
    const snapLength = number('nflog-size', 0xffff_ffff)
    const threshold = number('nflog-threshold', 0xffff)
    return {
      target: 'NFLOG',
      group: number('nflog-group', 0xffff) ?? 0,
      prefix: checkPrefix(given.text('nflog-prefix'), 127),
      ...(snapLength !== undefined && { snapLength }),
      ...(threshold && { threshold }),
    }
  },
  save: (target) => formatNflog(target, '--'),
  list: (target) => formatNflog(target, ''),
}

export const TRACE: Extension<Trace> = {
  options: [],
  parse: () => ({ target: 'TRACE' }),
  save: () => '',
  list: () => '',
}

function parseLevel(text: string): number {
  const named = LEVELS.indexOf(text) >= 0 ? LEVELS.indexOf(text) : OTHER_LEVELS[text]
  const level = readNumber(text, 7) ?? named
  if (level === undefined) throw badParameter(`log level "${text}" unknown\n`)
  return level
}

/** What is longer than the kernel's field is cut off. */
function checkPrefix(text: string | undefined, max: number): string {
  if (text === undefined) return ''
  if (text === '') throw badParameter('Argument must have a minimum length of 1 characters\n')
  if (text.includes('\n')) throw badParameter('Newlines not allowed in --log-prefix')
  return text.slice(0, max)
}

function formatNflog({ group, prefix, snapLength, threshold }: Nflog, dashes: string): string {
  return (
    (prefix ? ` ${dashes}nflog-prefix ${quote(prefix)}` : '') +
    (group ? ` ${dashes}nflog-group ${group}` : '') +
    (snapLength === undefined ? '' : ` ${dashes}nflog-size ${snapLength}`) +
    (threshold ? ` ${dashes}nflog-threshold ${threshold}` : '')
  )
}
