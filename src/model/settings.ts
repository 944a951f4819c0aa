/**
 * Settings below /proc/sys/net that the data path reads, as numbers under their own names. Their values at birth come from
 * the profile of a kernel version, never from code. sysctl.ts reads and writes them as text.
 */
import type { Profile } from './profile/profile.ts'
import { allValues } from './profile/without.ts'

/** net/ipv4/conf/DEVICE. */
export interface Ipv4Conf {
  forwarding: number
  rp_filter: number
  accept_local: number
  route_localnet: number
  arp_accept: number
  arp_announce: number
  arp_filter: number
  arp_ignore: number
  arp_notify: number
  arp_evict_nocarrier: number
  drop_gratuitous_arp: number
  drop_unicast_in_l2_multicast: number
  proxy_arp: number
  proxy_arp_pvlan: number
  medium_id: number
  send_redirects: number
  accept_redirects: number
  secure_redirects: number
  shared_media: number
  src_valid_mark: number
  log_martians: number
  accept_source_route: number
  promote_secondaries: number
  ignore_routes_with_linkdown: number
  bc_forwarding: number
  disable_xfrm: number
  disable_policy: number
}

/** net/ipv6/conf/DEVICE. */
export interface Ipv6Conf {
  forwarding: number
  disable_ipv6: number
  hop_limit: number
  mtu: number
  accept_ra: number
  accept_ra_defrtr: number
  accept_ra_from_local: number
  accept_ra_min_hop_limit: number
  accept_ra_min_lft: number
  accept_ra_mtu: number
  accept_ra_pinfo: number
  accept_ra_rtr_pref: number
  ra_defrtr_metric: number
  max_addresses: number
  autoconf: number
  accept_dad: number
  dad_transmits: number
  addr_gen_mode: number
  use_tempaddr: number
  proxy_ndp: number
  ndisc_notify: number
  accept_redirects: number
  router_solicitations: number
  keep_addr_on_down: number
  ignore_routes_with_linkdown: number
  drop_unicast_in_l2_multicast: number
  drop_unsolicited_na: number
  enhanced_dad: number
  force_forwarding: number
  force_tllao: number
  mldv2_unsolicited_report_interval: number
  router_solicitation_delay: number
  router_solicitation_interval: number
  router_solicitation_max_interval: number
  accept_untracked_na: number
}

/** net/ipv4/neigh/DEVICE and net/ipv6/neigh/DEVICE. Units are in the names, else seconds, or 1/100 s for locktime and proxy_delay. */
export interface NeighbourConf {
  base_reachable_time_ms: number
  retrans_time_ms: number
  mcast_solicit: number
  ucast_solicit: number
  app_solicit: number
  mcast_resolicit: number
  delay_first_probe_time: number
  gc_stale_time: number
  locktime: number
  proxy_delay: number
  proxy_qlen: number
  anycast_delay: number
  unres_qlen_bytes: number
}

/** net/ipv4, per namespace. */
export interface Ipv4Settings {
  ip_forward: number
  ip_default_ttl: number
  ip_early_demux: number
  ip_forward_use_pmtu: number
  ip_no_pmtu_disc: number
  ip_nonlocal_bind: number
  ip_forward_update_priority: number
  fwmark_reflect: number
  fib_multipath_hash_policy: number
  fib_multipath_hash_fields: number
  fib_multipath_hash_seed: number
  fib_multipath_use_neigh: number
  icmp_echo_ignore_all: number
  icmp_echo_ignore_broadcasts: number
  icmp_errors_use_inbound_ifaddr: number
  icmp_ignore_bogus_error_responses: number
  icmp_msgs_burst: number
  icmp_msgs_per_sec: number
  icmp_ratelimit: number
  icmp_ratemask: number
  ipfrag_time: number
  ipfrag_max_dist: number
  ipfrag_high_thresh: number
  'route/min_pmtu': number
  'route/mtu_expires': number
  'route/min_adv_mss': number
  tcp_early_demux: number
  tcp_timestamps: number
  tcp_sack: number
  tcp_window_scaling: number
  tcp_ecn: number
  tcp_syn_linear_timeouts: number
  tcp_syn_retries: number
  tcp_synack_retries: number
  tcp_retries2: number
  tcp_mtu_probing: number
  tcp_fin_timeout: number
  tcp_abort_on_overflow: number
}

/** net/ipv6, per namespace. */
export interface Ipv6Settings {
  bindv6only: number
  auto_flowlabels: number
  flowlabel_reflect: number
  fwmark_reflect: number
  fib_multipath_hash_policy: number
  'icmp/ratelimit': number
  'icmp/echo_ignore_all': number
  'icmp/echo_ignore_multicast': number
  'icmp/echo_ignore_anycast': number
  'route/mtu_expires': number
  'route/min_adv_mss': number
  ip6frag_time: number
}

/** net/bridge. */
export interface BridgeSettings {
  'bridge-nf-call-iptables': number
  'bridge-nf-call-ip6tables': number
  'bridge-nf-call-arptables': number
  'bridge-nf-filter-vlan-tagged': number
  'bridge-nf-filter-pppoe-tagged': number
  'bridge-nf-pass-vlan-input-dev': number
}

/** Settings by name, without a word about which there are. */
export type Numbers = Record<string, number>

/**
 * The numbers of the profile whose key begins with `prefix`, under the rest of the key. Keys with a further folder that is a device
 * are left out, and so is `but`. What is answered holds only what will be written to it; all else is the profile's, which every
 * namespace shares.
 */
export function numbersOf<T extends object>(profile: Profile, prefix: string, but?: string): T {
  let known = defaults.get(profile)
  if (!known) {
    known = new Map()
    defaults.set(profile, known)
  }
  let numbers = known.get(prefix)
  if (!numbers) {
    numbers = readNumbersOf(profile, prefix)
    if (but !== undefined) delete numbers[but]
    known.set(prefix, numbers)
  }
  return Object.create(numbers) as T
}

/** Others of their own, with what they are now. */
export function copyOfNumbers<T extends object>(numbers: T): T {
  return Object.assign(Object.create(Object.getPrototypeOf(numbers)), numbers) as T
}

export const hasNumber = (numbers: Numbers, name: string): boolean => typeof numbers[name] === 'number'

export function namesOfNumbers(numbers: object): string[] {
  const names: string[] = []
  for (const name in numbers) names.push(name)
  return names
}

/** What numbersOf has read already: every namespace asks for the same. */
const defaults = new WeakMap<Profile, Map<string, Numbers>>()

function readNumbersOf(profile: Profile, prefix: string): Numbers {
  const found: Numbers = {}
  for (const [key, value] of Object.entries(allValues(profile))) {
    if (!key.startsWith(prefix)) continue
    const name = key.slice(prefix.length)
    const number = /^(?:conf|neigh)\//.test(name) ? undefined : wholeNumber(value)
    if (number !== undefined) found[name] = number
  }
  return found
}

/** The number that is all of the text; undefined where it is none, or one that a double cannot hold. */
export function wholeNumber(text: string): number | undefined {
  const number = /^-?\d+$/.test(text) ? Number(text) : Number.NaN
  return Number.isSafeInteger(number) ? number : undefined
}

/**
 * One number as the kernel reads it from what is written: strtoul with base 0, behind white space. What follows behind
 * white space is left alone. Undefined where there is none, or one that a double cannot hold.
 */
export function readNumber(text: string): number | undefined {
  const [, sign, digits] = /^\s*(-?)(0x[0-9a-f]+|0[0-7]*|[1-9][0-9]*)(?:\s|\0|$)/i.exec(text) ?? []
  if (digits === undefined) return undefined
  const octal = /^0[0-7]/.test(digits)
  const value = octal ? Number.parseInt(digits, 8) : Number(digits)
  if (!Number.isSafeInteger(value)) return undefined
  return sign && value !== 0 ? -value : value
}

/** Numbers between white space. */
export function readNumbers(text: string): number[] {
  return text
    .split(/\s+/)
    .filter((word) => word !== '')
    .map(Number)
}
