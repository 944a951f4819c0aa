/** Changes to links: do_setlink and each kind's changelink, in the kernel's order. Source: net/core/rtnetlink.c. */
import { parseMac } from '../../address/mac.ts'
import { KernelError } from '../../kernel/errors.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import type { BridgeOptions, LinkChange } from '../../kernel/link.ts'
import { Bridge } from '../device/bridge.ts'
import type { Device } from '../device/device.ts'
import { Ipip } from '../device/ipip.ts'
import { Vxlan } from '../device/vxlan.ts'
import { type Namespace, notify, notifyLink } from '../namespace.ts'
import { freeName } from './link-name.ts'
import { portOf } from './ports.ts'
import { moveDevice } from './register.ts'
import { requireDevice } from './require.ts'

/** IFALIASZ */
const LONGEST_ALIAS = 255
/** IFNAMSIZ, without the zero behind it: also of a label. */
const LONGEST_NAME = 15

/**
 * What was changed before one of the changes is refused stays changed, as Linux has it: only what names something that is
 * not there is refused before all else.
 */
export function changeLink(
  device: Device,
  change: LinkChange,
  call: string,
  namespaceOf: (kernel: Kernel) => Namespace,
): void {
  const { namespace } = device
  const master =
    typeof change.master === 'string' ? requireDevice(namespace, change.master, call) : (change.master ?? undefined)
  if (change.bridge) changeBridge(device, change.bridge, call)
  if (change.vxlan) changeVxlan(device, change.vxlan, call)
  if (change.namespace) move(device, namespaceOf(change.namespace), change.name, call)
  if (change.mac !== undefined) device.setMac(parseMac(change.mac))
  if (change.mtu !== undefined) device.setMtu(change.mtu)
  if (change.group !== undefined) device.group = change.group
  if (change.name !== undefined && change.name !== device.name) {
    device.namespace.devices.rename(device, freeName(device.namespace, change.name, call))
    device.namespace.nftables.deviceRenamed(device)
    renameLabels(device)
    device.namespace.fib.flush() // what is remembered of routes names their devices
  }
  if (change.alias !== undefined) {
    if (change.alias && change.alias.length > LONGEST_ALIAS) throw new KernelError('ERANGE', call)
    device.alias = change.alias || undefined
  }
  if (change.master !== undefined) setMaster(device, master, call)
  if (change.promiscuous !== undefined) device.promiscuous = change.promiscuous
  if (change.allMulticast !== undefined) device.allMulticast = change.allMulticast
  if (change.up !== undefined) device.setUp(change.up)
  if (change.txQueueLength !== undefined) device.txQueueLength = change.txQueueLength
  notifyLink(device)
  if (change.port) changePort(device, change.port, call)
}

/** inetdev_changename: the first address bears the device's name, further ones theirs behind a colon, or a number. */
function renameLabels({ name, ipv4, namespace }: Device): void {
  for (const [i, address] of ipv4.addresses.entries()) {
    const colon = address.label.indexOf(':')
    const rest = colon < 0 ? `:${i + 1}` : address.label.slice(colon)
    address.label = i === 0 ? name : name.slice(0, LONGEST_NAME - rest.length) + rest
    notify(namespace, 'address', 'new', name)
  }
}

/** do_set_master: out of the one it has, into the other. */
export function setMaster(device: Device, master: Device | undefined, call: string): void {
  if (device.master === master) return
  if (device.master instanceof Bridge) device.master.detach(device)
  if (!master) return
  if (!(master instanceof Bridge)) throw new KernelError('EOPNOTSUPP', call, `"${master.name}" takes no ports`)
  master.attach(device)
}

function move(device: Device, target: Namespace, name: string | undefined, call: string): void {
  if (target === device.namespace) return
  if (device.kind === 'loopback' || device instanceof Bridge || (device instanceof Ipip && device.isFallback)) {
    throw new KernelError('EINVAL', call, 'The interface netns is immutable')
  }
  moveDevice(device, target, freeName(target, name ?? device.name, call))
}

export function changeBridge(device: Device, change: Partial<BridgeOptions>, call: string): void {
  if (!(device instanceof Bridge)) throw new KernelError('EOPNOTSUPP', call)
  const { vlanFiltering, vlanDefaultPvid, ageingTime, forwardDelay, stp } = change
  if (vlanFiltering || vlanDefaultPvid) throw new KernelError('EOPNOTSUPP', call, 'not modelled: VLAN filtering')
  if (forwardDelay !== undefined) device.setForwardDelay(forwardDelay)
  if (ageingTime !== undefined) device.setAgeingTime(ageingTime)
  if (stp !== undefined) device.setStp(stp)
}

function changeVxlan(device: Device, { learning }: NonNullable<LinkChange['vxlan']>, call: string): void {
  if (!(device instanceof Vxlan)) throw new KernelError('EOPNOTSUPP', call)
  device.learning = learning
}

function changePort(device: Device, change: NonNullable<LinkChange['port']>, call: string): void {
  const port = portOf(device)
  if (!port) throw new KernelError('EOPNOTSUPP', call, `"${device.name}" is no port of a bridge`)
  const given = Object.entries(change).filter(([, value]) => value !== undefined)
  Object.assign(port, Object.fromEntries(given))
  notifyLink(device)
}
