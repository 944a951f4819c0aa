/**
 * The routes that an address brings and takes along: to itself, to its subnet, to its broadcast address. fib_add_ifaddr and
 * fib_del_ifaddr, net/ipv4/fib_frontend.c.
 */
import type { RouteType } from '../../kernel/route.ts'
import { RouteProtocol, RouteTable } from '../../kernel/route.ts'
import type { Device } from '../device/device.ts'
import type { Ipv4Address } from './device.ts'
import type { Fib } from './fib.ts'
import { deleteRoute, insertRoute } from './fib-change.ts'
import { maskOf, RtScope } from './fib-route.ts'

const LIMITED_BROADCAST = 0xffffffff
/** RFC 3021: a /31 and a /32 have no broadcast address. */
const LONGEST_WITH_BROADCAST = 30

/** inet_ifa_match: whether the address is in the subnet of `of`. */
export const isInSubnet = (address: number, of: Ipv4Address) => ((address ^ of.peer) & maskOf(of.length)) === 0

const isSameSubnet = (a: Ipv4Address, b: Ipv4Address) => a.length === b.length && isInSubnet(a.peer, b)

/** inet_ifa_byprefix */
function primaryOf(device: Device, address: Ipv4Address): Ipv4Address | undefined {
  return device.ipv4.addresses.find((each) => !each.secondary && isSameSubnet(address, each))
}

/** fib_magic: a route of the kernel's own. Nothing comes of one that is there, or is not. */
function magic(
  fib: Fib,
  operation: 'append' | 'delete',
  type: RouteType,
  destination: number,
  length: number,
  device: Device,
  source: number,
): void {
  const route = {
    destination,
    length,
    table: type === 'unicast' ? RouteTable.main : RouteTable.local,
    type,
    scope: type === 'local' ? RtScope.host : RtScope.link,
    tos: 0,
    metric: 0,
    protocol: RouteProtocol.kernel,
    source,
    metrics: undefined,
    hops: [{ device }],
  }
  if (operation === 'append') insertRoute(fib, 'append', route)
  else deleteRoute(fib, route)
}

/** Whether there is a subnet to which a route leads. */
function hasSubnet({ peer, length, local }: Ipv4Address): boolean {
  const prefix = (peer & maskOf(length)) >>> 0
  return prefix !== 0 && (prefix !== local || length < 32)
}

const lastOf = ({ peer, length }: Ipv4Address) => (peer | ~maskOf(length)) >>> 0
const firstOf = ({ peer, length }: Ipv4Address) => (peer & maskOf(length)) >>> 0

export function addAddressRoutes(fib: Fib, device: Device, address: Ipv4Address): void {
  const source = (address.secondary ? primaryOf(device, address) : address)?.local
  if (source === undefined) return
  const add = (type: RouteType, destination: number, length: number) =>
    magic(fib, 'append', type, destination, length, device, source)
  add('local', address.local, 32)
  if (!device.up) return
  if (address.broadcast && address.broadcast !== LIMITED_BROADCAST) add('broadcast', address.broadcast, 32)
  if (address.secondary || !hasSubnet(address)) return
  const isLo = device === fib.namespace.loopback
  if (!address.noPrefixRoute) add(isLo ? 'local' : 'unicast', firstOf(address), address.length)
  if (address.length <= LONGEST_WITH_BROADCAST) add('broadcast', lastOf(address), 32)
}

/**
 * The address has left the device's list, or is still in it while another takes the primary's place (`promoting` is the
 * primary that goes). Answers whether it was the last one that made its number local.
 */
export function deleteAddressRoutes(fib: Fib, device: Device, address: Ipv4Address, promoting?: Ipv4Address): boolean {
  const primary = address.secondary ? (promoting ?? primaryOf(device, address)) : address
  if (!primary) return false
  const source = primary.local
  const remove = (type: RouteType, destination: number, length: number) =>
    magic(fib, 'delete', type, destination, length, device, source)
  const isSubnets = !address.secondary && hasSubnet(address)
  if (isSubnets && !address.noPrefixRoute)
    remove(device === fib.namespace.loopback ? 'local' : 'unicast', firstOf(address), address.length)

  const kept = keptByOthers(device, address, primary, promoting)
  if (!kept.broadcast && address.broadcast) remove('broadcast', address.broadcast, 32)
  if (isSubnets && address.length <= LONGEST_WITH_BROADCAST) {
    if (!kept.last) remove('broadcast', lastOf(address), 32)
    if (!kept.first) remove('broadcast', firstOf(address), 32)
  }
  if (!kept.local) remove('local', address.local, 32)
  return !kept.local && !device.ipv4.addresses.includes(address)
}

/** Which of the address's routes other addresses of the device need as well. */
function keptByOthers(device: Device, address: Ipv4Address, primary: Ipv4Address, promoting: Ipv4Address | undefined) {
  const kept = { local: false, broadcast: false, last: false, first: false }
  let samePrefsrc = false
  for (const other of device.ipv4.addresses) {
    if (other === address) continue
    if (promoting && isSameSubnet(other, promoting)) continue
    let its: Ipv4Address | undefined = other
    if (other.secondary) {
      if (isSameSubnet(other, primary)) its = primary
      else {
        if (!samePrefsrc) continue
        its = primaryOf(device, other)
        if (its?.local !== primary.local) continue
      }
    } else {
      if (other.local !== primary.local) continue
      if (primary !== other) samePrefsrc = true
    }
    kept.local ||= other.local === address.local
    kept.broadcast ||= other.broadcast === address.broadcast
    kept.last ||= other.broadcast === lastOf(address)
    kept.first ||= other.broadcast === firstOf(address)
    if (its !== other || other.length > LONGEST_WITH_BROADCAST || firstOf(other) === 0) continue
    const ends = [lastOf(other), firstOf(other)]
    kept.broadcast ||= address.broadcast !== undefined && ends.includes(address.broadcast)
    kept.last ||= ends.includes(lastOf(address))
    kept.first ||= ends.includes(firstOf(address))
  }
  return kept
}
