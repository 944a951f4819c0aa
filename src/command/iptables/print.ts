/** Rules and chains as text: -S and iptables-save, iptables/xshared.c, save_*(); -L, print_*(). */
import { anyNetwork, formatNetwork, listNetwork } from './address.ts'
import type { RuleContext } from './extension/extension.ts'
import { findMatch, findTarget } from './extensions.ts'
import { protocolName } from './names.ts'
import type { Family, Invertible, Rule, Target } from './rule.ts'

/** Of `-S`, `-v -S`, iptables-save and `-c`: no counters, `-c 0 0` in the rule, `[0:0] ` before it. */
export type SavedCounters = 'none' | 'option' | 'brackets'

/** ` -s 10.0.0.0/8 -p tcp -m tcp --dport 80 -j ACCEPT`: all behind the chain's name. */
export function saveRule(rule: Rule, family: Family, counters: SavedCounters): string {
  const context = contextOf(rule, family)
  const { source, destination, input, output, protocol, fragment, matches, target } = rule
  let text = saveNetwork('s', source) + saveNetwork('d', destination) + saveInterface('i', input)
  text += saveInterface('o', output)
  if (protocol && protocol.value > 0) {
    text += `${bang(protocol)} -p ${protocolName(protocol.value) ?? protocol.value}`
  }
  if (fragment) text += `${bang(fragment)} -f`
  for (const match of matches) text += ` -m ${match.match}${findMatch(match.match)!.extension.save(match, context)}`
  if (counters === 'option') text += ` -c ${rule.packets} ${rule.bytes}`
  return text + saveTarget(target, context)
}

function saveTarget(target: Target | undefined, context: RuleContext): string {
  if (!target) return ''
  if ('jump' in target) return ` -${target.goto ? 'g' : 'j'} ${target.jump}`
  if ('verdict' in target) return ` -j ${target.verdict}`
  return ` -j ${target.target}${findTarget(target.target)!.save(target, context)}`
}

function saveNetwork(letter: string, condition: Rule['source']): string {
  if (!condition) return ''
  const isAny = condition.value.mask.every((byte) => byte === 0)
  return isAny && !condition.invert ? '' : `${bang(condition)} -${letter} ${formatNetwork(condition.value)}`
}

function saveInterface(letter: string, condition: Invertible<string> | undefined): string {
  return condition ? `${bang(condition)} -${letter} ${condition.value}` : ''
}

/** What a listing shows. */
export interface ListFormat {
  readonly numeric: boolean
  /** Counters and interfaces: -v. */
  readonly verbose: boolean
  /** Counters to the last digit: -x. */
  readonly exact: boolean
  readonly lineNumbers: boolean
}

export function listHeader({ verbose, exact, lineNumbers }: ListFormat): string {
  const counters = exact ? `${'pkts'.padStart(8)} ${'bytes'.padStart(10)} ` : ` ${'pkts'} ${'bytes'} `
  return (
    (lineNumbers ? 'num  ' : '') +
    (verbose ? counters : '') +
    `${'target'.padEnd(9)}  prot opt` +
    (verbose ? ` ${'in'.padEnd(6)} ${'out'.padEnd(6)} ` : '') +
    ` ${'source'.padEnd(19)}  ${'destination'.padEnd(19)} `
  )
}

/** A line of -L. */
export function listRule(rule: Rule, family: Family, number: number, format: ListFormat): string {
  const { numeric, verbose, exact, lineNumbers } = format
  const { protocol, fragment, input, output } = rule
  const name = protocolName(protocol?.value ?? 0, numeric)
  const shown = numeric || name === undefined ? `${protocol?.value ?? 0}` : name
  const any = { value: anyNetwork(family), invert: false }
  const [source, destination] = [rule.source ?? any, rule.destination ?? any]
  return (
    (lineNumbers ? `${`${number}`.padEnd(4)} ` : '') +
    (verbose ? formatCount(rule.packets, exact) + formatCount(rule.bytes, exact) : '') +
    `${targetName(rule.target).padEnd(9)} ` +
    (protocol?.invert ? '!' : ' ') +
    `${shown.padEnd(4)} ` +
    (family === 'ip' && fragment ? `${fragment.invert ? '!' : '-'}f ` : '-- ') +
    (verbose ? ` ${listInterface(input, numeric).padEnd(6)} ${listInterface(output, numeric).padEnd(6)} ` : '') +
    `${source.invert ? '!' : ' '}${listNetwork(source.value, numeric).padEnd(19)} ` +
    `${destination.invert ? '!' : ' '}${listNetwork(destination.value, numeric).padEnd(19)} ` +
    listConditions(rule, family, numeric)
  )
}

/** What `-v` prints of a rule that it adds, checks or deletes. */
export function announceRule(rule: Rule, family: Family): string {
  const { protocol, fragment, input, output } = rule
  const any = { value: anyNetwork(family), invert: false }
  const [source, destination] = [rule.source ?? any, rule.destination ?? any]
  const name = protocolName(protocol?.value ?? 0, true) ?? `${protocol?.value ?? 0}`
  return (
    `${targetName(rule.target)} ${protocol?.invert ? '!' : ' '}${name} ` +
    `opt ${family === 'ip' && fragment ? `${fragment.invert ? '!' : '-'}f` : '--'} ` +
    `in ${listInterface(input, true)} out ${listInterface(output, true)} ` +
    `${source.invert ? '!' : ' '}${listNetwork(source.value, true)} ` +
    `${destination.invert ? '!' : ' '}-> ${listNetwork(destination.value, true)}  ` +
    listConditions(rule, family, true)
  )
}

/** Five places, in thousands, millions … where it is longer. */
export function formatCount(count: bigint, exact: boolean): string {
  if (exact) return `${`${count}`.padStart(8)} `
  if (count <= 99_999n) return `${`${count}`.padStart(5)} `
  let rest = count
  for (const unit of 'KMG') {
    rest = (rest + 500n) / 1000n
    if (rest <= 9999n) return `${`${rest}`.padStart(4)}${unit} `
  }
  return `${`${(rest + 500n) / 1000n}`.padStart(4)}T `
}

function listConditions(rule: Rule, family: Family, numeric: boolean): string {
  const context = contextOf(rule, family)
  const { target } = rule
  const matches = rule.matches.map((match) => findMatch(match.match)!.extension.list(match, numeric, context)).join('')
  if (!target || 'verdict' in target) return matches
  if ('jump' in target) return target.goto ? `[goto] ${matches}` : matches
  return matches + findTarget(target.target)!.list(target, numeric, context)
}

function targetName(target: Target | undefined): string {
  if (!target) return ''
  if ('jump' in target) return target.jump
  if ('verdict' in target) return target.verdict
  return target.target === 'NOTRACK' ? 'CT' : target.target
}

function listInterface(condition: Invertible<string> | undefined, numeric: boolean): string {
  if (!condition) return numeric ? '*' : 'any'
  return `${condition.invert ? '!' : ''}${condition.value}`
}

function contextOf(rule: Rule, family: Family): RuleContext {
  return { family, protocol: rule.protocol }
}

function bang({ invert }: { readonly invert: boolean }): string {
  return invert ? ' !' : ''
}
