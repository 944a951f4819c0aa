/**
 * What only links of one kind have: IFLA_INFO_DATA, and IFLA_INFO_SLAVE_DATA of a bridge's ports. Source: linux/if_link.h.
 *
 * Encoders write the attributes into an open nest; decoders read them from it.
 */
import { parseIp } from '../../address/ip.ts'
import { IPV4_LENGTH } from '../../address/ipv4.ts'
import type {
  BridgeOptions,
  BridgePort,
  IpipOptions,
  MacvlanOptions,
  NewLink,
  VlanOptions,
  VxlanOptions,
} from '../../kernel/link.ts'
import type { Attributes } from './attribute.ts'
import type { MessageWriter } from './message.ts'

const IFLA_BR_FORWARD_DELAY = 1
const IFLA_BR_AGEING_TIME = 4
const IFLA_BR_STP_STATE = 5
const IFLA_BR_VLAN_FILTERING = 7
const IFLA_BR_VLAN_DEFAULT_PVID = 39
/** A bridge's times are in clock ticks for user space, USER_HZ. */
const TICKS_PER_SECOND = 100

const IFLA_BRPORT_STATE = 1
const IFLA_BRPORT_PRIORITY = 2
const IFLA_BRPORT_COST = 3
const IFLA_BRPORT_MODE = 4
const IFLA_BRPORT_LEARNING = 8
const IFLA_BRPORT_UNICAST_FLOOD = 9
const IFLA_BRPORT_MCAST_FLOOD = 27
const IFLA_BRPORT_BCAST_FLOOD = 30
const IFLA_BRPORT_NEIGH_SUPPRESS = 32
const IFLA_BRPORT_ISOLATED = 33
/** BR_STATE_*, linux/if_bridge.h, in the order of their numbers. */
const PORT_STATES: readonly BridgePort['state'][] = ['disabled', 'listening', 'learning', 'forwarding', 'blocking']

const IFLA_VXLAN_ID = 1
const IFLA_VXLAN_GROUP = 2
const IFLA_VXLAN_LINK = 3
const IFLA_VXLAN_LOCAL = 4
const IFLA_VXLAN_TTL = 5
const IFLA_VXLAN_LEARNING = 7
const IFLA_VXLAN_AGEING = 8
const IFLA_VXLAN_PORT = 15
const IFLA_VXLAN_GROUP6 = 16
const IFLA_VXLAN_LOCAL6 = 17
const IFLA_VXLAN_UDP_CSUM = 18
const IFLA_VXLAN_GBP = 23

const IFLA_MACVLAN_MODE = 1
/** MACVLAN_MODE_*. */
const MACVLAN_MODES = { private: 1, vepa: 2, bridge: 4, passthru: 8, source: 16 } as const

/** linux/if_tunnel.h */
const IFLA_IPTUN_LINK = 1
const IFLA_IPTUN_LOCAL = 2
const IFLA_IPTUN_REMOTE = 3
const IFLA_IPTUN_TTL = 4
const IFLA_IPTUN_TOS = 5
const IFLA_IPTUN_PROTO = 9
const IFLA_IPTUN_PMTUDISC = 10
/** Whatever IPv4 or MPLS there is inside. */
const ANY_PROTOCOL = 0

const IFLA_VLAN_ID = 1
const IFLA_VRF_TABLE = 1
const IFLA_IPVLAN_MODE = 1
/** IPVLAN_MODE_*. */
const IPVLAN_MODES = { l2: 0, l3: 1, l3s: 2 } as const

/** Whether IFLA_INFO_DATA has something to say of the link. A veth's peer is link.ts's to write. */
export function hasKindData(link: NewLink): boolean {
  switch (link.kind) {
    case 'bridge':
      return link.bridge !== undefined
    case 'macvlan':
      return link.macvlan !== undefined
    case 'ipvlan':
      return link.ipvlan !== undefined
    default:
      return link.kind === 'vxlan' || link.kind === 'vlan' || link.kind === 'vrf' || link.kind === 'ipip'
  }
}

export function encodeKindData(writer: MessageWriter, link: NewLink, indexOf: (name: string) => number): void {
  if (link.kind === 'bridge' && link.bridge) encodeBridge(writer, link.bridge)
  if (link.kind === 'vxlan') encodeVxlan(writer, link.vxlan, indexOf)
  if (link.kind === 'ipip') encodeIpip(writer, link.ipip ?? {}, indexOf)
  if (link.kind === 'macvlan' && link.macvlan) {
    writer.attributeU32(IFLA_MACVLAN_MODE, MACVLAN_MODES[link.macvlan.mode])
  }
  if (link.kind === 'vlan') writer.attributeU16(IFLA_VLAN_ID, link.vlan.id)
  if (link.kind === 'ipvlan' && link.ipvlan) writer.attributeU16(IFLA_IPVLAN_MODE, IPVLAN_MODES[link.ipvlan.mode])
  if (link.kind === 'vrf') writer.attributeU32(IFLA_VRF_TABLE, link.vrf.table)
}

export function encodeBridge(writer: MessageWriter, bridge: Partial<BridgeOptions>): void {
  const { vlanFiltering, vlanDefaultPvid, ageingTime, forwardDelay, stp } = bridge
  if (forwardDelay !== undefined) writer.attributeU32(IFLA_BR_FORWARD_DELAY, ticks(forwardDelay))
  if (ageingTime !== undefined) writer.attributeU32(IFLA_BR_AGEING_TIME, ticks(ageingTime))
  if (stp !== undefined) writer.attributeU32(IFLA_BR_STP_STATE, Number(stp))
  if (vlanFiltering !== undefined) writer.attributeU8(IFLA_BR_VLAN_FILTERING, Number(vlanFiltering))
  if (vlanDefaultPvid !== undefined) writer.attributeU16(IFLA_BR_VLAN_DEFAULT_PVID, vlanDefaultPvid)
}

export function decodeBridge(attributes: Attributes): BridgeOptions {
  return {
    // A kernel without VLAN filtering has no such attributes.
    vlanFiltering: attributes.u8(IFLA_BR_VLAN_FILTERING) === 1,
    vlanDefaultPvid: attributes.u16(IFLA_BR_VLAN_DEFAULT_PVID) ?? 0,
    ageingTime: (attributes.u32(IFLA_BR_AGEING_TIME) ?? 0) / TICKS_PER_SECOND,
    forwardDelay: (attributes.u32(IFLA_BR_FORWARD_DELAY) ?? 0) / TICKS_PER_SECOND,
    stp: (attributes.u32(IFLA_BR_STP_STATE) ?? 0) > 0,
  }
}

export function encodePort(writer: MessageWriter, port: Partial<Omit<BridgePort, 'state'>>): void {
  const { hairpin, isolated, learning, flood, neighbourSuppression, priority, cost } = port
  const { multicastFlood, broadcastFlood } = port
  if (priority !== undefined) writer.attributeU16(IFLA_BRPORT_PRIORITY, priority)
  if (cost !== undefined) writer.attributeU32(IFLA_BRPORT_COST, cost)
  if (hairpin !== undefined) writer.attributeU8(IFLA_BRPORT_MODE, Number(hairpin))
  if (learning !== undefined) writer.attributeU8(IFLA_BRPORT_LEARNING, Number(learning))
  if (flood !== undefined) writer.attributeU8(IFLA_BRPORT_UNICAST_FLOOD, Number(flood))
  if (multicastFlood !== undefined) writer.attributeU8(IFLA_BRPORT_MCAST_FLOOD, Number(multicastFlood))
  if (broadcastFlood !== undefined) writer.attributeU8(IFLA_BRPORT_BCAST_FLOOD, Number(broadcastFlood))
  if (neighbourSuppression !== undefined) writer.attributeU8(IFLA_BRPORT_NEIGH_SUPPRESS, Number(neighbourSuppression))
  if (isolated !== undefined) writer.attributeU8(IFLA_BRPORT_ISOLATED, Number(isolated))
}

export function decodePort(attributes: Attributes): BridgePort {
  return {
    state: PORT_STATES[attributes.u8(IFLA_BRPORT_STATE) ?? 0] ?? 'disabled',
    hairpin: attributes.u8(IFLA_BRPORT_MODE) === 1,
    isolated: attributes.u8(IFLA_BRPORT_ISOLATED) === 1,
    learning: attributes.u8(IFLA_BRPORT_LEARNING) === 1,
    flood: attributes.u8(IFLA_BRPORT_UNICAST_FLOOD) === 1,
    neighbourSuppression: attributes.u8(IFLA_BRPORT_NEIGH_SUPPRESS) === 1,
    priority: attributes.u16(IFLA_BRPORT_PRIORITY) ?? 0,
    cost: attributes.u32(IFLA_BRPORT_COST) ?? 0,
    multicastFlood: attributes.u8(IFLA_BRPORT_MCAST_FLOOD) === 1,
    broadcastFlood: attributes.u8(IFLA_BRPORT_BCAST_FLOOD) === 1,
  }
}

function encodeVxlan(
  writer: MessageWriter,
  vxlan: Partial<VxlanOptions> & { readonly vni: number },
  indexOf: (name: string) => number,
): void {
  const { vni, local, remote, device, port, learning, ttl, ageing, udpChecksum, gbp } = vxlan
  writer.attributeU32(IFLA_VXLAN_ID, vni)
  encodeEither(writer, IFLA_VXLAN_GROUP, IFLA_VXLAN_GROUP6, remote)
  encodeEither(writer, IFLA_VXLAN_LOCAL, IFLA_VXLAN_LOCAL6, local)
  if (device !== undefined) writer.attributeU32(IFLA_VXLAN_LINK, indexOf(device))
  if (ttl !== undefined) writer.attributeU8(IFLA_VXLAN_TTL, ttl)
  if (learning !== undefined) writer.attributeU8(IFLA_VXLAN_LEARNING, Number(learning))
  if (ageing !== undefined) writer.attributeU32(IFLA_VXLAN_AGEING, ageing)
  if (port !== undefined) writer.attributeU16be(IFLA_VXLAN_PORT, port)
  if (udpChecksum !== undefined) writer.attributeU8(IFLA_VXLAN_UDP_CSUM, Number(udpChecksum))
  if (gbp) writer.attributeFlag(IFLA_VXLAN_GBP)
}

export function encodeVxlanChange(writer: MessageWriter, { learning }: Pick<VxlanOptions, 'learning'>): void {
  writer.attributeU8(IFLA_VXLAN_LEARNING, Number(learning))
}

function encodeEither(writer: MessageWriter, type4: number, type6: number, address: string | undefined): void {
  if (address === undefined) return
  const ip = parseIp(address)
  writer.attribute(ip.length === IPV4_LENGTH ? type4 : type6, ip)
}

export function decodeVxlan(attributes: Attributes, nameOf: (index: number) => string | undefined): VxlanOptions {
  const local = attributes.ip(IFLA_VXLAN_LOCAL) ?? attributes.ip(IFLA_VXLAN_LOCAL6)
  const remote = attributes.ip(IFLA_VXLAN_GROUP) ?? attributes.ip(IFLA_VXLAN_GROUP6)
  const deviceIndex = attributes.u32(IFLA_VXLAN_LINK)
  const device = deviceIndex ? nameOf(deviceIndex) : undefined
  return {
    vni: attributes.u32(IFLA_VXLAN_ID) ?? 0,
    ...(local !== undefined && { local }),
    ...(remote !== undefined && { remote }),
    ...(device !== undefined && { device }),
    port: attributes.u16be(IFLA_VXLAN_PORT) ?? 0,
    learning: attributes.u8(IFLA_VXLAN_LEARNING) === 1,
    ttl: attributes.u8(IFLA_VXLAN_TTL) ?? 0,
    ageing: attributes.u32(IFLA_VXLAN_AGEING) ?? 0,
    udpChecksum: attributes.u8(IFLA_VXLAN_UDP_CSUM) === 1,
    gbp: attributes.has(IFLA_VXLAN_GBP),
  }
}

/** All that iproute2 says: the kernel's own default is without path MTU discovery. */
function encodeIpip(writer: MessageWriter, ipip: Partial<IpipOptions>, indexOf: (name: string) => number): void {
  const { local, remote, device, ttl = 0, tos = 0, pathMtuDiscovery = true } = ipip
  writer.attributeU32(IFLA_IPTUN_LINK, device === undefined ? 0 : indexOf(device))
  if (local !== undefined) writer.attribute(IFLA_IPTUN_LOCAL, parseIp(local))
  if (remote !== undefined) writer.attribute(IFLA_IPTUN_REMOTE, parseIp(remote))
  writer.attributeU8(IFLA_IPTUN_TTL, ttl)
  writer.attributeU8(IFLA_IPTUN_TOS, tos)
  writer.attributeU8(IFLA_IPTUN_PMTUDISC, Number(pathMtuDiscovery))
  writer.attributeU8(IFLA_IPTUN_PROTO, ANY_PROTOCOL)
}

export function decodeIpip(attributes: Attributes, nameOf: (index: number) => string | undefined): IpipOptions {
  const address = (type: number) => {
    const ip = attributes.ip(type)
    return ip === '0.0.0.0' ? undefined : ip
  }
  const local = address(IFLA_IPTUN_LOCAL)
  const remote = address(IFLA_IPTUN_REMOTE)
  const index = attributes.u32(IFLA_IPTUN_LINK)
  const device = index ? nameOf(index) : undefined
  return {
    ...(local !== undefined && { local }),
    ...(remote !== undefined && { remote }),
    ...(device !== undefined && { device }),
    ttl: attributes.u8(IFLA_IPTUN_TTL) ?? 0,
    tos: attributes.u8(IFLA_IPTUN_TOS) ?? 0,
    pathMtuDiscovery: attributes.u8(IFLA_IPTUN_PMTUDISC) === 1,
  }
}

/** Undefined for a mode that this file does not know. */
export function decodeMacvlan(attributes: Attributes): MacvlanOptions | undefined {
  const number = attributes.u32(IFLA_MACVLAN_MODE)
  const entry = Object.entries(MACVLAN_MODES).find(([, mode]) => mode === number)
  return entry && { mode: entry[0] as MacvlanOptions['mode'] }
}

export function decodeVlan(attributes: Attributes): VlanOptions {
  return { id: attributes.u16(IFLA_VLAN_ID) ?? 0 }
}

function ticks(seconds: number): number {
  return Math.round(seconds * TICKS_PER_SECOND)
}
