/** A route as it is typed: `10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink`. iproute_modify() in iproute.c. */
import type { Family } from '../../address/ip.ts'
import type { Scope } from '../../kernel/address.ts'
import type { NextHop, Route, RouteMetrics, RouteType } from '../../kernel/route.ts'
import { RouteTable } from '../../kernel/route.ts'
import {
  type Arguments,
  abbreviates,
  garbage,
  parseAddress,
  parseTypedPrefix,
  parseUnsigned,
  readUnsigned,
  type TypedPrefix,
  wrong,
} from '../arguments.ts'
import { Exit } from '../exit.ts'
import { readDsField, readProtocol, readScope, readTable } from '../names.ts'
import { notModelled, requireDevice, type Settings } from './settings.ts'

const TYPES: readonly RouteType[] = [
  'unicast',
  'local',
  'broadcast',
  'anycast',
  'multicast',
  'blackhole',
  'unreachable',
  'prohibit',
  'throw',
  'nat',
]
/** Numbers behind their word, by the name that the kernel interface has. */
const METRICS: readonly (readonly [word: string, key: 'advmss' | 'window' | 'initcwnd' | 'initrwnd' | 'hoplimit'])[] = [
  ['hoplimit', 'hoplimit'],
  ['advmss', 'advmss'],
  ['window', 'window'],
  ['initcwnd', 'initcwnd'],
  ['initrwnd', 'initrwnd'],
]
/** What ip takes and the kernel interface does not have. */
const NOT_MODELLED =
  `as expires reordering rtt cwnd features congctl rttvar ssthresh realms nhid vrf encap ttl-propagate
  fastopen_no_cookie from uid`.split(/\s+/)

export function readType(text: string): RouteType | undefined {
  return TYPES.find((type) => type === text)
}

export function parseRoute(settings: Settings, args: Arguments): Route {
  let { family } = settings
  let destination: TypedPrefix | undefined
  let type: RouteType | undefined
  let table: number | undefined
  let protocol: number | undefined
  let scope: Scope | undefined
  let link: string | undefined
  const metrics: { -readonly [K in keyof RouteMetrics]: RouteMetrics[K] } = {}
  const rest: { -readonly [K in keyof Route]?: Route[K] } = {}
  const hops: NextHop[] = []

  while (args.more) {
    const metric = METRICS.find(([word]) => word === args.next)
    if (args.takes('src')) {
      const source = parseAddress(args.take(), family)
      family ??= source.family
      rest.source = source.address
    } else if (args.takes('via')) {
      const gateway = readGateway(args, family)
      family ??= gateway.family
      rest.gateway = gateway.address
    } else if (args.takes('tos') || args.takesBegun('dsfield')) {
      rest.tos = required(args, readDsField, '"tos" value is invalid\n')
    } else if (args.takes('preference') || args.takesBegun('metric', 'priority')) {
      rest.metric = parseUnsigned(args.take(), '"metric" value is invalid\n')
    } else if (args.takes('scope')) scope = required(args, readScope, 'invalid "scope" value\n')
    else if (args.takes('mtu')) {
      if (args.takes('lock')) metrics.mtuLocked = true
      metrics.mtu = parseUnsigned(args.take(), '"mtu" value is invalid\n')
    } else if (metric) {
      args.take()
      metrics[metric[1]] = parseUnsigned(args.take(), `"${metric[0]}" value is invalid\n`)
    } else if (args.takes('rto_min')) metrics.rtoMin = required(args, readTime, '"rto_min" value is invalid\n')
    else if (args.takes('quickack')) {
      metrics.quickack = parseUnsigned(args.take(), '"quickack" value should be 0 or 1\n', 1) === 1
    } else if (args.takes('onlink')) rest.onlink = true
    else if (args.next === 'nexthop') hops.push(...parseNextHops(settings, args, family))
    else if (args.next.length > 1 && args.takesBegun('protocol')) {
      protocol = required(args, readProtocol, '"protocol" value is invalid\n')
    } else if (args.next.length > 1 && args.takesBegun('table')) {
      table = required(args, readTable, '"table" value is invalid\n')
    } else if (args.takes('dev', 'oif')) link = args.take()
    else if (args.next.length > 2 && args.takesBegun('pref')) rest.preference = readPreference(args)
    else if (NOT_MODELLED.includes(args.next)) throw notModelled(settings, `route with "${args.next}"`)
    else {
      args.takes('to')
      if (destination) throw garbage('to', args.next)
      type = readType(args.next)
      if (type) args.take()
      if (abbreviates(args.next, 'help')) throw notModelled(settings, 'help')
      destination = parseTypedPrefix(args.take(), family)
      family ??= destination.family
    }
  }
  if (!destination) throw notModelled(settings, 'help')
  if (link !== undefined) requireDevice(settings, link)
  family ??= 'ipv4'
  return {
    destination: prefixText(destination, family),
    ...rest,
    table: table ?? (isLocal(type) ? RouteTable.local : RouteTable.main),
    ...(type !== undefined && { type }),
    ...(protocol !== undefined && { protocol }),
    ...(scope !== undefined && { scope }),
    ...(link !== undefined && { link }),
    ...(Object.keys(metrics).length > 0 && { metrics }),
    ...(hops.length === 1 && withoutWeight(hops[0]!)),
    ...(hops.length > 1 && { nextHops: hops }),
  }
}

function prefixText({ address, length }: TypedPrefix, family: Family): string {
  return address === '' ? (family === 'ipv4' ? '0.0.0.0/0' : '::/0') : `${address}/${length}`
}

/** Such routes are made in the table `local` unless another is named. */
function isLocal(type: RouteType | undefined): boolean {
  return type === 'local' || type === 'broadcast' || type === 'anycast' || type === 'nat'
}

/** The kernel makes a route with one next hop of it. */
function withoutWeight({ weight: _, ...hop }: NextHop): NextHop {
  return hop
}

function required<T>(args: Arguments, read: (text: string) => T | undefined, message: string): T {
  const text = args.take()
  const value = read(text)
  if (value === undefined) throw wrong(text, message)
  return value
}

function readGateway(args: Arguments, family: Family | undefined): { family: Family; address: string } {
  if (args.takes('inet6')) return { family: family ?? 'ipv6', address: parseAddress(args.take(), 'ipv6').address }
  if (args.takes('inet')) return { family: family ?? 'ipv4', address: parseAddress(args.take(), 'ipv4').address }
  return parseAddress(args.take(), family)
}

/** To the end of the line: parse_nexthops. */
function parseNextHops(settings: Settings, args: Arguments, family: Family | undefined): NextHop[] {
  const hops: NextHop[] = []
  while (args.more) {
    if (!args.takes('nexthop')) {
      throw new Exit(255, `Error: "nexthop" or end of line is expected instead of "${args.next}"`)
    }
    hops.push(parseNextHop(settings, args, family))
  }
  return hops
}

function parseNextHop(settings: Settings, args: Arguments, family: Family | undefined): NextHop {
  const hop: { -readonly [K in keyof NextHop]: NextHop[K] } = {}
  for (;;) {
    if (args.takes('via')) hop.gateway = readGateway(args, family).address
    else if (args.takes('dev')) {
      hop.link = requireDevice(settings, args.take()).name
    } else if (args.takes('weight')) {
      const text = args.take()
      const weight = readUnsigned(text, 256)
      if (!weight) throw wrong(text, '"weight" is invalid\n')
      hop.weight = weight
    } else if (args.takes('onlink')) hop.onlink = true
    else if (args.takes('realms', 'encap', 'as')) throw notModelled(settings, 'nexthop with realms, encap or as')
    else break
  }
  return hop
}

function readPreference(args: Arguments): 'low' | 'medium' | 'high' {
  const text = args.take()
  if (text === 'low' || text === 'medium' || text === 'high') return text
  const number = readUnsigned(text, 3)
  const named = number === undefined ? undefined : (['medium', 'high', undefined, 'low'] as const)[number]
  if (!named) throw wrong(text, '"pref" value is invalid\n')
  return named
}

/** Milliseconds: `40ms`, `1.5s`, or a plain number of milliseconds. */
function readTime(text: string): number | undefined {
  const [, number, unit] = /^([0-9]+(?:\.[0-9]+)?)(s|sec|secs|ms|msec|msecs)?$/.exec(text) ?? []
  if (number === undefined) return undefined
  return Math.ceil(Number(number) * (unit?.startsWith('s') ? 1000 : 1))
}
