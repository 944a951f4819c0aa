/** `-m tcpmss`, `-j TCPMSS`: libxt_tcpmss.c, libxt_TCPMSS.c. */
import type { XtMatch, XtTarget } from '../../../kernel/xtables.ts'
import { badParameter } from '../error.ts'
import { parseNumber, readNumber } from '../number.ts'
import type { Extension } from './extension.ts'
import { formatPorts } from './ports.ts'

type TcpMss = Extract<XtMatch, { match: 'tcpmss' }>
type TcpMssTarget = Extract<XtTarget, { target: 'TCPMSS' }>

const HEADER = { ip: 20, ip6: 40 } as const

export const tcpmss: Extension<TcpMss> = {
  options: [{ name: 'mss', takes: 1, invertible: true }],
  parse(given) {
    const [first, last] = given.require('mss').split(':')
    const from = parseMss(first || '0')
    const to = last === undefined ? from : parseMss(last || '65535')
    if (to < from) throw badParameter('tcpmss: invalid range given')
    return { match: 'tcpmss', mss: { from, to }, invert: given.isInverted('mss') }
  },
  save: ({ mss, invert }) => `${invert ? ' !' : ''} --mss ${formatPorts(mss)}`,
  list: ({ mss, invert }) => ` tcpmss match ${invert ? '!' : ''}${formatPorts(mss)}`,
}

function parseMss(text: string): number {
  const mss = readNumber(text, 0xffff)
  if (mss !== undefined) return mss
  throw badParameter(`tcpmss: bad value for option "--mss" near "${text}", or out of range (0-65535).\n`)
}

export const TCPMSS: Extension<TcpMssTarget> = {
  options: [
    { name: 'set-mss', takes: 1 },
    { name: 'clamp-mss-to-pmtu', takes: 0 },
  ],
  parse(given, { family }) {
    const text = given.text('set-mss')
    if (given.has('clamp-mss-to-pmtu')) return { target: 'TCPMSS', mss: 'clamp-to-pmtu' }
    if (text === undefined) throw badParameter('TCPMSS target: At least one parameter is required')
    return { target: 'TCPMSS', mss: parseNumber('TCPMSS', 'set-mss', text, 0xffff - HEADER[family]) }
  },
  save: ({ mss }) => (mss === 'clamp-to-pmtu' ? ' --clamp-mss-to-pmtu' : ` --set-mss ${mss}`),
  list: ({ mss }) => (mss === 'clamp-to-pmtu' ? ' TCPMSS clamp to PMTU' : ` TCPMSS set ${mss}`),
}
