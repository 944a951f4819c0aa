/** Forwarding databases of bridges and vxlans: `bridge fdb`. Source: rtnl_fdb_add and rtnl_fdb_del, net/core/rtnetlink.c. */
import { parseIp } from '../../address/ip.ts'
import { formatMac, parseMac } from '../../address/mac.ts'
import { KernelError } from '../../kernel/errors.ts'
import type { Fdb, FdbEntry as FdbView } from '../../kernel/neighbour.ts'
import { Bridge } from '../device/bridge.ts'
import type { BridgePort } from '../device/bridge-port.ts'
import type { Device } from '../device/device.ts'
import { isZeroMac } from '../device/ethernet.ts'
import type { FdbEntry } from '../device/fdb.ts'
import { Vxlan } from '../device/vxlan.ts'
import type { Namespace } from '../namespace.ts'
import { portOf } from './ports.ts'
import { requireDevice } from './require.ts'

type Operation = 'add' | 'append' | 'replace'

export class ModelFdb implements Fdb {
  readonly #namespace: Namespace

  constructor(namespace: Namespace) {
    this.#namespace = namespace
  }

  list({ link }: { readonly link?: string } = {}): FdbView[] {
    const only = link === undefined ? undefined : requireDevice(this.#namespace, link, `list fdb of "${link}"`)
    return this.#namespace.devices.list().flatMap((device) => {
      if (device instanceof Bridge) {
        return device.fdb
          .list()
          .filter(({ port }) => !only || (port?.device ?? device) === only)
          .map((entry) => viewOfBridge(device, entry))
      }
      return device instanceof Vxlan && (!only || only === device) ? viewOfVxlan(device) : []
    })
  }

  add(entry: FdbView): void {
    this.#change('add', entry)
  }

  append(entry: FdbView): void {
    this.#change('append', entry)
  }

  replace(entry: FdbView): void {
    this.#change('replace', entry)
  }

  delete(entry: Pick<FdbView, 'link' | 'mac' | 'owner' | 'destination' | 'vlan'>): void {
    const call = `delete forwarding entry "${entry.mac}" of "${entry.link}"`
    const device = requireDevice(this.#namespace, entry.link, call)
    const mac = parseMac(entry.mac)
    const bridged = bridgeOf(device, entry.owner)
    if (bridged) bridged.bridge.fdb.remove(mac, bridged.port)
    else if (device instanceof Vxlan && entry.owner === 'self') {
      device.fdb.delete(mac, entry.destination === undefined ? undefined : parseIp(entry.destination))
    } else throw new KernelError('EOPNOTSUPP', call)
  }

  #change(operation: Operation, entry: FdbView): void {
    const call = `${operation} forwarding entry "${entry.mac}" of "${entry.link}"`
    const device = requireDevice(this.#namespace, entry.link, call)
    if (entry.vlan !== undefined) throw new KernelError('EOPNOTSUPP', call, 'not modelled: VLAN filtering')
    const mac = parseMac(entry.mac)
    const { state = 'permanent' } = entry
    const bridged = bridgeOf(device, entry.owner)
    if (bridged) bridged.bridge.fdb.add(mac, bridged.port, state, operation === 'add' ? 'add' : 'replace')
    else if (device instanceof Vxlan && entry.owner === 'self') {
      const destination = entry.destination === undefined ? undefined : parseIp(entry.destination)
      const { port, vni } = entry
      if (isZeroMac(mac, 0) && operation === 'replace' && !destination) throw new KernelError('EINVAL', call)
      device.fdb.add(operation, mac, state, { destination, port, vni })
    } else throw new KernelError('EOPNOTSUPP', call)
    this.#namespace.model.settle()
  }
}

/** The bridge that keeps it, and by which port; without a port it is the bridge's own. */
function bridgeOf(
  device: Device,
  owner: FdbView['owner'],
): { bridge: Bridge; port: BridgePort | undefined } | undefined {
  if (owner === 'self') return device instanceof Bridge ? { bridge: device, port: undefined } : undefined
  const port = portOf(device)
  return port && { bridge: port.bridge, port }
}

function viewOfBridge(bridge: Bridge, { mac, port, state }: FdbEntry): FdbView {
  return {
    link: (port?.device ?? bridge).name,
    mac: formatMac(mac),
    owner: 'master',
    state,
    ...(state === 'dynamic' && { learnt: true }),
  }
}

function viewOfVxlan(_vxlan: Vxlan): FdbView[] {
  return []
}
