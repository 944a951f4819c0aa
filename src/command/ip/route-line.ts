/** A route as `ip route` prints it: print_route() in iproute.c. */
import { bitsOf, type Family } from '../../address/ip.ts'
import type { NextHop, Route, RouteMetrics } from '../../kernel/route.ts'
import { RouteProtocol, RouteTable } from '../../kernel/route.ts'
import { dsFieldName, protocolName, scopeName, tableName } from '../names.ts'
import type { Printer } from '../printer.ts'

/** What a listing was narrowed to is not repeated on every line. */
export interface Hidden {
  readonly table?: boolean
  readonly protocol?: boolean
  readonly scope?: boolean
  readonly metric?: boolean
  readonly link?: boolean
  readonly gateway?: boolean
  readonly source?: boolean
  readonly tos?: boolean
}

/** What stands in the answer to `ip route get` alone. */
export interface Asked {
  readonly from: string | undefined
  readonly mark: number | undefined
  readonly inputLink: string | undefined
  /** The sender would be told of a shorter way. */
  readonly redirects: boolean
}

/** RTAX_*, in the order of their numbers. */
const METRICS: readonly (readonly [key: keyof RouteMetrics, word: string])[] = [
  ['mtu', 'mtu'],
  ['window', 'window'],
  ['advmss', 'advmss'],
  ['hoplimit', 'hoplimit'],
  ['initcwnd', 'initcwnd'],
  ['rtoMin', 'rto_min'],
  ['initrwnd', 'initrwnd'],
  ['quickack', 'quickack'],
]

export const familyOfRoute = ({ destination }: Route): Family => (destination.includes(':') ? 'ipv6' : 'ipv4')

export function printRoute(
  printer: Printer,
  route: Route,
  options: { readonly details: boolean; readonly hidden?: Hidden; readonly asked?: Asked },
): void {
  const { details, hidden = {}, asked } = options
  const family = familyOfRoute(route)
  const { type = 'unicast', table = RouteTable.main, protocol = RouteProtocol.boot } = route
  if (type !== 'unicast' || details) printer.both('type', type)
  printer.both('dst', destinationOf(route, family))
  if (asked) printFrom(printer, family, asked)
  if (route.tos && !hidden.tos) printer.both('tos', dsFieldName(route.tos), `tos ${dsFieldName(route.tos)} `)
  if (route.gateway !== undefined && !hidden.gateway) printGateway(printer, route.gateway, family)
  if (route.link !== undefined && !hidden.link) printer.both('dev', route.link, `dev ${route.link} `)
  const told = table !== RouteTable.main && (!asked || table !== 0) // an answer that no table gave has none
  if ((told || details) && !hidden.table) {
    printer.both('table', tableName(table), `table ${tableName(table)} `)
  }
  // An answer of IPv4 is a cached entry, which has none of these.
  if (!asked || family === 'ipv6') {
    if ((protocol !== RouteProtocol.boot || details) && !hidden.protocol) {
      printer.both('protocol', protocolName(protocol), `proto ${protocolName(protocol)} `)
    }
    const scope = scopeName(route.scope ?? 'global')
    if ((scope !== 'global' || details) && !hidden.scope) printer.both('scope', scope, `scope ${scope} `)
  }
  if (route.source !== undefined && !hidden.source && route.source !== asked?.from) {
    printer.both('prefsrc', route.source, `src ${route.source} `)
  }
  // IPv6 tells the metric of every route that has one, even if that is 0.
  if ((route.metric || (family === 'ipv6' && route.metric !== undefined)) && !hidden.metric) {
    printer.both('metric', route.metric, `metric ${route.metric} `)
  }
  printRouteFlags(printer, route)
  if (asked?.mark && family === 'ipv4') {
    printer.both('mark', asked.mark, `mark ${asked.mark >= 16 ? `0x${asked.mark.toString(16)}` : asked.mark} `)
  }
  if (asked && family === 'ipv4' && asked.inputLink === undefined) printer.both('uid', 0, 'uid 0 ')
  if (asked && family === 'ipv4') printCache(printer, type, asked)
  if (route.expires !== undefined) printer.both('expires', route.expires, `expires ${route.expires}sec `)
  if (route.metrics) printMetrics(printer, route.metrics)
  if (asked?.inputLink !== undefined) printer.both('iif', asked.inputLink, `iif ${asked.inputLink} `)
  if (family === 'ipv6') {
    const preference = route.preference ?? 'medium'
    printer.both('pref', preference, `pref ${preference}`)
  }
  if (route.nextHops) printNextHops(printer, route.nextHops, family)
  printer.text('\n')
}

function destinationOf({ destination }: Route, family: Family): string {
  const slash = destination.indexOf('/')
  const length = Number(destination.slice(slash + 1))
  if (length === 0) return 'default'
  return length === bitsOf(family) ? destination.slice(0, slash) : destination
}

/** IPv6 always tells a source, though it be none. */
function printFrom(printer: Printer, family: Family, { from }: Asked): void {
  const source = from ?? (family === 'ipv6' ? '::' : undefined)
  if (source !== undefined) printer.both('from', source, `from ${source} `)
}

function printGateway(printer: Printer, gateway: string, family: Family): void {
  const other = gateway.includes(':') ? 'ipv6' : 'ipv4'
  if (other === family) {
    printer.both('gateway', gateway, `via ${gateway} `)
    return
  }
  const word = other === 'ipv6' ? 'inet6' : 'inet'
  printer.object(() => {
    printer.member('family', word)
    printer.member('host', gateway)
  }, 'via')
  printer.text(`via ${word} ${gateway} `)
}

/** RTNH_F_*. */
function printRouteFlags(printer: Printer, hop: NextHop): void {
  const flags = [
    ...(hop.dead ? ['dead'] : []),
    ...(hop.onlink ? ['onlink'] : []),
    ...(hop.linkDown ? ['linkdown'] : []),
  ]
  printer.strings('flags', flags)
  for (const flag of flags) printer.text(`${flag} `)
}

/** RTCF_LOCAL, RTCF_BROADCAST: what the type says of a cached entry; RTCF_DOREDIRECT. */
function printCache(printer: Printer, type: string, { redirects }: Asked): void {
  const words = [...({ local: ['local'], broadcast: ['local', 'brd'] }[type] ?? []), ...(redirects ? ['redirect'] : [])]
  printer.newLine()
  printer.text(`    cache ${words.length > 0 ? `<${words.join(',')}> ` : ''}`)
  printer.strings('cache', words)
}

function printMetrics(printer: Printer, metrics: RouteMetrics): void {
  printer.array('metrics', () => {
    printer.object(() => {
      for (const [key, word] of METRICS) {
        const value = metrics[key]
        if (value === undefined) continue
        const number = Number(value)
        printer.member(word, number)
        if (key === 'rtoMin') printer.text(`rto_min lock ${number >= 1000 ? `${number / 1000}s` : `${number}ms`} `)
        else printer.text(`${word} ${key === 'mtu' && metrics.mtuLocked ? 'lock ' : ''}${number} `)
      }
    })
  })
}

function printNextHops(printer: Printer, hops: readonly NextHop[], family: Family): void {
  printer.array('nexthops', () => {
    for (const hop of hops) {
      printer.object(() => {
        printer.newLine()
        printer.text('\tnexthop ')
        if (hop.gateway !== undefined) printGateway(printer, hop.gateway, family)
        if (hop.link !== undefined) printer.both('dev', hop.link, `dev ${hop.link} `)
        printer.both('weight', hop.weight ?? 1, `weight ${hop.weight ?? 1} `)
        printRouteFlags(printer, hop)
      })
    }
  })
}
