/** Nodes of a cluster, each with its speaker, and pods, in subnets joined by a router: on one model and one store, in virtual time. */
import assert from 'node:assert/strict'
import type { Family } from '../../src/address/ip.ts'
import { KernelFib } from '../../src/bgp/node/kernel-fib.ts'
import { KernelNode } from '../../src/bgp/node/kernel-node.ts'
import { SocketTransport } from '../../src/bgp/socket-transport.ts'
import { Speaker } from '../../src/bgp/speaker.ts'
import { ROUTE_PROTOCOL } from '../../src/bgp/speaker-settings.ts'
import { readConfiguration } from '../../src/cluster/config.ts'
import { ClusterNode, type NodeConfiguration } from '../../src/cluster/node.ts'
import { TUNNEL_PROTOCOL } from '../../src/cluster/tunnel-state.ts'
import { TunnelledFib } from '../../src/cluster/tunnelled-fib.ts'
import { ModelProcess } from '../../src/lab/model-process.ts'
import { MILLISECOND, SECOND } from '../../src/model/clock.ts'
import { createModel, type ModelKernel } from '../../src/model/create.ts'
import { routed } from '../../src/plugins/routed.ts'
import type { NewPool } from '../../src/pool/pool.ts'
import { createPool } from '../../src/pool/pools.ts'
import { releaseHandle } from '../../src/pool/release.ts'
import { answerTo } from '../../src/pool/requests.ts'
import { carryOut, type Steps } from '../../src/pool/steps.ts'
import { MemoryServer, type MemoryStore } from '../../src/store/memory.ts'
import { modelClock } from '../reconcile/model-clock.ts'
import { type Attached, attachments, ipamOf, leased } from '../support/attachment.ts'
import { settled } from '../support/manual-clock.ts'
import { memoryHost } from '../support/memory-host.ts'

type Json = Readonly<Record<string, unknown>>

export class World {
  readonly kernel: ModelKernel = createModel()
  readonly clock = modelClock(this.kernel)
  readonly server = new MemoryServer(this.clock)
  /** Somebody with `overlab pool`. */
  readonly operator = this.server.connect()
  readonly nodes = new Map<string, TestNode>()
  readonly #router = this.addNamespace('router')

  addNamespace(name: string): ModelKernel {
    const kernel = this.kernel.enter(this.kernel.namespaces.add(name))!
    kernel.links.set('lo', { up: true })
    kernel.sysctl.set('net/ipv4/ip_forward', '1')
    kernel.sysctl.set('net/ipv6/conf/all/forwarding', '1')
    return kernel
  }

  /** Node number 3 in subnet 2 has 192.168.2.3/24 and fd02::3/64, and default routes by 192.168.2.254 and fd02::fe. `server`: of another cluster. */
  addNode(number: number, subnet = 1, server = this.server): TestNode {
    const node = new TestNode(this, number, subnet, server)
    this.nodes.set(node.name, node)
    return node
  }

  /** Joins a node to the bridge of its subnet. */
  plug({ name, kernel, address, address6, subnet }: TestNode): void {
    const bridge = `br${subnet}`
    if (!this.#router.links.get(bridge)) {
      this.#router.links.add({ kind: 'bridge', name: bridge, up: true })
      this.#router.addresses.add({ link: bridge, prefix: `192.168.${subnet}.254/24` })
      this.#router.addresses.add({ link: bridge, prefix: `fd0${subnet}::fe/64`, noDad: true })
    }
    this.#router.links.add({ kind: 'veth', name, up: true, peer: { name: 'eth0', namespace: kernel } })
    this.#router.links.set(name, { master: bridge })
    kernel.addresses.add({ link: 'eth0', prefix: `${address}/24` })
    kernel.addresses.add({ link: 'eth0', prefix: address6, noDad: true })
    kernel.links.set('eth0', { up: true })
    kernel.routes.add({ destination: '0.0.0.0/0', gateway: `192.168.${subnet}.254`, link: 'eth0' })
    kernel.routes.add({ destination: '::/0', gateway: `fd0${subnet}::fe`, link: 'eth0' })
  }

  async do<T>(steps: Steps<T>): Promise<T> {
    const result = await carryOut(steps, this.operator)
    await this.pass(0.2)
    return result
  }

  pool(given: NewPool): Promise<unknown> {
    return this.do(createPool(given))
  }

  /** Lets time pass; whatever is set off on the way happens. */
  async pass(seconds: number): Promise<void> {
    await settled()
    const { model } = this.kernel
    const end = model.clock.now + seconds * SECOND
    while (model.clock.now < end) {
      const next = model.clock.next ?? end
      await model.advance(Math.min(Math.max(next - model.clock.now, MILLISECOND), end - model.clock.now))
      await settled()
    }
  }

  /** Lets time pass until it is so. */
  async until(isSo: () => boolean, what: string, seconds = 60): Promise<void> {
    for (let left = seconds; !isSo(); left -= 0.1) {
      if (left <= 0)
        assert.fail(`not within ${seconds} s: ${what}\n${[...this.nodes.values()].map(describe).join('\n')}`)
      await this.pass(0.1)
    }
  }

  /** Pods that do not reach each other. */
  async unreachable(): Promise<string[]> {
    const lost: string[] = []
    const pods = [...this.nodes.values()].flatMap((node) => [...node.pods.values()])
    for (const from of pods) {
      for (const to of pods) {
        if (from === to) continue
        for (const address of to.addresses) {
          const answer = await from.kernel.ping(address, { timeout: 500 })
          if (answer.outcome !== 'reply') lost.push(`${from.address} to ${address}: ${answer.outcome}`)
        }
      }
    }
    return lost
  }
}

interface Pod {
  readonly address: string
  /** Of each family that it was attached with. */
  readonly addresses: readonly string[]
  readonly kernel: ModelKernel
  readonly attached: Attached
}

interface Running {
  readonly process: ModelProcess
  readonly cluster: ClusterNode
  readonly node: KernelNode
  readonly fib: TunnelledFib
  readonly kernel: ModelKernel
  speaker: Speaker | undefined
}

export class TestNode {
  readonly name: string
  readonly address: string
  /** With its prefix length. */
  readonly address6: string
  readonly subnet: number
  readonly kernel: ModelKernel
  readonly store: MemoryStore
  readonly pods = new Map<string, Pod>()
  readonly notices: string[] = []
  readonly log: string[] = []
  /** What it has written down of the store. */
  memory: string | undefined
  /** Called after each operation of the node on routes and links. */
  written: () => void = () => undefined
  readonly #world: World
  #running: Running | undefined

  constructor(world: World, number: number, subnet: number, server: MemoryServer) {
    this.#world = world
    this.name = `n${number}`
    this.address = `192.168.${subnet}.${number}`
    this.address6 = `fd0${subnet}::${number}/64`
    this.subnet = subnet
    this.kernel = world.addNamespace(this.name)
    this.store = server.connect(`store of ${this.name}`)
    world.plug(this)
  }

  configuration(cluster: Json = {}, more: Json = {}): NodeConfiguration {
    const peers = { connectRetry: 1, holdTime: 9 }
    const value = { as: 64512, ...more, cluster: { store: { directory: '/store' }, peers, ...cluster } }
    const host = { hostName: this.name, readSecret: () => assert.fail() }
    return readConfiguration(value, host) as NodeConfiguration
  }

  start(cluster: Json = {}, more: Json = {}): this {
    const kernel = this.kernel.enter(this.kernel.namespacePath)!
    tellOf(kernel, 'routes', () => this.written())
    tellOf(kernel, 'links', () => this.written())
    const process = new ModelProcess(this.#world.clock, kernel.sockets)
    const { clock, sockets } = process
    const node = new KernelNode(kernel, clock, ROUTE_PROTOCOL)
    const fib = new TunnelledFib(new KernelFib({ kernel, clock, node }))
    const its = new ClusterNode({
      configuration: this.configuration(cluster, more),
      store: this.store,
      kernel,
      clock,
      randomBytes: (length) => Uint8Array.from({ length }, (_, i) => 16 * i + Number(this.name.slice(1))),
      memory: {
        read: () => this.memory,
        write: (text) => {
          this.memory = text
        },
      },
      notice: (level, text) => this.notices.push(`${level} ${text}`),
    })
    const running: Running = { process, cluster: its, node, fib, kernel, speaker: undefined }
    this.#running = running
    void its.begin().then((settings) => {
      if (this.#running !== running) return
      running.speaker = new Speaker({
        settings,
        transport: new SocketTransport(sockets, clock),
        clock,
        random: () => 0.5,
        node,
        fib,
        startBfd: undefined,
        restarted: false,
        log: (level, text) => this.log.push(`${level} ${text}`),
        changed: () => its.sessionsChanged(),
      })
      its.join(running.speaker, fib)
    })
    return this
  }

  configure(cluster: Json = {}, more: Json = {}): void {
    this.cluster.configure(this.configuration(cluster, more))
  }

  get cluster(): ClusterNode {
    assert.ok(this.#running, `${this.name} does not run`)
    return this.#running.cluster
  }

  get speaker(): Speaker {
    assert.ok(this.#running?.speaker, `${this.name} has no speaker`)
    return this.#running.speaker
  }

  /** Nobody hears anything of it any more; its kernel stays as it is. */
  kill(): void {
    const { process, fib, node, kernel } = this.#running!
    this.#running = undefined
    process.kill()
    fib.close('leave')
    node.close()
    kernel.close()
    this.kernel.links.set('eth0', { up: false })
  }

  async stop(): Promise<void> {
    const { cluster, speaker, node } = this.#running!
    this.#running = undefined
    speaker!.stop()
    await cluster.close()
    node.close()
  }

  /** Addresses of neighbours with a session. */
  get sessions(): string {
    const established = this.speaker.neighbours().filter(({ state }) => state === 'Established')
    return established
      .map(({ settings }) => settings.session.address)
      .sort()
      .join(' ')
  }

  /** Since when there is which session, in milliseconds: what has ended and begun again is another. */
  get since(): Readonly<Record<string, number | undefined>> {
    return Object.fromEntries(
      this.speaker.neighbours().map(({ settings, establishedAt }) => [settings.session.address, establishedAt]),
    )
  }

  /** Kernel routes of speaker and tunnels, as `10.244.0.64/26 via 192.168.1.2`, `10.244.0.64/26 via 192.168.2.3 by overlab.4096`. */
  get routes(): string[] {
    return [ROUTE_PROTOCOL, TUNNEL_PROTOCOL]
      .flatMap((protocol) =>
        this.kernel.routes
          .list({ protocol, family: 'ipv4' })
          .map(({ type, destination, gateway, link }) =>
            type === 'blackhole'
              ? `blackhole ${destination}`
              : `${destination} via ${gateway}${protocol === TUNNEL_PROTOCOL ? ` by ${link}` : ''}`,
          ),
      )
      .sort()
  }

  /** Attached as a runtime does it. */
  async addPod(name: string, families: readonly Family[] = ['ipv4']): Promise<Pod> {
    const answer = answerTo(
      {
        verb: 'assign',
        network: 'pods',
        attachment: { containerId: `${this.name}-${name}`, ifName: 'eth0' },
        about: { pod: name },
        addresses: [],
        families,
        pools: undefined,
      },
      this.cluster.asker,
    )
    const addresses = (await carryOut(answer, this.store)).assigned.map(({ address }) => address)
    const [address] = addresses as [string]
    const node = attachments({ kernel: this.kernel, host: memoryHost() })
    const container = node.addContainer(`${this.name}-${name}`)
    const attached = node.attach(routed, {}, container, { ipam: ipamOf(leased(...addresses.map(alone))) })
    const kernel = this.kernel.enter(container.netns)!
    const pod = { address, addresses, kernel, attached }
    this.pods.set(name, pod)
    await this.#world.pass(0.2)
    return pod
  }

  async removePod(name: string): Promise<void> {
    this.pods.get(name)!.attached.del()
    this.pods.delete(name)
    await carryOut(releaseHandle(`pods:${this.name}-${name}:eth0`), this.store)
    await this.#world.pass(0.2)
  }
}

function alone(address: string): string {
  return `${address}/${address.includes(':') ? 128 : 32}`
}

/** Calls back after each operation by way of this handle. */
function tellOf(kernel: ModelKernel, subject: 'routes' | 'links', told: () => void): void {
  const operations = kernel[subject] as unknown as Record<string, (...given: unknown[]) => unknown>
  const value = new Proxy(operations, {
    get:
      (_, name: string) =>
      (...given: unknown[]) => {
        const result = operations[name]!(...given)
        if (name !== 'list' && name !== 'lookup' && name !== 'get') told()
        return result
      },
  })
  Object.defineProperty(kernel, subject, { value })
}

function describe(node: TestNode): string {
  return [`${node.name}:`, ...node.routes, ...node.notices, ...node.log].join('\n  ')
}
