/** iptables' matches, each with the operation that it is. Source: net/netfilter/nft_compat.c. */
import type { NftExpression } from '../../../kernel/nftables.ts'
import type { Compiled, Surroundings } from '../vm/compile.ts'
import { refusal } from '../vm/refusal.ts'
import { CONTINUE } from '../vm/verdict.ts'
import { addressTypeMatch, rpfilterMatch } from './address-type.ts'
import { limitMatch, recentMatch, statisticMatch } from './chance.ts'
import { connmarkMatch, conntrackMatch } from './connection.ts'
import { markMatch, packetTypeMatch, physdevMatch } from './device.ts'
import { icmpMatch, multiportMatch, tcpMatch, tcpMssMatch, udpMatch } from './ports.ts'
import { setMatch } from './set.ts'

type Match = Extract<NftExpression, { type: 'xt match' }>

export function compileXtMatch(match: Match, { namespace, table }: Surroundings): Compiled {
  const { model } = namespace
  switch (match.match) {
    case 'conntrack':
    case 'state':
      return { tracks: true, operation: conntrackMatch(match) }
    case 'connmark':
      return { tracks: true, operation: connmarkMatch(match) }
    case 'comment':
      return { operation: () => CONTINUE }
    case 'mark':
      return { operation: markMatch(match) }
    case 'addrtype':
      return { operation: addressTypeMatch(match) }
    case 'icmp':
    case 'icmp6':
      return { operation: icmpMatch(match) }
    case 'tcp':
      return { operation: tcpMatch(match) }
    case 'udp':
      return { operation: udpMatch(match) }
    case 'multiport':
      return { operation: multiportMatch(match) }
    case 'statistic':
      return { operation: statisticMatch(match, model.random) }
    case 'physdev':
      return { operation: physdevMatch(match) }
    case 'rpfilter':
      if (table.name !== 'raw' && table.name !== 'mangle') throw refusal('EINVAL')
      return { operation: rpfilterMatch(match), allows: ({ hook }) => hook === 'prerouting', errno: 'EINVAL' }
    case 'recent':
      return { operation: recentMatch(match, namespace.nftables.recent, model.clock) }
    case 'limit':
      return { operation: limitMatch(match, model.clock) }
    case 'pkttype':
      return { operation: packetTypeMatch(match) }
    case 'tcpmss':
      return { operation: tcpMssMatch(match) }
    case 'set':
      return setMatch(match, namespace)
  }
}
