/** -L and -S of a table: iptables/nft.c, nft_rule_list(), nft_rule_list_save(). */
import type { CommandLine } from './command-line.ts'
import { formatCount, listHeader, listRule, saveRule } from './print.ts'
import { type Chain, incompatible, isListable, type Table } from './table.ts'

export function listTable(table: Table, line: CommandLine): string {
  const { ruleNumber, verbose, exact } = line
  const chains = meant(table, line)
  const lines = (chain: Chain) =>
    chosen(table, chain, ruleNumber)
      .map(({ rule, number }) => `${listRule(rule, table.family, number, line)}\n`)
      .join('')
  const [only] = chains
  if (line.chain !== undefined && ruleNumber !== undefined) return taintedNote(table) + lines(only!)
  const header = `${listHeader(line)}\n`
  return (
    taintedNote(table) +
    chains
      .map((chain) => `Chain ${chain.name} (${describeChain(table, chain, verbose, exact)})\n${header}${lines(chain)}`)
      .join('\n')
  )
}

export function saveTable(table: Table, line: CommandLine): string {
  const { verbose, ruleNumber } = line
  const chains = meant(table, line)
  const head = line.chain !== undefined && ruleNumber !== undefined ? [] : chains
  const declared = head.map((chain) => {
    if (!chain.builtin) return `-N ${chain.name}\n`
    const { packets, bytes } = chain.counter ?? { packets: 0n, bytes: 0n }
    return `-P ${chain.name} ${chain.policy.toUpperCase()}${verbose ? ` -c ${packets} ${bytes}` : ''}\n`
  })
  const rules = chains.flatMap((chain) =>
    chosen(table, chain, ruleNumber).map(
      ({ rule }) => `-A ${chain.name}${saveRule(rule, table.family, verbose ? 'option' : 'none')}\n`,
    ),
  )
  return taintedNote(table) + [...declared, ...rules].join('')
}

/** The chain that was named, or all. */
function meant(table: Table, { chain: name }: CommandLine): Chain[] {
  const all = table.allChains()
  const chains = name === undefined ? all : all.filter((chain) => chain.name === name)
  if (chains.length === 0) throw incompatible(table, name)
  if (!isListable(chains)) throw incompatible(table, name)
  return chains
}

function chosen(table: Table, chain: Chain, number: number | undefined) {
  const rules = table.rules(chain).map((rule, index) => ({ rule, number: index + 1 }))
  return number === undefined ? rules : rules.slice(number - 1, number)
}

function describeChain(table: Table, chain: Chain, verbose: boolean, exact: boolean): string {
  if (!chain.builtin) return `${table.references(chain.name)} references`
  const { packets, bytes } = chain.counter ?? { packets: 0n, bytes: 0n }
  const count = (number: bigint) => formatCount(number, exact).trimStart()
  const counters = verbose ? ` ${count(packets)}packets, ${count(bytes)}bytes` : ''
  return `policy ${chain.policy.toUpperCase()}${counters}`
}

function taintedNote(table: Table): string {
  if (!table.isTainted) return ''
  return `# Table \`${table.name}' contains incompatible base-chains, use 'nft' tool to list them.\n`
}
