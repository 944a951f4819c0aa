/** `-m conntrack`, `-m state`: libxt_conntrack.c. */

import { formatIp, readIp } from '../../../address/ip.ts'
import { formatPrefix, type Prefix, readPrefix } from '../../../address/prefix.ts'
import type { XtConntrackState, XtMatch } from '../../../kernel/xtables.ts'
import { lengthOfMask, parseNetwork } from '../address.ts'
import { badParameter, NotModelledError } from '../error.ts'
import { protocolNumber } from '../names.ts'
import { readNumber } from '../number.ts'
import type { Family, Invertible } from '../rule.ts'
import { bang, type Extension, type Given } from './extension.ts'
import { formatPorts, parsePort, parsePorts } from './ports.ts'

type Conntrack = Extract<XtMatch, { match: 'conntrack' | 'state' }>
type Status = NonNullable<Conntrack['status']>['value'][number]

/** In the order in which they are printed. */
const STATES: readonly XtConntrackState[] = ['INVALID', 'NEW', 'RELATED', 'ESTABLISHED', 'UNTRACKED', 'SNAT', 'DNAT']
const STATUSES: readonly Status[] = ['EXPECTED', 'SEEN_REPLY', 'ASSURED', 'CONFIRMED']

const ADDRESSES = [
  ['ctorigsrc', 'originalSource'],
  ['ctorigdst', 'originalDestination'],
  ['ctreplsrc', 'replySource'],
  ['ctrepldst', 'replyDestination'],
] as const
const PORTS = [
  ['ctorigsrcport', 'originalSourcePort'],
  ['ctorigdstport', 'originalDestinationPort'],
  ['ctreplsrcport', 'replySourcePort'],
  ['ctrepldstport', 'replyDestinationPort'],
] as const

export const conntrack: Extension<Conntrack> = {
  options: [
    { name: 'ctstate', takes: 1, invertible: true },
    { name: 'ctproto', takes: 1, invertible: true },
    ...ADDRESSES.map(([name]) => ({ name, takes: 1, invertible: true }) as const),
    ...PORTS.map(([name]) => ({ name, takes: 1, invertible: true }) as const),
    { name: 'ctstatus', takes: 1, invertible: true },
    { name: 'ctexpire', takes: 1, invertible: true },
    { name: 'ctdir', takes: 1 },
  ],
  parse(given, { family }) {
    if (given.size === 0) throw badParameter('conntrack: At least one option is required')
    if (given.has('ctexpire')) throw new NotModelledError('-m conntrack --ctexpire')
    const states = given.value('ctstate', (text) => parseStates(text, 'ctstate', STATES))
    const protocol = given.value('ctproto', parseProtocol)
    const status = given.value('ctstatus', parseStatuses)
    const direction = parseDirection(given)
    return {
      match: 'conntrack',
      ...(states && { states }),
      ...(protocol && { protocol }),
      ...collect(ADDRESSES, (option) => given.value(option, (text) => parseAddress(text, family))),
      ...collect(PORTS, (option) => parsePortCondition(given, option)),
      ...(status && { status }),
      ...(direction && { direction }),
    }
  },
  save: (match) => format(match, '--', false),
  list: (match, numeric) => format(match, '', !numeric),
}

export const state: Extension<Conntrack> = {
  options: [{ name: 'state', takes: 1, invertible: true }],
  parse(given) {
    const value = parseStates(given.require('state'), 'state', STATES.slice(0, 5))
    return { match: 'state', states: { value, invert: given.isInverted('state') } }
  },
  save: (match) => format(match, '--', false),
  list: (match, numeric) => format(match, '', !numeric),
}

function parseStates(text: string, option: string, known: readonly XtConntrackState[]): XtConntrackState[] {
  const names = text.split(',')
  if (names.at(-1) === '') {
    throw badParameter(`"--${option}" requires a list of states with no spaces, e.g. ESTABLISHED,RELATED`)
  }
  const meant = names.map((name) => known.find((state) => name !== '' && state.startsWith(name.toUpperCase())))
  const unknown = meant.indexOf(undefined)
  if (unknown >= 0)
    throw badParameter(`Bad ${option === 'state' ? 'state' : 'ctstate'} "${names.slice(unknown).join(',')}"`)
  return STATES.filter((state) => meant.includes(state))
}

function parseStatuses(text: string): Status[] {
  const names = text.split(',')
  const known: readonly Status[] = ['NONE', ...STATUSES]
  const meant = names.map((name) => known.find((status) => name !== '' && status.startsWith(name.toUpperCase())))
  const unknown = meant.indexOf(undefined)
  if (unknown >= 0) throw badParameter(`Bad ctstatus "${names.slice(unknown).join(',')}"`)
  const statuses = STATUSES.filter((status) => meant.includes(status))
  return statuses.length === 0 ? ['NONE'] : statuses
}

function parseProtocol(text: string): number {
  const protocol = readNumber(text, 255) ?? protocolNumber(text)
  if (protocol === undefined) throw badParameter(`unknown protocol "${text}" specified`)
  return protocol
}

/** `10.0.0.0/8`, or an address alone. */
function parseAddress(text: string, family: Family): string {
  const { address, mask } = parseNetwork(text, family)
  const length = lengthOfMask(mask)
  if (length === undefined) throw new NotModelledError(`-m conntrack with the address ${text}`)
  return length === 8 * mask.length ? formatIp(address) : formatPrefix({ address, length })
}

function parsePortCondition(given: Given, option: string): Conntrack['originalSourcePort'] {
  return given.value(
    option,
    (text) => parsePorts(text, (port) => parsePort(port, undefined)) ?? { from: 0, to: 0xffff },
  )
}

function parseDirection(given: Given): Conntrack['direction'] {
  const text = given.text('ctdir')
  const direction = text?.toUpperCase()
  if (direction === undefined || direction === 'ORIGINAL' || direction === 'REPLY') return direction
  throw badParameter(`conntrack: Bad value for "--ctdir" option: "${text}"`)
}

function collect<F extends string, T>(
  rows: readonly (readonly [string, F])[],
  read: (option: string) => T | undefined,
): { [K in F]?: T } {
  const found: { [K in F]?: T } = {}
  for (const [option, field] of rows) {
    const value = read(option)
    if (value !== undefined) found[field] = value
  }
  return found
}

function format(match: Conntrack, prefix: string, names: boolean): string {
  const { states, protocol, status, direction } = match
  let text = ''
  const add = (name: string, condition: Invertible<unknown> | undefined, value: () => string) => {
    if (condition) text += `${bang(condition)} ${prefix}${name} ${value()}`
  }
  add(match.match === 'state' ? 'state' : 'ctstate', states, () => states!.value.join(','))
  add('ctproto', protocol, () => `${protocol!.value}`)
  for (const [name, field] of ADDRESSES) add(name, match[field], () => formatAddress(match[field]!.value, names))
  for (const [name, field] of PORTS) add(name, match[field], () => formatPorts(match[field]!.value))
  add('ctstatus', status, () => status!.value.join(','))
  return direction ? `${text} ${prefix}ctdir ${direction}` : text
}

function formatAddress(text: string, names: boolean): string {
  const prefix: Prefix | undefined = readPrefix(text)
  const address = prefix?.address ?? readIp(text)
  return names && address?.every((byte) => byte === 0) ? 'anywhere' : text
}
