/**
 * IPv4 addresses of a device: __inet_insert_ifa and __inet_del_ifa, net/ipv4/devinet.c. The first address of a network is
 * its primary; further ones are secondary, and go with it unless `promote_secondaries` says otherwise.
 */
import type { Device } from '../device/device.ts'
import type { Ipv4Address } from '../ipv4/device.ts'
import { maskOf, scopeNumber } from '../ipv4/fib-route.ts'
import { notify } from '../namespace.ts'

/** inet_ifa_match: whether the address is in the network of `ifa`. */
export function isInNetwork({ peer, length }: Pick<Ipv4Address, 'peer' | 'length'>, address: number): boolean {
  return ((peer ^ address) & maskOf(length)) === 0
}

/** EEXIST for one that the device has, EINVAL for a second one of a network with another scope. */
export function insertAddress(device: Device, address: Ipv4Address): 'EEXIST' | 'EINVAL' | undefined {
  const { addresses, conf } = device.ipv4
  const { namespace } = device
  let at = 0
  address.secondary = false
  for (const [i, each] of addresses.entries()) {
    if (!each.secondary && scopeNumber(address.scope) <= scopeNumber(each.scope)) at = i + 1
    if (each.length !== address.length || !isInNetwork(each, address.peer)) continue
    if (each.local === address.local) return 'EEXIST'
    if (scopeNumber(each.scope) !== scopeNumber(address.scope)) return 'EINVAL'
    address.secondary = true
  }
  addresses.splice(address.secondary ? addresses.length : at, 0, address)
  namespace.sysctl.keep(conf)
  namespace.sysctl.keep(device.ipv4.neighbourConf)
  notify(namespace, 'address', 'new', device.name)
  namespace.fib.addressAdded(device, address)
  return undefined
}

/** The address, and with a primary one the secondaries of its network, or the first of them takes its place. */
export function removeAddress(device: Device, address: Ipv4Address): void {
  const { addresses } = device.ipv4
  const { namespace } = device
  const at = addresses.indexOf(address)
  const secondaries = address.secondary
    ? []
    : addresses.filter((each) => each.secondary && each.length === address.length && isInNetwork(address, each.peer))
  const promotes = namespace.ipv4.all.promote_secondaries || device.ipv4.conf.promote_secondaries
  const promoted = promotes ? secondaries[0] : undefined
  if (!promoted) for (const secondary of secondaries) take(device, secondary)
  addresses.splice(at, 1)
  notify(namespace, 'address', 'delete', device.name)
  namespace.fib.addressRemoved(device, address)
  if (!promoted) return
  promote(device, promoted, address)
}

function take(device: Device, address: Ipv4Address): void {
  device.ipv4.addresses.splice(device.ipv4.addresses.indexOf(address), 1)
  notify(device.namespace, 'address', 'delete', device.name)
  device.namespace.fib.addressRemoved(device, address)
}

/** The secondary stands where primaries of its scope do, and the network's others are now second to it. */
function promote(device: Device, promoted: Ipv4Address, gone: Ipv4Address): void {
  const { addresses } = device.ipv4
  const { fib } = device.namespace
  const others = addresses.filter(
    (each) => each !== promoted && each.secondary && each.length === gone.length && isInNetwork(gone, each.peer),
  )
  for (const each of [promoted, ...others]) fib.addressRemoved(device, each)
  addresses.splice(addresses.indexOf(promoted), 1)
  promoted.secondary = false
  const at = addresses.findLastIndex(
    (each) => !each.secondary && scopeNumber(promoted.scope) <= scopeNumber(each.scope),
  )
  addresses.splice(at + 1, 0, promoted)
  notify(device.namespace, 'address', 'new', device.name)
  for (const each of [promoted, ...others]) fib.addressAdded(device, each)
}
