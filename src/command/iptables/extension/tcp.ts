/** `-m tcp`, `-m udp`: libxt_tcp.c, libxt_udp.c. */
import type { XtMatch, XtRange } from '../../../kernel/xtables.ts'
import { badParameter } from '../error.ts'
import { readNumber } from '../number.ts'
import type { Invertible } from '../rule.ts'
import { servicePort } from '../services.ts'
import { bang, type Extension, type Given } from './extension.ts'
import { listPorts, parsePort, parsePorts, savePorts } from './ports.ts'

type Tcp = Extract<XtMatch, { match: 'tcp' }>
type Udp = Extract<XtMatch, { match: 'udp' }>

const PORT_OPTIONS = [
  { name: 'source-port', synonyms: ['sport'], takes: 1, invertible: true },
  { name: 'destination-port', synonyms: ['dport'], takes: 1, invertible: true },
] as const

const FLAGS = [
  ['FIN', 0x01],
  ['SYN', 0x02],
  ['RST', 0x04],
  ['PSH', 0x08],
  ['ACK', 0x10],
  ['URG', 0x20],
  ['ALL', 0x3f],
  ['NONE', 0],
] as const

/** What `--syn` looks at: SYN, RST, ACK and FIN. */
const SYN = { mask: 0x17, set: 0x02 }

export const tcp: Extension<Tcp> = {
  options: [
    ...PORT_OPTIONS,
    { name: 'syn', takes: 0, invertible: true },
    { name: 'tcp-flags', takes: 2, invertible: true },
    { name: 'tcp-option', takes: 1, invertible: true },
  ],
  parse(given) {
    if (given.has('syn') && given.has('tcp-flags')) {
      throw badParameter("Only one of `--syn' or `--tcp-flags'  allowed")
    }
    const flags = given.has('syn') ? { value: SYN, invert: given.isInverted('syn') } : parseFlags(given)
    const option = given.value('tcp-option', (text) => {
      const number = readNumber(text, 255, 1)
      if (number === undefined) throw badParameter(`Bad TCP option "${text}"`)
      return number
    })
    return {
      match: 'tcp',
      ...parseBothPorts(given, (text) => parsePort(text, 'tcp')),
      ...(flags && { flags }),
      ...(option && { option }),
    }
  },
  save({ sourcePorts, destinationPorts, option, flags }) {
    return (
      savePorts('sport', sourcePorts) +
      savePorts('dport', destinationPorts) +
      (option ? `${bang(option)} --tcp-option ${option.value}` : '') +
      (flags ? `${bang(flags)} --tcp-flags ${formatFlags(flags.value.mask)} ${formatFlags(flags.value.set)}` : '')
    )
  },
  list({ sourcePorts, destinationPorts, option, flags }, numeric) {
    const ports = listPorts('spt', sourcePorts, 'tcp', numeric) + listPorts('dpt', destinationPorts, 'tcp', numeric)
    const list = numeric ? twoDigits : formatFlags
    return (
      ` tcp${ports}` +
      (option ? ` option=${option.invert ? '!' : ''}${option.value}` : '') +
      (flags ? ` flags:${flags.invert ? '!' : ''}${list(flags.value.mask)}/${list(flags.value.set)}` : '')
    )
  },
}

export const udp: Extension<Udp> = {
  options: PORT_OPTIONS,
  parse: (given) => ({
    match: 'udp',
    ...parseBothPorts(given, (text) => {
      const port = readNumber(text, 0xffff) ?? servicePort(text, undefined)
      if (port === undefined) throw badParameter(`Port "${text}" does not resolve to anything.\n`)
      return port
    }),
  }),
  save: ({ sourcePorts, destinationPorts }) => savePorts('sport', sourcePorts) + savePorts('dport', destinationPorts),
  list: ({ sourcePorts, destinationPorts }, numeric) =>
    ` udp${listPorts('spt', sourcePorts, 'udp', numeric)}${listPorts('dpt', destinationPorts, 'udp', numeric)}`,
}

function parseBothPorts(given: Given, port: (text: string) => number): Pick<Udp, 'sourcePorts' | 'destinationPorts'> {
  const [sourcePorts, destinationPorts] = (['source-port', 'destination-port'] as const).map((option) => {
    const ports = given.value(option, (text) => parsePorts(text, port))
    return ports?.value && ({ value: ports.value, invert: ports.invert } satisfies Invertible<XtRange>)
  })
  return { ...(sourcePorts && { sourcePorts }), ...(destinationPorts && { destinationPorts }) }
}

function parseFlags(given: Given): Tcp['flags'] {
  const [mask, set] = given.words('tcp-flags')
  if (mask === undefined || set === undefined) return undefined
  return { value: { mask: readFlags(mask), set: readFlags(set) }, invert: given.isInverted('tcp-flags') }
}

function readFlags(text: string): number {
  let flags = 0
  for (const word of text.split(',').filter((part) => part !== '')) {
    const flag = FLAGS.find(([name]) => name === word.toUpperCase())
    if (!flag) throw badParameter(`Unknown TCP flag \`${word}'`)
    flags |= flag[1]
  }
  return flags
}

function formatFlags(flags: number): string {
  const names = FLAGS.slice(0, 6).filter(([, bit]) => flags & bit)
  return names.map(([name]) => name).join(',') || 'NONE'
}

function twoDigits(flags: number): string {
  return `0x${flags.toString(16).toUpperCase().padStart(2, '0')}`
}
