/** net/netfilter/nf_conntrack_*, per namespace; times are seconds. */
import type { Profile } from '../../profile/profile.ts'
import { numbersOf } from '../../settings.ts'

export interface ConntrackSettings {
  nf_conntrack_max: number
  nf_conntrack_checksum: number
  nf_conntrack_generic_timeout: number
  nf_conntrack_icmp_timeout: number
  nf_conntrack_icmpv6_timeout: number
  nf_conntrack_udp_timeout: number
  nf_conntrack_udp_timeout_stream: number
  nf_conntrack_tcp_be_liberal: number
  nf_conntrack_tcp_ignore_invalid_rst: number
  nf_conntrack_tcp_loose: number
  nf_conntrack_tcp_max_retrans: number
  nf_conntrack_tcp_timeout_close: number
  nf_conntrack_tcp_timeout_close_wait: number
  nf_conntrack_tcp_timeout_established: number
  nf_conntrack_tcp_timeout_fin_wait: number
  nf_conntrack_tcp_timeout_last_ack: number
  nf_conntrack_tcp_timeout_max_retrans: number
  nf_conntrack_tcp_timeout_syn_recv: number
  nf_conntrack_tcp_timeout_syn_sent: number
  nf_conntrack_tcp_timeout_time_wait: number
  nf_conntrack_tcp_timeout_unacknowledged: number
}

export function conntrackSettings(profile: Profile): ConntrackSettings {
  // The count is no setting: the table knows it.
  return numbersOf(profile, 'net/netfilter/', 'nf_conntrack_count')
}
