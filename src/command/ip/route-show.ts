/** `ip route show`, and what it may be narrowed to. */
import { bitsOf, type Family } from '../../address/ip.ts'
import { parsePrefix } from '../../address/prefix.ts'
import type { Route, RouteType } from '../../kernel/route.ts'
import { RouteTable } from '../../kernel/route.ts'
import { type Arguments, abbreviates, parseTypedPrefix, parseUnsigned, type TypedPrefix, wrong } from '../arguments.ts'
import { Exit } from '../exit.ts'
import { readDsField, readProtocol, readScope, readTable, scopeName } from '../names.ts'
import { sameNetwork } from './link-filter.ts'
import { familyOfRoute, type Hidden, printRoute } from './route-line.ts'
import { readType } from './route-words.ts'
import { notModelled, print, requireDevice, type Settings } from './settings.ts'

export interface RouteFilter {
  family: Family | undefined
  /** 0 means all. */
  table: number
  link?: string
  protocol?: number
  scope?: string
  type?: RouteType
  metric?: number
  tos?: number
  gateway?: TypedPrefix
  source?: TypedPrefix
  /** Routes within this prefix. */
  root?: TypedPrefix
  /** Routes that this prefix is within. */
  match?: TypedPrefix
}

export function parseRouteFilter(settings: Settings, args: Arguments): RouteFilter {
  const filter: RouteFilter = { family: settings.family, table: RouteTable.main }
  const prefix = () => {
    const typed = parseTypedPrefix(args.take(), filter.family)
    filter.family ??= typed.family
    return typed
  }
  while (args.more) {
    if (args.takesBegun('table')) {
      const text = args.take()
      const table = readTable(text)
      if (text === 'cache') throw notModelled(settings, 'route show table cache')
      if (table === undefined && text !== 'all') throw wrong(text, 'table id value is invalid\n')
      filter.table = table ?? 0
    } else if (args.takes('tos') || args.takesBegun('dsfield')) {
      filter.tos = word(args, readDsField, 'TOS value is invalid\n')
    } else if (args.takesBegun('protocol')) filter.protocol = word(args, readProtocol, 'invalid "protocol"\n')
    else if (args.takesBegun('scope')) filter.scope = scopeName(word(args, readScope, 'invalid "scope"\n'))
    else if (args.takesBegun('type')) filter.type = word(args, readType, 'node type value is invalid\n')
    else if (args.takes('dev', 'oif')) filter.link = requireDevice(settings, args.take()).name
    else if (args.takesBegun('metric', 'priority', 'preference')) {
      filter.metric = parseUnsigned(args.take(), '"metric" value is invalid\n')
    } else if (args.takes('via')) filter.gateway = prefix()
    else if (args.takes('src')) filter.source = prefix()
    else if (args.takesBegun('vrf', 'iif', 'mark', 'realms', 'from', 'cached', 'cloned', 'nhid')) {
      throw notModelled(settings, 'route show narrowed by vrf, iif, mark, realms, from, nhid or cache')
    } else {
      args.takesBegun('to')
      if (abbreviates(args.next, 'root')) {
        args.take()
        filter.root = prefix()
      } else if (abbreviates(args.next, 'match')) {
        args.take()
        filter.match = prefix()
      } else {
        args.takesBegun('exact')
        if (abbreviates(args.next, 'help')) throw notModelled(settings, 'help')
        filter.root = filter.match = prefix()
      }
    }
  }
  if (filter.table !== 0) filter.family ??= 'ipv4'
  return filter
}

function word<T>(args: Arguments, read: (text: string) => T | undefined, message: string): T {
  const text = args.take()
  const value = read(text)
  if (value === undefined) throw wrong(text, message)
  return value
}

export function showRoutes(settings: Settings, args: Arguments): void {
  if (settings.statistics > 0) throw notModelled(settings, '-s route')
  const filter = parseRouteFilter(settings, args)
  const routes = listRoutes(settings, filter, 'Dump terminated')
  const whole = (prefix: TypedPrefix | undefined) =>
    prefix?.family !== undefined && prefix.length === bitsOf(prefix.family) && prefix.address !== ''
  const hidden: Hidden = {
    table: filter.table !== 0,
    protocol: filter.protocol !== undefined,
    scope: filter.scope !== undefined,
    metric: filter.metric !== undefined,
    link: filter.link !== undefined,
    gateway: whole(filter.gateway),
    source: whole(filter.source),
    tos: filter.tos !== undefined,
  }
  print(settings, (printer) => {
    printer.array(undefined, () => {
      for (const route of routes) {
        printer.object(() => printRoute(printer, route, { details: settings.details > 0, hidden }))
      }
    })
  })
}

export function listRoutes(settings: Settings, filter: RouteFilter, terminated: string): Route[] {
  const { family, table, link, protocol } = filter
  const all = settings.kernel.routes.list({
    ...(family && { family }),
    ...(table !== 0 && { table }),
    ...(link !== undefined && { link }),
    ...(protocol !== undefined && { protocol }),
  })
  if (all.length === 0 && table !== 0 && !settings.kernel.routes.hasTable(table, family!)) {
    throw new Exit(2, `Error: ${family}: FIB table does not exist.\n${terminated}`)
  }
  return all.filter((route) => passes(filter, route))
}

function passes(filter: RouteFilter, route: Route): boolean {
  const { scope, type, metric, tos, gateway, source, root, match, link } = filter
  if (link !== undefined && route.nextHops) return false
  if (scope !== undefined && scopeName(route.scope ?? 'global') !== scope) return false
  if (type !== undefined && (route.type ?? 'unicast') !== type) return false
  if (metric !== undefined && (route.metric ?? 0) !== metric) return false
  if (tos !== undefined && (route.tos ?? 0) !== tos) return false
  if (gateway && !isWithin(route.gateway, gateway)) return false
  if (source && !isWithin(route.source, source)) return false
  const destination = parsePrefix(route.destination)
  if (root && !isInside(destination, prefixOf(root, route))) return false
  return !match || isInside(prefixOf(match, route), destination)
}

function prefixOf({ address, length }: TypedPrefix, route: Route) {
  return address === ''
    ? parsePrefix(familyOfRoute(route) === 'ipv4' ? '0.0.0.0/0' : '::/0')
    : parsePrefix(`${address}/${length}`)
}

type Prefix = ReturnType<typeof parsePrefix>

function isInside(inner: Prefix, outer: Prefix): boolean {
  if (inner.address.length !== outer.address.length || inner.length < outer.length) return false
  return sameNetwork(inner.address, outer.address, outer.length)
}

function isWithin(address: string | undefined, prefix: TypedPrefix): boolean {
  if (address === undefined) return false
  if (prefix.address === '') return true
  const bits = address.includes(':') ? 128 : 32
  return isInside(parsePrefix(`${address}/${bits}`), parsePrefix(`${prefix.address}/${prefix.length}`))
}
