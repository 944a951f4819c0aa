/**
 * Words of nft's language that name no table, chain or set, since its scanner takes them for something else wherever a name
 * may stand: src/scanner.l, the rules that begin without a state. Asked of nft 1.0.6, `add chain ip t WORD`.
 */
const KEYWORDS: ReadonlySet<string> = new Set(
  `accept add ah all and arp auto-merge bridge cgroup chain comment comp constant continue counter cpu create ct day dccp
  define delete describe device devices dnat drop dst dup dynamic ecn element elements eq esp ether exists expires export
  exthdr fib flags flow flowtable flush frag frag-off fwd gc-interval ge get goto gt handle hbh hdrlength hook hour ibriport
  ibrname icmp icmpv6 id igmp iif iifgroup iifname iiftype import include index inet insert interval ip ip6 ipsec jhash jump
  le limit list log lshift lt map mark masquerade meta meter mh missing monitor ne netdev nftrace not notrack numgen obriport
  obrname offload oif oifgroup oifname oiftype or osf pkttype policy position priority queue quota random redefine redirect
  reject rename replace reset return rshift rt rt0 rt2 rtclassid rule ruleset sctp secmark set size skgid skuid snat socket
  srh symhash synproxy table tcp th time timeout tproxy type typeof udp udplite undefine vlan vmap xor xt`.split(/\s+/),
)

/** What nft calls a word that is no name; undefined of a name. */
export function whyNoName(word: string): string | undefined {
  if (KEYWORDS.has(word)) return word
  if (/^[0-9]/.test(word)) return 'number'
  return word.endsWith('*') ? 'string with a trailing asterisk' : undefined
}
