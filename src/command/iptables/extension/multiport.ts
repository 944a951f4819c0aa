/** `-m multiport`: libxt_multiport.c. */
import type { XtMatch, XtRange } from '../../../kernel/xtables.ts'
import { badParameter } from '../error.ts'
import type { Extension, RuleContext } from './extension.ts'
import { formatPorts, listPort, parsePort } from './ports.ts'

type Multiport = Extract<XtMatch, { match: 'multiport' }>

/** XT_MULTI_PORTS: a range counts twice. */
const MAX_PORTS = 15

/** Protocols that have ports, and how getservbyname(3) calls them. */
const PROTOCOLS = new Map([
  [6, 'tcp'],
  [17, 'udp'],
  [136, 'udplite'],
  [132, 'sctp'],
  [33, 'dccp'],
])

const OPTIONS = [
  ['source-ports', 'source', 'sports'],
  ['destination-ports', 'destination', 'dports'],
  ['ports', 'either', 'ports'],
] as const

export const multiport: Extension<Multiport> = {
  options: [
    { name: 'source-ports', synonyms: ['sports'], takes: 1, invertible: true },
    { name: 'destination-ports', synonyms: ['dports'], takes: 1, invertible: true },
    { name: 'ports', takes: 1, invertible: true },
  ],
  parse(given, rule) {
    given.exclude(...OPTIONS.map(([option]) => option))
    const row = OPTIONS.find(([option]) => given.has(option))
    if (!row) throw badParameter('multiport expection an option')
    const [option, which] = row
    const protocol = portProtocol(rule)
    return {
      match: 'multiport',
      which,
      ports: parseList(given.require(option), protocol),
      invert: given.isInverted(option),
    }
  },
  save: ({ which, ports, invert }) =>
    `${invert ? ' !' : ''} --${optionOf(which)} ${ports.map((range) => formatPorts(range)).join(',')}`,
  list({ which, ports, invert }, numeric, rule) {
    const protocol = PROTOCOLS.get(rule.protocol?.value ?? 0)
    const list = (port: number) => listPort(port, protocol, numeric)
    const texts = ports.map(({ from, to }) => (from === to ? list(from) : `${list(from)}:${list(to)}`))
    return ` multiport ${optionOf(which)} ${invert ? ' !' : ''}${texts.join(',')}`
  },
}

function optionOf(which: Multiport['which']): string {
  return OPTIONS.find(([, known]) => known === which)![2]
}

function portProtocol({ protocol }: RuleContext): string {
  if (protocol?.invert) throw badParameter('multiport only works with TCP, UDP, UDPLITE, SCTP and DCCP')
  if (!protocol || protocol.value === 0)
    throw badParameter("multiport needs `-p tcp', `-p udp', `-p udplite', `-p sctp' or `-p dccp'")
  const name = PROTOCOLS.get(protocol.value)
  if (!name) throw badParameter('multiport only works with TCP, UDP, UDPLITE, SCTP and DCCP')
  return name
}

function parseList(text: string, protocol: string): XtRange[] {
  let count = 0
  return text.split(',').map((word) => {
    const [first, last] = word.split(':')
    count += last === undefined ? 1 : 2
    if (count > MAX_PORTS) throw badParameter('too many ports specified')
    const from = parsePort(first!, protocol)
    if (last === undefined) return { from, to: from }
    const to = parsePort(last, protocol)
    if (from >= to) throw badParameter('invalid portrange specified')
    return { from, to }
  })
}
