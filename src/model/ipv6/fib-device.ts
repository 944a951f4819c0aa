/** What becomes of routes when their device changes: fib6_ifdown, fib6_ifup, rt6_sync_down_dev, rt6_mtu_change, net/ipv6/route.c. */
import type { Device } from '../device/device.ts'
import { removeRoute6 } from './fib-change.ts'
import { type Fib6Route, rebalance } from './fib-route.ts'

function routesOf({ namespace }: Device, device: Device): Fib6Route[] {
  return namespace.ipv6.fib.tables().flatMap((table) => table.list().filter((route) => route.device === device))
}

const hasError = ({ type }: Fib6Route) =>
  type !== 'unicast' && type !== 'local' && type !== 'anycast' && type !== 'multicast'

/** NETDEV_DOWN, NETDEV_UNREGISTER: routes go; of several next hops this one is dead until no other is left. */
export function linkGone6(device: Device, forGood: boolean): void {
  const { fib } = device.namespace.ipv6
  for (const route of routesOf(device, device)) {
    if (hasError(route)) continue
    const { siblings } = route
    if (siblings.length === 0 || forGood) {
      removeRoute6(fib, route)
      continue
    }
    route.dead = true
    route.linkdown = true
    if (siblings.every(({ dead }) => dead)) for (const each of [...siblings]) removeRoute6(fib, each)
    else rebalance(siblings)
  }
  fib.flush()
}

/** NETDEV_UP: rt6_sync_up with RTNH_F_DEAD. */
export function linkRevived6(device: Device): void {
  for (const route of routesOf(device, device)) {
    if (!route.dead) continue
    route.dead = false
    route.linkdown = !device.carrier
    rebalance(route.siblings)
  }
  device.namespace.ipv6.fib.flush()
}

/** NETDEV_CHANGE: RTNH_F_LINKDOWN follows the carrier. */
export function linkChanged6(device: Device): void {
  for (const route of routesOf(device, device)) {
    if (hasError(route) || route.type === 'local' || route.type === 'anycast') continue
    route.linkdown = !device.carrier
    if (route.siblings.length > 0) rebalance(route.siblings)
  }
  device.namespace.ipv6.fib.flush()
}

/**
 * fib6_nh_mtu_change, rt6_exceptions_update_pmtu: an MTU of a route, and one that was learned, falls with the device's, and
 * rises with it where it was the device's until now.
 */
export function routeMtusChanged6(device: Device, before: number): void {
  const follows = (mtu: number) => mtu >= device.mtu || mtu === before
  for (const route of routesOf(device, device)) {
    const { mtu, mtuLocked } = route.metrics ?? {}
    if (mtuLocked) continue
    if (mtu !== undefined && follows(mtu)) route.metrics = { ...route.metrics, mtu: device.mtu }
    for (const exception of route.exceptions?.values() ?? []) if (follows(exception.mtu)) exception.mtu = device.mtu
  }
}
