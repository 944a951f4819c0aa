/** The routes and groups that go with IPv6 addresses: net/ipv6/addrconf.c, anycast.c. */
import { RouteTable } from '../../kernel/route.ts'
import type { Device } from '../device/device.ts'
import { notify } from '../namespace.ts'
import { isAny, networkOf, sameAddress, solicitedNode } from './address.ts'
import type { Ipv6Address } from './device.ts'
import { expireRoute, insertOwnRoute, removeRoute6 } from './fib-change.ts'
import type { Fib6Route } from './fib-route.ts'
import { joinGroup, leaveGroup } from './multicast.ts'

/** IP6_RT_PRIO_ADDRCONF */
const METRIC = 256

/** addrconf_add_mroute: packets to groups leave by any device that has IPv6. */
export function addMulticastRoute(device: Device): void {
  const { fib } = device.namespace.ipv6
  const destination = new Uint8Array(16)
  destination[0] = 0xff
  if (device.kind === 'loopback' || !device.up) return
  if (fib.local.at(destination, 8).some((route) => route.device === device)) return
  insertOwnRoute(fib, {
    destination,
    length: 8,
    table: RouteTable.local,
    type: 'multicast',
    metric: METRIC,
    hops: [{ device }],
  })
}

/** addrconf_prefix_route: the subnet is on the link, for so many seconds. */
export function addPrefixRoute(
  device: Device,
  address: Uint8Array,
  length: number,
  valid: number = Number.POSITIVE_INFINITY,
): void {
  const { fib } = device.namespace.ipv6
  if (!device.up) return
  const destination = networkOf(address, 0, length, new Uint8Array(16))
  const table = RouteTable.main
  const wanted = { destination, length, table, type: 'unicast', metric: METRIC, hops: [{ device }] } as const
  const route = insertOwnRoute(fib, wanted)
  if (route) expireRoute(fib, route, valid)
}

/** __ipv6_ifa_notify, RTM_NEWADDR: it is ours from now on, be its link down. */
export function addressReady(device: Device, address: Ipv6Address): void {
  const { fib } = device.namespace.ipv6
  if (!address.hostRoute) {
    address.hostRoute = insertOwnRoute(fib, {
      destination: address.address,
      length: 128,
      table: RouteTable.local,
      type: 'local',
      metric: 0,
      hops: [{ device }],
    })
  }
  if (address.peer) addPrefixRoute(device, address.peer, 128)
  changed(device, 'new')
}

export function removePrefixRoute(device: Device, address: Uint8Array, length: number): void {
  const route = findPrefixRoute(device, address, length)
  if (route) removeRoute6(device.namespace.ipv6.fib, route)
}

/** Seconds from now on. Whether there is such a route. */
export function setPrefixRouteExpiry(device: Device, address: Uint8Array, length: number, valid: number): boolean {
  const route = findPrefixRoute(device, address, length)
  if (route) expireRoute(device.namespace.ipv6.fib, route, valid)
  return route !== undefined
}

/** addrconf_get_prefix_route */
function findPrefixRoute(device: Device, address: Uint8Array, length: number): Fib6Route | undefined {
  const network = networkOf(address, 0, length, new Uint8Array(16))
  const isIts = (route: Fib6Route) => route.device === device && route.gateway === undefined && route.own
  return device.namespace.ipv6.fib.main.at(network, length).find(isIts)
}

/** addrconf_join_anycast: a router answers for the subnet's own address, RFC 4291 §2.6.1. */
export function joinAnycast(device: Device, { address, length }: Ipv6Address): void {
  const subnet = networkOf(address, 0, length, new Uint8Array(16))
  if (length >= 127 || isAny(subnet)) return
  const { ipv6, namespace } = device
  const known = ipv6.anycast.find((each) => sameAddress(each.address, subnet))
  if (known) {
    known.users++
    return
  }
  const route = insertOwnRoute(namespace.ipv6.fib, {
    destination: subnet,
    length: 128,
    table: RouteTable.local,
    type: 'anycast',
    metric: 0,
    hops: [{ device }],
  })
  ipv6.anycast.push({ address: subnet, users: 1, route })
  joinGroup(device, solicitedNode(subnet))
}

export function leaveAnycast(device: Device, { address, length }: Ipv6Address): void {
  const subnet = networkOf(address, 0, length, new Uint8Array(16))
  const { ipv6, namespace } = device
  const known = ipv6.anycast.find((each) => sameAddress(each.address, subnet))
  if (!known || --known.users > 0) return
  ipv6.anycast.splice(ipv6.anycast.indexOf(known), 1)
  leaveGroup(device, solicitedNode(subnet))
  if (known.route) removeRoute6(namespace.ipv6.fib, known.route)
}

export function changed(device: Device, operation: 'new' | 'delete'): void {
  device.namespace.ipv6.fib.flush()
  notify(device.namespace, 'address', operation, device.name)
}
