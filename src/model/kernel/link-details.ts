/** What `ip -d link` shows besides: limits, queues, and what a bridge and its ports would say of things that stand still here. */
import { formatMac } from '../../address/mac.ts'
import type { LinkDetails } from '../../kernel/link.ts'
import { Bridge } from '../device/bridge.ts'
import type { BridgePort } from '../device/bridge-port.ts'
import type { Device } from '../device/device.ts'
import { Ipip } from '../device/ipip.ts'
import { Tun } from '../device/tun.ts'
import { Veth } from '../device/veth.ts'
import { Vxlan } from '../device/vxlan.ts'
import { IPV6_MIN_MTU } from '../sysctl.ts'
import { portOf } from './ports.ts'

/** IN6_ADDR_GEN_MODE_*, in the order of their numbers. */
const GENERATION = ['eui64', 'none', 'stable_secret', 'random'] as const
const PRIORITY = 0x8000
/** A port's number is the low part of its identifier, its priority the high one. */
const PORT_BITS = 10

export function detailsOf(device: Device): LinkDetails {
  const port = portOf(device)
  // veth makes a queue for each processor.
  const queues = device instanceof Veth ? 2 : 1
  return {
    promiscuity: (port ? 1 : 0) + Number(device.promiscuous),
    allMulticast: (port ? 1 : 0) + Number(device.allMulticast),
    minMtu: device.minMtu,
    maxMtu: device.maxMtu,
    txQueues: queues,
    rxQueues: queues,
    gsoMaxSize: 65536,
    gsoMaxSegments: 65535,
    tsoMaxSize: tsoMaxSizeOf(device),
    tsoMaxSegments: 65535,
    groMaxSize: 65536,
    addressGeneration:
      device.mtu < IPV6_MIN_MTU && device.kind !== 'loopback' ? undefined : GENERATION[device.ipv6.conf.addr_gen_mode],
    kind: kindOf(device),
    port: port ? ofPort(port) : {},
  }
}

const TSO_MAX_SIZE = 524280

/** TSO_LEGACY_MAX_SIZE where the driver says nothing. A bridge takes what all of its ports do, a vxlan what is below it. */
function tsoMaxSizeOf(device: Device): number {
  const legacy = 65536
  if (device instanceof Tun || device instanceof Ipip) return legacy
  if (device instanceof Vxlan) return device.lower ? tsoMaxSizeOf(device.lower) : legacy
  if (!(device instanceof Bridge)) return TSO_MAX_SIZE
  if (!device.hadPorts) return legacy
  return Math.min(TSO_MAX_SIZE, ...device.ports.map((port) => tsoMaxSizeOf(port.device)))
}

function kindOf(device: Device): Record<string, number | string> {
  if (device instanceof Bridge) return ofBridge(device)
  if (device instanceof Vxlan) return ofVxlan(device)
  if (device instanceof Tun) return ofTun(device)
  return {}
}

function ofBridge(bridge: Bridge): Record<string, number | string> {
  const id = identifierOf(bridge)
  return {
    BR_HELLO_TIMER: 0,
    BR_TCN_TIMER: 0,
    BR_TOPOLOGY_CHANGE_TIMER: 0,
    BR_GC_TIMER: 0,
    BR_FORWARD_DELAY: ticks(bridge.forwardDelay),
    BR_HELLO_TIME: 200,
    BR_MAX_AGE: 2000,
    BR_AGEING_TIME: ticks(bridge.ageingTime),
    BR_STP_STATE: Number(bridge.stp),
    BR_PRIORITY: PRIORITY,
    BR_VLAN_FILTERING: 0,
    BR_GROUP_FWD_MASK: 0,
    BR_BRIDGE_ID: id,
    BR_ROOT_ID: id,
    BR_ROOT_PORT: 0,
    BR_ROOT_PATH_COST: 0,
    BR_TOPOLOGY_CHANGE: 0,
    BR_TOPOLOGY_CHANGE_DETECTED: 0,
    BR_GROUP_ADDR: '01:80:c2:00:00:00',
    BR_MULTI_BOOLOPT: 0,
    BR_MCAST_ROUTER: 1,
    BR_MCAST_SNOOPING: 1,
    BR_MCAST_QUERY_USE_IFADDR: 0,
    BR_MCAST_QUERIER: 0,
    BR_MCAST_STATS_ENABLED: 0,
    BR_MCAST_HASH_ELASTICITY: 16,
    BR_MCAST_HASH_MAX: 4096,
    BR_MCAST_LAST_MEMBER_CNT: 2,
    BR_MCAST_STARTUP_QUERY_CNT: 2,
    BR_MCAST_IGMP_VERSION: 2,
    BR_MCAST_MLD_VERSION: 1,
    BR_MCAST_LAST_MEMBER_INTVL: 100,
    BR_MCAST_MEMBERSHIP_INTVL: 26000,
    BR_MCAST_QUERIER_INTVL: 25500,
    BR_MCAST_QUERY_INTVL: 12500,
    BR_MCAST_QUERY_RESPONSE_INTVL: 1000,
    BR_MCAST_STARTUP_QUERY_INTVL: 3124,
    BR_NF_CALL_IPTABLES: 0,
    BR_NF_CALL_IP6TABLES: 0,
    BR_NF_CALL_ARPTABLES: 0,
  }
}

function ofPort(port: BridgePort): Record<string, number | string> {
  const identifier = (port.priority << PORT_BITS) | port.number
  const bridge = identifierOf(port.bridge)
  return {
    BRPORT_STATE: ['disabled', 'listening', 'learning', 'forwarding', 'blocking'].indexOf(port.state),
    BRPORT_PRIORITY: port.priority,
    BRPORT_COST: port.cost,
    BRPORT_MODE: Number(port.hairpin),
    BRPORT_GUARD: 0,
    BRPORT_PROTECT: 0,
    BRPORT_FAST_LEAVE: 0,
    BRPORT_MCAST_TO_UCAST: 0,
    BRPORT_LEARNING: Number(port.learning),
    BRPORT_UNICAST_FLOOD: Number(port.flood),
    BRPORT_MCAST_FLOOD: Number(port.multicastFlood),
    BRPORT_BCAST_FLOOD: Number(port.broadcastFlood),
    BRPORT_PROXYARP: 0,
    BRPORT_PROXYARP_WIFI: 0,
    BRPORT_ROOT_ID: bridge,
    BRPORT_BRIDGE_ID: bridge,
    BRPORT_DESIGNATED_PORT: identifier,
    BRPORT_DESIGNATED_COST: 0,
    BRPORT_ID: identifier,
    BRPORT_NO: port.number,
    BRPORT_TOPOLOGY_CHANGE_ACK: 0,
    BRPORT_CONFIG_PENDING: 0,
    BRPORT_VLAN_TUNNEL: 0,
    BRPORT_GROUP_FWD_MASK: 0,
    BRPORT_NEIGH_SUPPRESS: Number(port.neighbourSuppression),
    BRPORT_ISOLATED: Number(port.isolated),
    BRPORT_LOCKED: 0,
    BRPORT_MESSAGE_AGE_TIMER: 0,
    BRPORT_FORWARD_DELAY_TIMER: 0,
    BRPORT_HOLD_TIMER: 0,
    BRPORT_MULTICAST_ROUTER: 1,
  }
}

function ofVxlan(vxlan: Vxlan): Record<string, number | string> {
  return {
    VXLAN_ID: vxlan.vni,
    VXLAN_TTL: vxlan.ttl,
    VXLAN_TTL_INHERIT: 0,
    VXLAN_TOS: 0,
    VXLAN_DF: 0,
    VXLAN_LABEL: 0,
    VXLAN_LEARNING: Number(vxlan.learning),
    VXLAN_PROXY: 0,
    VXLAN_RSC: 0,
    VXLAN_L2MISS: 0,
    VXLAN_L3MISS: 0,
    VXLAN_COLLECT_METADATA: 0,
    VXLAN_AGEING: vxlan.ageing,
    VXLAN_LIMIT: 0,
    VXLAN_PORT: vxlan.port,
    VXLAN_UDP_CSUM: Number(vxlan.udpChecksum),
    VXLAN_UDP_ZERO_CSUM6_TX: 0,
    VXLAN_UDP_ZERO_CSUM6_RX: 0,
    VXLAN_REMCSUM_TX: 0,
    VXLAN_REMCSUM_RX: 0,
    VXLAN_PORT_RANGE: '0 0',
  }
}

function ofTun(tun: Tun): Record<string, number | string> {
  const { owner, ownerGroup: group } = tun
  return {
    TUN_TYPE: tun.mode === 'tun' ? 1 : 2,
    ...(owner !== undefined && { TUN_OWNER: owner }),
    ...(group !== undefined && { TUN_GROUP: group }),
    TUN_PI: 0,
    TUN_VNET_HDR: 0,
    TUN_PERSIST: Number(tun.persistent),
    TUN_MULTI_QUEUE: Number(tun.multiQueue),
  }
}

/** A bridge's times are in clock ticks for user space: USER_HZ is 100. */
function ticks(seconds: number): number {
  return Math.round(seconds * 100)
}

/** `8000.02:42:0a:00:00:01`: priority and MAC, which is zero as long as nothing has given it one. */
function identifierOf(bridge: Bridge): string {
  const known = bridge.ports.length > 0 || bridge.macOrigin === 'set'
  return `${PRIORITY.toString(16)}.${formatMac(known ? bridge.mac : new Uint8Array(6))}`
}
