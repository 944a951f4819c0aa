/** Marks of packets and connections: libxt_mark.c, libxt_connmark.c, libxt_MARK.c, libxt_CONNMARK.c. */
import type { XtMatch, XtTarget } from '../../../kernel/xtables.ts'
import { badParameter, NotModelledError } from '../error.ts'
import { formatMark, hexadecimal, parseMark, parseNumber } from '../number.ts'
import type { Extension, Given, Option } from './extension.ts'

type Mark = Extract<XtMatch, { match: 'mark' | 'connmark' }>
type MarkTarget = Extract<XtTarget, { target: 'MARK' }>
type ConnmarkTarget = Extract<XtTarget, { target: 'CONNMARK' }>

const ALL = 0xffff_ffff

/** The options that say a new mark, each of the others' instead. */
const SET_OPTIONS = ['set-xmark', 'set-mark', 'and-mark', 'or-mark', 'xor-mark'] as const
const setOptions: readonly Option[] = SET_OPTIONS.map((name) => ({ name, takes: 1 }))

export const mark = markMatch('mark', (invert) => ` mark match${invert ? ' !' : ''}`)
export const connmark = markMatch('connmark', (invert) => ` connmark match ${invert ? '!' : ''}`)

function markMatch(name: Mark['match'], listed: (invert: boolean) => string): Extension<Mark> {
  return {
    options: [{ name: 'mark', takes: 1, invertible: true }],
    parse: (given) => ({
      match: name,
      ...parseMark(name, 'mark', given.require('mark')),
      invert: given.isInverted('mark'),
    }),
    save: ({ mark, mask, invert }) => `${invert ? ' !' : ''} --mark ${formatMark(mark, mask)}`,
    list: ({ mark, mask, invert }) => `${listed(invert)} ${formatMark(mark, mask)}`,
  }
}

export const MARK: Extension<MarkTarget> = {
  options: setOptions,
  parse(given) {
    const set = parseSet(given)
    if (!set) throw badParameter('MARK: One of the --set-xmark, --{and,or,xor,set}-mark options is required')
    return { target: 'MARK', ...set }
  },
  save: ({ value, mask }) => ` --set-xmark ${hexadecimal(value)}/${hexadecimal(mask)}`,
  list: ({ value, mask }) => ` MARK ${listSet(value, mask)}`,
}

export const CONNMARK: Extension<ConnmarkTarget> = {
  options: [
    ...setOptions,
    { name: 'save-mark', takes: 0 },
    { name: 'restore-mark', takes: 0 },
    { name: 'ctmask', takes: 1 },
    { name: 'nfmask', takes: 1 },
    { name: 'mask', takes: 1 },
    { name: 'left-shift-mark', takes: 1 },
    { name: 'right-shift-mark', takes: 1 },
  ],
  parse(given) {
    given.exclude(...SET_OPTIONS, 'save-mark', 'restore-mark')
    for (const shift of ['left-shift-mark', 'right-shift-mark']) {
      if (given.has(shift)) throw new NotModelledError(`-j CONNMARK --${shift}`)
    }
    const set = parseSet(given)
    if (set) {
      return { target: 'CONNMARK', action: 'set', value: set.value, connectionMask: set.mask, packetMask: ALL }
    }
    const action = given.has('save-mark') ? 'save' : given.has('restore-mark') ? 'restore' : undefined
    if (!action) throw badParameter('CONNMARK target: No operation specified')
    given.exclude('mask', 'ctmask')
    given.exclude('mask', 'nfmask')
    const maskOf = (option: string) => {
      const name = given.has('mask') ? 'mask' : option
      const text = given.text(name)
      return text === undefined ? ALL : parseNumber('CONNMARK', name, text, ALL)
    }
    return { target: 'CONNMARK', action, value: 0, connectionMask: maskOf('ctmask'), packetMask: maskOf('nfmask') }
  },
  save({ action, value, connectionMask, packetMask }) {
    if (action === 'set') return ` --set-xmark ${hexadecimal(value)}/${hexadecimal(connectionMask)}`
    return ` --${action}-mark --nfmask ${hexadecimal(packetMask)} --ctmask ${hexadecimal(connectionMask)}`
  },
  list({ action, value, connectionMask, packetMask }) {
    if (action === 'set') return ` CONNMARK ${listSet(value, connectionMask)}`
    if (connectionMask === ALL && packetMask === ALL) return ` CONNMARK ${action}`
    if (connectionMask === packetMask) return ` CONNMARK ${action} mask ${hexadecimal(packetMask)}`
    return action === 'save'
      ? ` CONNMARK save nfmask ${hexadecimal(packetMask)} ctmask ~${hexadecimal(connectionMask)}`
      : ` CONNMARK restore ctmask ${hexadecimal(connectionMask)} nfmask ~${hexadecimal(packetMask)}`
  },
}

/** new mark = (mark & ~mask) ^ value. */
function parseSet(given: Given): { readonly value: number; readonly mask: number } | undefined {
  given.exclude(...SET_OPTIONS)
  const option = SET_OPTIONS.find((name) => given.has(name))
  if (!option) return undefined
  const text = given.text(option)!
  if (option === 'set-xmark' || option === 'set-mark') {
    const { mark, mask } = parseMark(given.extension, option, text)
    return { value: mark, mask: option === 'set-mark' ? (mark | mask) >>> 0 : mask }
  }
  const bits = parseNumber(given.extension, option, text, ALL)
  if (option === 'and-mark') return { value: 0, mask: ~bits >>> 0 }
  return { value: bits, mask: option === 'or-mark' ? bits : 0 }
}

function listSet(value: number, mask: number): string {
  if (value === 0) return `and ${hexadecimal(~mask)}`
  if (value === mask) return `or ${hexadecimal(value)}`
  if (mask === 0) return `xor ${hexadecimal(value)}`
  return mask === ALL ? `set ${hexadecimal(value)}` : `xset ${hexadecimal(value)}/${hexadecimal(mask)}`
}
