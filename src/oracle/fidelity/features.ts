/**
 * What the model is for, by feature, and which of its files do it. A feature is needed by the overlays, Calico, kube-proxy or
 * network policies (M), by some of them later (S), or by nobody yet (L).
 */
export type Need = 'M' | 'S' | 'L' | '–'

export interface Feature {
  readonly name: string
  readonly need: Need
  /** Below src/model: a file, a folder with `/` at its end, or `file#function`. The longest that fits decides. */
  readonly places: readonly string[]
}

const feature = (need: Need, name: string, ...places: readonly string[]): Feature => ({ name, need, places })

/** Where nothing longer fits, a folder belongs to its first feature, and what lies in no folder to the first of all. */
export const features: readonly Feature[] = [
  feature('M', 'veth, network namespaces', '', 'device/', 'path/'),
  feature(
    'M',
    'bridge: FDB, flooding, hairpin',
    'device/bridge.ts',
    'device/bridge-port.ts',
    'device/fdb.ts',
    'device/mac-table.ts',
  ),
  feature('M', 'ARP, neighbour states, gratuitous ARP', 'arp.ts', 'neighbour.ts', 'neighbour/'),
  feature(
    'M',
    'proxy ARP, /32, 169.254.1.1',
    'neighbour/proxy.ts',
    'neighbour/arp-policy.ts',
    'neighbour/proxy-queue.ts',
  ),
  feature('S', 'NDP and IPv6', 'ipv6/'),
  feature('M', 'routes: longest prefix, onlink, connected, default', 'ipv4/'),
  feature('S', 'policy rules, fwmark, tables', 'ipv4/fib-rule.ts'),
  feature('M', 'blackhole, unreachable, prohibit', 'ipv4/input.ts#refuse'),
  feature('S', 'ECMP', 'ipv4/ecmp.ts', 'ipv4/siphash.ts', 'ipv4/route-input.ts#chooseHop'),
  feature('M', 'rp_filter, martians, ip_forward', 'ipv4/input.ts', 'ipv4/source-validation.ts', 'ipv4/route-input.ts'),
  feature('M', 'TTL, ICMP errors, rate limits', 'ipv4/forward.ts', 'ipv4/icmp'),
  feature(
    'M',
    'MTU, DF, fragments, path MTU, MSS clamp',
    'ipv4/forward.ts#refuseSize',
    'ipv4/fragment.ts',
    'ipv4/reassemble.ts',
    'ipv4/path-mtu.ts',
    'ipv4/path-learning.ts',
    'netfilter/defrag.ts',
    'netfilter/xt/tcpmss.ts',
  ),
  feature('M', 'hooks, priorities, iptables', 'netfilter/'),
  feature(
    'S',
    'nft: sets, maps, verdict maps',
    'netfilter/vm/dynset.ts',
    'netfilter/vm/element',
    'netfilter/vm/lookup.ts',
    'netfilter/vm/set',
  ),
  feature('M', 'ipset', 'netfilter/ipset/', 'netfilter/xt/set.ts'),
  feature(
    'M',
    'conntrack, NAT, masquerade, choice of ports',
    'netfilter/conntrack',
    'netfilter/nat',
    'netfilter/vm/nat.ts',
    'netfilter/xt/nat.ts',
  ),
  feature('M', 'br_netfilter, bridged DNAT', 'netfilter/br-netfilter.ts', 'netfilter/bridge/'),
  feature('M', 'VXLAN', 'device/vxlan', 'device/ecn.ts', 'device/flow-hash.ts'),
  feature('M', 'TUN', 'device/tun.ts'),
  feature('M', 'IPIP', 'device/ipip'),
  feature(
    'M',
    'local table, loopback, weak host, route_localnet',
    'device/loopback.ts',
    'ipv4/addresses.ts',
    'ipv4/deliver.ts',
    'ipv4/fib-address.ts',
    'ipv4/select-address.ts',
    'ipv4/igmp.ts',
    'socket/',
  ),
  feature('M', 'TCP: handshake, RST, MSS, retransmission', 'socket/tcp', 'socket/md5.ts', 'socket/segment.ts'),
  feature(
    'L',
    'dummy, ifb, lost, late and slow links',
    'device/impairment.ts',
    'device/plain.ts',
    'path/transmit.ts#delay',
  ),
  feature(
    '–',
    'what is not on the path: links, addresses and settings as commands see them',
    'kernel/',
    'profile/',
    'settings.ts',
    'sysctl',
  ),
]

/** The feature that a function of a file belongs to. */
export function featureOf(file: string, where: string): Feature {
  let best = features[0]!
  let longest = -1
  for (const each of features) {
    for (const place of each.places) {
      const fits = place.includes('#') ? place === `${file}#${where}` : file.startsWith(place)
      if (!fits || place.length <= longest) continue
      longest = place.length
      best = each
    }
  }
  return best
}
