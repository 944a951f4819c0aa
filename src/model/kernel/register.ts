/**
 * A device's life in a namespace: register_netdevice, unregister_netdevice_many and dev_change_net_namespace, net/core/dev.c.
 */
import { Bridge } from '../device/bridge.ts'
import type { Device } from '../device/device.ts'
import { Loopback } from '../device/loopback.ts'
import { Veth } from '../device/veth.ts'
import { Vxlan } from '../device/vxlan.ts'
import { removeAddress } from '../ipv4/addresses.ts'
import { deviceGone } from '../ipv4/fib-device.ts'
import { deviceGone6 } from '../ipv6/addrconf.ts'
import { createIpv6Device } from '../ipv6/device.ts'
import { type Namespace, notify, notifyLink } from '../namespace.ts'
import { enableBridgeNetfilter } from '../netfilter/br-netfilter.ts'
import { copyOfNumbers, type Ipv4Conf, type Ipv6Conf, numbersOf } from '../settings.ts'

/** Puts the device into its namespace, with settings of its own. */
export function registerDevice(device: Device): void {
  const { namespace } = device
  namespace.devices.add(device)
  giveIpv4(device)
  giveIpv6(device)
  if (device instanceof Bridge) enableBridgeNetfilter(device)
  if (namespace.hasNftables) namespace.nftables.deviceAdded(device)
  notifyLink(device)
}

/** These devices, and those that cannot be without them: a veth's peer, the vxlans that send on one. */
export function unregisterDevices(devices: readonly Device[]): void {
  const going = new Set<Device>()
  const add = (device: Device) => {
    if (going.has(device)) return
    going.add(device)
    if (device instanceof Veth && device.peer) add(device.peer)
    for (const other of device.namespace.devices.list())
      if (other instanceof Vxlan && other.lower === device) add(other)
  }
  for (const device of devices) add(device)
  for (const device of going) {
    leave(device)
    device.deleting()
    device.namespace.devices.remove(device)
    notify(device.namespace, 'link', 'delete', device.name)
  }
}

/** The device goes on in another namespace: down, and without all that the old one knew of it. */
export function moveDevice(device: Device, namespace: Namespace, name: string): void {
  leave(device)
  device.namespace.devices.remove(device)
  notify(device.namespace, 'link', 'delete', device.name)
  device.namespace = namespace
  device.name = name
  registerDevice(device)
}

/** NETDEV_DOWN and NETDEV_UNREGISTER: addresses, routes and neighbours go. */
function leave(device: Device): void {
  const { namespace } = device
  device.setUp(false)
  if (device instanceof Bridge) for (const port of [...device.ports]) device.detach(port.device)
  if (device.master instanceof Bridge) device.master.detach(device)
  while (device.ipv4.addresses.length > 0) removeAddress(device, device.ipv4.addresses[0]!)
  deviceGone6(device)
  deviceGone(namespace.fib, device)
  namespace.arp.deviceDown(device)
  namespace.nd.deviceDown(device)
  namespace.sysctl.forget(device.ipv4.conf)
  namespace.sysctl.forget(device.ipv4.neighbourConf)
  if (namespace.hasNftables) namespace.nftables.deviceRemoved(device)
  device.taps.length = 0
}

/** inetdev_init: settings as `default` has them now, but for what this kind of device is. */
export function giveIpv4(device: Device): void {
  const { ipv4, sysctl, model } = device.namespace
  const isLoopback = device instanceof Loopback
  const conf: Ipv4Conf = isLoopback ? numbersOf(model.profile, 'net/ipv4/conf/lo/') : copyOfNumbers(ipv4.default)
  sysctl.inherit(conf, ipv4.default)
  device.ipv4 = { conf, neighbourConf: copyOfNumbers(ipv4.defaultNeighbourConf), addresses: [], isThere: true }
}

/** ipv6_add_dev */
export function giveIpv6(device: Device): void {
  const { ipv6, model } = device.namespace
  const isLoopback = device instanceof Loopback
  const conf6: Ipv6Conf = isLoopback ? numbersOf(model.profile, 'net/ipv6/conf/lo/') : copyOfNumbers(ipv6.default)
  conf6.mtu = device.mtu
  if (device.noArp) conf6.accept_dad = -1
  device.ipv6 = createIpv6Device(conf6, copyOfNumbers(ipv6.defaultNeighbourConf))
}
