/** `ip rule`: iprule.c of iproute2. */
import { bitsOf, type Family } from '../../address/ip.ts'
import { ignoring } from '../../kernel/errors.ts'
import type { Rule, RuleAction } from '../../kernel/route.ts'
import {
  type Arguments,
  abbreviates,
  parseTypedPrefix,
  parseUnsigned,
  readUnsigned,
  type TypedPrefix,
  wrong,
} from '../arguments.ts'
import { Exit } from '../exit.ts'
import { dsFieldName, protocolName, readDsField, readProtocol, readTable, tableName } from '../names.ts'
import type { Printer } from '../printer.ts'
import { notModelled, print, type Settings } from './settings.ts'

const ACTIONS: Readonly<Record<string, RuleAction>> = {
  blackhole: 'blackhole',
  prohibit: 'prohibit',
  unreachable: 'unreachable',
  nop: 'nop',
}
const RTPROT_KERNEL = 2
const ALL_BITS = 0xffff_ffff

export function doRule(settings: Settings, args: Arguments): void {
  const { rules } = settings.kernel
  if (!args.more) {
    showRules(settings, args)
    return
  }
  const command = args.take()
  if (abbreviates(command, 'list', 'lst', 'show')) showRules(settings, args)
  else if (abbreviates(command, 'add')) {
    requireArguments(args, 'add')
    const rule = parseRule(settings, args)
    // ip itself names the table; a rule without one looks in main.
    rules.add(rule.action === undefined && rule.table === undefined ? { ...rule, table: 254 } : rule)
  } else if (abbreviates(command, 'delete')) {
    requireArguments(args, 'del')
    rules.delete(parseRule(settings, args))
  } else if (abbreviates(command, 'flush')) flushRules(settings, args)
  else if (abbreviates(command, 'save', 'restore', 'help')) throw notModelled(settings, `rule ${command}`)
  else throw new Exit(255, `Command "${command}" is unknown, try "ip rule help".`)
}

function requireArguments(args: Arguments, command: string): void {
  if (!args.more) throw new Exit(1, `"ip rule ${command}" requires arguments.`)
}

function parseRule(settings: Settings, args: Arguments): Rule {
  const rule: { -readonly [K in keyof Rule]: Rule[K] } = { family: settings.family ?? 'ipv4' }
  const readPrefix = (key: 'source' | 'destination') => {
    const typed = parseTypedPrefix(args.take(), settings.family)
    if (typed.address === '') return
    if (typed.family !== rule.family) {
      throw new Exit(2, `Error: Invalid ${key === 'source' ? 'source' : 'dst'} address.`)
    }
    rule[key] = `${typed.address}/${typed.length}`
  }
  while (args.more) {
    if (args.takes('not')) rule.invert = true
    else if (args.takes('from')) readPrefix('source')
    else if (args.takes('to')) readPrefix('destination')
    else if (args.takesBegun('preference', 'order', 'priority')) {
      rule.priority = parseUnsigned(args.take(), 'preference value is invalid\n')
    } else if (args.takes('tos') || args.takesBegun('dsfield')) {
      const text = args.take()
      const tos = readDsField(text)
      if (tos === undefined) throw wrong(text, 'TOS value is invalid\n')
      rule.tos = tos
    } else if (args.takes('fwmark')) Object.assign(rule, readMark(args.take()))
    else if (args.takesBegun('realms')) throw notModelled(settings, 'rule with realms')
    else if (args.takesBegun('protocol')) {
      const text = args.take()
      const protocol = readProtocol(text)
      if (protocol === undefined) throw wrong(text, '"protocol" value is invalid\n')
      rule.protocol = protocol
    } else if (args.takesBegun('table') || args.takes('lookup')) {
      const text = args.take()
      const table = readTable(text)
      if (table === undefined) throw wrong(text, 'invalid table ID\n')
      rule.table = table
    } else if (args.takes('suppress_prefixlength', 'sup_pl')) {
      rule.suppressPrefixLength = parseUnsigned(args.take(), 'suppress_prefixlength value is invalid\n')
    } else if (args.takes('dev', 'iif')) rule.inputLink = args.take()
    else if (args.takes('oif')) rule.outputLink = args.take()
    else if (args.takes('goto')) {
      rule.action = 'goto'
      rule.goto = parseUnsigned(args.take(), 'invalid target\n')
    } else if (
      ['suppress_ifgroup', 'sup_group', 'l3mdev', 'uidrange', 'nat', 'map-to', 'ipproto', 'sport', 'dport'].includes(
        args.next,
      )
    ) {
      throw notModelled(settings, `rule with "${args.next}"`)
    } else {
      args.takes('type')
      const text = args.take()
      if (abbreviates(text, 'help')) throw notModelled(settings, 'help')
      const action = Object.hasOwn(ACTIONS, text) ? ACTIONS[text] : undefined
      if (action === undefined && text !== 'unicast') throw wrong(text, 'Failed to parse rule type')
      if (action) rule.action = action
    }
  }
  return rule
}

function readMark(text: string): { mark: number; mask?: number } {
  const slash = text.indexOf('/')
  const mark = parseUnsigned(slash < 0 ? text : text.slice(0, slash), 'fwmark value is invalid\n')
  if (slash < 0) return { mark }
  return { mark, mask: parseUnsigned(text.slice(slash + 1), 'fwmask value is invalid\n') }
}

interface RuleFilter {
  priorities?: { from: number; to: number }
  invert?: boolean
  source?: TypedPrefix
  destination?: TypedPrefix
  tos?: number
  mark?: { mark: number; mask?: number }
  inputLink?: string
  outputLink?: string
  table?: number
  protocol?: number
}

function parseRuleFilter(settings: Settings, args: Arguments): RuleFilter {
  const filter: RuleFilter = {}
  while (args.more) {
    if (args.takesBegun('preference', 'order', 'priority')) {
      const text = args.take()
      const [from, to = from] = text.split('-').map((part) => readUnsigned(part))
      if (from === undefined || to === undefined) throw wrong(text, 'preference value is invalid\n')
      filter.priorities = { from, to }
    } else if (args.takes('not')) filter.invert = true
    else if (args.takes('tos') || args.takesBegun('dsfield')) {
      const text = args.take()
      const tos = readDsField(text)
      if (tos === undefined) throw wrong(text, 'TOS value is invalid\n')
      filter.tos = tos
    } else if (args.takes('fwmark')) filter.mark = readMark(args.take())
    else if (args.takes('dev', 'iif')) filter.inputLink = args.take()
    else if (args.takes('oif')) filter.outputLink = args.take()
    else if (args.takesBegun('lookup', 'table')) {
      const text = args.take()
      const table = readTable(text)
      if (table === undefined) throw wrong(text, 'table id value is invalid\n')
      filter.table = table
    } else if (args.takesBegun('from', 'src')) filter.source = parseTypedPrefix(args.take(), settings.family)
    else if (args.takesBegun('protocol')) {
      const text = args.take()
      const protocol = readProtocol(text)
      if (protocol === undefined) throw wrong(text, 'invalid "protocol"\n')
      filter.protocol = protocol
    } else if (['l3mdev', 'uidrange', 'ipproto', 'sport', 'dport'].includes(args.next)) {
      throw notModelled(settings, `rule show narrowed by "${args.next}"`)
    } else {
      args.takesBegun('dst', 'to')
      filter.destination = parseTypedPrefix(args.take(), settings.family)
    }
  }
  return filter
}

function passes(filter: RuleFilter, rule: Rule): boolean {
  const { priorities, mark } = filter
  const priority = rule.priority ?? 0
  if (priorities && (priority < priorities.from || priority > priorities.to)) return false
  if (filter.invert && !rule.invert) return false
  if (filter.tos !== undefined && filter.tos !== (rule.tos ?? 0)) return false
  if (mark && (mark.mark !== rule.mark || (mark.mask !== undefined && mark.mask !== rule.mask))) return false
  if (filter.inputLink !== undefined && filter.inputLink !== rule.inputLink) return false
  if (filter.outputLink !== undefined && filter.outputLink !== rule.outputLink) return false
  if (filter.table !== undefined && filter.table !== rule.table) return false
  if (filter.protocol !== undefined && filter.protocol !== (rule.protocol ?? 0)) return false
  return isPrefix(filter.source, rule.source) && isPrefix(filter.destination, rule.destination)
}

/** `all` is any; a prefix must be the very same. */
function isPrefix(wanted: TypedPrefix | undefined, prefix: string | undefined): boolean {
  return !wanted || wanted.address === '' || prefix === `${wanted.address}/${wanted.length}`
}

function showRules(settings: Settings, args: Arguments): void {
  const filter = parseRuleFilter(settings, args)
  const rules = settings.kernel.rules.list(settings.family ?? 'ipv4')
  const priorities = new Set(rules.map(({ priority = 0 }) => priority))
  print(settings, (printer) => {
    printer.array(undefined, () => {
      for (const rule of rules) {
        if (!passes(filter, rule)) continue
        const isThere = (name: string) => settings.kernel.links.get(name) !== undefined
        printer.object(() => printRule(printer, rule, { details: settings.details > 0, priorities, isThere }))
      }
    })
  })
}

function printRule(
  printer: Printer,
  rule: Rule,
  {
    details,
    priorities,
    isThere,
  }: {
    readonly details: boolean
    readonly priorities: ReadonlySet<number>
    /** Whether there is a link of this name: FIB_RULE_IIF_DETACHED. */
    isThere(link: string): boolean
  },
): void {
  printer.both('priority', rule.priority ?? 0, `${rule.priority ?? 0}:\t`)
  if (rule.invert) {
    printer.member('not', null)
    printer.text('not ')
  }
  printPrefix(printer, 'src', 'from', rule.source ?? 'all', rule.family)
  if (rule.destination !== undefined) printPrefix(printer, 'dst', 'to', rule.destination, rule.family)
  if (rule.tos) printer.both('tos', dsFieldName(rule.tos), `tos ${dsFieldName(rule.tos)} `)
  if (rule.mark !== undefined) {
    const hex = (number: number) => `0x${number.toString(16)}`
    printer.member('fwmark', hex(rule.mark))
    printer.text(`fwmark ${hex(rule.mark)}`)
    if (rule.mask !== undefined && rule.mask !== ALL_BITS) {
      printer.member('fwmask', hex(rule.mask))
      printer.text(`/${hex(rule.mask)}`)
    }
    printer.text(' ')
  }
  for (const [key, link] of [
    ['iif', rule.inputLink],
    ['oif', rule.outputLink],
  ] as const) {
    if (link === undefined) continue
    printer.both(key, link, `${key} ${link} `)
    if (isThere(link)) continue
    printer.member(`${key}_detached`, null)
    printer.text('[detached] ')
  }
  if (rule.table) {
    printer.both('table', tableName(rule.table), `lookup ${tableName(rule.table)}`)
    const suppressed = rule.suppressPrefixLength
    if (suppressed !== undefined) {
      printer.both('suppress_prefixlen', suppressed, ` suppress_prefixlength ${suppressed}`)
    }
  }
  if (rule.action === 'goto') {
    const target = rule.goto ?? 0
    printer.both('goto', target, `goto ${target}`)
    if (!priorities.has(target)) {
      printer.member('unresolved', null)
      printer.text(' [unresolved]')
    }
  } else if (rule.action === 'nop') {
    printer.member('nop', null)
    printer.text('nop')
  } else if (rule.action !== undefined && rule.action !== 'table') printer.both('action', rule.action, rule.action)
  const protocol = rule.protocol ?? 0
  if ((protocol !== 0 && protocol !== RTPROT_KERNEL) || details) {
    printer.both('protocol', protocolName(protocol), ` proto ${protocolName(protocol)}`)
  }
  printer.text('\n')
}

function printPrefix(printer: Printer, key: string, word: string, prefix: string, family: Family): void {
  const slash = prefix.indexOf('/')
  const address = slash < 0 ? prefix : prefix.slice(0, slash)
  const length = slash < 0 ? undefined : Number(prefix.slice(slash + 1))
  const host = length === undefined || length === bitsOf(family)
  printer.member(key, address)
  if (!host) printer.member(`${key}len`, length!)
  printer.text(`${word} ${host ? address : prefix} `)
}

/** All but `0: from all lookup local`, which `ip rule` leaves alone. */
function flushRules(settings: Settings, args: Arguments): void {
  const filter = parseRuleFilter(settings, args)
  const { rules } = settings.kernel
  for (const rule of rules.list(settings.family ?? 'ipv4')) {
    if ((rule.priority ?? 0) === 0 || !passes(filter, rule)) continue
    ignoring('ENOENT', () => rules.delete(rule))
  }
}
