/** What becomes of addresses and routes when a device changes: inetdev_event, fib_netdev_event, addrconf_notify. */
import type { Device, DeviceEvent } from '../device/device.ts'
import { Loopback } from '../device/loopback.ts'
import { insertAddress, removeAddress } from '../ipv4/addresses.ts'
import { deviceGone, fibDeviceEvent } from '../ipv4/fib-device.ts'
import { carrierChanged6, deviceGone6, linkDown6, linkUp6, mtuChanged6 } from '../ipv6/addrconf.ts'
import { forgetMasqueraded } from '../netfilter/nat/masquerade.ts'
import { IPV4_MIN_MTU, IPV6_MIN_MTU } from '../sysctl.ts'
import { giveIpv4 } from './register.ts'

const LOOPBACK_ADDRESS = 0x7f000001

/** Registered with Model.deviceListeners. */
export function deviceEvent(device: Device, event: DeviceEvent): void {
  const { namespace } = device
  if (namespace.devices.at(device.index) !== device) return
  if (event === 'up') {
    if (device instanceof Loopback && device.mtu >= IPV4_MIN_MTU) addLoopbackAddress(device)
    fibDeviceEvent(namespace.fib, device, event)
    if (device.mtu >= IPV6_MIN_MTU) linkUp6(device)
  } else if (event === 'down') {
    fibDeviceEvent(namespace.fib, device, event)
    linkDown6(device)
    forgetMasqueraded(namespace, device)
  } else if (event === 'carrier') {
    fibDeviceEvent(namespace.fib, device, event)
    if (device.mtu >= IPV6_MIN_MTU) carrierChanged6(device)
  } else if (event === 'mtu') {
    fibDeviceEvent(namespace.fib, device, event)
    if (device.mtu >= IPV4_MIN_MTU) device.ipv4.isThere = true
    else if (device.ipv4.isThere) takeIpv4(device)
    if (device.mtu >= IPV6_MIN_MTU) mtuChanged6(device)
    else deviceGone6(device)
  }
}

/** inetdev_destroy. With a greater MTU it begins anew, so its settings are forgotten, too. */
function takeIpv4(device: Device): void {
  const { namespace } = device
  while (device.ipv4.addresses.length > 0) removeAddress(device, device.ipv4.addresses[0]!)
  deviceGone(namespace.fib, device)
  namespace.arp.flush(device)
  namespace.sysctl.forget(device.ipv4.conf)
  giveIpv4(device)
  device.ipv4.isThere = false
}

/** inetdev_event, NETDEV_UP. Nothing comes of it where it has the address. */
function addLoopbackAddress(device: Device): void {
  insertAddress(device, {
    local: LOOPBACK_ADDRESS,
    peer: LOOPBACK_ADDRESS,
    length: 8,
    scope: 'host',
    broadcast: undefined,
    label: device.name,
    secondary: false,
    noPrefixRoute: false,
    protocol: 0,
  })
}
