/** Which of our addresses is taken, and what kind an address is. Sources: inet_select_addr, net/ipv4/devinet.c; inet_addr_type, fib_frontend.c. */
import { RouteTable, type RouteType } from '../../kernel/route.ts'
import type { Device } from '../device/device.ts'
import type { Namespace } from '../namespace.ts'
import type { FibNextHop, FibRoute } from './fib-route.ts'
import { maskOf, RtScope, scopeNumber } from './fib-route.ts'
import { clearFlow } from './fib-rule.ts'

/**
 * An address of the device (else of any) to speak from. `destination` 0: whichever comes first; else one whose subnet it is in
 * is preferred. `scope`: how far it must be valid. 0: there is none.
 */
export function selectAddress(device: Device | undefined, destination: number, scope: number): number {
  if (!device) return 0
  const { ipv4, namespace } = device
  // Loopback addresses may speak to others where route_localnet says so.
  const localnet = ipv4.conf.route_localnet !== 0 || namespace.ipv4.all.route_localnet !== 0
  const hostScope = localnet ? RtScope.link : RtScope.host
  let first = 0
  for (const address of ipv4.addresses) {
    if (address.secondary) continue
    if (Math.min(scopeNumber(address.scope), hostScope) > scope) continue
    if (destination === 0 || ((destination ^ address.peer) & maskOf(address.length)) === 0) return address.local
    if (first === 0) first = address.local
  }
  if (first !== 0) return first
  // From any device; `lo` comes first, its addresses that are no loopback ones are meant for this.
  for (const other of namespace.devices.list()) {
    for (const address of other.ipv4.addresses) {
      if (address.secondary) continue
      const its = scopeNumber(address.scope)
      if (its !== RtScope.link && its <= scope) return address.local
    }
  }
  return 0
}

/** fib_result_prefsrc: the source of a packet that takes this hop of this route. */
export function sourceOf(route: FibRoute, hop: FibNextHop): number {
  if (route.source !== 0) return route.source
  const generation = hop.device.namespace.fib.addressGeneration
  if (hop.sourceGeneration !== generation) {
    hop.source = selectAddress(hop.device, hop.gateway, route.scope)
    hop.sourceGeneration = generation
  }
  return hop.source
}

/** inet_addr_type: what the address is to this host. With a device: only what this device has is local. */
export function addressType(namespace: Namespace, address: number, device?: Device): RouteType {
  if (address === 0 || address === 0xffffffff) return 'broadcast'
  if (address >>> 28 === 0xe) return 'multicast'
  const { fib } = namespace
  const found = fib.searchTable(RouteTable.local, clearFlow(fib.flow, address))
  if (!found?.route || found.error !== undefined) return 'unicast'
  return device === undefined || found.hop?.device === device ? found.route.type : 'unicast'
}

/** The device that has this address: __ip_dev_find. Where a local route covers it, that route's. */
export function deviceOf(namespace: Namespace, address: number): Device | undefined {
  const [device] = namespace.fib.addresses.get(address | 0) ?? []
  if (device) return device
  const { fib } = namespace
  const found = fib.searchTable(RouteTable.local, clearFlow(fib.flow, address))
  return found?.route?.type === 'local' ? found.hop?.device : undefined
}

/** inet_addr_onlink: whether both are in one subnet of the device. */
export function isOnLink(device: Device, a: number, b: number): boolean {
  return device.ipv4.addresses.some(
    ({ secondary, peer, length }) =>
      !secondary && ((a ^ peer) & maskOf(length)) === 0 && (b === 0 || ((b ^ peer) & maskOf(length)) === 0),
  )
}
