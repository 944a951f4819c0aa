/** Calls of the control plane, drawn by chance that repeats: mostly such as somebody makes, and some that are refused. */
import type { NewAddress } from '../../../src/kernel/address.ts'
import type { LinkChange, NewLink } from '../../../src/kernel/link.ts'
import type { LiveKernel } from '../../../src/kernel/live.ts'
import type { NextHop, Route, Rule } from '../../../src/kernel/route.ts'

/** A call, in words and to be made; it answers what the kernel does. */
export interface RandomCall {
  readonly text: string
  make(kernel: LiveKernel): unknown
}

const NAMES = ['a0', 'a1', 'b0', 'b1', 'br0', 'br1', 'vx0', 'ifb0', 'tp0', 'tn0', 'lo'] as const
const OPERATIONS = ['add', 'add', 'add', 'append', 'prepend', 'replace'] as const
const FLAGS = ['promote_secondaries', 'forwarding', 'ignore_routes_with_linkdown', 'rp_filter'] as const

export class RandomCalls {
  #state: number
  #macs = 0

  constructor(seed: number) {
    this.#state = seed
  }

  /** `kernel` is asked for what is there to be deleted. */
  next(kernel: LiveKernel): RandomCall {
    const kind = this.#below(40)
    if (kind < 3) return this.#call(this.#newLink(), 'add link', (node, link) => node.links.add(link) && undefined)
    if (kind < 4) return this.#call(this.#pick(NAMES), 'delete link', (node, name) => node.links.delete(name))
    if (kind < 10) {
      const name = this.#pick(NAMES)
      return this.#call(this.#linkChange(), `set link ${name}`, (node, change) => node.links.set(name, change))
    }
    if (kind < 18) {
      const operation = this.#pick(['add', 'add', 'replace'] as const)
      return this.#call(this.#address(), `${operation} address`, (node, address) => node.addresses[operation](address))
    }
    if (kind < 21) return this.#deleteAddress(kernel)
    if (kind < 31) {
      const operation = this.#pick(OPERATIONS)
      return this.#call(this.#route(), `${operation} route`, (node, route) => node.routes[operation](route))
    }
    if (kind < 35) return this.#deleteRoute(kernel)
    if (kind < 37) return this.#setting()
    if (kind < 38) {
      const operation = this.#pick(['add', 'delete'] as const)
      return this.#call(this.#rule(), `${operation} rule`, (node, rule) => node.rules[operation](rule))
    }
    const key = { destination: this.#ip(), options: this.#lookupOptions() }
    return this.#call(key, 'look up', (node, { destination, options }) => node.routes.lookup(destination, options))
  }

  #call<T>(value: T, what: string, make: (kernel: LiveKernel, value: T) => unknown): RandomCall {
    return { text: `${what} ${JSON.stringify(value)}`, make: (kernel) => make(kernel, value) }
  }

  #newLink(): NewLink {
    const birth = {
      mac: this.#mac(),
      ...(this.#one(2) && { up: true }),
      ...(this.#one(4) && { mtu: this.#pick([1400, 67, 9000, 70000]) }),
      ...(this.#one(5) && { master: this.#pick(['br0', 'br1']) }),
    }
    const letter = this.#pick(['a', 'b'])
    const { mac: _, ...bare } = birth
    switch (this.#below(6)) {
      case 0:
        return { kind: 'bridge', name: this.#pick(['br0', 'br1']), ...birth }
      case 1:
        return {
          kind: 'vxlan',
          name: 'vx0',
          ...birth,
          vxlan: { vni: 1 + this.#below(2), ...(this.#one(2) && { device: this.#pick(['a0', 'a1', 'ifb0']) }) },
        }
      case 2:
        return { kind: 'ifb', name: 'ifb0', ...birth }
      case 3:
        return { kind: 'tun', name: 'tn0', ...bare, tun: { mode: 'tun' } }
      case 4:
        return { kind: 'tun', name: 'tp0', ...birth, tun: { mode: 'tap' } }
      default:
        return { kind: 'veth', name: `${letter}0`, ...birth, peer: { name: `${letter}1`, mac: this.#mac() } }
    }
  }

  #linkChange(): LinkChange {
    return this.#pick<LinkChange>([
      { up: true },
      { up: true },
      { up: true },
      { up: false },
      { mtu: this.#pick([68, 1280, 1400, 1500, 9000]) },
      { master: this.#pick(['br0', 'br1']) },
      { master: null },
      { mac: this.#mac() },
      { name: this.#pick(NAMES) },
      { promiscuous: this.#one(2) },
      { alias: this.#pick(['x', null]) },
      { group: this.#below(3) },
      { txQueueLength: this.#below(100) },
    ])
  }

  #address(): NewAddress {
    return {
      link: this.#pick(NAMES),
      prefix: `${this.#ip()}/${this.#pick([8, 16, 24, 30, 31, 32])}`,
      ...(this.#one(5) && { scope: this.#pick(['link', 'host', 'global'] as const) }),
      ...(this.#one(6) && { peer: this.#ip() }),
      ...(this.#one(8) && { noPrefixRoute: true }),
      ...(this.#one(8) && { broadcast: this.#ip() }),
    }
  }

  #route(): Route {
    return {
      destination: this.#one(8) ? '0.0.0.0/0' : this.#destination(),
      ...this.#way(),
      ...(this.#one(4) && { metric: 10 * this.#below(3) }),
      ...(this.#one(6) && { table: this.#pick([100, 254]) }),
      ...(this.#one(6) && { source: this.#ip() }),
      ...(this.#one(8) && { tos: this.#pick([0x10, 0x08]) }),
      ...(this.#one(8) && { protocol: this.#pick([4, 186]) }),
      ...(this.#one(10) && { metrics: { mtu: 1300 } }),
      ...(this.#one(10) && { scope: this.#pick(['link', 'host', 'global'] as const) }),
    }
  }

  #way(): Partial<Route> {
    const kind = this.#below(8)
    const hop = (): NextHop => ({ gateway: this.#ip() })
    if (kind < 3) return hop()
    if (kind < 5) return { link: this.#pick(NAMES) }
    if (kind === 5) return { ...hop(), link: this.#pick(NAMES), ...(this.#one(2) && { onlink: true }) }
    if (kind === 6) return { type: this.#pick(['blackhole', 'unreachable', 'prohibit', 'throw'] as const) }
    return { nextHops: [hop(), { ...hop(), weight: 1 + this.#below(3) }] }
  }

  #rule(): Rule {
    return {
      family: 'ipv4',
      priority: this.#one(2) ? 100 + this.#below(3) : 32766,
      table: this.#pick([100, 254]),
      ...(this.#one(2) && { source: this.#destination() }),
    }
  }

  #setting(): RandomCall {
    const key = `net/ipv4/conf/${this.#pick(['all', 'default', ...NAMES])}/${this.#pick(FLAGS)}`
    return this.#call(`${this.#below(2)}`, `set ${key}`, (node, value) => node.sysctl.set(key, value))
  }

  #lookupOptions() {
    return this.#pick([
      {},
      {},
      { outputLink: this.#pick(NAMES) },
      { source: this.#ip() },
      { inputLink: this.#pick(NAMES), source: this.#ip() },
    ])
  }

  #deleteAddress(kernel: LiveKernel): RandomCall {
    const there = kernel.addresses.list()
    const { link, prefix } = there.length > 0 ? this.#pick(there) : { link: 'lo', prefix: '10.0.0.1/8' }
    return this.#call({ link, prefix }, 'delete address', (node, address) => node.addresses.delete(address))
  }

  #deleteRoute(kernel: LiveKernel): RandomCall {
    const there = kernel.routes.list({ family: 'ipv4', table: 254 })
    if (there.length === 0 || this.#one(3)) {
      return this.#call(this.#route(), 'delete route', (node, route) => node.routes.delete(route))
    }
    const { dead: _, linkDown: _1, nextHops, ...route } = this.#pick(there)
    const hops = nextHops?.map(({ dead: _2, linkDown: _3, ...hop }) => hop)
    const wanted = { ...route, ...(hops && { nextHops: hops }) }
    return this.#call(wanted, 'delete route', (node, each) => node.routes.delete(each))
  }

  #ip(): string {
    return `10.${this.#below(2)}.${this.#below(3)}.${this.#below(6)}`
  }

  /** One in ten has host bits. */
  #destination(): string {
    const [second, third, last] = [this.#below(2), this.#below(3), this.#below(6)]
    if (this.#one(10)) return `10.${second}.${third}.${last}/16`
    return this.#pick([
      '10.0.0.0/8',
      `10.${second}.0.0/16`,
      `10.${second}.${third}.0/24`,
      `10.${second}.${third}.${last}/32`,
    ])
  }

  #mac(): string {
    return `02:00:00:00:00:${(++this.#macs & 0xff).toString(16).padStart(2, '0')}`
  }

  #pick<T>(values: readonly T[]): T {
    return values[this.#below(values.length)]!
  }

  #one(of: number): boolean {
    return this.#below(of) === 0
  }

  /** A linear congruential generator: Numerical Recipes, §7.1. */
  #below(bound: number): number {
    this.#state = (Math.imul(this.#state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((this.#state / 0x1_0000_0000) * bound)
  }
}
