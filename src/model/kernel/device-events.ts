/** What becomes of addresses and routes when a device changes: inetdev_event, fib_netdev_event, addrconf_notify. */
import type { Device, DeviceEvent } from '../device/device.ts'
import { Loopback } from '../device/loopback.ts'
import { insertAddress, removeAddress } from '../ipv4/addresses.ts'
import { fibDeviceEvent } from '../ipv4/fib-device.ts'
import { carrierChanged6, deviceGone6, linkDown6, linkUp6, mtuChanged6 } from '../ipv6/addrconf.ts'
import { forgetMasqueraded } from '../netfilter/nat/masquerade.ts'
import { IPV6_MIN_MTU } from '../sysctl.ts'

/** inetdev_valid_mtu: RFC 791 §3.2. A device with less has no IPv4. */
const IPV4_MIN_MTU = 68
const LOOPBACK_ADDRESS = 0x7f000001

/** Registered with Model.deviceListeners. */
export function deviceEvent(device: Device, event: DeviceEvent): void {
  const { namespace } = device
  if (namespace.devices.at(device.index) !== device) return
  if (event === 'up') {
    if (device instanceof Loopback && device.ipv4.addresses.length === 0) addLoopbackAddress(device)
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
    if (device.mtu < IPV4_MIN_MTU) for (const address of [...device.ipv4.addresses]) removeAddress(device, address)
    if (device.mtu >= IPV6_MIN_MTU) mtuChanged6(device)
    else deviceGone6(device)
  }
}

/** inetdev_event, NETDEV_UP. */
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
