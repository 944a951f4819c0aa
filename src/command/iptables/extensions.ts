/** All the matches and targets that there are here, and the names of those that iptables has besides. */
import type { XtMatch, XtTarget } from '../../kernel/xtables.ts'
import { addrtype } from './extension/addrtype.ts'
import { comment } from './extension/comment.ts'
import { conntrack, state } from './extension/conntrack.ts'
import { CT, NOTRACK } from './extension/ct.ts'
import { physdev, pkttype, rpfilter } from './extension/device.ts'
import type { Extension } from './extension/extension.ts'
import { icmp, icmp6 } from './extension/icmp.ts'
import { limit } from './extension/limit.ts'
import { LOG, NFLOG, TRACE } from './extension/log.ts'
import { CONNMARK, connmark, MARK, mark } from './extension/mark.ts'
import { multiport } from './extension/multiport.ts'
import { DNAT, MASQUERADE, REDIRECT, SNAT } from './extension/nat.ts'
import { recent } from './extension/recent.ts'
import { REJECT } from './extension/reject.ts'
import { SET, set } from './extension/set.ts'
import { statistic } from './extension/statistic.ts'
import { tcp, udp } from './extension/tcp.ts'
import { TCPMSS, tcpmss } from './extension/tcpmss.ts'

type MatchName = XtMatch['match']
type TargetName = XtTarget['target']

const MATCHES: Readonly<Record<MatchName, Extension<XtMatch>>> = {
  addrtype,
  comment,
  connmark,
  conntrack,
  icmp,
  icmp6,
  limit,
  mark,
  multiport,
  physdev,
  pkttype,
  recent,
  rpfilter,
  set,
  state,
  statistic,
  tcp,
  tcpmss,
  udp,
}

const TARGETS: Readonly<Record<TargetName, Extension<XtTarget>>> = {
  CONNMARK,
  CT,
  DNAT,
  LOG,
  MARK,
  MASQUERADE,
  NFLOG,
  NOTRACK,
  REDIRECT,
  REJECT,
  SET,
  SNAT,
  TCPMSS,
  TRACE,
}

/** iptables 1.8.9's, not here. */
const OTHER_MATCHES = new Set(
  (
    'ah bpf cgroup cluster connbytes connlabel connlimit cpu dccp devgroup dscp dst ecn esp eui64 frag hashlimit hbh ' +
    'helper hl ipcomp iprange ipv6header ipvs length mac mh nfacct osf owner policy quota rateest realm rt sctp ' +
    'socket srh string time tos ttl u32'
  ).split(' '),
)
const OTHER_TARGETS = new Set(
  (
    'AUDIT CHECKSUM CLASSIFY CLUSTERIP CONNSECMARK DNPT DSCP ECN HL HMARK IDLETIMER LED NETMAP NFQUEUE RATEEST SECMARK ' +
    'SNPT SYNPROXY TCPOPTSTRIP TEE TOS TPROXY TTL ULOG'
  ).split(' '),
)

/** Other names of ICMPv6's match. */
const SYNONYMS: Readonly<Record<string, MatchName>> = { 'ipv6-icmp': 'icmp6', icmpv6: 'icmp6' }

/** The match's own name and what it is. */
export function findMatch(
  name: string,
): { readonly name: MatchName; readonly extension: Extension<XtMatch> } | undefined {
  const own = Object.hasOwn(SYNONYMS, name) ? SYNONYMS[name]! : name
  return isMatch(own) ? { name: own, extension: MATCHES[own] } : undefined
}

export function findTarget(name: string): Extension<XtTarget> | undefined {
  return isTarget(name) ? TARGETS[name] : undefined
}

export function isOtherMatch(name: string): boolean {
  return OTHER_MATCHES.has(name)
}

export function isOtherTarget(name: string): boolean {
  return OTHER_TARGETS.has(name)
}

function isMatch(name: string): name is MatchName {
  return Object.hasOwn(MATCHES, name)
}

function isTarget(name: string): name is TargetName {
  return Object.hasOwn(TARGETS, name)
}
