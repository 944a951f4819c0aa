/** IPv6 addresses of a device: net/ipv6/addrconf.c. */
import type { Scope } from '../../kernel/address.ts'
import { sameBytes } from '../bytes.ts'
import type { Device } from '../device/device.ts'
import { notify } from '../namespace.ts'
import type { Ipv6Address } from './device.ts'

export interface NewAddress6 {
  readonly address: Uint8Array
  readonly peer: Uint8Array | undefined
  readonly length: number
  readonly noDad: boolean
  readonly noPrefixRoute: boolean
}

/** inet6_addr_add. An errno where the kernel refuses it. */
export function addAddress6(device: Device, { address, peer, length, noDad, noPrefixRoute }: NewAddress6) {
  const { addresses, conf } = device.ipv6
  if (conf.disable_ipv6) return 'EACCES'
  if (address[0] === 0xff || address.every((byte) => byte === 0)) return 'EADDRNOTAVAIL'
  if (addresses.some((each) => sameBytes(each.address, 0, address, 0, 16))) return 'EEXIST'
  insert(device, {
    address,
    peer,
    length,
    scope: scopeOf(address),
    tentative: false,
    dadFailed: false,
    noDad,
    noPrefixRoute,
    permanent: true,
    protocol: 0,
    timer: undefined,
  })
  return undefined
}

/** inet6_addr_del. Whether there was one. */
export function removeAddress6(device: Device, address: Uint8Array, length: number): boolean {
  const found = device.ipv6.addresses.find(
    (each) => each.length === length && sameBytes(each.address, 0, address, 0, 16),
  )
  if (found) remove(device, found)
  return found !== undefined
}

/** addrconf_notify, NETDEV_UP: the addresses that the kernel gives by itself. */
export function linkUp6(device: Device): void {
  const { ipv6, kind } = device
  if (ipv6.conf.disable_ipv6 || kind !== 'loopback') return
  const address = new Uint8Array(16)
  address[15] = 1
  if (addAddress6(device, { address, peer: undefined, length: 128, noDad: true, noPrefixRoute: false })) return
}

/** addrconf_ifdown: addresses go with the link. */
export function linkDown6(device: Device): void {
  for (const address of [...device.ipv6.addresses]) remove(device, address)
}

export function carrierChanged6(device: Device): void {
  if (device.up) linkUp6(device)
}

export function mtuChanged6(device: Device): void {
  device.ipv6.conf.mtu = device.mtu
}

export function deviceGone6(device: Device): void {
  linkDown6(device)
}

/** dev_forward_change */
export function forwardingChanged6(_device: Device): void {}

/** addrconf_dev_config */
export function generateAddress6(_device: Device): void {}

function insert(device: Device, address: Ipv6Address): void {
  device.ipv6.addresses.push(address)
  notify(device.namespace, 'address', 'new', device.name)
}

function remove(device: Device, address: Ipv6Address): void {
  device.ipv6.addresses.splice(device.ipv6.addresses.indexOf(address), 1)
  notify(device.namespace, 'address', 'delete', device.name)
}

/** ipv6_addr_scope */
function scopeOf(address: Uint8Array): Scope {
  if (address[0] === 0xfe && (address[1]! & 0xc0) === 0x80) return 'link'
  if (address[0] === 0xfe && (address[1]! & 0xc0) === 0xc0) return 'site'
  return address.every((byte, i) => byte === (i === 15 ? 1 : 0)) ? 'host' : 'global'
}
