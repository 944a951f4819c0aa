/** Nodes with a registry each, on one memory store and a clock that the test moves. */

import { type NetworkConfig, parseConfig } from '../../src/overlay/config.ts'
import { formatLeaseAttributes, type Lease, type LeaseAttributes } from '../../src/overlay/lease.ts'
import type { Subnets } from '../../src/overlay/lease-key.ts'
import type { Notice } from '../../src/overlay/notice.ts'
import { Registry } from '../../src/overlay/registry.ts'
import type { Clock } from '../../src/store/clock.ts'
import { MemoryServer, type MemoryStore } from '../../src/store/memory.ts'
import type { Store } from '../../src/store/store.ts'
import { ManualClock, settled } from '../support/manual-clock.ts'

export const PREFIX = '/coreos.com/network'
export const keyOf = (name: string) => `${PREFIX}/subnets/${name}`

export const vxlan = parseConfig('{"Network":"10.5.0.0/16","Backend":{"Type":"vxlan"}}')
export const dual = parseConfig(
  '{"Network":"10.5.0.0/22","EnableIPv6":true,"IPv6Network":"fd00:5::/62","Backend":{"Type":"vxlan"}}',
)
export const ipv6Only = parseConfig(
  '{"EnableIPv4":false,"EnableIPv6":true,"IPv6Network":"fd00:5::/62","Backend":{"Type":"vxlan"}}',
)
/** Three subnets: 10.5.1.0/24 to 10.5.3.0/24. */
export const threeSubnets = parseConfig('{"Network":"10.5.0.0/22","Backend":{"Type":"vxlan"}}')

/** What the node of this number announces, in the families of the configuration. */
export function attributesOf(number: number, config: NetworkConfig = vxlan, mac = 1): LeaseAttributes {
  const vtep = { vni: 1, mac: `02:00:00:00:0${mac}:0${number}` }
  return {
    backend: 'vxlan',
    ...(config.ipv4 && { ipv4: { publicIp: `192.168.77.${number}`, vtep } }),
    ...(config.ipv6 && { ipv6: { publicIp: `fd77::${number}`, vtep } }),
  }
}

export const valueFor = (...which: Parameters<typeof attributesOf>) => formatLeaseAttributes(attributesOf(...which))

export interface NodeOptions {
  readonly previous?: Subnets
  readonly random?: () => number
  readonly leaseSeconds?: number
  readonly store?: Store
  readonly prefix?: string
}

/** A registry, and all that it told. */
export class Node {
  readonly registry: Registry
  readonly notices: Notice[] = []
  readonly configs: NetworkConfig[] = []
  readonly leases: (Lease | undefined)[] = []
  readonly peers: (readonly Lease[])[] = []
  #look: () => void = () => {}

  constructor(store: Store, clock: Clock, options: NodeOptions = {}) {
    const { previous = {}, random = () => 0, leaseSeconds = 100, prefix = PREFIX } = options
    const note =
      <T>(list: T[]) =>
      (item: T) => {
        list.push(item)
        this.#look()
      }
    this.registry = new Registry({
      store,
      prefix,
      clock,
      random,
      previous,
      leaseSeconds,
      renewSeconds: leaseSeconds / 2,
      events: {
        config: note(this.configs),
        lease: note(this.leases),
        peers: note(this.peers),
        notice: note(this.notices),
      },
    })
  }

  /** When it has told what makes it so. */
  until(isSo: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#look = () => {
        if (isSo()) resolve()
      }
      this.#look()
    })
  }

  get lease(): Lease | undefined {
    return this.leases.at(-1)
  }

  /** The peers' subnets, in order. */
  get reached(): string[] {
    return this.peers
      .at(-1)!
      .map(({ ipv4, ipv6 }) => (ipv4 ?? ipv6)!.subnet)
      .sort()
  }

  /** What it told about this, one line each. */
  told(subject: Notice['subject']): string[] {
    return this.notices.filter((notice) => notice.subject === subject).map(({ message }) => message)
  }
}

export class World {
  readonly clock = new ManualClock()
  readonly server = new MemoryServer(this.clock)
  /** Somebody with etcdctl. */
  readonly operator = this.server.connect()

  /** A node that has announced nothing yet. */
  node(options: NodeOptions = {}): Node & { readonly store: MemoryStore } {
    const store = this.server.connect()
    return Object.assign(new Node(options.store ?? store, this.clock, options), { store })
  }

  /** The node of this number, with its lease. */
  async start(number: number, config: NetworkConfig = vxlan, options: NodeOptions = {}) {
    const node = this.node(options)
    node.registry.announce({ config, attributes: attributesOf(number, config) })
    await this.settle()
    return node
  }

  async put(name: string, value: string, lease?: string): Promise<void> {
    await this.operator.transact([], [{ put: keyOf(name), value, lease }])
    await this.settle()
  }

  async delete(name: string): Promise<void> {
    await this.operator.transact([], [{ delete: keyOf(name) }])
    await this.settle()
  }

  async settle(): Promise<void> {
    for (let i = 0; i < 5; i++) await settled()
  }

  async names(): Promise<string[]> {
    return (await this.entries()).map(({ key }) => key.slice(keyOf('').length))
  }

  async entries() {
    return (await this.operator.list(keyOf(''))).entries
  }
}
