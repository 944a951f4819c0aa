/** IPv6 addresses given to a device and taken from it: net/ipv6/addrconf.c. */
import { sameBytes } from '../bytes.ts'
import { SECOND } from '../clock.ts'
import type { Device } from '../device/device.ts'
import { setLifetime } from '../lifetime.ts'
import { forgetMasqueraded } from '../netfilter/nat/masquerade.ts'
import { isAny, isLinkLocal, networkOf, sameAddress, scopeNumberOf, scopeOf, solicitedNode } from './address.ts'
import {
  addMulticastRoute,
  addPrefixRoute,
  changed,
  leaveAnycast,
  removePrefixRoute,
  setPrefixRouteExpiry,
} from './address-routes.ts'
import { startDad } from './dad.ts'
import type { Ipv6Address } from './device.ts'
import { removeRoute6 } from './fib-change.ts'
import { leaveGroup } from './multicast.ts'

export interface NewAddress6 {
  readonly address: Uint8Array
  readonly peer?: Uint8Array | undefined
  readonly length: number
  readonly noDad?: boolean
  readonly noPrefixRoute?: boolean
  readonly protocol?: number
  readonly managesTemporary?: boolean
  /** Seconds; without end where left out. */
  readonly valid?: number
  readonly preferred?: number
  /** A router has told the prefix, whose route stands already. */
  readonly hasPrefixRoute?: boolean
}

/** inet6_addr_add. An errno where the kernel refuses it. */
export function addAddress6(device: Device, wanted: NewAddress6): string | undefined {
  const { address, peer, length, noDad = false, noPrefixRoute = false, protocol = 0, managesTemporary = false } = wanted
  const { valid = Number.POSITIVE_INFINITY, preferred = Number.POSITIVE_INFINITY, hasPrefixRoute = false } = wanted
  const { addresses, conf } = device.ipv6
  if (conf.disable_ipv6) return 'EACCES'
  if (address[0] === 0xff || isAny(address)) return 'EADDRNOTAVAIL'
  if (addresses.some((each) => sameBytes(each.address, 0, address, 0, 16))) return 'EEXIST'
  addMulticastRoute(device)
  const added: Ipv6Address = {
    address,
    peer,
    length,
    scope: scopeOf(address),
    tentative: !noDad,
    dadFailed: false,
    noDad,
    noPrefixRoute,
    managesTemporary,
    protocol,
    timer: undefined,
    probes: 0,
    nonce: undefined,
    hostRoute: undefined,
  }
  const scope = scopeNumberOf(address)
  const at = addresses.findIndex((each) => scope >= scopeNumberOf(each.address))
  addresses.splice(at < 0 ? addresses.length : at, 0, added)
  if (!noPrefixRoute && !hasPrefixRoute && device.kind !== 'loopback') addPrefixRoute(device, address, length, valid)
  setAddressLifetime6(device, added, valid, preferred)
  startDad(device, added)
  return undefined
}

/** IFA_F_PERMANENT: somebody has set it without an end. */
export const isPermanent = ({ lifetime, managesTemporary }: Ipv6Address): boolean =>
  !managesTemporary && (lifetime === undefined || lifetime.valid === Number.POSITIVE_INFINITY)

/** From now on. */
export function setAddressLifetime6(device: Device, address: Ipv6Address, valid: number, preferred: number): void {
  setLifetime(
    device.namespace.model.clock,
    address,
    { valid, preferred },
    { deprecate: () => changed(device, 'new'), expire: () => removeAddress(device, address) },
  )
}

/** inet6_addr_modify: one that is there gets another lifetime, and its prefix's route with it. */
export function modifyAddress6(device: Device, address: Ipv6Address, valid: number, preferred: number): void {
  setAddressLifetime6(device, address, valid, preferred)
  if (!address.noPrefixRoute && device.kind !== 'loopback')
    setPrefixRouteExpiry(device, address.address, address.length, valid)
  changed(device, 'new')
}

/** inet6_addr_del. Whether there was one. */
export function removeAddress6(device: Device, address: Uint8Array, length: number): boolean {
  const found = device.ipv6.addresses.find((each) => each.length === length && sameAddress(each.address, address))
  if (found) removeAddress(device, found)
  return found !== undefined
}

/** ipv6_del_addr */
export function removeAddress(device: Device, address: Ipv6Address): void {
  const { ipv6, namespace } = device
  const { fib } = namespace.ipv6
  namespace.model.clock.cancel(address.timer)
  namespace.model.clock.cancel(address.expiry)
  ipv6.addresses.splice(ipv6.addresses.indexOf(address), 1)
  leaveGroup(device, solicitedNode(address.address))
  if (ipv6.conf.forwarding !== 0) leaveAnycast(device, address)
  if (address.hostRoute) removeRoute6(fib, address.hostRoute)
  if (address.peer) removePrefixRoute(device, address.peer, 128)
  if (!address.noPrefixRoute && isPermanent(address)) cleanPrefixRoute(device, address)
  forgetMasqueraded(namespace, device, address.address)
  changed(device, 'delete')
}

/**
 * check_cleanup_prefix_route, cleanup_prefix_route: another address keeps the route, as long as it lives itself. Of an address
 * that has a lifetime the route has it, too.
 */
function cleanPrefixRoute(device: Device, { address, length }: Ipv6Address): void {
  const network = networkOf(address, 0, length, new Uint8Array(16))
  const others = device.ipv6.addresses.filter(
    (each) => each.length === length && sameAddress(networkOf(each.address, 0, length, new Uint8Array(16)), network),
  )
  if (others.some((each) => isPermanent(each) || each.noPrefixRoute)) return
  const ends = others.map(({ lifetime }) => lifetime!.since / SECOND + lifetime!.valid)
  if (ends.length === 0) removePrefixRoute(device, address, length)
  else setPrefixRouteExpiry(device, address, length, Math.max(...ends) - device.namespace.model.clock.now / SECOND)
}

/** addrconf_addr_gen: EUI-64 of the MAC, RFC 4291 appendix A. Undefined: the device has none to make it of. */
export function linkLocalAddress({ mac }: Device): Uint8Array | undefined {
  if (mac.length !== 6) return undefined
  const address = new Uint8Array(16)
  address[0] = 0xfe
  address[1] = 0x80
  address.set([mac[0]! ^ 2, mac[1]!, mac[2]!, 0xff, 0xfe, mac[3]!, mac[4]!, mac[5]!], 8)
  return address
}

export const hasLinkLocal = ({ ipv6 }: Device): boolean => ipv6.addresses.some(({ address }) => isLinkLocal(address))
