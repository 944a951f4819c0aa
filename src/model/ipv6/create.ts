/** IPv6 of a namespace that begins. */
import type { Namespace } from '../namespace.ts'
import { numbersOf } from '../settings.ts'
import { Fib6 } from './fib.ts'
import { Icmpv6Limits } from './icmp-limit.ts'
import { Reassembly6 } from './reassemble.ts'
import type { Ipv6State } from './state.ts'

export function createIpv6(namespace: Namespace): Ipv6State {
  const { profile } = namespace.model
  return {
    settings: numbersOf(profile, 'net/ipv6/'),
    all: numbersOf(profile, 'net/ipv6/conf/all/'),
    default: numbersOf(profile, 'net/ipv6/conf/default/'),
    defaultNeighbourConf: numbersOf(profile, 'net/ipv6/neigh/lo/'),
    fib: new Fib6(namespace),
    icmpLimits: new Icmpv6Limits(namespace),
    reassembly: new Reassembly6(namespace),
  }
}
