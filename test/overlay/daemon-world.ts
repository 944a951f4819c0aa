/** Nodes with a daemon each, and pods, on one model and one memory store, in virtual time. */
import assert from 'node:assert/strict'
import type { LiveKernel } from '../../src/kernel/live.ts'
import { MILLISECOND, SECOND } from '../../src/model/clock.ts'
import { createModel, type ModelKernel } from '../../src/model/create.ts'
import { Daemon, type DaemonNotice, type DaemonOptions } from '../../src/overlay/daemon.ts'
import type { Condition } from '../../src/overlay/health.ts'
import { parseSubnetFile } from '../../src/overlay/subnet-file.ts'
import { COUNTERS, readCounters } from '../../src/overlay/udp/counters.ts'
import type { UdpWish } from '../../src/overlay/udp-path.ts'
import type { Operation } from '../../src/reconcile/state.ts'
import type { Clock } from '../../src/store/clock.ts'
import { MemoryServer, type MemoryStore } from '../../src/store/memory.ts'
import { modelClock } from '../reconcile/model-clock.ts'
import { settled } from '../support/manual-clock.ts'

export const PREFIX = '/coreos.com/network'
export const subnetsKey = (name = '') => `${PREFIX}/subnets/${name}`

/** IPv4 forwarding and no IPv6 address in doubt. */
const NODE_SETTINGS = { 'net/ipv4/ip_forward': '1', 'net/ipv6/conf/all/forwarding': '1' }

export type Changes = Partial<Pick<DaemonOptions, 'uplink' | 'rules' | 'leaseSeconds' | 'renewSeconds' | 'random'>>

export class World {
  readonly kernel: ModelKernel = createModel()
  /** Delays of the timers that stores and daemons have set, milliseconds. */
  readonly timers: number[] = []
  readonly clock: Clock = this.#clock()
  readonly server = new MemoryServer(this.clock)
  /** Somebody with etcdctl. */
  readonly operator = this.server.connect()
  readonly nodes: Node[] = []
  readonly #switch: ModelKernel

  /** `config` is put into the store, where it is given. */
  constructor(config?: unknown) {
    this.#switch = this.addNamespace('switch')
    this.#switch.links.add({ kind: 'bridge', name: 'br0', up: true })
    if (config !== undefined) void this.configure(config)
  }

  configure(config: unknown) {
    return this.operator.transact([], [{ put: `${PREFIX}/config`, value: JSON.stringify(config) }])
  }

  addNamespace(name: string): ModelKernel {
    const kernel = this.kernel.enter(this.kernel.namespaces.add(name))!
    kernel.links.set('lo', { up: true })
    return kernel
  }

  /** Node number N has 192.168.77.N/24 and fd77::N/64 on eth0. */
  addNode(number: number): Node {
    const node = new Node(this, number)
    this.nodes.push(node)
    return node
  }

  #clock(): Clock {
    const { now, after } = modelClock(this.kernel)
    return {
      now,
      after: (milliseconds, run) => {
        this.timers.push(milliseconds)
        return after(milliseconds, run)
      },
    }
  }

  /** Joins a node to the switch, by a new link. */
  plug({ number, kernel }: Node): void {
    this.#switch.links.add({ kind: 'veth', name: `n${number}`, up: true, peer: { name: 'eth0', namespace: kernel } })
    this.#switch.links.set(`n${number}`, { master: 'br0' })
    kernel.addresses.add({ link: 'eth0', prefix: `192.168.77.${number}/24` })
    kernel.addresses.add({ link: 'eth0', prefix: `fd77::${number}/64`, noDad: true })
    kernel.links.set('eth0', { up: true })
    kernel.routes.add({ destination: '0.0.0.0/0', gateway: '192.168.77.254', link: 'eth0' })
    kernel.routes.add({ destination: '::/0', gateway: 'fd77::fe', link: 'eth0' })
  }

  /** Lets time pass; whatever is set off on the way happens. */
  async pass(seconds: number): Promise<void> {
    await settled()
    const end = this.kernel.model.clock.now + seconds * SECOND
    while (this.kernel.model.clock.now < end) {
      const next = this.kernel.model.clock.next ?? end
      await this.kernel.model.advance(
        Math.min(Math.max(next - this.kernel.model.clock.now, MILLISECOND), end - this.kernel.model.clock.now),
      )
      await settled()
    }
  }

  async put(name: string, value: string): Promise<void> {
    const lease = await this.operator.grant(86_400)
    await this.operator.transact([], [{ put: subnetsKey(name), value, lease }])
    await this.pass(1)
  }

  async leases(): Promise<Record<string, string>> {
    const { entries } = await this.operator.list(subnetsKey())
    return Object.fromEntries(entries.map(({ key, value }) => [key.slice(subnetsKey().length), value]))
  }

  /** Every pod pings every other; the ones that got no answer. */
  async unreachable(family: 'ipv4' | 'ipv6' = 'ipv4', size = 56): Promise<string[]> {
    const lost: string[] = []
    for (const from of this.nodes) {
      for (const to of this.nodes) {
        if (from === to || !from.pod || !to.pod) continue
        const answer = await from.pod.ping(to.podAddress(family), { size, dontFragment: true, timeout: 500 })
        if (answer.outcome !== 'reply') lost.push(`${from.number} to ${to.number}: ${answer.outcome}`)
      }
    }
    return lost
  }
}

export class Node {
  readonly number: number
  readonly kernel: ModelKernel
  readonly store: MemoryStore
  readonly #world: World
  #random = 0
  daemon: Daemon | undefined
  pod: ModelKernel | undefined
  subnetFile: string | undefined
  /** What the daemons of this node said and did. */
  readonly notices: DaemonNotice[] = []
  readonly operations: Operation[] = []
  readonly failures: Error[] = []
  /** How often it was ready. */
  ready = 0
  /** The data path of udp as it was wanted last; undefined while it is stopped. */
  udp: UdpWish | undefined
  failUdp: ((error: Error) => void) | undefined

  constructor(world: World, number: number) {
    this.#world = world
    this.number = number
    this.kernel = world.addNamespace(`n${number}`)
    this.store = world.server.connect(`store of ${number}`)
    for (const [key, value] of Object.entries(NODE_SETTINGS)) this.kernel.sysctl.set(key, value)
    world.plug(this)
  }

  start(changes: Changes = {}): this {
    const { clock } = this.#world
    this.daemon = new Daemon({
      store: this.store,
      prefix: PREFIX,
      kernel: this.kernel,
      clock,
      random: () => 0,
      randomBytes: (length) => Uint8Array.from({ length }, (_, i) => 16 * i + this.number + 10 * ++this.#random),
      subnetFile: {
        read: () => this.subnetFile,
        write: (text) => {
          this.subnetFile = text
        },
      },
      uplink: { interfaces: [], patterns: [], canReach: undefined, publicIp: {} },
      rules: { masquerade: false, fullyRandom: true, forward: true, blackhole: false },
      leaseSeconds: 86_400,
      renewSeconds: 3_600,
      startUdp: (wish) => {
        this.udp = wish
        this.failUdp = wish.onFailure
        return {
          ready: Promise.resolve(),
          setRoutes: (routes) => {
            this.udp = { ...wish, routes }
          },
          counters: () => readCounters(new Float64Array(COUNTERS)),
          stop: async () => {
            this.udp = undefined
          },
        }
      },
      events: {
        notice: (notice) => this.notices.push(notice),
        ready: () => {
          this.ready++
        },
        failed: (error) => this.failures.push(error),
        changed: (operations) => this.operations.push(...operations),
      },
      ...changes,
    })
    return this
  }

  async stop(): Promise<void> {
    await this.daemon?.close()
    this.daemon = undefined
  }

  get condition(): Condition {
    return this.daemon!.condition
  }

  /** A line of subnet.env. */
  variable(name: string): string | undefined {
    return new RegExp(`^${name}=(.*)$`, 'm').exec(this.subnetFile ?? '')?.[1]
  }

  get subnets() {
    return parseSubnetFile(this.subnetFile!).subnets
  }

  told(subject: DaemonNotice['subject']): string[] {
    return this.notices.filter((notice) => notice.subject === subject).map(({ message }) => message)
  }

  /** A pod as bridge attaches it: cni0 with the subnet's second address, a veth pair, a default route. */
  addPod(): void {
    const pod = this.#world.addNamespace(`pod${this.number}`)
    this.pod = pod
    const mtu = Number(this.variable('FLANNEL_MTU'))
    this.kernel.links.add({ kind: 'bridge', name: 'cni0', up: true, mtu })
    this.kernel.links.add({ kind: 'veth', name: 'veth0', mtu, up: true, peer: { name: 'eth0', namespace: pod, mtu } })
    this.kernel.links.set('veth0', { master: 'cni0' })
    pod.links.set('eth0', { up: true })
    for (const subnet of Object.values(this.subnets)) {
      const host = (n: number) => subnet!.replace(/0?\/(\d+)$/, `${n}/$1`)
      this.kernel.addresses.add({ link: 'cni0', prefix: host(1), noDad: true })
      pod.addresses.add({ link: 'eth0', prefix: host(2), noDad: true })
      const gateway = host(1).replace(/\/.*/, '')
      pod.routes.add({ destination: gateway.includes(':') ? '::/0' : '0.0.0.0/0', gateway, link: 'eth0' })
    }
  }

  podAddress(family: 'ipv4' | 'ipv6'): string {
    return this.subnets[family]!.replace(/0?\/\d+$/, '2')
  }
}

/** What is there of an overlay's entries, in iproute2's words. */
export function entriesOf(kernel: LiveKernel): string[] {
  const devices = kernel.links.list().filter(({ name }) => name.startsWith('flannel'))
  return [
    ...devices.flatMap(({ name }) => [
      ...kernel.neighbours
        .list({ link: name })
        .flatMap(({ address, mac, state }) => (state === 'permanent' ? [`neigh ${address} ${mac}`] : [])),
      ...kernel.fdb.list({ link: name }).map(({ mac, destination }) => `fdb ${mac} ${destination}`),
    ]),
    ...kernel.routes
      .list({ table: 254 })
      .filter(({ protocol, destination }) => protocol === 3 && !/^(::|0\.0\.0\.0)\/0$/.test(destination))
      .map(({ destination, gateway, link }) => `route ${destination}${gateway ? ` via ${gateway}` : ''} dev ${link}`),
  ].sort()
}

/** Started nodes, numbered from 1, each with a pod. */
export async function startNodes(count: number, config: unknown, changes: Changes = {}): Promise<World> {
  const world = new World(config)
  for (let number = 1; number <= count; number++) world.addNode(number).start(changes)
  await world.pass(3)
  for (const node of world.nodes) {
    assert.equal(
      node.ready,
      1,
      `node ${node.number} is ready: ${node.notices.map(({ message }) => message).join('; ')}`,
    )
    node.addPod()
  }
  await world.pass(5)
  return world
}
