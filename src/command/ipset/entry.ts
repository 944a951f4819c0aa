/** An entry as it is typed and as it is printed: `10.0.0.0/24,tcp:80-90,10.1.0.0/16`. Source: lib/parse.c, lib/print.c of ipset 7.17. */
import { bitsOf, type Family, readIp } from '../../address/ip.ts'
import type { IpSet, IpSetAddress, IpSetEntry, IpSetPort } from '../../kernel/ipset.ts'
import { readUnsigned } from '../arguments.ts'
import { protocolName, protocolNumber } from '../iptables/names.ts'
import { servicePort } from '../iptables/services.ts'
import { syntaxError } from './error.ts'
import { formatIcmp, readIcmp } from './icmp-names.ts'

const TCP = 6
/** Protocols with ports: TCP, UDP, SCTP, UDP-Lite. */
const WITH_PORTS: readonly number[] = [TCP, 17, 132, 136]
const ICMP: Readonly<Record<Family, number>> = { ipv4: 1, ipv6: 58 }

type Kind = Pick<IpSet, 'type' | 'family'>

export function parseEntry(text: string, { type, family = 'ipv4' }: Kind): IpSetEntry {
  if (type === 'bitmap:port') return { port: parseBitmapPort(text) }
  const wanted = type.slice(type.indexOf(':') + 1).split(',')
  const parts = text.split(',')
  if (parts.length > wanted.length) {
    const [many, few] = [
      ['Elem separator', 'none'],
      ['Two elem separators', 'one'],
      ['Three elem separators', 'two'],
    ][wanted.length - 1]!
    throw syntaxError(`${many} in ${text}, but settype ${type} supports ${few}.`)
  }
  const missing = parts.length
  if (missing < wanted.length)
    throw syntaxError(`${missing === 1 ? 'Second' : 'Third'} element is missing from ${text}.`)
  const [first, port, second] = parts
  return {
    first: parseAddress(first!, family, wanted[0] === 'ip' && family === 'ipv6'),
    ...(port !== undefined && { port: parsePort(port, family) }),
    ...(second !== undefined && { second: parseAddress(second, family, wanted[2] === 'ip') }),
  }
}

function parseAddress(text: string, family: Family, isPlain: boolean): IpSetAddress {
  if (isPlain && /[/-]/.test(text)) throw syntaxError(`plain IP address must be supplied: ${text}`)
  const slash = text.indexOf('/')
  if (slash >= 0) {
    const prefixLength = parseNumber(text.slice(slash + 1), 0, bitsOf(family))
    return { address: checkAddress(text.slice(0, slash), family), prefixLength }
  }
  const dash = text.indexOf('-')
  if (dash < 0) return { address: checkAddress(text, family) }
  return { address: checkAddress(text.slice(0, dash), family), to: checkAddress(text.slice(dash + 1), family) }
}

function checkAddress(text: string, family: Family): string {
  const ip = readIp(text)
  if (ip && ip.length * 8 === bitsOf(family)) return text
  throw syntaxError(`cannot parse ${text}: resolving to ${family === 'ipv4' ? 'IPv4' : 'IPv6'} address failed`)
}

export function parseNumber(text: string, least: number, most: number): number {
  const number = readUnsigned(text, Number.MAX_SAFE_INTEGER)
  if (number === undefined) throw syntaxError(`'${text}' is invalid as number`)
  if (number < least || number > most) throw syntaxError(`'${text}' is out of range ${least}-${most}`)
  return number
}

/** `[PROTO:]PORT[-PORT]`; without a protocol it is TCP's. */
function parsePort(text: string, family: Family): IpSetPort {
  const colon = text.indexOf(':')
  const name = colon < 0 ? 'tcp' : text.slice(0, colon)
  const port = text.slice(colon + 1)
  const protocol = readUnsigned(name, 255) ?? protocolNumber(name.toLowerCase())
  if (protocol === undefined) throw syntaxError(`cannot parse '${name}' as a protocol`)
  if (protocol === ICMP.ipv4 || protocol === ICMP.ipv6) {
    if (protocol !== ICMP[family]) {
      const [own, its] = protocol === ICMP.ipv4 ? ['ICMP', 'inet'] : ['ICMPv6', 'inet6']
      throw syntaxError(`Protocol ${own} can be used with family ${its} only`)
    }
    const number = readIcmp(port, family)
    if (number === undefined)
      throw syntaxError(`cannot parse '${port}' as an ${family === 'ipv4' ? 'ICMP' : 'ICMPv6'} type/code`)
    return { protocol, port: number }
  }
  if (WITH_PORTS.includes(protocol)) return { protocol, ...parsePorts(port, protocolName(protocol)!) }
  if (port !== '0') throw syntaxError(`Protocol ${name} can be used with pseudo port value 0 only.`)
  return { protocol, port: 0 }
}

function parseBitmapPort(text: string): IpSetPort {
  const colon = text.indexOf(':')
  const protocol = colon < 0 ? 'tcp' : text.slice(0, colon)
  if (protocol !== 'tcp' && protocol !== 'udp') throw syntaxError('Only protocols TCP and UDP are valid')
  return parsePorts(text.slice(colon + 1), protocol)
}

export function parsePorts(text: string, protocol: string): { port: number; to?: number } {
  const [first = '', last] = text.split('-')
  const whole = readPort(text, protocol)
  if (whole !== undefined) return { port: whole }
  const [port, to] = [readPort(first, protocol), last === undefined ? undefined : readPort(last, protocol)]
  if (port === undefined || (last !== undefined && to === undefined)) {
    throw syntaxError(`cannot parse '${text}' as a ${protocol.toUpperCase()} port`)
  }
  return { port, ...(to !== undefined && { to }) }
}

function readPort(text: string, protocol: string): number | undefined {
  return readUnsigned(text, 0xffff) ?? servicePort(text, protocol)
}

/** Without timeout and what else stands behind it. */
export function formatEntry({ first, port, second }: IpSetEntry, { type, family = 'ipv4' }: Kind): string {
  return [
    ...(first ? [formatAddress(first, family)] : []),
    ...(port ? [type === 'bitmap:port' ? `${port.port}` : formatPort(port, family)] : []),
    ...(second ? [formatAddress(second, family)] : []),
  ].join(',')
}

function formatAddress({ address, prefixLength }: IpSetAddress, family: Family): string {
  return prefixLength === undefined || prefixLength === bitsOf(family) ? address : `${address}/${prefixLength}`
}

function formatPort({ protocol = TCP, port }: IpSetPort, family: Family): string {
  const told = protocol === ICMP[family] ? formatIcmp(port, family) : port
  return `${protocolName(protocol) ?? protocol}:${told}`
}

/** What stands behind an entry, each word with a space before it. */
export function formatExtensions({ timeout, noMatch, packets, bytes, comment }: IpSetEntry): string {
  return (
    (timeout === undefined ? '' : ` timeout ${timeout}`) +
    (noMatch ? ' nomatch' : '') +
    (packets === undefined ? '' : ` packets ${packets}`) +
    (bytes === undefined ? '' : ` bytes ${bytes}`) +
    (comment === undefined ? '' : ` comment "${comment}"`)
  )
}
