/**
 * sysctl(8) of procps 4.0.2: settings below /proc/sys.
 *
 * A key is a path whose separators are dots or slashes, whichever comes first in it; the other one then stands for a dot in
 * a name: `net.ipv4.conf.eth0/1.rp_filter` and `net/ipv4/conf/eth0.1/rp_filter` are one setting.
 */
import { isErrno, KernelError } from '../kernel/errors.ts'
import type { LiveKernel } from '../kernel/live.ts'
import type { Command } from './command.ts'
import { errnoText } from './errno-text.ts'
import { Exit, ending, NotModelled, type Streams } from './exit.ts'

/** Left out of listings: they have newer names, in milliseconds. */
const DEPRECATED = new Set(['base_reachable_time', 'retrans_time'])

interface Options {
  write: boolean
  all: boolean
  quiet: boolean
  ignore: boolean
  show: 'both' | 'name' | 'value' | 'bare value'
  pattern: RegExp | undefined
}

const LONG: Readonly<Record<string, string>> = {
  all: 'a',
  binary: 'b',
  ignore: 'e',
  names: 'N',
  values: 'n',
  quiet: 'q',
  write: 'w',
  pattern: 'r',
}

export const sysctl: Command = (argv, { kernel }) =>
  ending(
    (error) => new Exit(1, `sysctl: ${errnoText(error.errno)}`),
    (streams) => {
      const { options, words } = readOptions(argv.slice(1))
      if (options.all) {
        show(kernel, streams, options, kernel.sysctl.list(), (key) => dotted(key))
        return 0
      }
      if (words.length === 0)
        throw new Exit(1, "sysctl: no variables specified\nTry `sysctl --help' for more information.")
      let status = 0
      for (const word of words) {
        const failed =
          word.includes('=') || options.write
            ? set(kernel, streams, options, word)
            : get(kernel, streams, options, word)
        if (failed) status = 1
      }
      return status
    },
  )

function readOptions(argv: readonly string[]): { options: Options; words: string[] } {
  const options: Options = { write: false, all: false, quiet: false, ignore: false, show: 'both', pattern: undefined }
  const words: string[] = []
  const rest = [...argv]
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (word === '--') {
      words.push(...rest.splice(0))
    } else if (word.startsWith('--')) {
      const [name, value] = word.slice(2).split('=') as [string, string?]
      const letter = Object.hasOwn(LONG, name) ? LONG[name]! : refuse(word)
      applyOption(options, letter, value === undefined ? rest : [value])
    } else if (word.startsWith('-') && word !== '-') {
      for (const letter of word.slice(1)) applyOption(options, letter, rest)
    } else words.push(word)
  }
  return { options, words }
}

function refuse(option: string): never {
  throw new NotModelled('sysctl', option, 1)
}

function applyOption(options: Options, letter: string, rest: string[]): void {
  switch (letter) {
    case 'a':
    case 'A':
    case 'X':
      options.all = true
      return
    case 'b':
      options.show = 'bare value'
      return
    case 'e':
      options.ignore = true
      return
    case 'N':
      options.show = 'name'
      return
    case 'n':
      options.show = 'value'
      return
    case 'q':
      options.quiet = true
      return
    case 'w':
      options.write = true
      return
    case 'x':
      return // of old, and without meaning
    case 'r':
      options.pattern = new RegExp(rest.shift() ?? refuse('-r'))
      return
    default:
      refuse(`-${letter}`)
  }
}

/** The path below /proc/sys. */
function pathOf(key: string): string {
  const separator = /[./]/.exec(key)?.[0]
  if (separator !== '.') return key.replace(/^\//, '')
  return key.replace(/[./]/g, (each) => (each === '.' ? '/' : '.')).replace(/^\//, '')
}

/** The path as it is printed. */
function dotted(path: string): string {
  return path.replace(/[./]/g, (each) => (each === '.' ? '/' : '.'))
}

function isPath(path: string): boolean {
  return path !== '' && !path.split('/').some((part) => part === '' || part === '.' || part === '..')
}

/** Whether it failed. */
function get(kernel: LiveKernel, streams: Streams, options: Options, word: string): boolean {
  const path = pathOf(word)
  const keys = isPath(path) ? keysAt(kernel, path) : []
  if (keys.length > 0) {
    show(kernel, streams, options, keys, dotted)
    return false
  }
  return missing(streams, options, path)
}

/** The setting itself, or those of a directory. */
function keysAt({ sysctl }: LiveKernel, path: string): string[] {
  const below = listBelow(sysctl, path)
  if (below.length > 0) return below
  try {
    return sysctl.get(path) === undefined ? [] : [path]
  } catch (error) {
    if (error instanceof KernelError) return [path]
    throw error
  }
}

function listBelow(sysctl: LiveKernel['sysctl'], path: string): string[] {
  try {
    return sysctl.list(path)
  } catch (error) {
    if (error instanceof KernelError) return [] // no directory, or one that cannot be read
    throw error
  }
}

function missing(streams: Streams, options: Options, path: string): boolean {
  if (options.ignore) return false
  streams.stderr += `sysctl: cannot stat /proc/sys/${path}: No such file or directory\n`
  return true
}

function show(
  kernel: LiveKernel,
  streams: Streams,
  options: Options,
  keys: readonly string[],
  nameOf: (key: string) => string,
): void {
  for (const key of keys) {
    const name = nameOf(key)
    if (options.pattern && !options.pattern.test(name)) continue
    if (keys.length > 1 && DEPRECATED.has(key.slice(key.lastIndexOf('/') + 1))) continue
    const value = read(kernel, key, options.show === 'name')
    if (value !== undefined) streams.stdout += line(options, name, value)
  }
}

/** Undefined for what can only be written, or has no value now. */
function read({ sysctl }: LiveKernel, key: string, onlyName: boolean): string | undefined {
  try {
    return sysctl.get(key)
  } catch (error) {
    if (isErrno(error, 'EIO', 'EINVAL')) return onlyName ? '' : undefined
    if (isErrno(error, 'EACCES', 'EPERM')) return undefined
    throw error
  }
}

function line({ show }: Options, name: string, value: string): string {
  switch (show) {
    case 'name':
      return `${name}\n`
    case 'value':
      return `${value}\n`
    case 'bare value':
      return value
    default:
      // Each line of a value stands by itself.
      return value
        .split('\n')
        .map((each) => `${name} = ${each}\n`)
        .join('')
  }
}

/** Whether it failed. */
function set(kernel: LiveKernel, streams: Streams, options: Options, word: string): boolean {
  const equals = word.indexOf('=')
  if (equals < 0) {
    throw new Exit(1, 'sysctl: command line(0): invalid syntax, continuing...') // it does not
  }
  const path = pathOf(word.slice(0, equals).trim())
  const value = word.slice(equals + 1).trim()
  if (path === '') {
    streams.stderr += 'sysctl: Path is not under /proc/sys/: /proc/sys/\n'
    return true
  }
  const name = dotted(path)
  try {
    if (!isPath(path)) return missing(streams, options, path)
    kernel.sysctl.set(path, value === '' ? '\n' : value)
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return missing(streams, options, path)
    if (!(error instanceof KernelError)) throw error
    streams.stderr += `sysctl: setting key "${name}": ${errnoText(error.errno)}\n`
    return !options.ignore
  }
  if (!options.quiet) streams.stdout += line(options, name, value)
  return false
}
