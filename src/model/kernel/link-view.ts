/** A device as `ip link` shows it: rtnl_fill_ifinfo, net/core/rtnetlink.c. */
import { formatIp } from '../../address/ip.ts'
import { formatMac } from '../../address/mac.ts'
import type {
  BridgeOptions,
  BridgePort as BridgePortView,
  IpipOptions,
  Link,
  LinkStatistics,
  VxlanOptions,
} from '../../kernel/link.ts'
import { Bridge } from '../device/bridge.ts'
import type { BridgePort } from '../device/bridge-port.ts'
import type { Device } from '../device/device.ts'
import { Ipip } from '../device/ipip.ts'
import { Veth } from '../device/veth.ts'
import { Vxlan } from '../device/vxlan.ts'
import type { Namespace } from '../namespace.ts'
import { detailsOf } from './link-details.ts'
import { NAMESPACE_DIRECTORY } from './names.ts'
import { portOf } from './ports.ts'

/** IFF_*, linux/if.h. */
const Flag = {
  up: 0x1,
  broadcast: 0x2,
  loopback: 0x8,
  pointToPoint: 0x10,
  running: 0x40,
  noArp: 0x80,
  promiscuous: 0x100,
  allMulticast: 0x200,
  multicast: 0x1000,
  lowerUp: 0x10000,
} as const

/** What a namespace calls others: struct net.netns_ids. */
const numbers = new WeakMap<Namespace, Map<Namespace, number>>()

export function viewOf(device: Device): Link {
  const port = portOf(device)
  const parent = parentOf(device)
  const elsewhere = parent && parent.namespace !== device.namespace ? parent.namespace : undefined
  return {
    index: device.index,
    name: device.name,
    kind: device.kind,
    mac: formatMac(device instanceof Ipip ? bytesOf(device.local) : device.mac),
    macOrigin: device.macOrigin,
    mtu: device.mtu,
    up: device.up,
    flags: flagsOf(device),
    operState: device.operState,
    promiscuous: device.promiscuous,
    allMulticast: device.allMulticast,
    master: device.master?.index,
    parent: parent?.index,
    parentNamespaceId: elsewhere && numberOf(device.namespace, elsewhere),
    parentNamespace: elsewhere && nameOf(elsewhere),
    alias: device.alias,
    txQueueLength: device.txQueueLength,
    qdisc: device.qdisc,
    group: device.group,
    get details() {
      return detailsOf(device)
    },
    bridge: device instanceof Bridge ? bridgeOf(device) : undefined,
    port: port && viewOfPort(port),
    vxlan: device instanceof Vxlan ? vxlanOf(device) : undefined,
    macvlan: undefined,
    vlan: undefined,
    ipip: device instanceof Ipip ? ipipOf(device) : undefined,
  }
}

export function statisticsOf({ statistics }: Device): LinkStatistics {
  return {
    rxBytes: statistics.rxBytes,
    rxPackets: statistics.rxPackets,
    rxErrors: statistics.rxErrors,
    rxDropped: statistics.rxDropped,
    rxMissed: 0,
    multicast: 0,
    txBytes: statistics.txBytes,
    txPackets: statistics.txPackets,
    txErrors: statistics.txErrors,
    txDropped: statistics.txDropped,
    txCarrierErrors: 0,
    collisions: 0,
  }
}

/** dev_get_flags */
function flagsOf(device: Device): number {
  const { kind, operState } = device
  let flags = 0
  if (kind === 'loopback') flags |= Flag.loopback
  else if (device instanceof Ipip) flags |= device.remote === 0 ? 0 : Flag.pointToPoint
  else if (device.hasLinkLayer) flags |= Flag.broadcast
  else flags |= Flag.pointToPoint
  if (kind !== 'loopback' && kind !== 'ifb' && kind !== 'ipip') flags |= Flag.multicast
  if (device.noArp) flags |= Flag.noArp
  if (device.promiscuous) flags |= Flag.promiscuous
  if (device.allMulticast) flags |= Flag.allMulticast
  if (!device.up) return flags
  flags |= Flag.up
  if (operState === 'up' || operState === 'unknown') flags |= Flag.running
  if (device.carrier) flags |= Flag.lowerUp
  return flags
}

/** dev_get_iflink, where it is another device. */
function parentOf(device: Device): Device | undefined {
  if (device instanceof Ipip) return device.lower
  return device instanceof Veth ? device.peer : undefined
}

/** peernet2id_alloc */
function numberOf(namespace: Namespace, other: Namespace): number {
  let known = numbers.get(namespace)
  if (!known) {
    known = new Map()
    numbers.set(namespace, known)
  }
  const number = known.get(other) ?? known.size
  known.set(other, number)
  return number
}

function nameOf({ path, model }: Namespace): string | undefined {
  const named = path.startsWith(`${NAMESPACE_DIRECTORY}/`) && model.namespaces.has(path)
  return named ? path.slice(NAMESPACE_DIRECTORY.length + 1) : undefined
}

function bridgeOf(bridge: Bridge): BridgeOptions {
  return {
    vlanFiltering: false,
    vlanDefaultPvid: 0,
    ageingTime: bridge.ageingTime,
    forwardDelay: bridge.forwardDelay,
    stp: bridge.stp,
  }
}

function viewOfPort(port: BridgePort): BridgePortView {
  return {
    state: port.state,
    hairpin: port.hairpin,
    isolated: port.isolated,
    learning: port.learning,
    flood: port.flood,
    neighbourSuppression: port.neighbourSuppression,
    priority: port.priority,
    cost: port.cost,
    multicastFlood: port.multicastFlood,
    broadcastFlood: port.broadcastFlood,
  }
}

function ipipOf({ local, remote, lower, ttl, tos, pathMtuDiscovery }: Ipip): IpipOptions {
  return {
    ...(local !== 0 && { local: formatIp(bytesOf(local)) }),
    ...(remote !== 0 && { remote: formatIp(bytesOf(remote)) }),
    ...(lower && { device: lower.name }),
    ttl,
    tos,
    pathMtuDiscovery,
  }
}

function bytesOf(address: number): Uint8Array {
  return Uint8Array.of(address >>> 24, address >>> 16, address >>> 8, address)
}

function vxlanOf(vxlan: Vxlan): VxlanOptions {
  const { local, remote, lower } = vxlan
  return {
    vni: vxlan.vni,
    ...(local && { local: formatIp(local) }),
    ...(remote && { remote: formatIp(remote) }),
    ...(lower && { device: lower.name }),
    port: vxlan.port,
    learning: vxlan.learning,
    ttl: vxlan.ttl,
    ageing: vxlan.ageing,
    udpChecksum: vxlan.udpChecksum,
    gbp: vxlan.gbp,
  }
}
