/**
 * What a speaker can be asked while it runs. A request is one line of JSON, an object that names its command:
 *
 *   {"command": "routes", "family": "ipv4", "prefix": "10.244.0.0/16"}
 *
 * The answers are in answer.ts; the socket that both go over is where sockets are.
 */
import { ConfigError } from '../config/problem.ts'
import {
  boolean,
  choice,
  defaulted,
  listOf,
  type Members,
  object,
  optional,
  required,
  type Shape,
  text,
  type ValuesOf,
} from '../config/shape.ts'
import { address, community, prefix } from '../config/values.ts'
import { prefixOrAddress } from './scope.ts'

/** RFC 9003 §2: a length octet, and UTF-8. */
const LONGEST_TEXT = 255
/** PATH_MAX, linux/limits.h. */
const LONGEST_PATH = 4096

const family = choice('ipv4', 'ipv6')
const neighbour = { address: required(address, 'Of the neighbour') }
const neighbourFamily = { ...neighbour, family: optional(family, 'Left out: both') }
const prefixes = { prefixes: required(listOf(prefix, 'a list of prefixes', { min: 1 }), 'Of networks') }
const told = { ...neighbour, text: optional(text({ max: LONGEST_TEXT }), 'What the peer is told: RFC 9003') }

/** The speaker has another working directory than whoever asks. */
const absolutePath: Shape<string> = {
  ...text({ max: LONGEST_PATH }),
  expected: 'an absolute path',
  read(value, path) {
    const file = text({ max: LONGEST_PATH }).read(value, path)
    if (!file.startsWith('/'))
      throw new ConfigError([{ path, what: `is ${JSON.stringify(file)}, expected an absolute path` }])
    return file
  },
}

const COMMANDS = {
  /** The speaker itself, and whether its sessions are there. */
  status: {},
  neighbors: {},
  neighbor: neighbour,
  routes: {
    family: optional(family, 'Left out: both'),
    prefix: optional(prefixOrAddress, 'What is inside of it; an address: what it is inside of'),
  },
  /** Prefixes with a best path. */
  count: { family: required(family, 'Of the table') },
  why: { prefix: required(prefixOrAddress, 'An address: the longest prefix that it is inside of') },
  'adj-in': neighbourFamily,
  'adj-out': neighbourFamily,
  kernel: {},
  announce: {
    ...prefixes,
    communities: defaulted(listOf(community, 'a list of communities'), [], 'That they are announced with'),
    blackhole: defaulted(boolean, false, 'Addresses without a longer route go nowhere'),
  },
  withdraw: prefixes,
  refresh: neighbour,
  enable: neighbour,
  disable: told,
  reset: told,
  drain: { ...neighbour, undo: defaulted(boolean, false, 'Its routes are used as before') },
  dump: { file: required(absolutePath, 'That is written, in MRT') },
  reload: {},
} as const satisfies Readonly<Record<string, Members>>

export type CommandName = keyof typeof COMMANDS
export type ArgumentsOf<N extends CommandName> = ValuesOf<(typeof COMMANDS)[N]>
export type Request = { readonly [N in CommandName]: { readonly command: N } & ArgumentsOf<N> }[CommandName]
export const COMMAND_NAMES = Object.keys(COMMANDS) as CommandName[]

const command = required(choice(...COMMAND_NAMES), 'What is asked')
const named = object('a request as {"command": "neighbors"}', { command })
const SHAPES = new Map(
  COMMAND_NAMES.map((name) => [name, object(`a request "${name}"`, { command, ...COMMANDS[name] })]),
)

/** ConfigError for what is no request. */
export function parseRequest(line: string): Request {
  const given = parseLine(line)
  const name = typeof given === 'object' && given !== null && 'command' in given ? given.command : undefined
  const shape = SHAPES.get(name as CommandName) ?? named
  return shape.read(given, []) as Request
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch (error) {
    throw new ConfigError([{ path: [], what: `is no JSON: ${(error as Error).message}` }])
  }
}
