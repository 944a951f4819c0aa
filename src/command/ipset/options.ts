/** What may stand behind a set's type and behind an entry: lib/ipset_*.c, lib/args.c of ipset 7.17. */
import { bitsOf } from '../../address/ip.ts'
import type { IpSetDefinition, IpSetEntry, IpSetType } from '../../kernel/ipset.ts'
import { NotModelled } from '../exit.ts'
import { parseNumber, parsePorts } from './entry.ts'
import { syntaxError, usageError } from './error.ts'

/** UINT_MAX / 1000 / 2: seconds, as jiffies are counted. */
const MOST_SECONDS = 2147483
const MOST_NUMBER = 0xffff_ffff
const MOST_COMMENT = 255

/** Known to ipset, not here. */
const NOT_HERE = ['skbinfo', 'bitmask', 'skbmark', 'skbprio', 'skbqueue']
/** Known once, of no use today. */
const IGNORED = ['probes', 'resize', 'gc']

/** Words from left to right. */
class Words {
  readonly #words: readonly string[]
  #at = 0

  constructor(words: readonly string[]) {
    this.#words = words
  }

  next(): string | undefined {
    return this.#words[this.#at++]
  }

  argumentOf(option: string): string {
    const word = this.next()
    if (word === undefined) throw usageError(`Missing mandatory argument of option \`${option}'`)
    return word
  }
}

export function parseDefinition(name: string, type: IpSetType, given: readonly string[]): IpSetDefinition {
  const words = new Words(given)
  let set: IpSetDefinition = { name, type }
  const isHash = type !== 'bitmap:port'
  for (let option = words.next(); option !== undefined; option = words.next()) {
    const number = (least: number, most: number) => parseNumber(words.argumentOf(option!), least, most)
    const word = option.replace(/^--/, '')
    if (word === 'timeout') set = { ...set, timeout: number(0, MOST_SECONDS) }
    else if (word === 'counters') set = { ...set, counters: true }
    else if (word === 'comment') set = { ...set, comments: true }
    else if (isHash && word === 'family') set = { ...set, family: parseFamily(words.argumentOf(option)) }
    else if (isHash && (word === '-4' || word === '-6')) set = { ...set, family: word === '-4' ? 'ipv4' : 'ipv6' }
    else if (isHash && word === 'hashsize') set = { ...set, hashSize: number(0, MOST_NUMBER) }
    else if (isHash && word === 'maxelem') set = { ...set, maxElements: number(0, MOST_NUMBER) }
    else if (isHash && word === 'bucketsize') set = { ...set, bucketSize: number(0, 255) }
    else if (isHash && word === 'initval') set = { ...set, initialValue: number(0, MOST_NUMBER) }
    else if (isHash && word === 'forceadd') set = { ...set, forceAdd: true }
    else if (type === 'hash:ip' && word === 'netmask')
      set = { ...set, netmask: parseNetmask(words.argumentOf(option), set) }
    else if (!isHash && word === 'range') set = { ...set, ports: parseRange(words.argumentOf(option)) }
    else if (isHash && IGNORED.includes(word)) words.argumentOf(option)
    else throw unknown(option, word)
  }
  if (!isHash && !set.ports) throw usageError("Mandatory option `range' is missing")
  return set
}

function parseNetmask(text: string, { family = 'ipv4' }: IpSetDefinition): number {
  const bits = bitsOf(family)
  const netmask = parseNumber(text, 0, Number.MAX_SAFE_INTEGER)
  if (netmask >= 1 && netmask <= bits) return netmask
  throw syntaxError(
    `'${text}' is out of range 1-${bits}\nSyntax error: netmask is out of the inclusive range of 1-${bits}`,
  )
}

function parseFamily(text: string): 'ipv4' | 'ipv6' {
  if (text === 'inet' || text === 'ipv4' || text === '-4') return 'ipv4'
  if (text === 'inet6' || text === 'ipv6' || text === '-6') return 'ipv6'
  throw syntaxError(`unknown inet family ${text}`)
}

function parseRange(text: string): { from: number; to: number } {
  const { port, to } = parsePorts(text, 'tcp')
  if (to === undefined) throw usageError("Mandatory option `to' is missing")
  return { from: port, to }
}

/** What stands behind an entry. */
export function parseExtensions(
  given: readonly string[],
  type: IpSetType,
): Omit<IpSetEntry, 'first' | 'port' | 'second'> {
  const words = new Words(given)
  let extensions: IpSetEntry = {}
  for (let option = words.next(); option !== undefined; option = words.next()) {
    const word = option.replace(/^--/, '')
    if (word === 'timeout')
      extensions = { ...extensions, timeout: parseNumber(words.argumentOf(option), 0, MOST_SECONDS) }
    else if (word === 'packets') extensions = { ...extensions, packets: parseCounter(words.argumentOf(option)) }
    else if (word === 'bytes') extensions = { ...extensions, bytes: parseCounter(words.argumentOf(option)) }
    else if (word === 'comment') extensions = { ...extensions, comment: checkComment(words.argumentOf(option)) }
    else if (word === 'nomatch' && type.includes('net')) extensions = { ...extensions, noMatch: true }
    else throw unknown(option, word)
  }
  return extensions
}

function unknown(option: string, word: string) {
  if (NOT_HERE.includes(word)) return new NotModelled('ipset', word, 2)
  return usageError(`Unknown argument: \`${option}'`)
}

function parseCounter(text: string): bigint {
  if (!/^(0x[0-9a-f]+|[0-9]+)$/i.test(text)) throw syntaxError(`'${text}' is invalid as number`)
  return BigInt(text)
}

function checkComment(text: string): string {
  if (text.includes('"')) throw syntaxError('" character is not permitted in comments')
  if (text.length > MOST_COMMENT)
    throw syntaxError(`Comment is longer than the maximum allowed ${MOST_COMMENT} characters`)
  return text
}

/** As `save` writes them behind the type. */
export function formatDefinition(set: IpSetDefinition): string {
  const { family, hashSize, maxElements, netmask, ports, timeout, counters, comments, bucketSize, initialValue } = set
  return [
    ...(ports ? [`range ${ports.from}-${ports.to}`] : []),
    ...(family ? [`family ${family === 'ipv4' ? 'inet' : 'inet6'}`] : []),
    ...(hashSize === undefined ? [] : [`hashsize ${hashSize}`]),
    ...(maxElements === undefined ? [] : [`maxelem ${maxElements}`]),
    ...(netmask === undefined ? [] : [`netmask ${netmask}`]),
    ...(timeout === undefined ? [] : [`timeout ${timeout}`]),
    ...(counters ? ['counters'] : []),
    ...(comments ? ['comment'] : []),
    ...(bucketSize === undefined ? [] : [`bucketsize ${bucketSize}`]),
    ...(initialValue === undefined ? [] : [`initval 0x${initialValue.toString(16).padStart(8, '0')}`]),
  ].join(' ')
}
