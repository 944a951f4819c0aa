/**
 * What only `ip -d link` shows: limits, queues, and every setting of a kind that link-kind.ts does not read. Source:
 * linux/if_link.h, whose names are kept, and where each attribute's size says what it is.
 */
import { formatMac } from '../../address/mac.ts'
import type { LinkDetails } from '../../kernel/link.ts'
import { LITTLE_ENDIAN } from '../byte-order.ts'
import type { Attribute, Attributes } from './attribute.ts'

const IFLA_AF_SPEC = 26
const IFLA_PROMISCUITY = 30
const IFLA_NUM_TX_QUEUES = 31
const IFLA_NUM_RX_QUEUES = 32
const IFLA_GSO_MAX_SEGS = 40
const IFLA_GSO_MAX_SIZE = 41
const IFLA_MIN_MTU = 50
const IFLA_MAX_MTU = 51
const IFLA_GRO_MAX_SIZE = 58
const IFLA_TSO_MAX_SIZE = 59
const IFLA_TSO_MAX_SEGS = 60
const IFLA_ALLMULTI = 61
const AF_INET6 = 10
const IFLA_INET6_ADDR_GEN_MODE = 8
/** IN6_ADDR_GEN_MODE_*, in the order of their numbers. */
const GENERATION = ['eui64', 'none', 'stable_secret', 'random'] as const

/** Names from the first number on, in their order; what `-` stands for is left out. */
const BRIDGE =
  `FORWARD_DELAY HELLO_TIME MAX_AGE AGEING_TIME STP_STATE PRIORITY VLAN_FILTERING VLAN_PROTOCOL GROUP_FWD_MASK ROOT_ID
  BRIDGE_ID ROOT_PORT ROOT_PATH_COST TOPOLOGY_CHANGE TOPOLOGY_CHANGE_DETECTED HELLO_TIMER TCN_TIMER TOPOLOGY_CHANGE_TIMER
  GC_TIMER GROUP_ADDR - MCAST_ROUTER MCAST_SNOOPING MCAST_QUERY_USE_IFADDR MCAST_QUERIER MCAST_HASH_ELASTICITY
  MCAST_HASH_MAX MCAST_LAST_MEMBER_CNT MCAST_STARTUP_QUERY_CNT MCAST_LAST_MEMBER_INTVL MCAST_MEMBERSHIP_INTVL
  MCAST_QUERIER_INTVL MCAST_QUERY_INTVL MCAST_QUERY_RESPONSE_INTVL MCAST_STARTUP_QUERY_INTVL NF_CALL_IPTABLES
  NF_CALL_IP6TABLES NF_CALL_ARPTABLES VLAN_DEFAULT_PVID - VLAN_STATS_ENABLED MCAST_STATS_ENABLED MCAST_IGMP_VERSION
  MCAST_MLD_VERSION VLAN_STATS_PER_PORT MULTI_BOOLOPT`.split(/\s+/)
const PORT =
  `STATE PRIORITY COST MODE GUARD PROTECT FAST_LEAVE LEARNING UNICAST_FLOOD PROXYARP LEARNING_SYNC PROXYARP_WIFI ROOT_ID
  BRIDGE_ID DESIGNATED_PORT DESIGNATED_COST ID NO TOPOLOGY_CHANGE_ACK CONFIG_PENDING MESSAGE_AGE_TIMER
  FORWARD_DELAY_TIMER HOLD_TIMER - MULTICAST_ROUTER - MCAST_FLOOD MCAST_TO_UCAST VLAN_TUNNEL BCAST_FLOOD GROUP_FWD_MASK
  NEIGH_SUPPRESS ISOLATED - - - - - LOCKED`.split(/\s+/)
const VXLAN =
  `ID - - - TTL TOS LEARNING AGEING LIMIT PORT_RANGE PROXY RSC L2MISS L3MISS PORT - - UDP_CSUM UDP_ZERO_CSUM6_TX
  UDP_ZERO_CSUM6_RX REMCSUM_TX REMCSUM_RX - - COLLECT_METADATA LABEL - TTL_INHERIT DF VNIFILTER`.split(/\s+/)
const TUN = 'OWNER GROUP TYPE PI VNET_HDR PERSIST MULTI_QUEUE NUM_QUEUES NUM_DISABLED_QUEUES'.split(' ')
const MACVLAN = '- FLAGS - - - - BC_QUEUE_LEN BC_QUEUE_LEN_USED'.split(' ')

/** By IFLA_INFO_KIND, and the prefix of its names. */
const KINDS: Readonly<Record<string, { readonly prefix: string; readonly names: readonly string[] }>> = {
  bridge: { prefix: 'BR', names: BRIDGE },
  vxlan: { prefix: 'VXLAN', names: VXLAN },
  macvlan: { prefix: 'MACVLAN', names: MACVLAN },
  tun: { prefix: 'TUN', names: TUN },
}
const PORT_KIND = { prefix: 'BRPORT', names: PORT }

/** Attributes that are no number in the machine's byte order. */
const READERS: Readonly<Record<string, (value: Uint8Array) => number | string>> = {
  BR_ROOT_ID: bridgeId,
  BR_BRIDGE_ID: bridgeId,
  BRPORT_ROOT_ID: bridgeId,
  BRPORT_BRIDGE_ID: bridgeId,
  BR_GROUP_ADDR: formatMac,
  BR_VLAN_PROTOCOL: bigEndian,
  BR_MULTI_BOOLOPT: (value) => number(value.subarray(0, 4)), // struct br_boolopt_multi: values, mask
  VXLAN_PORT: bigEndian,
  VXLAN_LABEL: bigEndian,
  // struct ifla_vxlan_port_range
  VXLAN_PORT_RANGE: (value) => `${bigEndian(value.subarray(0, 2))} ${bigEndian(value.subarray(2, 4))}`,
}

export function decodeLinkDetails(
  attributes: Attributes,
  kind: string | undefined,
  kindData: readonly Attribute[],
  portData: readonly Attribute[],
): LinkDetails {
  const number = (type: number) => attributes.u32(type) ?? 0
  const generation = attributes.nested(IFLA_AF_SPEC)?.nested(AF_INET6)?.u8(IFLA_INET6_ADDR_GEN_MODE)
  const table = kind === undefined ? undefined : KINDS[kind]
  return {
    promiscuity: number(IFLA_PROMISCUITY),
    allMulticast: number(IFLA_ALLMULTI),
    minMtu: number(IFLA_MIN_MTU),
    maxMtu: number(IFLA_MAX_MTU),
    txQueues: number(IFLA_NUM_TX_QUEUES),
    rxQueues: number(IFLA_NUM_RX_QUEUES),
    gsoMaxSize: number(IFLA_GSO_MAX_SIZE),
    gsoMaxSegments: number(IFLA_GSO_MAX_SEGS),
    tsoMaxSize: number(IFLA_TSO_MAX_SIZE),
    tsoMaxSegments: number(IFLA_TSO_MAX_SEGS),
    groMaxSize: number(IFLA_GRO_MAX_SIZE),
    addressGeneration: generation === undefined ? undefined : GENERATION[generation],
    kind: table ? named(kindData, table) : {},
    port: named(portData, PORT_KIND),
  }
}

function named(
  data: readonly Attribute[],
  { prefix, names }: { readonly prefix: string; readonly names: readonly string[] },
): Record<string, number | string> {
  const values: Record<string, number | string> = {}
  for (const { type, value } of data) {
    const name = names[type - 1]
    if (name === undefined || name === '-') continue
    const full = `${prefix}_${name}`
    values[full] = (READERS[full] ?? number)(value)
  }
  return values
}

/** Of any length up to 8 bytes; none is a flag. */
function number(value: Uint8Array): number {
  return value.length === 0 ? 1 : bigEndian(LITTLE_ENDIAN ? value.toReversed() : value)
}

function bigEndian(value: Uint8Array): number {
  return value.reduce((sum, byte) => sum * 256 + byte, 0)
}

/** struct ifla_bridge_id: priority (2), MAC (6). */
function bridgeId(value: Uint8Array): string {
  return `${bigEndian(value.subarray(0, 2)).toString(16)}.${formatMac(value.subarray(2))}`
}
