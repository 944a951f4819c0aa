/** `-j DNAT`, `SNAT`, `MASQUERADE`, `REDIRECT`: libxt_NAT.c. */
import { formatIp, readIp } from '../../../address/ip.ts'
import type { XtRange, XtTarget } from '../../../kernel/xtables.ts'
import { badParameter, NotModelledError } from '../error.ts'
import { readNumber } from '../number.ts'
import type { Family } from '../rule.ts'
import { servicePort } from '../services.ts'
import type { Extension, Given, Option, RuleContext } from './extension.ts'
import { formatPorts } from './ports.ts'

type Translation = Extract<XtTarget, { target: 'DNAT' | 'SNAT' }>
type Local = Extract<XtTarget, { target: 'MASQUERADE' | 'REDIRECT' }>

const LAST_PORT = 0xffff
/** TCP, UDP, SCTP, DCCP and, for its identifiers, ICMP. */
const PROTOCOLS_WITH_PORTS = [6, 17, 132, 33, 1]

const RANDOM: Option = { name: 'random', takes: 0 }
const RANDOM_FULLY: Option = { name: 'random-fully', takes: 0 }
const PERSISTENT: Option = { name: 'persistent', takes: 0 }

export const DNAT = translation('DNAT', 'to-destination', [RANDOM, PERSISTENT])
export const SNAT = translation('SNAT', 'to-source', [RANDOM, RANDOM_FULLY, PERSISTENT])
export const MASQUERADE = local('MASQUERADE', ' masq ports: ', [RANDOM, RANDOM_FULLY])
export const REDIRECT = local('REDIRECT', ' redir ports ', [RANDOM])

function translation(target: Translation['target'], option: string, flags: readonly Option[]): Extension<Translation> {
  return {
    options: [{ name: option, takes: 1 }, ...flags],
    parse: (given, rule) => ({
      target,
      ...parseTo(given.require(option), rule),
      ...parseFlags(given),
      ...(given.has('persistent') && { persistent: true }),
    }),
    save: (value) => ` --${option} ${formatTo(value)}${formatFlags(value, '--')}`,
    list: (value) => ` to:${formatTo(value)}${formatFlags(value, '')}`,
  }
}

function local(target: Local['target'], listed: string, flags: readonly Option[]): Extension<Local> {
  return {
    options: [{ name: 'to-ports', takes: 1 }, ...flags],
    parse(given, rule) {
      const text = given.text('to-ports')
      return { target, ...(text !== undefined && { ports: parseNatPorts(text, rule) }), ...parseFlags(given) }
    },
    save: (value) => (value.ports ? ` --to-ports ${formatPorts(value.ports, '-')}` : '') + formatFlags(value, '--'),
    list: (value) => (value.ports ? `${listed}${formatPorts(value.ports, '-')}` : '') + formatFlags(value, ''),
  }
}

function parseFlags(given: Given): Pick<Local, 'random' | 'fullyRandom'> {
  return {
    ...(given.has('random') && { random: true }),
    ...(given.has('random-fully') && { fullyRandom: true }),
  }
}

function formatFlags({ random, fullyRandom, ...rest }: Translation | Local, prefix: string): string {
  const persistent = 'persistent' in rest && rest.persistent
  return (
    (random ? ` ${prefix}random` : '') +
    (fullyRandom ? ` ${prefix}random-fully` : '') +
    (persistent ? ` ${prefix}persistent` : '')
  )
}

/** `[address[-address]][:port[-port]]`; an IPv6 address with ports stands in brackets. */
function parseTo(text: string, rule: RuleContext): Pick<Translation, 'addresses' | 'ports'> {
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(text)
  const isIpv6 = !bracketed && text.indexOf(':') !== text.lastIndexOf(':')
  const colon = isIpv6 || bracketed ? -1 : text.indexOf(':')
  const range = bracketed ? bracketed[1]! : colon < 0 ? text : text.slice(0, colon)
  const portText = bracketed ? bracketed[2] : colon < 0 ? undefined : text.slice(colon + 1)
  if (text.includes('[') && (!bracketed || rule.family === 'ip')) throw badParameter('Invalid address format')
  const ports = portText === undefined ? undefined : parseNatPorts(portText, rule)
  if (range === '' && ports) return { ports }
  const [first, last = first] = range.split('-')
  const addresses = { from: parseNatAddress(first!, rule.family), to: parseNatAddress(last!, rule.family) }
  return { addresses, ...(ports && { ports }) }
}

function parseNatAddress(text: string, family: Family): string {
  const ip = readIp(text)
  if (!ip || (ip.length === 4) !== (family === 'ip')) throw badParameter(`Bad IP address "${text}"`)
  return formatIp(ip)
}

function parseNatPorts(text: string, { protocol }: RuleContext): XtRange {
  if (!protocol || !PROTOCOLS_WITH_PORTS.includes(protocol.value)) {
    throw badParameter('Need TCP, UDP, SCTP or DCCP with port specification')
  }
  const named = servicePort(text, undefined)
  if (named !== undefined) return { from: named, to: named }
  const [, first, rest] = /^(\w*)(.*)$/.exec(text)!
  const from = readNumber(first!, LAST_PORT)
  if (from === undefined) throw badParameter(`Port \`${text}' not valid`)
  if (rest === '') return { from, to: from }
  if (rest!.startsWith(':')) throw badParameter('Invalid port:port syntax - use dash')
  if (!rest!.startsWith('-')) throw badParameter(`Garbage after port value: \`${rest}'`)
  const [, last, shift] = /^-(\w*)(.*)$/.exec(rest!)!
  const to = readNumber(last!, LAST_PORT)
  if (to === undefined) throw badParameter(`Port \`${rest!.slice(1)}' not valid`)
  if (to < from) throw badParameter(`Port range \`${rest!.slice(1)}' funky`)
  if (shift!.startsWith('/')) throw new NotModelledError(`a shifted range of ports, ${text}`)
  if (shift !== '') throw badParameter(`Garbage after port range: \`${shift}'`)
  return { from, to }
}

function formatTo({ addresses, ports }: Translation): string {
  const range = addresses
    ? addresses.from === addresses.to
      ? addresses.from
      : `${addresses.from}-${addresses.to}`
    : ''
  if (!ports) return range
  return `${range.includes(':') ? `[${range}]` : range}:${formatPorts(ports, '-')}`
}
