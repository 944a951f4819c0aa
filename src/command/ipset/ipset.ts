/**
 * ipset(8) of ipset 7.17: sets of addresses and ports, made, filled, listed, saved and restored.
 *
 *   options ── what stands behind a type and an entry        entry ── addresses and ports, read and written
 *   error ── its messages                                    icmp-names
 */
import { compareIp, parseIp } from '../../address/ip.ts'
import { KernelError } from '../../kernel/errors.ts'
import { IP_SET_TYPES, type IpSet, type IpSetEntry, type IpSets, type IpSetType } from '../../kernel/ipset.ts'
import type { Command } from '../command.ts'
import { Exit, ending, NotModelled, type Streams } from '../exit.ts'
import { formatEntry, formatExtensions, parseEntry } from './entry.ts'
import { atLine, refusedBy, syntaxError, usageError } from './error.ts'
import { formatDefinition, parseDefinition, parseExtensions } from './options.ts'

const VERSION = 'ipset v7.17, protocol version: 7'
const MAX_NAME = 31

/** In the order in which beginnings of their names are looked for; the old letter; words that must follow. */
const COMMANDS = [
  ['create', '-N', 2],
  ['add', '-A', 2],
  ['del', '-D', 2],
  ['test', '-T', 2],
  ['destroy', '-X', 0],
  ['list', '-L', 0],
  ['save', '-S', 0],
  ['restore', '-R', 0],
  ['flush', '-F', 0],
  ['rename', '-E', 2],
  ['swap', '-W', 2],
  ['help', '-H', 0],
  ['version', '-V', 0],
] as const

type Name = (typeof COMMANDS)[number][0]

interface Options {
  exist: boolean
  sorted: boolean
  quiet: boolean
  names: boolean
  terse: boolean
  output: 'plain' | 'save' | undefined
}

interface Asked {
  readonly sets: IpSets
  readonly options: Options
  readonly streams: Streams
}

export const ipset: Command = (argv, { kernel, readStdin }) =>
  ending(
    (error) => refusedBy(error, ''),
    (streams) => {
      const options: Options = {
        exist: false,
        sorted: false,
        quiet: false,
        names: false,
        terse: false,
        output: undefined,
      }
      const words = readOptions(argv.slice(1), options)
      const asked = { sets: kernel.ipsets, options, streams }
      try {
        if (words.length === 0) throw usageError('No command specified.')
        if (findCommand(words[0]!)?.[0] !== 'restore') return carryOut(words, asked)
        restore(readStdin?.() ?? '', asked)
        return 0
      } catch (error) {
        // -q: nothing is said but by the status.
        if (options.quiet && error instanceof Exit) throw new Exit(error.status, '')
        throw error
      }
    },
  )

/** Takes the options out, wherever they stand. */
function readOptions(words: readonly string[], options: Options): string[] {
  const rest: string[] = []
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!
    if (['-!', '-exist', '--exist'].includes(word)) options.exist = true
    else if (['-s', '-sorted', '--sorted'].includes(word)) options.sorted = true
    else if (['-q', '-quiet', '--quiet'].includes(word)) options.quiet = true
    else if (['-n', '-name', '--name'].includes(word)) options.names = true
    else if (['-t', '-terse', '--terse'].includes(word)) options.terse = true
    else if (['-o', '-output', '--output'].includes(word)) {
      const mode = words[++i]
      if (mode === undefined) throw usageError(`Missing mandatory argument to option ${word}`)
      if (mode === 'xml') throw new NotModelled('ipset', '-o xml', 2)
      if (mode !== 'plain' && mode !== 'save') throw syntaxError(`unknown output mode '${mode}'`)
      options.output = mode
    } else if (['-r', '-resolve', '--resolve', '-f', '-file', '--file'].includes(word)) {
      throw new NotModelled('ipset', word, 2)
    } else rest.push(word)
  }
  return rest
}

/** By its name, the beginning of it, or its letter. */
function findCommand(word: string): (typeof COMMANDS)[number] | undefined {
  const name = word.replace(/^--/, '')
  return COMMANDS.find(([own, letter]) => (name !== '' && own.startsWith(name)) || word === letter)
}

function carryOut(words: readonly string[], asked: Asked): number {
  const [word, ...rest] = words
  const found = findCommand(word!)
  if (!found) throw usageError(`No command specified: unknown argument ${word}`)
  const [command, , needed] = found
  if (rest.length < needed) {
    const which = rest.length === 0 ? 'mandatory' : 'second mandatory'
    throw usageError(`Missing ${which} argument to command ${command}`)
  }
  try {
    return run(command, rest, asked)
  } catch (error) {
    throw error instanceof KernelError ? refusedBy(error, command) : error
  }
}

function run(
  command: Name,
  [name, second = '', ...more]: readonly string[],
  { sets, options, streams }: Asked,
): number {
  const { exist } = options
  if (name !== undefined) checkName(name)
  switch (command) {
    case 'create':
      sets.add(parseDefinition(name!, typeOf(second), more), { exist })
      return 0
    case 'add':
      sets.addEntry(name!, entryOf(sets, name!, second, more), { exist })
      return 0
    case 'del':
      sets.deleteEntry(name!, entryOf(sets, name!, second, more), { exist })
      return 0
    case 'test': {
      const set = requireSet(sets, name!)
      const entry = { ...parseEntry(second, set), ...parseExtensions(more, set.type) }
      const isIn = sets.hasEntry(name!, entry)
      const told = `${formatEntry(entry, set)} is ${isIn ? 'in' : 'NOT in'} set ${name}.`
      if (!options.quiet) streams.stderr += `${isIn ? 'Warning: ' : ''}${told}\n`
      return isIn ? 0 : 1
    }
    case 'destroy':
      sets.delete(name)
      return 0
    case 'flush':
      sets.flush(name)
      return 0
    case 'rename':
      checkName(second)
      sets.rename(name!, second)
      return 0
    case 'swap':
      checkName(second)
      sets.swap(name!, second)
      return 0
    case 'list':
    case 'save':
      streams.stdout += listing(meant(sets, name, options), options, command)
      return 0
    case 'version':
      streams.stdout += `${VERSION}\n`
      return 0
    default:
      throw new NotModelled('ipset', command, 2)
  }
}

function checkName(name: string): void {
  if (name.length > MAX_NAME) throw syntaxError(`setname '${name}' is longer than ${MAX_NAME} characters`)
}

function typeOf(text: string): IpSetType {
  const type = IP_SET_TYPES.find((each) => each === text)
  if (type) return type
  if (/^(bitmap|hash|list):/.test(text) && OTHER_TYPES.includes(text)) throw new NotModelled('ipset', text, 2)
  throw syntaxError(`typename '${text}' is unknown`)
}

const OTHER_TYPES = `bitmap:ip bitmap:ip,mac hash:mac hash:ip,mac hash:ip,mark hash:net,net hash:net,port,net
  hash:net,iface list:set`.split(/\s+/)

function entryOf(sets: IpSets, name: string, text: string, words: readonly string[]): IpSetEntry {
  const set = requireSet(sets, name)
  return { ...parseEntry(text, set), ...parseExtensions(words, set.type) }
}

function requireSet(sets: IpSets, name: string): IpSet {
  const set = sets.get(name, { headerOnly: true })
  if (!set) throw new KernelError('ENOENT', `find set "${name}"`)
  return set
}

function meant(sets: IpSets, name: string | undefined, { names, terse }: Options): IpSet[] {
  const listing = { headerOnly: names || terse }
  if (name === undefined) return sets.list(listing)
  const set = sets.get(name, listing)
  if (!set) throw new KernelError('ENOENT', `find set "${name}"`)
  return [set]
}

function listing(sets: readonly IpSet[], options: Options, command: 'list' | 'save'): string {
  if (options.names) return sets.map(({ name }) => `${name}\n`).join('')
  const mode = options.output ?? (command === 'save' ? 'save' : 'plain')
  return mode === 'save'
    ? sets.map((set) => saved(set, options)).join('')
    : sets.map((set) => listed(set, options)).join('\n')
}

function saved(set: IpSet, options: Options): string {
  const { name, type } = set
  const lines = membersOf(set, options).map((member) => `add ${name} ${member}`)
  return `${[`create ${name} ${type} ${formatDefinition(set)}`, ...lines].join('\n')}\n`
}

function listed(set: IpSet, options: Options): string {
  const { name, type, revision, memorySize, references, size } = set
  const lines = [
    `Name: ${name}`,
    `Type: ${type}`,
    `Revision: ${revision}`,
    `Header: ${formatDefinition(set)}`,
    ...(memorySize === undefined ? [] : [`Size in memory: ${memorySize}`]),
    `References: ${references}`,
    `Number of entries: ${size}`,
    ...(options.terse ? [] : ['Members:', ...membersOf(set, options)]),
  ]
  return `${lines.join('\n')}\n`
}

function membersOf(set: IpSet, { sorted }: Options): string[] {
  const entries = sorted ? set.entries.toSorted(byAddress) : set.entries
  return entries.map((entry) => formatEntry(entry, set) + formatExtensions(entry))
}

function byAddress(a: IpSetEntry, b: IpSetEntry): number {
  const order = a.first && b.first ? compareIp(parseIp(a.first.address), parseIp(b.first.address)) : 0
  return order || (a.port?.port ?? 0) - (b.port?.port ?? 0)
}

/** Line by line, up to the first that is refused. */
function restore(text: string, asked: Asked): void {
  for (const [i, line] of text.split('\n').entries()) {
    const words = splitLine(line)
    if (words.length === 0 || words[0]!.startsWith('#') || words[0] === 'COMMIT') continue
    try {
      if (findCommand(words[0]!)?.[0] === 'restore') throw usageError("Command `restore' is invalid in restore mode.")
      carryOut(readOptions(words, asked.options), asked)
    } catch (error) {
      throw error instanceof Exit ? atLine(error, i + 1) : error
    }
  }
}

/** Words between blanks; one in double quotes may have some in it. */
function splitLine(line: string): string[] {
  const words = line.trim().match(/"[^"]*"|[^\s"]+/g) ?? []
  return words.map((word) => word.replaceAll('"', ''))
}
