/** Links of a namespace: `ip link`. */
import { KernelError } from '../../kernel/errors.ts'
import type { Kernel } from '../../kernel/kernel.ts'
import type { Link, LinkChange, LinkStatistics, Links, NewLink } from '../../kernel/link.ts'
import type { Device } from '../device/device.ts'
import { Ipip } from '../device/ipip.ts'
import type { Namespace } from '../namespace.ts'
import { changeLink, setMaster } from './link-change.ts'
import { statisticsOf, viewOf } from './link-view.ts'
import { newDevice } from './new-link.ts'
import { unregisterDevices } from './register.ts'
import { requireDevice } from './require.ts'

export class ModelLinks implements Links {
  readonly #namespace: Namespace
  readonly #namespaceOf: (kernel: Kernel) => Namespace

  constructor(namespace: Namespace, namespaceOf: (kernel: Kernel) => Namespace) {
    this.#namespace = namespace
    this.#namespaceOf = namespaceOf
  }

  get(name: string): Link | undefined {
    const device = this.#namespace.devices.get(name)
    return device && viewOf(device)
  }

  getByIndex(index: number): Link | undefined {
    const device = this.#namespace.devices.at(index)
    return device && viewOf(device)
  }

  list(): Link[] {
    return this.#namespace.devices.list().map(viewOf)
  }

  statistics(name: string): LinkStatistics {
    return statisticsOf(requireDevice(this.#namespace, name, `read counters of link "${name}"`))
  }

  add(link: NewLink): Link {
    const call = `add ${link.kind} link "${link.name}"`
    const masterOf = () => (link.master === undefined ? undefined : requireDevice(this.#namespace, link.master, call))
    // A TUN is there before anybody asks for its master, and may be that itself.
    let master = link.kind === 'tun' ? undefined : masterOf()
    const device = newDevice(this.#namespace, link, call, this.#namespaceOf)
    try {
      if (link.kind === 'tun') master = masterOf()
      if (link.up) device.setUp(true)
      if (master) setMaster(device, master, call)
    } catch (error) {
      unregisterDevices([device])
      throw error
    }
    if (link.alias !== undefined) device.alias = link.alias || undefined
    this.#namespace.model.settle()
    return viewOf(device)
  }

  set(name: string, change: LinkChange): void {
    const call = `set link "${name}"`
    changeLink(requireDevice(this.#namespace, name, call), change, call, this.#namespaceOf)
    this.#namespace.model.settle()
  }

  delete(name: string): void {
    const call = `delete link "${name}"`
    const device = requireDevice(this.#namespace, name, call)
    if (device.kind === 'loopback') throw new KernelError('EOPNOTSUPP', call)
    if (staysForEver(device)) return
    unregisterDevices([device])
    this.#namespace.model.settle()
  }

  deleteGroup(group: number): void {
    if (group === 0) throw new RangeError('Cannot delete link group 0: every link that has no other group is in it')
    const isGoing = (device: Device) => device.group === group && !staysForEver(device)
    unregisterDevices(this.#namespace.devices.list().filter(isGoing))
    this.#namespace.model.settle()
  }
}

/** ip_tunnel_dellink: tunl0 is not deleted, and nobody is told. */
function staysForEver(device: Device): boolean {
  return device instanceof Ipip && device.isFallback
}
