/** The commands that change a table: iptables/nft.c, nft_rule_append() … nft_chain_zero_counters(). */
import type { CommandLine } from './command-line.ts'
import { badParameter, IptablesError, NotModelledError, PlainError } from './error.ts'
import { announceRule, saveRule } from './print.ts'
import type { Rule } from './rule.ts'
import type { Chain, Table } from './table.ts'

const NO_CHAIN = 'No chain/target/match by that name.'
const NO_RULE = 'Bad rule (does a matching rule exist in that chain?).'

/** Changes the table as the command says; what the command prints. */
export function applyChange(table: Table, line: CommandLine): string {
  let stdout = ''
  for (const verb of line.verbs) {
    switch (verb) {
      case 'A':
      case 'I':
        stdout += addRules(table, line, verb)
        break
      case 'R':
        stdout += replaceRule(table, line)
        break
      case 'C':
      case 'D':
        stdout += findRules(table, line, verb)
        break
      case 'F':
        stdout += flush(table, line)
        break
      case 'N':
        if (table.exists(line.chain!)) throw new PlainError('Chain already exists.')
        table.addChain(line.chain!)
        break
      case 'X':
        stdout += deleteChains(table, line)
        break
      case 'P':
        setPolicy(table, line)
        break
      case 'E':
        rename(table, line)
        break
      case 'Z':
        stdout += zero(table, line)
        break
      case 'L':
      case 'S':
        break
    }
  }
  return stdout
}

function addRules(table: Table, line: CommandLine, verb: 'A' | 'I'): string {
  let stdout = ''
  // Each goes to the place that was told: several end up the other way round.
  for (const rule of line.rules) {
    assertTarget(table, rule)
    const chain = table.open(line.chain!)
    if (!chain) throw new PlainError(NO_CHAIN)
    const index = verb === 'I' ? line.ruleNumber! - 1 : chain.entries.length
    if (index > chain.entries.length) throw new PlainError('Index of insertion too big.')
    table.insert(chain, rule, index)
    stdout += announce(table, line, table.rule(chain, chain.entries[index]!))
  }
  return stdout
}

function replaceRule(table: Table, line: CommandLine): string {
  const rule = line.rules[0]!
  assertTarget(table, rule)
  const chain = table.find(line.chain!)
  if (!chain) throw new PlainError(NO_CHAIN)
  const index = line.ruleNumber! - 1
  if (index >= chain.entries.length) throw new PlainError('Index of replacement too big.')
  table.replace(chain, index, rule)
  return announce(table, line, table.rule(chain, chain.entries[index]!))
}

/** -C looks for the rule, -D deletes it, or the one with the number. */
function findRules(table: Table, line: CommandLine, verb: 'C' | 'D'): string {
  const chain = table.find(line.chain!)
  if (verb === 'D' && line.ruleNumber !== undefined) {
    if (!chain) throw new PlainError(NO_CHAIN)
    if (line.ruleNumber > chain.entries.length) throw new PlainError('Index of deletion too big.')
    table.delete(chain, line.ruleNumber - 1)
    return ''
  }
  let stdout = ''
  for (const rule of line.rules) {
    assertTarget(table, rule)
    const index = chain ? indexOf(table, chain, rule) : -1
    if (!chain || index < 0) throw new PlainError(NO_RULE)
    stdout += announce(table, line, table.rule(chain, chain.entries[index]!))
    if (verb === 'D') table.delete(chain, index)
  }
  return stdout
}

/** The first rule that says the same, whatever its counters. */
function indexOf(table: Table, chain: Chain, rule: Rule): number {
  const { family } = table
  const text = saveRule(table.normalize(chain, rule), family, 'none')
  return chain.entries.findIndex((entry) => saveRule(table.rule(chain, entry), family, 'none') === text)
}

function flush(table: Table, { chain: name, verbose }: CommandLine): string {
  if (name !== undefined) {
    const chain = table.open(name)
    if (!chain) throw new PlainError(NO_CHAIN)
    table.flush(chain)
    return verbose ? `Flushing chain \`${name}'\n` : ''
  }
  let stdout = ''
  for (const chain of verbose ? table.allChains() : table.chains()) {
    const own = verbose ? table.open(chain.name)! : chain
    table.flush(own)
    if (verbose) stdout += `Flushing chain \`${chain.name}'\n`
  }
  return stdout
}

/** Without a name: all of the user's, and the built-in ones that are as if they had never been made. */
function deleteChains(table: Table, { chain: name, verbose }: CommandLine): string {
  const named = name === undefined ? undefined : table.find(name)
  if (name !== undefined && !named) throw new PlainError(NO_CHAIN)
  let stdout = ''
  for (const chain of named ? [named] : table.chains()) {
    if (chain.builtin) {
      if (chain.policy === 'accept' && chain.entries.length === 0) table.deleteChain(chain)
      else if (named) throw new PlainError('Directory not empty.')
      continue
    }
    if (verbose) stdout += `Deleting chain \`${chain.name}'\n`
    if (chain.entries.length > 0 || table.references(chain.name) > 0) {
      throw new IptablesError('resource', ` CHAIN_DEL failed (Device or resource busy): chain ${chain.name}`)
    }
    table.deleteChain(chain)
  }
  return stdout
}

function setPolicy(table: Table, { chain: name, policy }: CommandLine): void {
  if (policy !== 'ACCEPT' && policy !== 'DROP') {
    throw new PlainError("Bad policy name. Run `dmesg' for more information.")
  }
  const chain = table.builtin.chains.some((builtin) => builtin.name === name) ? table.open(name!) : undefined
  if (!chain) throw new PlainError('Bad built-in chain name.')
  table.setPolicy(chain, policy === 'ACCEPT' ? 'accept' : 'drop')
}

function rename(table: Table, { chain, newName }: CommandLine): void {
  if (table.exists(newName!)) throw new PlainError('File exists.')
  const old = table.find(chain!)
  if (!old) throw new PlainError(NO_CHAIN)
  if (old.builtin) throw new NotModelledError('-E of a built-in chain')
  table.renameChain(old, newName!)
}

function zero(table: Table, { chain: name, ruleNumber, verbose }: CommandLine): string {
  const named = name === undefined ? undefined : table.find(name)
  if (name !== undefined && !named) throw new PlainError(NO_CHAIN)
  if (named && ruleNumber !== undefined) {
    if (ruleNumber > named.entries.length) throw new PlainError(NO_RULE)
    table.zeroRule(named, ruleNumber - 1)
    return ''
  }
  let stdout = ''
  for (const chain of named ? [named] : table.chains()) {
    table.zero(chain)
    if (verbose) stdout += `Zeroing chain \`${chain.name}'\n`
  }
  return stdout
}

function assertTarget(table: Table, { target }: Rule): void {
  if (target && 'jump' in target && !table.exists(target.jump)) {
    throw badParameter(`Chain '${target.jump}' does not exist`)
  }
}

function announce(table: Table, { verbose }: CommandLine, rule: Rule): string {
  return verbose ? `${announceRule(rule, table.family)}\n` : ''
}
