/** `-j CT`, `-j NOTRACK`: libxt_CT.c. */
import type { XtTarget } from '../../../kernel/xtables.ts'
import { badParameter, NotModelledError } from '../error.ts'
import { readNumber } from '../number.ts'
import type { Extension } from './extension.ts'

type Ct = Extract<XtTarget, { target: 'CT' }>
type Notrack = Extract<XtTarget, { target: 'NOTRACK' }>

const NOT_HERE = ['helper', 'timeout', 'ctevents', 'expevents', 'zone-orig', 'zone-reply'] as const

export const CT: Extension<Ct> = {
  options: [
    { name: 'notrack', takes: 0 },
    { name: 'zone', takes: 1 },
    ...NOT_HERE.map((name) => ({ name, takes: 1 }) as const),
  ],
  parse(given) {
    const other = NOT_HERE.find((name) => given.has(name))
    if (other) throw new NotModelledError(`-j CT --${other}`)
    const text = given.text('zone')
    if (text?.toLowerCase() === 'mark') throw new NotModelledError('-j CT --zone mark')
    const zone = text === undefined ? undefined : readNumber(text, 0xffff)
    if (text !== undefined && zone === undefined) throw badParameter(`Cannot parse ${text} as a zone ID`)
    return { target: 'CT', notrack: given.has('notrack'), ...(zone && { zone }) }
  },
  save: ({ notrack, zone }) => (notrack ? ' --notrack' : '') + (zone ? ` --zone ${zone}` : ''),
  list: ({ notrack, zone }) => ` CT${notrack ? ' notrack' : ''}${zone ? ` zone ${zone}` : ''}`,
}

export const NOTRACK: Extension<Notrack> = {
  options: [],
  parse: () => ({ target: 'NOTRACK' }),
  save: () => '',
  list: () => ' NOTRACK',
}
