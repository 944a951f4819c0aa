/** IPv6 routes in the words of `ip -6 route show`. For notes only. */
import { RouteTable } from '../../kernel/route.ts'
import { tableName } from '../ipv4/route-text.ts'
import { textOf } from './address.ts'
import type { Fib6Route } from './fib-route.ts'

const protocols: Readonly<Record<number, string>> = { 2: 'kernel', 4: 'static', 9: 'ra', 12: 'bird', 186: 'bgp' }
const BOOT = 3

/** `fd05::/48 via fd00::2 dev eth0 metric 1024 pref medium` */
export function describeRoute6(route: Fib6Route): string {
  const { destination, length, type, gateway, device, table, protocol, source, metric } = route
  const prefix = length === 0 ? 'default' : length === 128 ? textOf(destination) : `${textOf(destination)}/${length}`
  let text = type === 'unicast' ? prefix : `${type} ${prefix}`
  if (gateway) text += ` via ${textOf(gateway)}`
  text += ` dev ${device.name}`
  if (table !== RouteTable.main) text += ` table ${tableName(table)}`
  if (protocol !== BOOT) text += ` proto ${protocols[protocol] ?? protocol}`
  if (source) text += ` src ${textOf(source)}`
  text += ` metric ${metric}`
  if (route.onlink) text += ' onlink'
  if (route.metrics?.mtu) text += ` mtu ${route.metrics.mtu}`
  return `${text} pref ${route.preference}`
}
