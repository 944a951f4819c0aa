/**
 * What becomes of routes when their device goes up or down, loses its carrier, or goes away: fib_sync_up, fib_sync_down_dev,
 * fib_sync_down_addr and fib_flush, net/ipv4/fib_semantics.c.
 */
import { RouteTable } from '../../kernel/route.ts'
import type { Device, DeviceEvent } from '../device/device.ts'
import { rebalance } from './ecmp.ts'
import type { Fib } from './fib.ts'
import { addAddressRoutes } from './fib-address.ts'
import { removeRoute } from './fib-change.ts'
import { type FibRoute, RtScope } from './fib-route.ts'

/** fib_netdev_event */
export function fibDeviceEvent(fib: Fib, device: Device, event: DeviceEvent): void {
  switch (event) {
    case 'up':
      for (const address of device.ipv4.addresses) addAddressRoutes(fib, device, address)
      revive(fib, device, true)
      break
    case 'down':
      kill(fib, device, 'down')
      break
    case 'carrier':
      if (device.carrier) revive(fib, device, false)
      else kill(fib, device, 'carrier')
      break
    default:
      fib.flush()
  }
}

/** NETDEV_UNREGISTER: no route may name it. */
export function deviceGone(fib: Fib, device: Device): void {
  kill(fib, device, 'gone')
}

/** fib_disable_ip: the last address of the device is gone, and local routes by it go as well. */
export function disableDevice(fib: Fib, device: Device): void {
  kill(fib, device, 'disabled')
}

/** fib_sync_down_addr: routes that speak from an address which is no longer ours. */
export function sourceGone(fib: Fib, source: number): void {
  for (const route of fib.table(RouteTable.main).list()) {
    if (route.source !== source) continue
    route.dead = true
  }
  flushDead(fib)
}

/** fib_inetaddr_event, NETDEV_UP: with its first address, hops of the device live that died with its last one. */
export function addressAdded(fib: Fib, device: Device): void {
  revive(fib, device, true)
}

/** `sleeping`: also those of whom nobody knows yet, which are in order (fib-table.ts). */
function routesOf(fib: Fib, device: Device, sleeping: boolean): FibRoute[] {
  return fib.tables().flatMap((table) => table.by(device, sleeping))
}

function kill(fib: Fib, device: Device, why: 'down' | 'carrier' | 'disabled' | 'gone'): void {
  for (const route of routesOf(fib, device, true)) {
    let dead = 0
    for (const hop of route.hops) {
      if (why === 'gone' && hop.device === device) {
        hop.dead = hop.linkdown = true
        dead = route.hops.length
        break
      }
      // A local route stays for as long as the address does.
      if (hop.dead) dead++
      else if (hop.device === device && (hop.scope !== RtScope.nowhere || why === 'disabled')) {
        if (why !== 'carrier') hop.dead = true
        hop.linkdown = true
        dead++
      }
    }
    if (dead === route.hops.length) {
      if (why !== 'carrier') route.dead = true
      route.linkdown = true
    }
    rebalance(route)
  }
  flushDead(fib)
}

/** As FibTable.list. */
function inOrder(routes: FibRoute[]): FibRoute[] {
  return routes.sort((a, b) => a.destination - b.destination || b.length - a.length)
}

function flushDead(fib: Fib): void {
  for (const table of fib.tables()) for (const route of inOrder(table.awake())) if (route.dead) removeRoute(fib, route)
  fib.flush()
}

/** `fromDead`: the device is up; else it has its carrier again. */
function revive(fib: Fib, device: Device, fromDead: boolean): void {
  if (!device.up) return
  for (const route of routesOf(fib, device, false)) {
    for (const hop of route.hops) {
      if (hop.device !== device) continue
      if (fromDead) hop.dead = false
      if (device.carrier) hop.linkdown = false
    }
    if (route.hops.some(({ linkdown }) => !linkdown)) route.linkdown = false
    rebalance(route)
  }
  fib.flush()
}
