/** Forwarding databases of bridges and vxlans: `bridge fdb`. Source: rtnl_fdb_add and rtnl_fdb_del, net/core/rtnetlink.c. */
import { parseIp } from '../../address/ip.ts'
import { IPV4_LENGTH } from '../../address/ipv4.ts'
import { formatMac, parseMac } from '../../address/mac.ts'
import { KernelError } from '../../kernel/errors.ts'
import type { Fdb, FdbEntry as FdbView } from '../../kernel/neighbour.ts'
import { u32 } from '../bytes.ts'
import { Bridge } from '../device/bridge.ts'
import type { BridgePort } from '../device/bridge-port.ts'
import type { Device } from '../device/device.ts'
import type { FdbEntry } from '../device/fdb.ts'
import { Vxlan } from '../device/vxlan.ts'
import { formatAddress } from '../ipv4/address-text.ts'
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
      device.fdb.delete(mac, remoteOf(entry.destination, call))
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
      const { port = 0, vni = 0 } = entry
      const via = entry.via === undefined ? 0 : requireDevice(this.#namespace, entry.via, call).index
      device.fdb.add(mac, remoteOf(entry.destination, call) ?? 0, state, operation, { port, vni, via })
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

/** vxlan_fdb_info: an entry for each remote, which tells what differs from the device's own. */
function viewOfVxlan(vxlan: Vxlan): FdbView[] {
  return vxlan.fdb.list().flatMap(({ mac, state, remotes }) =>
    remotes.map(({ address, port, vni, via }) => ({
      link: vxlan.name,
      mac: formatMac(mac),
      owner: 'self' as const,
      state,
      destination: formatAddress(address),
      ...(port !== vxlan.port && { port }),
      ...(vni !== vxlan.vni && { vni }),
      ...viaOf(vxlan, via),
      ...(state === 'dynamic' && { learnt: true }),
    })),
  )
}

/** A device below that is gone is told no more. */
function viaOf({ underlay }: Vxlan, index: number): { via?: string } {
  const name = index === 0 ? undefined : underlay.devices.at(index)?.name
  return name === undefined ? {} : { via: name }
}

/** A VTEP's address. Those of IPv6 are not modelled. */
function remoteOf(destination: string | undefined, call: string): number | undefined {
  if (destination === undefined) return undefined
  const address = parseIp(destination)
  if (address.length !== IPV4_LENGTH) throw new KernelError('EOPNOTSUPP', call, 'not modelled: VXLAN over IPv6')
  return u32(address, 0)
}
