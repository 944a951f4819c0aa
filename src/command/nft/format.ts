/** A rule in nft's words: nftables 1.0.6, src/statement.c, expression.c. */
import type { NftVerdict } from '../../kernel/nftables.ts'
import { type Datatype, types } from './datatype.ts'
import { formatTime } from './parse-value.ts'
import type { Element, Operand, Selector, SetOperand, Statement, Value } from './syntax.ts'

export const UNITS: Readonly<Record<string, string>> = {
  1: 'second',
  60: 'minute',
  3600: 'hour',
  86400: 'day',
  604800: 'week',
}
export const LOG_LEVELS = ['emerg', 'alert', 'crit', 'err', 'warn', 'notice', 'info', 'debug']
const WARNING = 4
const DEFAULT_BURST = 5
const ALL_LOG_FLAGS = 47
/** NF_NAT_RANGE_*. */
export const NAT_FLAGS = [
  [4, 'random'],
  [16, 'fully-random'],
  [8, 'persistent'],
] as const

/** `stateless`: without what counters counted. `numeric`: codes as numbers. */
export function formatStatement(statement: Statement, { stateless = false, numeric = false } = {}): string {
  switch (statement.kind) {
    case 'match':
      return formatMatch(statement)
    case 'vmap':
      return `${formatSelector(statement.key)} vmap ${formatSet(statement.map)}`
    case 'verdict':
      return formatVerdict(statement.verdict)
    case 'counter':
      return stateless ? 'counter' : `counter packets ${statement.packets} bytes ${statement.bytes}`
    case 'limit':
      return formatLimit(statement)
    case 'log':
      return formatLog(statement)
    case 'reject':
      return formatReject(statement, numeric)
    case 'nat':
      return formatNat(statement)
    case 'set meta':
      return `${formatSelector({ kind: 'meta', meta: statement.meta })} set ${formatOperand(statement.value)}`
    case 'set ct':
      return `ct ${statement.ct.word} set ${formatOperand(statement.value)}`
    case 'notrack':
      return 'notrack'
    case 'xt':
      return statement.text
  }
}

function formatMatch({ left, operator, right, mask, anyOf }: Extract<Statement, { kind: 'match' }>): string {
  const selector = formatSelector(left)
  if (right.kind === 'reference' || right.kind === 'set') {
    return `${selector}${operator === '!=' ? ' !=' : ''} ${formatSet(right)}`
  }
  const value = formatValue(right)
  if (anyOf) return `${selector}${operator === '!=' ? ' !' : ''} ${value}`
  if (mask && right.kind === 'value') {
    return `${selector} ${operator === '!=' ? '!= ' : ''}${value} / ${right.type.format(mask)}`
  }
  const isTold = operator !== '==' || left.kind === 'bits' || (right.kind === 'value' && right.type.isBitmask)
  return `${selector}${isTold ? ` ${operator}` : ''} ${value}`
}

export function formatSelector(selector: Selector): string {
  switch (selector.kind) {
    case 'meta':
      return selector.meta.isBare ? selector.meta.word : `meta ${selector.meta.word}`
    case 'ct':
      return `ct ${selector.direction ? `${selector.direction} ` : ''}${selector.ct.word}`
    case 'payload':
      return `${selector.protocol.name} ${selector.field.word}`
    case 'raw':
      return `@${RAW_BASES[selector.base]},${selector.offset},${selector.length}`
    case 'fib':
      return `fib ${selector.flags.join(' . ')} ${selector.result}`
    case 'concatenation':
      return selector.parts.map(formatSelector).join(' . ')
    case 'bits':
      return `${formatSelector(selector.of)} ${selector.operator} ${formatMask(selector)}`
    case 'map':
      return `${formatSelector(selector.key)} map ${formatSet(selector.map)}`
  }
}

export const RAW_BASES = { link: 'll', network: 'nh', transport: 'th' } as const

function formatMask({ of, value }: Extract<Selector, { kind: 'bits' }>): string {
  const inner = of.kind === 'bits' ? innermost(of) : of
  if (inner.kind === 'meta') return inner.meta.type.format(value)
  if (inner.kind === 'ct') return inner.ct.type.format(value)
  if (inner.kind === 'payload') return inner.field.type.format(value)
  return `0x${[...value].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`
}

function innermost(selector: Selector): Selector {
  return selector.kind === 'bits' ? innermost(selector.of) : selector
}

export function formatValue(value: Value): string {
  switch (value.kind) {
    case 'value':
      return value.type.format(value.value)
    case 'prefix':
      return `${value.type.format(value.value)}/${value.length}`
    case 'range':
      return `${value.type.format(value.from)}-${value.type.format(value.to)}`
    case 'concatenation':
      return value.parts.map(formatValue).join(' . ')
    case 'any':
      return '*'
  }
}

function formatOperand(operand: Operand): string {
  if (operand.kind === 'concatenation') return operand.parts.map((part) => formatOperand(part as Operand)).join(' . ')
  return isValue(operand) ? formatValue(operand) : formatSelector(operand)
}

function isValue(operand: Operand): operand is Exclude<Value, { kind: 'concatenation' }> {
  return operand.kind === 'value' || operand.kind === 'prefix' || operand.kind === 'range' || operand.kind === 'any'
}

export function formatSet(set: SetOperand): string {
  if (set.kind === 'reference') return `@${set.name}`
  return `{ ${set.elements.map(formatElement).join(', ')} }`
}

export function formatElement({ key, data, comment, timeout }: Element): string {
  const to = data === undefined ? '' : ` : ${'verdict' in data ? formatVerdict(data) : formatValue(data)}`
  const life = timeout === undefined ? '' : ` timeout ${formatTime(timeout)}`
  return `${formatValue(key)}${life}${comment === undefined ? '' : ` comment "${comment}"`}${to}`
}

export function formatVerdict(verdict: NftVerdict): string {
  if (verdict.verdict === 'other') return `unknown verdict value ${verdict.code}`
  return 'chain' in verdict ? `${verdict.verdict} ${verdict.chain}` : verdict.verdict
}

function formatLimit({ rate, unit, burst, over, bytes }: Extract<Statement, { kind: 'limit' }>): string {
  const per = UNITS[`${unit}`] ?? 'error'
  const start = `limit rate ${over ? 'over ' : ''}`
  if (!bytes) return `${start}${rate}/${per}${burst && burst !== DEFAULT_BURST ? ` burst ${burst} packets` : ''}`
  return `${start}${formatBytes(rate)}/${per}${burst ? ` burst ${formatBytes(BigInt(burst))}` : ''}`
}

function formatBytes(bytes: bigint): string {
  const units = ['bytes', 'kbytes', 'mbytes']
  let [count, unit] = [bytes, 0]
  while (unit < 2 && count !== 0n && count % 1024n === 0n) [count, unit] = [count / 1024n, unit + 1]
  return `${count} ${units[unit]}`
}

function formatLog({
  prefix,
  level = WARNING,
  flags = 0,
  group,
  snapLength,
  threshold,
}: Extract<Statement, { kind: 'log' }>): string {
  return (
    'log' +
    (prefix === undefined ? '' : ` prefix "${prefix}"`) +
    (group === undefined ? '' : ` group ${group}`) +
    (snapLength === undefined ? '' : ` snaplen ${snapLength}`) +
    (threshold === undefined ? '' : ` queue-threshold ${threshold}`) +
    (level === WARNING ? '' : ` level ${LOG_LEVELS[level]}`) +
    formatLogFlags(flags)
  )
}

function formatLogFlags(flags: number): string {
  if (flags === ALL_LOG_FLAGS) return ' flags all'
  const tcp = [flags & 1 && 'sequence', flags & 2 && 'options'].filter(Boolean)
  return (
    (tcp.length > 0 ? ` flags tcp ${tcp.join(',')}` : '') +
    (flags & 4 ? ' flags ip options' : '') +
    (flags & 8 ? ' flags skuid' : '') +
    (flags & 32 ? ' flags ether' : '')
  )
}

function formatReject(
  { reject, code, over, isExplicit }: Extract<Statement, { kind: 'reject' }>,
  numeric: boolean,
): string {
  if (reject === 'tcp reset') return 'reject with tcp reset'
  const told = (type: Datatype) => (numeric ? `${code}` : type.format(Uint8Array.of(code)))
  if (reject === 'icmpx') return code === 1 ? 'reject' : `reject with icmpx ${told(types.icmpxCode)}`
  if (over === 'ip6') return code === 4 && !isExplicit ? 'reject' : `reject with icmpv6 ${told(types.icmpv6Code)}`
  return code === 3 && !isExplicit ? 'reject' : `reject with icmp ${told(types.icmpCode)}`
}

function formatNat({ nat, family, address, ports, flags }: Extract<Statement, { kind: 'nat' }>): string {
  let text: string = nat
  if (address || ports) text += `${family ? ` ${family}` : ''} to`
  if (address) text += ` ${formatAddress(address, ports !== undefined)}`
  if (ports) text += `${address ? '' : ' '}:${formatOperand(ports)}`
  const words = NAT_FLAGS.filter(([bit]) => flags & bit).map(([, word]) => word)
  return words.length > 0 ? `${text} ${words.join(',')}` : text
}

function formatAddress(address: Operand, hasPorts: boolean): string {
  if (!hasPorts || !isValue(address) || address.kind === 'any' || address.type.name !== 'ipv6_addr')
    return formatOperand(address)
  if (address.kind === 'range') return `[${address.type.format(address.from)}]-[${address.type.format(address.to)}]`
  return `[${formatValue(address)}]`
}
