/** What IPv4 keeps for a namespace: struct netns_ipv4. Routes stand in fib.ts, neighbours in neighbour.ts. */
import type { Ipv4Conf, Ipv4Settings, NeighbourConf } from '../settings.ts'
import type { IcmpLimits } from './icmp-limit.ts'
import type { Identifications } from './identification.ts'
import type { PathMtus } from './path-mtu.ts'
import type { Reassembly } from './reassemble.ts'

export interface Ipv4State {
  readonly settings: Ipv4Settings
  /** net/ipv4/conf/all and …/default. */
  readonly all: Ipv4Conf
  readonly default: Ipv4Conf
  readonly defaultNeighbourConf: NeighbourConf
  readonly identifications: Identifications
  readonly icmpLimits: IcmpLimits
  readonly pathMtus: PathMtus
  readonly reassembly: Reassembly
}
