/** `-m icmp`, `-m icmp6`: libipt_icmp.c, libip6t_icmp6.c, and the names of libxt_icmp.h. */
import type { XtMatch } from '../../../kernel/xtables.ts'
import { badParameter } from '../error.ts'
import { readNumber } from '../number.ts'
import type { Extension } from './extension.ts'

type Icmp = Extract<XtMatch, { match: 'icmp' | 'icmp6' }>
/** Name, type, first and last code. */
type Name = readonly [name: string, type: number, from: number, to: number]

/** The type that stands for all of ICMP's. */
const ANY = 255

const ICMP_NAMES: readonly Name[] = [
  ['any', ANY, 0, 255],
  ['echo-reply', 0, 0, 255],
  ['pong', 0, 0, 255],
  ['destination-unreachable', 3, 0, 255],
  ['network-unreachable', 3, 0, 0],
  ['host-unreachable', 3, 1, 1],
  ['protocol-unreachable', 3, 2, 2],
  ['port-unreachable', 3, 3, 3],
  ['fragmentation-needed', 3, 4, 4],
  ['source-route-failed', 3, 5, 5],
  ['network-unknown', 3, 6, 6],
  ['host-unknown', 3, 7, 7],
  ['network-prohibited', 3, 9, 9],
  ['host-prohibited', 3, 10, 10],
  ['TOS-network-unreachable', 3, 11, 11],
  ['TOS-host-unreachable', 3, 12, 12],
  ['communication-prohibited', 3, 13, 13],
  ['host-precedence-violation', 3, 14, 14],
  ['precedence-cutoff', 3, 15, 15],
  ['source-quench', 4, 0, 255],
  ['redirect', 5, 0, 255],
  ['network-redirect', 5, 0, 0],
  ['host-redirect', 5, 1, 1],
  ['TOS-network-redirect', 5, 2, 2],
  ['TOS-host-redirect', 5, 3, 3],
  ['echo-request', 8, 0, 255],
  ['ping', 8, 0, 255],
  ['router-advertisement', 9, 0, 255],
  ['router-solicitation', 10, 0, 255],
  ['time-exceeded', 11, 0, 255],
  ['ttl-exceeded', 11, 0, 255],
  ['ttl-zero-during-transit', 11, 0, 0],
  ['ttl-zero-during-reassembly', 11, 1, 1],
  ['parameter-problem', 12, 0, 255],
  ['ip-header-bad', 12, 0, 0],
  ['required-option-missing', 12, 1, 1],
  ['timestamp-request', 13, 0, 255],
  ['timestamp-reply', 14, 0, 255],
  ['address-mask-request', 17, 0, 255],
  ['address-mask-reply', 18, 0, 255],
]

const ICMP6_NAMES: readonly Name[] = [
  ['destination-unreachable', 1, 0, 255],
  ['no-route', 1, 0, 0],
  ['communication-prohibited', 1, 1, 1],
  ['beyond-scope', 1, 2, 2],
  ['address-unreachable', 1, 3, 3],
  ['port-unreachable', 1, 4, 4],
  ['failed-policy', 1, 5, 5],
  ['reject-route', 1, 6, 6],
  ['packet-too-big', 2, 0, 255],
  ['time-exceeded', 3, 0, 255],
  ['ttl-exceeded', 3, 0, 255],
  ['ttl-zero-during-transit', 3, 0, 0],
  ['ttl-zero-during-reassembly', 3, 1, 1],
  ['parameter-problem', 4, 0, 255],
  ['bad-header', 4, 0, 0],
  ['unknown-header-type', 4, 1, 1],
  ['unknown-option', 4, 2, 2],
  ['echo-request', 128, 0, 255],
  ['ping', 128, 0, 255],
  ['echo-reply', 129, 0, 255],
  ['pong', 129, 0, 255],
  ['router-solicitation', 133, 0, 255],
  ['router-advertisement', 134, 0, 255],
  ['neighbour-solicitation', 135, 0, 255],
  ['neighbor-solicitation', 135, 0, 255],
  ['neighbour-advertisement', 136, 0, 255],
  ['neighbor-advertisement', 136, 0, 255],
  ['redirect', 137, 0, 255],
]

export const icmp: Extension<Icmp> = {
  family: 'ip',
  options: [{ name: 'icmp-type', takes: 1, invertible: true }],
  parse(given) {
    const type = parseType(given.require('icmp-type'), ICMP_NAMES, 'ICMP')
    return { match: 'icmp', ...type, invert: given.isInverted('icmp-type') }
  },
  save: (match) => saveType('icmp-type', match),
  list: (match, numeric) => ` icmp${listType(match, ICMP_NAMES, numeric)}`,
}

export const icmp6: Extension<Icmp> = {
  family: 'ip6',
  options: [{ name: 'icmpv6-type', takes: 1, invertible: true }],
  parse(given) {
    const type = parseType(given.require('icmpv6-type'), ICMP6_NAMES, 'ICMPv6')
    return { match: 'icmp6', ...type, invert: given.isInverted('icmpv6-type') }
  },
  save: (match) => saveType('icmpv6-type', match),
  list: (match, numeric) => ` ipv6-icmp${listType(match, ICMP6_NAMES, numeric)}`,
}

/** A name or the beginning of only one, `3`, `3/4`, `3/0:4`. */
function parseType(text: string, names: readonly Name[], protocol: string): Pick<Icmp, 'icmpType' | 'codes'> {
  const [found, other] = names.filter(([name]) => name.toLowerCase().startsWith(text.toLowerCase()))
  if (found && other) {
    throw badParameter(`Ambiguous ${protocol} type \`${text}': \`${found[0]}' or \`${other[0]}'?`)
  }
  if (found) return { icmpType: found[1], codes: { from: found[2], to: found[3] } }
  const slash = text.indexOf('/')
  const icmpType = readNumber(slash < 0 ? text : text.slice(0, slash), 255)
  if (icmpType === undefined) throw badParameter(`Unknown ${protocol} type \`${text}'`)
  if (slash < 0) return { icmpType, codes: { from: 0, to: 255 } }
  const [first, last = first] = text.slice(slash + 1).split(':')
  const from = readNumber(first!, 255)
  const to = readNumber(last!, 255)
  if (from === undefined || to === undefined) throw badParameter(`Unknown ${protocol} code \`${text}'`)
  return { icmpType, codes: { from, to } }
}

function saveType(option: string, { match, icmpType, codes, invert }: Icmp): string {
  if (match === 'icmp' && icmpType === ANY) return `${invert ? ' !' : ''} --${option} any`
  const hasCode = codes.from !== 0 || codes.to !== 255
  return `${invert ? ' !' : ''} --${option} ${icmpType}${hasCode ? `/${codes.from}` : ''}`
}

function listType({ icmpType, codes, invert }: Icmp, names: readonly Name[], numeric: boolean): string {
  const named = names.find(([, type, from, to]) => type === icmpType && from === codes.from && to === codes.to)
  if (named && !numeric) return ` ${invert ? '!' : ''}${named[0]}`
  const code =
    codes.from === codes.to
      ? ` code ${codes.from}`
      : codes.from !== 0 || codes.to !== 255
        ? ` codes ${codes.from}-${codes.to}`
        : ''
  return `${invert ? ' !' : ''}type ${icmpType}${code}`
}
