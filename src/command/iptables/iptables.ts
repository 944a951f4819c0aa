/**
 * `iptables`, `ip6tables`, `iptables-save`, `iptables-restore`: iptables 1.8.9 over nf_tables, to the byte.
 *
 *   command-line ── what was typed            extensions, extension/*   -m and -j
 *        │
 *   table ── what the kernel has, changed     encode, decode   a rule and nftables' expressions
 *        │                                    tables           the built-in tables and chains
 *   print ── -S, -L                           save, restore    the other programs
 *
 * Rules stand in the kernel as nftables has them; no text of them is kept anywhere. Host names are not looked up.
 * Source: the programs' own, iptables/nft*.c, iptables/xshared.c; where they and their manual differ, what they do.
 */
import { isErrno, KernelError } from '../../kernel/errors.ts'
import type { LiveKernel } from '../../kernel/live.ts'
import type { Nftables } from '../../kernel/nftables.ts'
import { type Command, fail, notModelled, type Outcome, succeed } from '../command.ts'
import { applyChange } from './change.ts'
import { type CommandLine, PrintAndExit, parseCommandLine } from './command-line.ts'
import { IptablesError, NotModelledError, PlainError } from './error.ts'
import type { ParseContext } from './extension/extension.ts'
import { listTable, saveTable } from './list.ts'
import type { Family } from './rule.ts'
import { Table } from './table.ts'
import { findTable } from './tables.ts'

/** What -V says. */
export const VERSION = '1.8.9 (nf_tables)'

/** The kinds of change as the kernel's refusal of one is told. */
const CHANGES = {
  A: ['RULE_APPEND', 'rule in chain'],
  I: ['RULE_INSERT', 'rule in chain'],
  R: ['RULE_REPLACE', 'rule in chain'],
  D: ['RULE_DELETE', 'rule in chain'],
  F: ['RULE_FLUSH', 'rule in chain'],
  N: ['CHAIN_USER_ADD', 'chain'],
  X: ['CHAIN_DEL', 'chain'],
  P: ['CHAIN_UPDATE', 'chain'],
  Z: ['CHAIN_ZERO', 'chain'],
} as const

/** strerror(3) of what nf_tables refuses with. */
const ERRORS: Readonly<Record<string, string>> = {
  EPERM: 'Operation not permitted',
  ENOENT: 'No such file or directory',
  ENOMEM: 'Cannot allocate memory',
  EBUSY: 'Device or resource busy',
  EEXIST: 'File exists',
  EINVAL: 'Invalid argument',
  EMFILE: 'Too many open files',
  ENOSPC: 'No space left on device',
  EOPNOTSUPP: 'Operation not supported',
  ELOOP: 'Too many levels of symbolic links',
  EMLINK: 'Too many links',
  EOVERFLOW: 'Value too large for defined data type',
}

export const iptables: Command = ([program = 'iptables', ...words], { kernel }) =>
  guard(program, () => {
    const family = familyOf(program)
    return runCommand(parseCommandLine(words, family, findSetIn(kernel)), kernel.nftables, family)
  })

/** Asked when a rule names one, and not before. */
export function findSetIn({ ipsets }: LiveKernel): ParseContext['findSet'] {
  return (name) => ipsets.get(name, { headerOnly: true })
}

/** One command; what it prints. */
function runCommand(line: CommandLine, nftables: Nftables, family: Family): Outcome {
  const builtin = findTable(line.table)
  if (!builtin) throw new IptablesError('version', `table '${line.table}' does not exist`)
  const table = new Table(nftables, family, builtin)
  let stdout = ''
  if (line.verbs.includes('L')) stdout += listTable(table, line)
  if (line.verbs.includes('S')) stdout += saveTable(table, line)
  stdout += applyChange(table, line)
  try {
    nftables.commit(table.operations())
  } catch (error) {
    throw refused(error, line)
  }
  return succeed(stdout)
}

/** The kernel's refusal in iptables' words. */
export function refused(error: unknown, line: CommandLine): unknown {
  if (!(error instanceof KernelError)) return error
  // The model names what it does not have; Linux has no more to say.
  if (isErrno(error, 'EOPNOTSUPP') && error.explanation) return new NotModelledError(error.explanation)
  const verb = line.verbs.find((one): one is keyof typeof CHANGES => Object.hasOwn(CHANGES, one))
  if (!verb) return error
  const [change, place] = CHANGES[verb]
  const reason = ERRORS[error.errno] ?? error.errno
  return new IptablesError('resource', ` ${change} failed (${reason}): ${place} ${line.chain ?? ''}`)
}

export function familyOf(program: string): Family {
  return program.startsWith('ip6') ? 'ip6' : 'ip'
}

/** Errors as the program tells them, on stderr. `line` of a file, where there is one. */
export function guard(program: string, run: () => Outcome, line?: () => number): Outcome {
  try {
    return run()
  } catch (error) {
    if (error instanceof PrintAndExit) return succeed(`${program} v${VERSION}\n`)
    if (error instanceof NotModelledError) return notModelled(program, error.message, 2)
    if (error instanceof PlainError) return fail(1, `${program}: ${error.message}`)
    if (!(error instanceof IptablesError)) throw error
    // What is no option at all is told without the program's name, and `-6` to iptables without any words.
    const isBare = error.message === '' || error.message.startsWith('Bad argument `')
    const message = isBare ? error.message : `${program} v${VERSION}: ${error.message}`
    const lines = [
      ...(message ? [message] : []),
      ...(error.problem === 'parameter' && line ? [`Error occurred at line: ${line()}`] : []),
      ...(error.problem === 'parameter' ? [`Try \`${program} -h' or '${program} --help' for more information.`] : []),
      ...(error.problem === 'version' ? [`Perhaps ${program} or your kernel needs to be upgraded.`] : []),
    ]
    return fail(error.status, lines.join('\n'))
  }
}
