/** What IPv6 keeps for a namespace: struct netns_ipv6. */
import type { Ipv6Conf, Ipv6Settings, NeighbourConf } from '../settings.ts'
import type { Fib6 } from './fib.ts'
import type { Icmpv6Limits } from './icmp-limit.ts'
import type { Reassembly6 } from './reassemble.ts'

export interface Ipv6State {
  readonly settings: Ipv6Settings
  /** net/ipv6/conf/all and …/default. */
  readonly all: Ipv6Conf
  readonly default: Ipv6Conf
  readonly defaultNeighbourConf: NeighbourConf
  readonly fib: Fib6
  readonly icmpLimits: Icmpv6Limits
  readonly reassembly: Reassembly6
}
