/**
 * IPv4 addresses of a device: __inet_insert_ifa and __inet_del_ifa, net/ipv4/devinet.c. The first address of a subnet is its
 * primary; further ones are secondary, and go with it unless `promote_secondaries` says otherwise.
 */
import type { Device } from '../device/device.ts'
import { setLifetime } from '../lifetime.ts'
import { notify } from '../namespace.ts'
import { forgetMasqueraded } from '../netfilter/nat/masquerade.ts'
import type { Ipv4Address } from './device.ts'
import { addAddressRoutes, deleteAddressRoutes, isInSubnet } from './fib-address.ts'
import { addressAdded, disableDevice, sourceGone } from './fib-device.ts'
import { scopeNumber } from './fib-route.ts'
import { addressType } from './select-address.ts'

/** EEXIST for one that the device has, EINVAL for a second one of a subnet with another scope. */
export function insertAddress(device: Device, address: Ipv4Address): 'EEXIST' | 'EINVAL' | undefined {
  const { addresses } = device.ipv4
  const scope = scopeNumber(address.scope)
  let behindPrimaries = 0
  let secondary = false
  for (const [i, other] of addresses.entries()) {
    if (!other.secondary && scope <= scopeNumber(other.scope)) behindPrimaries = i + 1
    if (other.length !== address.length || !isInSubnet(other.peer, address)) continue
    if (other.local === address.local) return 'EEXIST'
    if (scopeNumber(other.scope) !== scope) return 'EINVAL'
    secondary = true
  }
  address.secondary = secondary
  addresses.splice(secondary ? addresses.length : behindPrimaries, 0, address)
  remember(device, address.local)
  device.namespace.sysctl.keep(device.ipv4.conf)
  device.namespace.sysctl.keep(device.ipv4.neighbourConf)
  announce(device, 'new')
  addAddressRoutes(device.namespace.fib, device, address)
  if (addresses.length === 1) addressAdded(device.namespace.fib, device)
  return undefined
}

/** With a primary its secondaries go, or the first of them takes its place. */
export function removeAddress(device: Device, address: Ipv4Address): void {
  const { addresses, conf } = device.ipv4
  const { fib, ipv4 } = device.namespace
  const promotes = conf.promote_secondaries !== 0 || ipv4.all.promote_secondaries !== 0
  const secondaries = address.secondary
    ? []
    : addresses.filter((other) => other.secondary && other.length === address.length && isInSubnet(address.peer, other))
  if (!promotes) {
    for (const secondary of secondaries.splice(0)) unlink(device, secondary)
  }
  // While a secondary is promoted all of them change their primary: their routes go first, and come back behind it.
  for (const secondary of secondaries) deleteAddressRoutes(fib, device, secondary, address)
  unlink(device, address)
  const [promoted, ...others] = secondaries
  if (!promoted) return
  addresses.splice(addresses.indexOf(promoted), 1)
  const scope = scopeNumber(address.scope)
  const last = addresses.findLastIndex((other) => !other.secondary && scope <= scopeNumber(other.scope))
  promoted.secondary = false
  addresses.splice(last + 1, 0, promoted)
  announce(device, 'new')
  for (const each of [promoted, ...others]) addAddressRoutes(fib, device, each)
}

function unlink(device: Device, address: Ipv4Address): void {
  const { namespace } = device
  const { fib } = namespace
  device.ipv4.addresses.splice(device.ipv4.addresses.indexOf(address), 1)
  namespace.model.clock.cancel(address.expiry)
  forget(device, address.local)
  announce(device, 'delete')
  forgetMasqueraded(namespace, device, address.peer)
  const wasLast = deleteAddressRoutes(fib, device, address)
  if (wasLast && addressType(namespace, address.local) !== 'local') sourceGone(fib, address.local)
  if (device.ipv4.addresses.length > 0) return
  // IP is off on a device without addresses: fib_disable_ip, arp_ifdown.
  disableDevice(fib, device)
  namespace.arp.deviceDown(device)
}

/** rtm_newaddr's set_ifa_lifetime: from now on. What has no end is as good as preferred for ever. */
export function setAddressLifetime(device: Device, address: Ipv4Address, valid: number, preferred: number): void {
  const { clock } = device.namespace.model
  const isEndless = valid === Number.POSITIVE_INFINITY
  setLifetime(
    clock,
    address,
    { valid, preferred: isEndless ? valid : preferred },
    {
      deprecate: () => announce(device, 'new'),
      expire: () => removeAddress(device, address),
    },
  )
  if (isEndless) address.deprecated = preferred === 0
}

function announce(device: Device, operation: 'new' | 'delete'): void {
  notify(device.namespace, 'address', operation, device.name)
}

/** inet_hash_insert, inet_hash_remove. */
function remember(device: Device, local: number): void {
  const { fib } = device.namespace
  fib.addresses.set(local | 0, [...(fib.addresses.get(local | 0) ?? []), device])
  fib.addressGeneration++
  fib.flush()
}

function forget(device: Device, local: number): void {
  const { fib } = device.namespace
  const devices = [...(fib.addresses.get(local | 0) ?? [])]
  devices.splice(devices.indexOf(device), 1)
  if (devices.length > 0) fib.addresses.set(local | 0, devices)
  else fib.addresses.delete(local | 0)
  fib.addressGeneration++
  fib.flush()
}
