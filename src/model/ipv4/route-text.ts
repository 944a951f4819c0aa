/** Routes in the words of `ip route show`: print_route, ip/iproute.c. For notes only. */
import { RouteTable } from '../../kernel/route.ts'
import { formatAddress } from './address-text.ts'
import { type FibNextHop, type FibRoute, RtScope, scopeName } from './fib-route.ts'
import type { Ipv4Route } from './route.ts'

/** iproute2's rt_protos; the others are numbers. `boot` is not shown. */
const protocols: Readonly<Record<number, string>> = {
  1: 'redirect',
  2: 'kernel',
  3: 'boot',
  4: 'static',
  9: 'ra',
  12: 'bird',
  16: 'dhcp',
  186: 'bgp',
  188: 'ospf',
}

const BOOT = 3

const tables: Readonly<Record<number, string>> = {
  [RouteTable.default]: 'default',
  [RouteTable.main]: 'main',
  [RouteTable.local]: 'local',
}

export const tableName = (table: number): string => tables[table] ?? String(table)

const prefix = ({ destination, length }: FibRoute) =>
  length === 32 ? formatAddress(destination) : length === 0 ? 'default' : `${formatAddress(destination)}/${length}`

function way(hop: FibNextHop): string {
  const gateway = hop.gateway6
    ? ` via inet6 ${hop.gateway6.replace(/(.{4})(?=.)/g, '$1:')}`
    : hop.gateway
      ? ` via ${formatAddress(hop.gateway)}`
      : ''
  return `${gateway} dev ${hop.device.name}`
}

const flags = (hop: FibNextHop) =>
  `${hop.dead ? ' dead' : ''}${hop.onlink ? ' onlink' : ''}${hop.linkdown ? ' linkdown' : ''}`

/** `10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink`; the table is named where it is not main. */
export function describeRoute(route: FibRoute): string {
  let text = route.type === 'unicast' ? prefix(route) : `${route.type} ${prefix(route)}`
  if (route.tos) text += ` tos 0x${route.tos.toString(16).padStart(2, '0')}`
  const [only] = route.hops
  if (only && route.hops.length === 1) text += way(only)
  if (route.table !== RouteTable.main) text += ` table ${tableName(route.table)}`
  if (route.protocol !== BOOT) text += ` proto ${protocols[route.protocol] ?? route.protocol}`
  if (route.scope !== RtScope.universe) text += ` scope ${scopeName(route.scope)}`
  if (route.source) text += ` src ${formatAddress(route.source)}`
  if (route.metric) text += ` metric ${route.metric}`
  if (only && route.hops.length === 1) text += flags(only)
  if (route.metrics?.mtu) text += ` mtu ${route.metrics.mtuLocked ? 'lock ' : ''}${route.metrics.mtu}`
  if (route.metrics?.advmss) text += ` advmss ${route.metrics.advmss}`
  if (route.hops.length > 1)
    for (const hop of route.hops) text += ` nexthop${way(hop)} weight ${hop.weight}${flags(hop)}`
  return text
}

/** What a journey says of a packet's route. It is written once, for as long as nothing changes that it names: Fib.generation. */
export interface RouteNote {
  readonly generation: number
  /** The route, and its table. */
  readonly what: string
  readonly ref: string
}

/** Of a route that a table has. */
export function noteOf(route: Ipv4Route, fib: FibRoute): RouteNote {
  const { generation } = route.device.namespace.fib
  if (route.note?.generation !== generation) {
    const text = describeRoute(fib)
    route.note = { generation, what: `${text} (${tableName(fib.table)})`, ref: `route ${text}` }
  }
  return route.note!
}
