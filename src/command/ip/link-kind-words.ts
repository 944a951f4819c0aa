/** What is typed behind `type KIND`: iplink_bridge.c, iplink_bridge_slave.c, iplink_vxlan.c of iproute2. */
import type { BridgeOptions, BridgePort, VxlanOptions } from '../../kernel/link.ts'
import { type Arguments, parseAddress, parseSwitch, readUnsigned, wrong } from '../arguments.ts'
import { Exit } from '../exit.ts'
import { notModelled, type Settings } from './settings.ts'

/** Times of a bridge are typed in ticks. */
const USER_TICKS_PER_SECOND = 100

const BRIDGE_NOT_MODELLED = `hello_time max_age fdb_flush group_fwd_mask group_address mcast_router mcast_snooping
  mcast_query_use_ifaddr mcast_querier mcast_hash_elasticity mcast_hash_max mcast_last_member_count
  mcast_startup_query_count mcast_last_member_interval mcast_membership_interval mcast_querier_interval
  mcast_query_interval mcast_query_response_interval mcast_startup_query_interval mcast_stats_enabled mcast_igmp_version
  mcast_mld_version nf_call_iptables nf_call_ip6tables nf_call_arptables vlan_protocol vlan_stats_enabled
  vlan_stats_per_port no_linklocal_learn mcast_vlan_snooping priority`.split(/\s+/)

export function parseBridge(settings: Settings, args: Arguments): Partial<BridgeOptions> {
  const bridge: { -readonly [K in keyof BridgeOptions]?: BridgeOptions[K] } = {}
  const number = (word: string) => {
    const text = args.take()
    const value = readUnsigned(text)
    if (value === undefined) throw wrong(text, `invalid ${word}`)
    return value
  }
  while (args.more) {
    const word = args.next
    if (args.takesBegun('forward_delay')) bridge.forwardDelay = number('forward_delay') / USER_TICKS_PER_SECOND
    else if (args.takesBegun('ageing_time')) bridge.ageingTime = number('ageing_time') / USER_TICKS_PER_SECOND
    else if (args.takesBegun('stp_state')) bridge.stp = number('stp_state') > 0
    else if (args.takes('vlan_filtering')) bridge.vlanFiltering = number('vlan_filtering') > 0
    else if (args.takes('vlan_default_pvid')) bridge.vlanDefaultPvid = number('default pvid')
    else if (BRIDGE_NOT_MODELLED.includes(word)) throw notModelled(settings, `bridge with "${word}"`)
    else throw new Exit(1, `bridge: unknown command "${word}"?`)
  }
  return bridge
}

const PORT_SWITCHES: Readonly<
  Record<
    string,
    'hairpin' | 'learning' | 'flood' | 'neighbourSuppression' | 'isolated' | 'multicastFlood' | 'broadcastFlood'
  >
> = {
  hairpin: 'hairpin',
  learning: 'learning',
  flood: 'flood',
  neigh_suppress: 'neighbourSuppression',
  isolated: 'isolated',
  mcast_flood: 'multicastFlood',
  bcast_flood: 'broadcastFlood',
}
const PORT_NOT_MODELLED =
  `fdb_flush state guard root_block fastleave proxy_arp proxy_arp_wifi mcast_router mcast_fast_leave
  mcast_to_unicast group_fwd_mask vlan_tunnel backup_port nobackup_port locked`.split(/\s+/)

type PortChange = Partial<Omit<BridgePort, 'state'>>

export function parsePort(settings: Settings, args: Arguments): PortChange {
  const port: { -readonly [K in keyof PortChange]?: PortChange[K] } = {}
  while (args.more) {
    const word = args.take()
    const key = Object.hasOwn(PORT_SWITCHES, word) ? PORT_SWITCHES[word] : undefined
    if (key) port[key] = readSwitch(word, args.take())
    else if (word === 'cost' || word === 'priority') {
      const text = args.take()
      const value = readUnsigned(text, word === 'cost' ? undefined : 0xffff)
      if (value === undefined) throw wrong(text, `${word} is invalid`)
      port[word] = value
    } else if (PORT_NOT_MODELLED.includes(word)) throw notModelled(settings, `bridge_slave with "${word}"`)
    else throw new Exit(1, `bridge_slave: unknown option "${word}"?`)
  }
  return port
}

function readSwitch(word: string, text: string): boolean {
  return parseSwitch(text, () => new Exit(1, `Error: argument of "${word}" must be one of "off", "on", not "${text}"`))
}

/** Switches that say `no` before their name; those without a key are taken only as they are anyway. */
const VXLAN_SWITCHES: Readonly<Record<string, 'learning' | 'udpChecksum' | undefined>> = {
  learning: 'learning',
  udpcsum: 'udpChecksum',
  proxy: undefined,
  rsc: undefined,
  l2miss: undefined,
  l3miss: undefined,
  udp6zerocsumtx: undefined,
  udp6zerocsumrx: undefined,
  remcsumtx: undefined,
  remcsumrx: undefined,
  external: undefined,
}
const VXLAN_NOT_MODELLED = 'tos dsfield df label flowlabel maxaddress srcport port gpe vnifilter'.split(' ')

export function parseVxlan(settings: Settings, args: Arguments): Partial<VxlanOptions> & { readonly vni: number } {
  const vxlan: { -readonly [K in keyof VxlanOptions]?: VxlanOptions[K] } = {}
  const number = (message: string, most?: number) => {
    const text = args.take()
    const value = readUnsigned(text, most)
    if (value === undefined) throw wrong(text, message)
    return value
  }
  const typed = args.more
  let quiet = false
  while (args.more) {
    const word = args.take()
    const name = word.replace(/^no(?!rsc$|$)/, '').replace(/^norsc$/, 'rsc')
    if (word === 'id' || word === 'vni') vxlan.vni = number('invalid id', 0xff_ffff)
    else if (word === 'group' || word === 'remote') vxlan.remote = parseAddress(args.take(), settings.family).address
    else if (word === 'local') vxlan.local = parseAddress(args.take(), settings.family).address
    else if (word === 'dev') {
      vxlan.device = args.take()
      if (!settings.kernel.links.get(vxlan.device)) throw new Exit(255, `Cannot find device "${vxlan.device}"`)
    } else if (word === 'ttl' || word === 'hoplimit') {
      if (args.next === 'inherit') throw notModelled(settings, 'vxlan with "ttl inherit"')
      vxlan.ttl = args.takes('auto') ? 0 : number('TTL must be <= 255', 255)
    } else if (word === 'ageing') vxlan.ageing = args.takes('none') ? 0 : number('ageing timer')
    else if (word === 'dstport') {
      const port = number('dst port', 0xffff)
      if (port > 0) vxlan.port = port
      quiet = true
    } else if (word === 'gbp') vxlan.gbp = true
    else if (Object.hasOwn(VXLAN_SWITCHES, name)) {
      const key = VXLAN_SWITCHES[name]
      if (key) vxlan[key] = word === name
      else if (word === name) throw notModelled(settings, `vxlan with "${word}"`)
    } else if (VXLAN_NOT_MODELLED.includes(word)) throw notModelled(settings, `vxlan with "${word}"`)
    else throw new Exit(1, `vxlan: unknown command "${word}"?`)
  }
  if (!quiet && typed) settings.streams.stderr += NO_PORT
  const { vni } = vxlan
  if (vni === undefined) throw new Exit(2, 'Error: Required attributes not provided to perform the operation.')
  return { ...vxlan, vni }
}

const NO_PORT = `vxlan: destination port not specified
Will use Linux kernel default (non-standard value)
Use 'dstport 4789' to get the IANA assigned value
Use 'dstport 0' to get default and quiet this message
`
