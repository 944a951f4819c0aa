/**
 * A node with a whole daemon as a process, as test/lab/daemon/network.ts makes it, and in its store the leases of nodes that
 * there are not: ghosts. They have addresses on the node's link.
 *
 *   bench 192.168.77.99 ─┬─ switch ── node 192.168.77.1       its subnet is within 10.1.0.0/16
 *   store 192.168.77.100 ┘                                    ghosts 172.16.0.0/16, their subnets within 10.128.0.0/9
 */
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { parseIpv4 } from '../src/address/ipv4.ts'
import { ignoring } from '../src/kernel/errors.ts'
import type { LiveKernel } from '../src/kernel/live.ts'
import { RouteProtocol } from '../src/kernel/route.ts'
import { liveLinux } from '../src/linux/live.ts'
import { formatLeaseAttributes, gatewayOf } from '../src/overlay/lease.ts'
import { formatLeaseKey } from '../src/overlay/lease-key.ts'
import { type Network, type Node, type StoreUnderTest, startNetwork } from '../test/lab/daemon/network.ts'

export interface Backend {
  readonly name: string
  /** As net-conf.json has it. */
  readonly configuration: { readonly Type: string; readonly DirectRouting?: boolean }
  /** Where the routes to peers are; undefined where the kernel has none. */
  readonly link?: string
  /** With each route go a neighbour and an FDB entry. */
  readonly isTunnel?: true
}

export const vxlan: Backend = { name: 'vxlan', configuration: { Type: 'vxlan' }, link: 'flannel.1', isTunnel: true }
export const direct: Backend = {
  name: 'vxlan, DirectRouting',
  configuration: { Type: 'vxlan', DirectRouting: true },
  link: 'eth0',
}
export const hostGw: Backend = { name: 'host-gw', configuration: { Type: 'host-gw' }, link: 'eth0' }
export const udp: Backend = { name: 'udp', configuration: { Type: 'udp' } }

/** The built command line, as it is installed. */
export const daemonOptions = { main: join(import.meta.dirname, '../dist/cli/main.js') }
const DAY = 86_400
/** Where the bench hears what udp sends. */
export const BENCH = '192.168.77.99'
const UDP_PORT = 8285
/** Milliseconds until what never comes is given up. */
const PATIENCE = 60_000

export interface Ghost {
  readonly subnet: string
  readonly publicIp: string
  readonly mac: string
}

/** The one of this number: 1 to 32,767. `publicIp`: where it is. */
export function ghost(number: number, publicIp = `172.16.${number >> 8}.${number & 0xff}`): Ghost {
  const [high, low] = [number >> 8, number & 0xff]
  const mac = `02:00:00:00:${[high, low].map((byte) => byte.toString(16).padStart(2, '0')).join(':')}`
  return { subnet: `10.${128 + high}.${low}.0/24`, publicIp, mac }
}

export const ghosts = (count: number, first = 1, publicIp?: string) =>
  Array.from({ length: count }, (_, i) => ghost(first + i, publicIp))

export class LeaseNetwork implements AsyncDisposable {
  readonly node: Node
  readonly backend: Backend
  readonly #network: Network
  readonly #kernel: LiveKernel
  readonly #lease: string

  private constructor(network: Network, backend: Backend, lease: string) {
    this.node = network.nodes[0]!
    this.backend = backend
    this.#network = network
    this.#kernel = linux.enter(`/run/netns/${this.node.name}`)!
    this.#lease = lease
  }

  /** Without a daemon yet. */
  static async make(store: StoreUnderTest, backend: Backend): Promise<LeaseNetwork> {
    const subnets = { Network: '10.0.0.0/8', SubnetLen: 24, SubnetMin: '10.1.0.0', SubnetMax: '10.1.255.0' }
    const config = { ...subnets, Backend: backend.configuration }
    const network = await startNetwork({ store, config, nodes: 1, idle: true })
    network.nodes[0]!.ip('route add 172.16.0.0/16 dev eth0')
    return new LeaseNetwork(network, backend, await store.operator.grant(DAY))
  }

  /** Milliseconds from the start of the daemon's process until it is ready. */
  start(): Promise<number> {
    this.node.start([], daemonOptions)
    return untilReady(this.node)
  }

  /** As their nodes would, all at once. */
  async put(ghosts: readonly Ghost[]): Promise<void> {
    await Promise.all(
      ghosts.map((each) => {
        const write = { put: this.#keyOf(each), value: this.#valueOf(each), lease: this.#lease }
        return this.#network.store.operator.transact([], [write])
      }),
    )
  }

  async delete(ghosts: readonly Ghost[]): Promise<void> {
    const { operator } = this.#network.store
    await Promise.all(ghosts.map((each) => operator.transact([], [{ delete: this.#keyOf(each) }])))
  }

  /**
   * Milliseconds from the first put of these new ones until the last is in effect: the kernel has told of its route, which is
   * made last; a packet to it has arrived, where the kernel has none.
   */
  async add(ghosts: readonly Ghost[]): Promise<number> {
    const began = performance.now()
    const effect = this.backend.link === undefined ? this.#packetTo(ghosts.at(-1)!) : this.#routes(ghosts.length)
    try {
      await this.put(ghosts)
      return (await effect.time) - began
    } finally {
      effect.close()
    }
  }

  /** Error when the kernel has anything else than what these need. */
  verify(ghosts: readonly Ghost[]): void {
    const { link, isTunnel } = this.backend
    if (link === undefined) return
    const wanted = ghosts.flatMap(({ subnet, publicIp, mac }) => [
      `${subnet} via ${isTunnel ? gatewayOf(subnet) : publicIp}`,
      ...(isTunnel ? [`${gatewayOf(subnet)} at ${mac}`, `${mac} at ${publicIp}`] : []),
    ])
    const { routes, neighbours, fdb } = this.#kernel
    const seen = [
      ...routes
        .list({ family: 'ipv4', link, protocol: RouteProtocol.boot })
        .flatMap(({ destination, gateway }) => (gateway === undefined ? [] : [`${destination} via ${gateway}`])),
      ...(isTunnel ? neighbours.list({ link }).map(({ address, mac }) => `${address} at ${mac}`) : []),
      ...(isTunnel ? fdb.list({ link }).map(({ mac, destination }) => `${mac} at ${destination}`) : []),
    ].filter((line) => !/^(0\.0\.0\.0\/0|ff|33:33)/.test(line))
    const [needed, found] = [new Set(wanted), new Set(seen)]
    const wrong = [...wanted.filter((line) => !found.has(line)), ...seen.filter((line) => !needed.has(line))]
    if (wrong.length === 0) return
    throw new Error(`Cannot find what ${ghosts.length} leases need: ${wrong.length} wrong, as ${wrong[0]}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#kernel.close()
    await this.#network[Symbol.asyncDispose]()
  }

  #routes(count: number): Effect {
    return effect((resolve, reject) => {
      let left = count
      const subscription = this.#kernel.watch(['route'], (change) => {
        if (change === 'lost') reject(new Error('Cannot hear of all routes: some notifications were lost'))
        else if (change.operation === 'new' && change.link === this.backend.link && --left === 0) resolve()
      })
      return () => subscription.close()
    })
  }

  /** It is sent again and again. */
  #packetTo({ subnet }: Ghost): Effect {
    const address = gatewayOf(subnet).replace(/0$/, '9')
    const bytes = parseIpv4(address)
    return effect((resolve) => {
      const sink = linux.sockets.bindUdp(
        { address: BENCH, port: UDP_PORT },
        { datagram: (_, packet) => bytes.every((byte, i) => packet[DESTINATION + i] === byte) && resolve() },
      )
      const source = this.#kernel.sockets.bindUdp({ address: this.node.gateway }, {})
      const timer = setInterval(
        () => ignoring(UNREACHABLE, () => source.send({ address, port: 9 }, new Uint8Array(8))),
        1,
      )
      return () => {
        clearInterval(timer)
        source.close()
        sink.close()
      }
    })
  }

  #keyOf({ subnet }: Ghost): string {
    return this.#network.key(formatLeaseKey({ ipv4: subnet }))
  }

  #valueOf({ publicIp, mac }: Ghost): string {
    const { Type } = this.backend.configuration
    const vtep = Type === 'vxlan' && { vtep: { vni: 1, mac } }
    return formatLeaseAttributes({ backend: Type === 'udp' ? '' : Type, ipv4: { publicIp, ...vtep } })
  }
}

/** Milliseconds from now, when the process has just been begun. */
export async function untilReady(node: Node): Promise<number> {
  const began = performance.now()
  while (!node.log.includes(' Ready: ')) {
    if (performance.now() > began + PATIENCE) throw new Error(`Cannot start a daemon: ${node.log}`)
    await setTimeout(1)
  }
  return performance.now() - began
}

/** Of an IPv4 header. */
const DESTINATION = 16
/** What a socket is told of a packet before it that had no way. */
const UNREACHABLE = ['EHOSTUNREACH', 'ENETUNREACH', 'ECONNREFUSED']
const linux = liveLinux()

/** Something that will be there: when it was, by performance.now(). */
interface Effect {
  readonly time: Promise<number>
  close(): void
}

function effect(listen: (resolve: () => void, reject: (error: Error) => void) => () => void): Effect {
  const { promise, resolve, reject } = Promise.withResolvers<number>()
  promise.catch(() => {}) // it may come before anybody waits for it
  const timer = globalThis.setTimeout(() => reject(new Error('Cannot see a change take effect')), PATIENCE)
  const stop = listen(() => resolve(performance.now()), reject)
  return {
    time: promise,
    close() {
      clearTimeout(timer)
      stop()
    },
  }
}
