/** `iptables-restore`, `ip6tables-restore`: iptables/xtables-restore.c. A table at a time, all of it or nothing. */
import { KernelError } from '../../kernel/errors.ts'
import type { LiveKernel } from '../../kernel/live.ts'
import type { Nftables, NftOperation } from '../../kernel/nftables.ts'
import { type Command, fail, notModelled, type Outcome, succeed } from '../command.ts'
import { checkChainName } from './chain-name.ts'
import { applyChange } from './change.ts'
import { type CommandLine, parseCommandLine } from './command-line.ts'
import { badParameter, IptablesError, PlainError } from './error.ts'
import { familyOf, findSetIn, guard, refused, VERSION } from './iptables.ts'
import type { Family } from './rule.ts'
import { Table } from './table.ts'
import { findBuiltin, findTable } from './tables.ts'

/** The programs' long options by their letters. */
const LONG: Readonly<Record<string, string>> = {
  counters: 'c',
  noflush: 'n',
  test: 't',
  version: 'V',
  table: 'T',
  wait: 'w',
  'wait-interval': 'W',
}

interface Options {
  /** `[packets:bytes]` are taken over. */
  readonly counters: boolean
  /** What is there stays. */
  readonly keep: boolean
  readonly test: boolean
  /** The one table that is read. */
  readonly only: string | undefined
}

export const iptablesRestore: Command = ([program = 'iptables-restore', ...words], { kernel, readStdin }) => {
  const seen = new Map<string, string>()
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!
    const letter = word.startsWith('--') ? LONG[word.slice(2)] : word.startsWith('-') ? word.slice(1) : undefined
    if (letter === undefined || !'cntVTwW'.includes(letter)) return notModelled(program, word, 2)
    const takes = letter === 'T' || ('wW'.includes(letter) && /^\d+$/.test(words[i + 1] ?? ''))
    seen.set(letter, takes ? (words[++i] ?? '') : '')
  }
  if (seen.has('V')) return succeed(`${program} v${VERSION}\n`)
  const options = { counters: seen.has('c'), keep: seen.has('n'), test: seen.has('t'), only: seen.get('T') }
  return new Restore(program, kernel, options).run(readStdin?.() ?? '')
}

class Restore {
  readonly #program: string
  readonly #family: Family
  readonly #kernel: LiveKernel
  readonly #options: Options
  /** Of the file, from 1. */
  #line = 0
  #table: Table | undefined
  #stdout = ''
  /** What the table's commands and chains are to change, each with its line. It is done at COMMIT. */
  #changes: { readonly line: number; readonly command?: CommandLine; apply(): void }[] = []

  constructor(program: string, kernel: LiveKernel, options: Options) {
    this.#program = program
    this.#family = familyOf(program)
    this.#kernel = kernel
    this.#options = options
  }

  run(text: string): Outcome {
    return guard(
      this.#program,
      () => {
        const lines = text.split('\n')
        if (lines.at(-1) === '') lines.pop()
        for (const line of lines) {
          this.#line++
          const outcome = this.#runLine(line)
          if (outcome) return outcome
        }
        if (!this.#table) return succeed(this.#stdout)
        return fail(1, `${this.#program}: COMMIT expected at line ${this.#line + 1}`)
      },
      () => this.#line,
    )
  }

  #runLine(line: string): Outcome | undefined {
    const table = this.#table
    if (line === '' || line.startsWith('#')) return undefined
    if (table && line === 'COMMIT') return this.#commit(table)
    if (!table && line.startsWith('*')) this.#begin(line)
    else if (table && line.startsWith(':')) this.#chain(table, line)
    else if (table) this.#rule(table, line)
    // Behind a table that is not read, all is passed over up to the next.
    else if (this.#options.only === undefined) return fail(1, `${this.#program}: line ${this.#line} failed`)
    return undefined
  }

  #begin(line: string): void {
    const name = line.slice(1).trim().split(/\s/)[0]!
    const builtin = findTable(name)
    if (!builtin) {
      throw badParameter(`${this.#program}: line ${this.#line} table name '${name}' invalid`)
    }
    if (this.#options.only !== undefined && this.#options.only !== name) return
    this.#table = new Table(this.#kernel.nftables, this.#family, builtin)
    this.#changes = []
    if (!this.#options.keep) this.#table.flushTable()
  }

  #commit(table: Table): Outcome | undefined {
    this.#table = undefined
    for (const { line, apply } of this.#changes) {
      table.origin = line
      try {
        apply()
      } catch (error) {
        if (!(error instanceof PlainError)) throw error
        return fail(1, `${this.#program}: line ${line} failed: ${error.message}`)
      }
    }
    if (this.#options.test) return undefined
    const operations = table.operations()
    try {
      this.#kernel.nftables.commit(operations)
    } catch (error) {
      throw this.#explain(error, table, operations)
    }
    return undefined
  }

  /** The refusal with the line that it is about. */
  #explain(error: unknown, table: Table, operations: readonly NftOperation[]): unknown {
    const line = table.originOf(operations[firstRefused(this.#kernel.nftables, operations)]!)
    const command = this.#changes.find((change) => change.line === line)?.command
    if (!command) return error
    const told = refused(error, command)
    if (!(told instanceof IptablesError) || told.problem !== 'resource') return told
    return new IptablesError('resource', `\nline ${line}:${told.message}`)
  }

  /** `:FORWARD ACCEPT [0:0]`, `:KUBE-SERVICES - [0:0]` */
  #chain(table: Table, line: string): void {
    const [name = '', policy, counters] = line.slice(1).trim().split(/\s+/)
    checkChainName(name)
    if (policy === undefined) throw badParameter(`${this.#program}: line ${this.#line} policy invalid`)
    if (!findBuiltin(table.builtin, name)) {
      this.#changes.push({
        line: this.#line,
        apply: () => {
          const chain = table.find(name)
          if (chain) table.flush(chain)
          else table.addChain(name)
        },
      })
      return
    }
    const told = this.#options.counters ? /^\[(\d+):(\d+)\]$/.exec(counters ?? '') : undefined
    if (told === null) throw badParameter(`invalid policy counters for chain '${name}'`)
    const counter = told ? { packets: BigInt(told[1]!), bytes: BigInt(told[2]!) } : undefined
    this.#changes.push({
      line: this.#line,
      apply: () => {
        if (policy !== 'ACCEPT' && policy !== 'DROP') throw new PlainError('Bad policy name.')
        table.setPolicy(table.open(name)!, policy === 'DROP' ? 'drop' : 'accept', counter)
      },
    })
  }

  #rule(table: Table, line: string): void {
    const told = /^\[(\d+):(\d+)\]/.exec(line)
    const words = splitWords(told ? line.slice(told[0].length) : line)
    const counters = told && this.#options.counters ? ['--set-counters', told[1]!, told[2]!] : []
    const command = parseCommandLine([...counters, ...words], this.#family, findSetIn(this.#kernel), table.name)
    if (command.table !== table.name) {
      throw badParameter(`The -t option cannot be used in ${this.#program}.\n`)
    }
    this.#changes.push({
      line: this.#line,
      command,
      apply: () => {
        this.#stdout += applyChange(table, command)
      },
    })
  }
}

/** A name that no table has. */
const NO_TABLE = 'overlab-none'

/**
 * The place of the first operation that is refused: the longest beginning that is not. To try one it is committed with an
 * operation that is always refused behind it, so that nothing changes.
 */
function firstRefused(nftables: Nftables, operations: readonly NftOperation[]): number {
  const isFine = (count: number) => {
    const impossible: NftOperation = { operation: 'delete table', table: { family: 'ip', name: NO_TABLE } }
    try {
      nftables.commit([...operations.slice(0, count), impossible])
    } catch (error) {
      return error instanceof KernelError && error.message.includes(NO_TABLE)
    }
    return false
  }
  let [fine, refusedAt] = [0, operations.length]
  while (refusedAt - fine > 1) {
    const middle = (fine + refusedAt) >> 1
    if (isFine(middle)) fine = middle
    else refusedAt = middle
  }
  return fine
}

/** Words in double quotes keep their spaces; a backslash there stands before what is meant as it is. */
function splitWords(line: string): string[] {
  const words: string[] = []
  let word = ''
  let isQuoted = false
  for (let i = 0; i < line.length; i++) {
    const letter = line[i]!
    if (isQuoted && letter === '\\' && i + 1 < line.length) word += line[++i]
    else if (letter === '"') {
      if (isQuoted) {
        words.push(word)
        word = ''
      }
      isQuoted = !isQuoted
    } else if (!isQuoted && (letter === ' ' || letter === '\t')) {
      if (word !== '') words.push(word)
      word = ''
    } else word += letter
  }
  if (word !== '') words.push(word)
  return words
}
