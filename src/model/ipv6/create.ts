/** IPv6 of a namespace that begins. What most namespaces never need is made when it is first asked for. */
import type { Namespace } from '../namespace.ts'
import { type Ipv6Conf, type Ipv6Settings, type NeighbourConf, numbersOf } from '../settings.ts'
import { Fib6 } from './fib.ts'
import { Icmpv6Limits } from './icmp-limit.ts'
import { Reassembly6 } from './reassemble.ts'
import type { Ipv6State } from './state.ts'

export function createIpv6(namespace: Namespace): Ipv6State {
  return new NamespaceIpv6(namespace)
}

class NamespaceIpv6 implements Ipv6State {
  readonly settings: Ipv6Settings
  readonly all: Ipv6Conf
  readonly default: Ipv6Conf
  readonly defaultNeighbourConf: NeighbourConf
  readonly #namespace: Namespace
  #fib: Fib6 | undefined = undefined
  #icmpLimits: Icmpv6Limits | undefined = undefined
  #reassembly: Reassembly6 | undefined = undefined

  constructor(namespace: Namespace) {
    const { profile } = namespace.model
    this.#namespace = namespace
    this.settings = numbersOf(profile, 'net/ipv6/')
    this.all = numbersOf(profile, 'net/ipv6/conf/all/')
    this.default = numbersOf(profile, 'net/ipv6/conf/default/')
    this.defaultNeighbourConf = numbersOf(profile, 'net/ipv6/neigh/lo/')
  }

  get fib(): Fib6 {
    this.#fib ??= new Fib6(this.#namespace)
    return this.#fib
  }

  get icmpLimits(): Icmpv6Limits {
    this.#icmpLimits ??= new Icmpv6Limits(this.#namespace)
    return this.#icmpLimits
  }

  get reassembly(): Reassembly6 {
    this.#reassembly ??= new Reassembly6(this.#namespace)
    return this.#reassembly
  }
}
