/** What `-d` adds to a link: its limits, and every setting of its kind and of it as a bridge's port. */
import type { Link, LinkDetails } from '../../kernel/link.ts'
import type { Printer } from '../printer.ts'
import { printIpip } from './ipip.ts'

type Values = LinkDetails['kind']

/** How one setting is printed: attribute, key in JSON, word in text, manner. */
type Row = readonly [attribute: string, key: string, word: string, manner?: Manner]
type Manner = 'number' | 'onoff' | 'timer' | 'hex' | 'hextext' | 'id' | 'text'

/** iplink_bridge.c. */
const BRIDGE: readonly Row[] = [
  ['BR_FORWARD_DELAY', 'forward_delay', 'forward_delay'],
  ['BR_HELLO_TIME', 'hello_time', 'hello_time'],
  ['BR_MAX_AGE', 'max_age', 'max_age'],
  ['BR_AGEING_TIME', 'ageing_time', 'ageing_time'],
  ['BR_STP_STATE', 'stp_state', 'stp_state'],
  ['BR_PRIORITY', 'priority', 'priority'],
  ['BR_VLAN_FILTERING', 'vlan_filtering', 'vlan_filtering'],
  ['BR_VLAN_PROTOCOL', 'vlan_protocol', 'vlan_protocol', 'text'],
  ['BR_BRIDGE_ID', 'bridge_id', 'bridge_id', 'id'],
  ['BR_ROOT_ID', 'root_id', 'designated_root', 'id'],
  ['BR_ROOT_PORT', 'root_port', 'root_port'],
  ['BR_ROOT_PATH_COST', 'root_path_cost', 'root_path_cost'],
  ['BR_TOPOLOGY_CHANGE', 'topology_change', 'topology_change'],
  ['BR_TOPOLOGY_CHANGE_DETECTED', 'topology_change_detected', 'topology_change_detected'],
  ['BR_HELLO_TIMER', 'hello_timer', 'hello_timer', 'timer'],
  ['BR_TCN_TIMER', 'tcn_timer', 'tcn_timer', 'timer'],
  ['BR_TOPOLOGY_CHANGE_TIMER', 'topology_change_timer', 'topology_change_timer', 'timer'],
  ['BR_GC_TIMER', 'gc_timer', 'gc_timer', 'timer'],
  ['BR_VLAN_DEFAULT_PVID', 'vlan_default_pvid', 'vlan_default_pvid'],
  ['BR_VLAN_STATS_ENABLED', 'vlan_stats_enabled', 'vlan_stats_enabled'],
  ['BR_VLAN_STATS_PER_PORT', 'vlan_stats_per_port', 'vlan_stats_per_port'],
  ['BR_GROUP_FWD_MASK', 'group_fwd_mask', 'group_fwd_mask', 'hextext'],
  ['BR_GROUP_ADDR', 'group_addr', 'group_address', 'text'],
  ['BR_MCAST_SNOOPING', 'mcast_snooping', 'mcast_snooping'],
  ['BR_NO_LL_LEARN', 'no_linklocal_learn', 'no_linklocal_learn'],
  ['BR_MCAST_VLAN_SNOOPING', 'mcast_vlan_snooping', 'mcast_vlan_snooping'],
  ['BR_MCAST_ROUTER', 'mcast_router', 'mcast_router'],
  ['BR_MCAST_QUERY_USE_IFADDR', 'mcast_query_use_ifaddr', 'mcast_query_use_ifaddr'],
  ['BR_MCAST_QUERIER', 'mcast_querier', 'mcast_querier'],
  ['BR_MCAST_HASH_ELASTICITY', 'mcast_hash_elasticity', 'mcast_hash_elasticity'],
  ['BR_MCAST_HASH_MAX', 'mcast_hash_max', 'mcast_hash_max'],
  ['BR_MCAST_LAST_MEMBER_CNT', 'mcast_last_member_cnt', 'mcast_last_member_count'],
  ['BR_MCAST_STARTUP_QUERY_CNT', 'mcast_startup_query_cnt', 'mcast_startup_query_count'],
  ['BR_MCAST_LAST_MEMBER_INTVL', 'mcast_last_member_intvl', 'mcast_last_member_interval'],
  ['BR_MCAST_MEMBERSHIP_INTVL', 'mcast_membership_intvl', 'mcast_membership_interval'],
  ['BR_MCAST_QUERIER_INTVL', 'mcast_querier_intvl', 'mcast_querier_interval'],
  ['BR_MCAST_QUERY_INTVL', 'mcast_query_intvl', 'mcast_query_interval'],
  ['BR_MCAST_QUERY_RESPONSE_INTVL', 'mcast_query_response_intvl', 'mcast_query_response_interval'],
  ['BR_MCAST_STARTUP_QUERY_INTVL', 'mcast_startup_query_intvl', 'mcast_startup_query_interval'],
  ['BR_MCAST_STATS_ENABLED', 'mcast_stats_enabled', 'mcast_stats_enabled'],
  ['BR_MCAST_IGMP_VERSION', 'mcast_igmp_version', 'mcast_igmp_version'],
  ['BR_MCAST_MLD_VERSION', 'mcast_mld_version', 'mcast_mld_version'],
  ['BR_NF_CALL_IPTABLES', 'nf_call_iptables', 'nf_call_iptables'],
  ['BR_NF_CALL_IP6TABLES', 'nf_call_ip6tables', 'nf_call_ip6tables'],
  ['BR_NF_CALL_ARPTABLES', 'nf_call_arptables', 'nf_call_arptables'],
]
/** iplink_bridge_slave.c. */
const PORT: readonly Row[] = [
  ['BRPORT_STATE', 'state', 'state', 'text'],
  ['BRPORT_PRIORITY', 'priority', 'priority'],
  ['BRPORT_COST', 'cost', 'cost'],
  ['BRPORT_MODE', 'hairpin', 'hairpin', 'onoff'],
  ['BRPORT_GUARD', 'guard', 'guard', 'onoff'],
  ['BRPORT_PROTECT', 'root_block', 'root_block', 'onoff'],
  ['BRPORT_FAST_LEAVE', 'fastleave', 'fastleave', 'onoff'],
  ['BRPORT_LEARNING', 'learning', 'learning', 'onoff'],
  ['BRPORT_UNICAST_FLOOD', 'flood', 'flood', 'onoff'],
  ['BRPORT_ID', 'id', 'port_id', 'hex'],
  ['BRPORT_NO', 'no', 'port_no', 'hex'],
  ['BRPORT_DESIGNATED_PORT', 'designated_port', 'designated_port'],
  ['BRPORT_DESIGNATED_COST', 'designated_cost', 'designated_cost'],
  ['BRPORT_BRIDGE_ID', 'bridge_id', 'designated_bridge', 'id'],
  ['BRPORT_ROOT_ID', 'root_id', 'designated_root', 'id'],
  ['BRPORT_HOLD_TIMER', 'hold_timer', 'hold_timer', 'timer'],
  ['BRPORT_MESSAGE_AGE_TIMER', 'message_age_timer', 'message_age_timer', 'timer'],
  ['BRPORT_FORWARD_DELAY_TIMER', 'forward_delay_timer', 'forward_delay_timer', 'timer'],
  ['BRPORT_TOPOLOGY_CHANGE_ACK', 'topology_change_ack', 'topology_change_ack'],
  ['BRPORT_CONFIG_PENDING', 'config_pending', 'config_pending'],
  ['BRPORT_PROXYARP', 'proxy_arp', 'proxy_arp', 'onoff'],
  ['BRPORT_PROXYARP_WIFI', 'proxy_arp_wifi', 'proxy_arp_wifi', 'onoff'],
  ['BRPORT_MULTICAST_ROUTER', 'multicast_router', 'mcast_router'],
  ['BRPORT_FAST_LEAVE', '', 'mcast_fast_leave', 'onoff'], // twice, and in text only
  ['BRPORT_MCAST_FLOOD', 'mcast_flood', 'mcast_flood', 'onoff'],
  ['BRPORT_BCAST_FLOOD', 'bcast_flood', 'bcast_flood', 'onoff'],
  ['BRPORT_MCAST_TO_UCAST', 'mcast_to_unicast', 'mcast_to_unicast', 'onoff'],
  ['BRPORT_NEIGH_SUPPRESS', 'neigh_suppress', 'neigh_suppress', 'onoff'],
  ['BRPORT_GROUP_FWD_MASK', 'group_fwd_mask', 'group_fwd_mask', 'hextext'],
  ['BRPORT_GROUP_FWD_MASK', 'group_fwd_mask_str', 'group_fwd_mask_str', 'hex'],
  ['BRPORT_VLAN_TUNNEL', 'vlan_tunnel', 'vlan_tunnel', 'onoff'],
  ['BRPORT_ISOLATED', 'isolated', 'isolated', 'onoff'],
  ['BRPORT_LOCKED', 'locked', 'locked', 'onoff'],
]
/** Kinds whose details are all told; `veth`, `ifb` and `dummy` have none. */
export const DETAILED_KINDS = new Set(['loopback', 'veth', 'ifb', 'dummy', 'bridge', 'vxlan', 'tun', 'macvlan', 'ipip'])
const PORT_STATES = ['disabled', 'listening', 'learning', 'forwarding', 'blocking']
const USER_TICKS_PER_SECOND = 100
/** BR_BOOLOPT_*: bits of BR_MULTI_BOOLOPT. */
const BOOLEANS = { BR_NO_LL_LEARN: 0, BR_MCAST_VLAN_SNOOPING: 1 }
const ETHERTYPES: Readonly<Record<number, string>> = { 33024: '802.1Q', 34984: '802.1ad' }

export function printDetails(printer: Printer, link: Link, options: { readonly addressGeneration: boolean }): void {
  const { details } = link
  printer.both('promiscuity', details.promiscuity, ` promiscuity ${details.promiscuity} `)
  printer.both('allmulti', details.allMulticast, ` allmulti ${details.allMulticast} `)
  printer.both('min_mtu', details.minMtu, `minmtu ${details.minMtu} `)
  printer.both('max_mtu', details.maxMtu, `maxmtu ${details.maxMtu} `)
  if (link.kind !== undefined && link.kind !== 'loopback') printKind(printer, link)
  if (options.addressGeneration && details.addressGeneration !== undefined) {
    printer.both('inet6_addr_gen_mode', details.addressGeneration, `addrgenmode ${details.addressGeneration} `)
  }
  printer.both('num_tx_queues', details.txQueues, `numtxqueues ${details.txQueues} `)
  // A kernel without CONFIG_RPS does not count them.
  if (details.rxQueues > 0) printer.both('num_rx_queues', details.rxQueues, `numrxqueues ${details.rxQueues} `)
  printer.both('gso_max_size', details.gsoMaxSize, `gso_max_size ${details.gsoMaxSize} `)
  printer.both('gso_max_segs', details.gsoMaxSegments, `gso_max_segs ${details.gsoMaxSegments} `)
  printer.both('tso_max_size', details.tsoMaxSize, `tso_max_size ${details.tsoMaxSize} `)
  printer.both('tso_max_segs', details.tsoMaxSegments, `tso_max_segs ${details.tsoMaxSegments} `)
  printer.both('gro_max_size', details.groMaxSize, `gro_max_size ${details.groMaxSize} `)
}

function printKind(printer: Printer, link: Link): void {
  const { kind, port } = link.details
  printer.object(() => {
    printer.newLine()
    printer.both('info_kind', link.kind!, `    ${link.kind} `)
    if (link.kind === 'bridge') {
      printer.object(() => printRows(printer, BRIDGE, withBooleans(kind)), 'info_data')
    } else if (link.kind === 'vxlan') printer.object(() => printVxlan(printer, link, kind), 'info_data')
    else if (link.kind === 'ipip') printer.object(() => printIpip(printer, link), 'info_data')
    else if (link.kind === 'tun') printer.object(() => printTun(printer, kind), 'info_data')
    else if (link.kind === 'macvlan') printer.object(() => printMacvlan(printer, link, kind), 'info_data')
    if (link.port) {
      printer.newLine()
      printer.both('info_slave_kind', 'bridge', '    bridge_slave ')
      const state = PORT_STATES[Number(port.BRPORT_STATE)]
      const values = { ...port, ...(state !== undefined && { BRPORT_STATE: state }) }
      printer.object(() => printRows(printer, PORT, values), 'info_slave_data')
    }
  }, 'linkinfo')
}

function withBooleans(values: Values): Values {
  const { BR_MULTI_BOOLOPT: options, BR_VLAN_PROTOCOL: protocol, ...rest } = values
  return {
    ...rest,
    ...(protocol !== undefined && { BR_VLAN_PROTOCOL: ETHERTYPES[Number(protocol)] ?? `[${protocol}]` }),
    ...Object.fromEntries(
      options === undefined ? [] : Object.entries(BOOLEANS).map(([name, bit]) => [name, (Number(options) >> bit) & 1]),
    ),
  }
}

function printRows(printer: Printer, rows: readonly Row[], values: Values): void {
  for (const [attribute, key, word, manner = 'number'] of rows) {
    const value = values[attribute]
    if (value !== undefined) printRow(printer, key, word, manner, value)
  }
}

function printRow(printer: Printer, key: string, word: string, manner: Manner, value: number | string): void {
  const number = Number(value)
  const hex = `0x${number.toString(16)}`
  switch (manner) {
    case 'onoff':
      if (key) printer.member(key, number !== 0)
      printer.text(`${word} ${number ? 'on' : 'off'} `)
      return
    case 'timer': {
      const seconds = number / USER_TICKS_PER_SECOND
      printer.decimal(key, seconds, `${word} ${seconds.toFixed(2).padStart(7)} `)
      return
    }
    case 'hex':
      printer.both(key, hex, `${word} ${hex} `)
      return
    case 'hextext': {
      const text = number === 0 ? '0' : hex
      printer.both(key, text, `${word} ${text} `)
      return
    }
    case 'id': {
      const id = bridgeId(`${value}`)
      printer.both(key, id, `${word} ${id} `)
      return
    }
    default:
      printer.both(key, value, `${word} ${value} `)
  }
}

/** iproute2 prints the MAC's bytes without leading zeros. */
function bridgeId(id: string): string {
  const [priority, mac] = id.split('.')
  const bytes = mac!.split(':').map((byte) => Number.parseInt(byte, 16).toString(16))
  return `${priority!.padStart(4, '0')}.${bytes.join(':')}`
}

/** iplink_vxlan.c. */
function printVxlan(printer: Printer, link: Link, values: Values): void {
  const { vni, remote, local, device, port, ageing, ttl, learning, udpChecksum, gbp } = link.vxlan!
  printer.both('id', vni, `id ${vni} `)
  const six = (address: string) => (address.includes(':') ? '6' : '')
  if (remote !== undefined) {
    const group = isMulticast(remote)
    printer.both(`${group ? 'group' : 'remote'}${six(remote)}`, remote, `${group ? 'group' : 'remote'} ${remote} `)
  }
  if (local !== undefined) printer.both(`local${six(local)}`, local, `local ${local} `)
  if (device !== undefined) printer.both('link', device, `dev ${device} `)
  const [low = 0, high = 0] = `${values.VXLAN_PORT_RANGE ?? '0 0'}`.split(' ').map(Number)
  printer.object(() => {
    printer.member('low', low)
    printer.member('high', high)
  }, 'port_range')
  printer.text(`srcport ${low} ${high} `)
  printer.both('port', port, `dstport ${port} `)
  printer.member('learning', learning)
  if (!learning) printer.text('nolearning ')
  for (const [attribute, word] of [
    ['VXLAN_PROXY', 'proxy'],
    ['VXLAN_RSC', 'rsc'],
    ['VXLAN_L2MISS', 'l2miss'],
    ['VXLAN_L3MISS', 'l3miss'],
  ] as const) {
    if (values[attribute]) printer.word(word)
  }
  const tos = `0x${Number(values.VXLAN_TOS ?? 0).toString(16)}`
  if (tos !== '0x0') printer.both('tos', tos, `tos ${tos === '0x1' ? 'inherit' : tos} `)
  if (values.VXLAN_TTL_INHERIT) printer.both('ttl', 'inherit', 'ttl inherit ')
  else printer.both('ttl', ttl, ttl ? `ttl ${ttl} ` : 'ttl auto ')
  const df = ['unset', 'set', 'inherit'][Number(values.VXLAN_DF ?? 0)]!
  if (values.VXLAN_DF !== undefined) printer.both('df', df, df === 'unset' ? '' : `df ${df} `)
  if (values.VXLAN_LABEL) {
    const label = `0x${Number(values.VXLAN_LABEL).toString(16)}`
    printer.both('label', label, `flowlabel ${label} `)
  }
  if (ageing === 0) printer.both('ageing', 0, 'ageing none ')
  else printer.both('ageing', ageing, `ageing ${ageing} `)
  if (values.VXLAN_LIMIT) printer.both('limit', values.VXLAN_LIMIT, `maxaddr ${values.VXLAN_LIMIT} `)
  const flag = (key: string, word: string, on: boolean) => {
    printer.member(key, on)
    printer.text(`${on ? '' : 'no'}${word} `)
  }
  flag('udp_csum', 'udpcsum', udpChecksum)
  flag('udp_zero_csum6_tx', 'udp6zerocsumtx', Boolean(values.VXLAN_UDP_ZERO_CSUM6_TX))
  flag('udp_zero_csum6_rx', 'udp6zerocsumrx', Boolean(values.VXLAN_UDP_ZERO_CSUM6_RX))
  if (values.VXLAN_REMCSUM_TX) printer.word('remcsum_tx', 'remcsumtx ')
  if (values.VXLAN_REMCSUM_RX) printer.word('remcsum_rx', 'remcsumrx ')
  if (gbp) printer.word('gbp')
}

function isMulticast(address: string): boolean {
  if (address.includes(':')) return address.toLowerCase().startsWith('ff')
  const first = Number(address.split('.')[0])
  return first >= 224 && first < 240
}

/** iplink_tun.c. TUN_TYPE is IFF_TUN 1 or IFF_TAP 2. */
function printTun(printer: Printer, values: Values): void {
  const type = values.TUN_TYPE === 2 ? 'tap' : 'tun'
  printer.both('type', type, `type ${type} `)
  for (const [attribute, word] of [
    ['TUN_PI', 'pi'],
    ['TUN_VNET_HDR', 'vnet_hdr'],
  ] as const) {
    printer.member(word, Boolean(values[attribute]))
    printer.text(`${word} ${values[attribute] ? 'on' : 'off'} `)
  }
  if (values.TUN_MULTI_QUEUE) {
    printer.word('multi_queue')
    printer.both('numqueues', values.TUN_NUM_QUEUES ?? 0, `numqueues ${values.TUN_NUM_QUEUES ?? 0} `)
    const disabled = values.TUN_NUM_DISABLED_QUEUES ?? 0
    printer.both('numdisabled', disabled, `numdisabled ${disabled} `)
  } else {
    printer.member('multi_queue', false)
  }
  printer.member('persist', Boolean(values.TUN_PERSIST))
  printer.text(`persist ${values.TUN_PERSIST ? 'on' : 'off'} `)
  if (values.TUN_OWNER !== undefined) printer.both('user', values.TUN_OWNER, `user ${values.TUN_OWNER} `)
  if (values.TUN_GROUP !== undefined) printer.both('group', values.TUN_GROUP, `group ${values.TUN_GROUP} `)
}

/** iplink_macvlan.c. */
function printMacvlan(printer: Printer, link: Link, values: Values): void {
  if (link.macvlan) printer.both('mode', link.macvlan.mode, `mode ${link.macvlan.mode} `)
  if (Number(values.MACVLAN_FLAGS ?? 0) & 1) printer.word('nopromisc') // MACVLAN_FLAG_NOPROMISC
  for (const [attribute, word] of [
    ['MACVLAN_BC_QUEUE_LEN', 'bcqueuelen'],
    ['MACVLAN_BC_QUEUE_LEN_USED', 'usedbcqueuelen'],
  ] as const) {
    const value = values[attribute]
    if (value !== undefined) printer.both(word, value, `${word} ${value} `)
  }
}
