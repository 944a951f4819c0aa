/** conntrack(8) of conntrack-tools 1.4.7: the table of tracked connections, listed, counted, emptied. */
import { type Family, familyOf, parseIp } from '../address/ip.ts'
import { networkOf, readPrefix } from '../address/prefix.ts'
import type { ConntrackEntry, ConntrackTuple } from '../kernel/conntrack.ts'
import { readUnsigned } from './arguments.ts'
import type { Command } from './command.ts'
import { errnoText } from './errno-text.ts'
import { Exit, ending, NotModelled, type Streams } from './exit.ts'

const VERSION = 'conntrack v1.4.7 (conntrack-tools)'
const PROTOCOLS: Readonly<Record<string, number>> = {
  icmp: 1,
  tcp: 6,
  udp: 17,
  gre: 47,
  icmpv6: 58,
  dccp: 33,
  sctp: 132,
  udplite: 136,
}
/** AF_INET, AF_INET6, by the words that stand before them. */
const FAMILIES: Readonly<Record<Family, string>> = { ipv4: 'ipv4     2 ', ipv6: 'ipv6     10 ' }
const TABLES = ['conntrack', 'expect', 'expectation', 'dying', 'unconfirmed']

interface Filter {
  family?: Family
  protocol?: number
  source?: string
  destination?: string
  replySource?: string
  replyDestination?: string
  sourcePort?: number
  destinationPort?: number
  replySourcePort?: number
  replyDestinationPort?: number
  state?: string
  mark?: { mark: number; mask: number }
  status?: 'ASSURED' | 'SEEN_REPLY' | 'UNSET'
  extended: boolean
}

export const conntrack: Command = (argv, { kernel }) =>
  ending(
    (error) => new Exit(1, `${VERSION}: Operation failed: ${errnoText(error.errno)}`),
    (streams) => {
      const { command, filter } = readWords(argv.slice(1))
      const found = () => kernel.conntrack.list(narrowed(filter)).filter((entry) => passes(filter, entry))
      switch (command) {
        case 'L':
          listEntries(streams, filter, found(), 'shown')
          return 0
        case 'D': {
          const entries = found()
          for (const entry of entries) kernel.conntrack.delete(entry)
          listEntries(streams, filter, entries, 'deleted')
          return entries.length > 0 ? 0 : 1
        }
        case 'F':
          kernel.conntrack.flush()
          streams.stderr += `${VERSION}: connection tracking table has been emptied.\n`
          return 0
        case 'C':
          streams.stdout += `${kernel.conntrack.list().length}\n`
          return 0
        case 'V':
          streams.stdout += `${VERSION}\n`
          return 0
        default:
          throw new NotModelled('conntrack', command === undefined ? 'help' : `-${command}`, 2)
      }
    },
  )

function usage(message: string): Exit {
  return new Exit(2, `${VERSION}: ${message}\nTry \`conntrack -h' or 'conntrack --help' for more information.`)
}

const COMMANDS: Readonly<Record<string, string>> = {
  '-L': 'L',
  '--dump': 'L',
  '-D': 'D',
  '--delete': 'D',
  '-F': 'F',
  '--flush': 'F',
  '-C': 'C',
  '--count': 'C',
  '-V': 'V',
  '--version': 'V',
  '-I': 'I',
  '--create': 'I',
  '-U': 'U',
  '--update': 'U',
  '-G': 'G',
  '--get': 'G',
  '-E': 'E',
  '--event': 'E',
  '-S': 'S',
  '--stats': 'S',
  '-A': 'A',
  '--add': 'A',
  '-R': 'R',
  '--load-file': 'R',
  '-h': 'h',
  '--help': 'h',
}
const NOT_MODELLED = `-n --src-nat -g --dst-nat -j --any-nat -z --zero -t --timeout -w --zone -l --label -c --secmark -e
  --event-mask -b --buffer-size --orig-zone --reply-zone --mask-src --mask-dst --tuple-src --tuple-dst --icmp-type
  --icmp-code --icmp-id`.split(/\s+/)

function readWords(argv: readonly string[]): { command: string | undefined; filter: Filter } {
  const filter: Filter = { extended: false }
  let command: string | undefined
  const rest = argv.flatMap((word) =>
    /^--[a-z-]+=/.test(word) ? [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)] : [word],
  )
  const take = (option: string) => rest.shift() ?? refuse(usage(`option \`${option}' requires an argument`))
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (Object.hasOwn(COMMANDS, word)) {
      if (command !== undefined) throw usage('Invalid commands combination')
      command = COMMANDS[word]
      if (rest[0] !== undefined && TABLES.includes(rest[0])) {
        const table = rest.shift()!
        if (table !== 'conntrack') throw new NotModelled('conntrack', `table ${table}`, 2)
      }
    } else if (!readOption(filter, word, () => take(word!))) {
      if (NOT_MODELLED.includes(word)) throw new NotModelled('conntrack', word, 2)
      throw usage(word.startsWith('-') ? `unknown option \`${word}'` : `unknown argument \`${word}'`)
    }
  }
  return { command, filter }
}

function refuse(exit: Exit): never {
  throw exit
}

/** Whether it is one of ours. */
function readOption(filter: Filter, option: string, take: () => string): boolean {
  switch (option) {
    case '-p':
    case '--protonum':
    case '--proto':
      filter.protocol = readProtocol(take())
      return true
    case '-f':
    case '--family': {
      const text = take()
      if (text !== 'ipv4' && text !== 'ipv6') throw usage(`\`${text}' unsupported protocol`)
      filter.family = text
      return true
    }
    case '-s':
    case '--src':
    case '--orig-src':
      filter.source = readAddress(filter, take())
      return true
    case '-d':
    case '--dst':
    case '--orig-dst':
      filter.destination = readAddress(filter, take())
      return true
    case '-r':
    case '--reply-src':
      filter.replySource = readAddress(filter, take())
      return true
    case '-q':
    case '--reply-dst':
      filter.replyDestination = readAddress(filter, take())
      return true
    case '-m':
    case '--mark': {
      const [mark = '', mask] = take().split('/')
      filter.mark = {
        mark: readUnsigned(mark) ?? 0,
        mask: mask === undefined ? 0xffff_ffff : (readUnsigned(mask) ?? 0),
      }
      return true
    }
    case '-u':
    case '--status': {
      const text = take()
      if (text !== 'ASSURED' && text !== 'SEEN_REPLY') throw new NotModelled('conntrack', `-u ${text}`, 2)
      filter.status = text
      return true
    }
    case '-o':
    case '--output': {
      const text = take()
      if (text !== 'extended') throw new NotModelled('conntrack', `-o ${text}`, 2)
      filter.extended = true
      return true
    }
    default:
      return filter.protocol !== undefined && readPortOption(filter, option, take)
  }
}

/** Known only behind a protocol that has ports. */
function readPortOption(filter: Filter, option: string, take: () => string): boolean {
  const port = () => readUnsigned(take(), 0xffff) ?? 0
  if (['--sport', '--orig-port-src'].includes(option)) filter.sourcePort = port()
  else if (['--dport', '--orig-port-dst'].includes(option)) filter.destinationPort = port()
  else if (option === '--reply-port-src') filter.replySourcePort = port()
  else if (option === '--reply-port-dst') filter.replyDestinationPort = port()
  else if (option === '--state' && filter.protocol === PROTOCOLS.tcp) filter.state = take()
  else return false
  return true
}

function readProtocol(text: string): number {
  const number = Object.hasOwn(PROTOCOLS, text) ? PROTOCOLS[text] : readUnsigned(text, 255)
  if (number === undefined) throw usage(`\`${text}' unsupported protocol`)
  return number
}

/** With its prefix length, and the family that it is of. */
function readAddress(filter: Filter, text: string): string {
  const whole = text.includes('/') ? text : `${text}/${text.includes(':') ? 128 : 32}`
  const prefix = readPrefix(whole)
  if (!prefix) throw usage(`Invalid IP address`)
  filter.family = familyOf(prefix.address)
  return whole
}

function narrowed({ family, protocol }: Filter): { family?: Family; protocol?: number } {
  return { ...(family && { family }), ...(protocol !== undefined && { protocol }) }
}

function passes(filter: Filter, entry: ConntrackEntry): boolean {
  const { original, reply } = entry
  const equal = (wanted: number | undefined, port: number | undefined) => wanted === undefined || wanted === port
  return (
    isIn(filter.source, original.source) &&
    isIn(filter.destination, original.destination) &&
    isIn(filter.replySource, reply.source) &&
    isIn(filter.replyDestination, reply.destination) &&
    equal(filter.sourcePort, original.sourcePort) &&
    equal(filter.destinationPort, original.destinationPort) &&
    equal(filter.replySourcePort, reply.sourcePort) &&
    equal(filter.replyDestinationPort, reply.destinationPort) &&
    (filter.state === undefined || filter.state === entry.state) &&
    (filter.mark === undefined || (entry.mark & filter.mark.mask) >>> 0 === filter.mark.mark) &&
    (filter.status !== 'ASSURED' || entry.assured) &&
    (filter.status !== 'SEEN_REPLY' || entry.seenReply)
  )
}

function isIn(wanted: string | undefined, address: string): boolean {
  if (wanted === undefined) return true
  const prefix = readPrefix(wanted)!
  const ip = parseIp(address)
  if (ip.length !== prefix.address.length) return false
  const [left, right] = [networkOf({ address: ip, length: prefix.length }), networkOf(prefix)]
  return left.address.every((byte, i) => byte === right.address[i])
}

function listEntries(streams: Streams, filter: Filter, entries: readonly ConntrackEntry[], what: string): void {
  for (const entry of entries) streams.stdout += `${line(entry, filter.extended)}\n`
  streams.stderr += `${VERSION}: ${entries.length} flow entries have been ${what}.\n`
}

function line(entry: ConntrackEntry, extended: boolean): string {
  const { family, protocol, timeout, state, original, reply, mark, seenReply, assured, zone } = entry
  const name = Object.keys(PROTOCOLS).find((each) => PROTOCOLS[each] === protocol) ?? 'unknown'
  return [
    `${extended ? FAMILIES[family] : ''}${name.padEnd(8)} ${protocol}`,
    `${timeout}`,
    ...(state === undefined ? [] : [state]),
    tuple(original),
    ...(seenReply ? [] : ['[UNREPLIED]']),
    tuple(reply),
    ...(assured ? ['[ASSURED]'] : []),
    `mark=${mark}`,
    ...(zone ? [`zone=${zone}`] : []),
    'use=1', // held by nobody but the table
  ].join(' ')
}

function tuple({
  source,
  destination,
  sourcePort,
  destinationPort,
  icmpType,
  icmpCode,
  icmpId,
}: ConntrackTuple): string {
  return [
    `src=${source}`,
    `dst=${destination}`,
    ...(sourcePort === undefined ? [] : [`sport=${sourcePort}`]),
    ...(destinationPort === undefined ? [] : [`dport=${destinationPort}`]),
    ...(icmpType === undefined ? [] : [`type=${icmpType}`, `code=${icmpCode ?? 0}`, `id=${icmpId ?? 0}`]),
  ].join(' ')
}
