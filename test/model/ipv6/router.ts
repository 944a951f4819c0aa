/**
 * A router between two links whose other ends do nothing but send and capture frames, of whichever kernel.
 *
 *      a0 ── r0 fd01::1/64  router  fd02::1/64 r1 ── b0
 *
 * The router knows neighbours 2 to 9 of both links, and has link-local addresses fe80::1 and fe80::2.
 */
import assert from 'node:assert/strict'
import { runWords } from '../../../src/command/run.ts'
import { isErrno } from '../../../src/kernel/errors.ts'
import type { LiveKernel, Subscription } from '../../../src/kernel/live.ts'
import type { Route } from '../../../src/kernel/route.ts'
import type { UdpSocket } from '../../../src/kernel/socket.ts'
import { u16 } from '../../../src/model/bytes.ts'
import { MAC } from './frames.ts'

/** Of sockets of the router. */
export const OWN_PORT = 5001

/** Of one machine. */
export interface Machine {
  readonly kernel: LiveKernel
  /** Lets its time go on. */
  pass(milliseconds: number): void | Promise<void>
}

let routers = 0

/** Times that one looks whether the links are up. */
const MOST_LOOKS = 500

export class Router {
  readonly router: LiveKernel
  readonly #a: LiveKernel
  readonly #b: LiveKernel
  readonly #machine: Machine
  readonly #names: readonly string[]
  /** What is closed in the end. */
  readonly #open: Subscription[]
  /** Frames that left the router, and what else was said. */
  readonly #seen: string[] = []

  private constructor(machine: Machine) {
    const { kernel } = machine
    const prefix = `ovv-${++routers}-${Math.round(performance.now() * 1000)}`
    this.#machine = machine
    this.#names = ['a', 'r', 'b'].map((name) => `${prefix}${name}`)
    const [a, router, b] = this.#names.map((name) => kernel.enter(kernel.namespaces.add(name))!)
    this.#a = a!
    this.router = router!
    this.#b = b!
    for (const each of [this.#a, this.#b]) {
      for (const which of ['all', 'default']) each.sysctl.set(`net/ipv6/conf/${which}/disable_ipv6`, '1')
    }
    this.set('conf/default/addr_gen_mode', 1)
    this.set('conf/default/router_solicitations', 0)
    this.router.links.set('lo', { up: true })
    this.#open = [this.#connect(this.#a, 'a0', 'r0', 1), this.#connect(this.#b, 'b0', 'r1', 2)]
  }

  static async create(machine: Machine): Promise<Router> {
    const router = new Router(machine)
    // Linux finds the carrier a little later: within a second, or when it gets to it.
    await machine.pass(200)
    for (let looks = 0; looks < MOST_LOOKS && !router.#isCarried(); looks++) await machine.pass(20)
    router.set('conf/all/forwarding', 1)
    return router
  }

  #isCarried(): boolean {
    const links = [this.#a, this.router, this.#b].flatMap(({ links }) => links.list())
    return links.every(({ kind, operState }) => kind !== 'veth' || operState === 'up')
  }

  #connect(far: LiveKernel, name: 'a0' | 'b0', peer: 'r0' | 'r1', network: number): Subscription {
    const { router } = this
    far.links.add({ kind: 'veth', name, mac: MAC[name], peer: { name: peer, mac: MAC[peer], namespace: router } })
    far.links.set(name, { up: true })
    router.links.set(peer, { up: true })
    router.addresses.add({ link: peer, prefix: `fd0${network}::1/64`, noDad: true })
    router.addresses.add({ link: peer, prefix: `fe80::${network}/64`, noDad: true })
    for (let host = 2; host < 10; host++)
      router.neighbours.replace({ link: peer, address: `fd0${network}::${host}`, mac: MAC[name] })
    return far.packets.capture({ link: name }, ({ packetType, bytes }) => {
      if (packetType !== 'outgoing' && !isReport(bytes)) this.#seen.push(`${name} ${describe(bytes)}`)
    })
  }

  /** What was seen, for each end in its order: which of two captures hears first says nothing. */
  get seen(): string[] {
    const end = (line: string) => (/^[ab]0 /.test(line) ? line.slice(0, 2) : '')
    return this.#seen.toSorted((one, other) => (end(one) < end(other) ? -1 : end(one) > end(other) ? 1 : 0))
  }

  /** From a0. */
  async send(...frames: readonly Uint8Array[]): Promise<void> {
    for (const frame of frames) this.#a.packets.send('a0', frame)
    await this.#machine.pass(15)
  }

  async pass(milliseconds: number): Promise<void> {
    await this.#machine.pass(milliseconds)
  }

  /** A command in the router, as it is typed. What it prints is seen. */
  async run(line: string): Promise<void> {
    const context = { kernel: this.router, now: () => 0, sleep: async () => {} }
    const { status, stdout, stderr } = await runWords(line.split(' '), context)
    assert.equal(status, 0, `${line}: ${stderr}`)
    if (stdout !== '') this.#seen.push(stdout)
  }

  set(key: string, value: number): void {
    this.router.sysctl.set(`net/ipv6/${key}`, String(value))
  }

  /** The call's errno, where it is refused. */
  attempt(what: string, call: () => void): void {
    try {
      call()
      this.#seen.push(`${what}: done`)
    } catch (error) {
      if (!isErrno(error, (error as { errno: string }).errno)) throw error
      this.#seen.push(`${what}: ${(error as { errno: string }).errno}`)
    }
  }

  /** A socket of the router. What it hears is seen. */
  bindUdp(): UdpSocket {
    const socket = this.router.sockets.bindUdp(
      { address: '::', port: OWN_PORT },
      {
        datagram: (from, bytes, ttl) => this.#seen.push(`heard ${bytes} from ${from.address} with ${ttl}`),
        error: ({ errno, from }) => this.#seen.push(`told ${errno} by ${from}`),
      },
    )
    this.#open.push(socket)
    return socket
  }

  /** All routes, as they are now. */
  list(): void {
    for (const route of this.router.routes.list({ family: 'ipv6' })) this.#seen.push(sorted(route))
  }

  addresses(link: string): void {
    for (const { prefix, scope, tentative, peer } of this.router.addresses.list(link))
      if (prefix.includes(':')) this.#seen.push(`${prefix} ${scope} ${tentative} ${peer}`)
  }

  /** Neighbours of r0 but those that it was given. */
  neighbours(): void {
    const lines = this.router.neighbours
      .list({ link: 'r0', family: 'ipv6' })
      .filter(({ state }) => state !== 'permanent' && state !== 'noarp')
      .map(({ address, mac, state, router }) => `${address} ${mac} ${state} ${router ?? false}`)
    this.#seen.push(...lines.sort())
  }

  /** `ip route get`. */
  get(destination: string, options: Parameters<LiveKernel['routes']['lookup']>[1] = {}): void {
    const asked = `${destination} ${JSON.stringify(options)}`
    this.attempt(asked, () => {
      const route = this.router.routes.lookup(destination, options)
      this.#seen.push(route ? sorted(route) : `no route to ${asked}`)
    })
  }

  close(): void {
    for (const each of this.#open) each.close()
    for (const each of [this.#a, this.router, this.#b]) each.close()
    for (const name of this.#names) this.#machine.kernel.namespaces.delete(name)
  }
}

/** How much time is left of what was learned is left out. */
const sorted = ({ expires: _, ...route }: Route) =>
  JSON.stringify(route, (_, value) =>
    value && typeof value === 'object' && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort())
      : value,
  )

/** MLD, whose times are drawn. */
function isReport(frame: Uint8Array): boolean {
  return u16(frame, 12) === 0x86dd && frame[20] === 0 && frame[62] === 143
}

/** The flow label and the fragments' identification that the router drew are blanked; so is the sum of what its sockets sent: Linux leaves it to the device. */
function describe(frame: Uint8Array): string {
  const bytes = frame.slice()
  const isError = bytes[20] === 58 && bytes[54]! < 128
  const isOwn = isError || Buffer.from(bytes.subarray(22, 38)).toString('hex').endsWith('0001')
  if (u16(bytes, 12) === 0x86dd && isOwn) {
    bytes[15]! &= 0xf0
    bytes.fill(0, 16, 18)
  }
  if (u16(bytes, 12) === 0x86dd && bytes[20] === 44) bytes.fill(0, 58, 62)
  if (u16(bytes, 12) === 0x86dd && bytes[20] === 17 && u16(bytes, 54) === OWN_PORT) bytes.fill(0, 60, 62)
  return Buffer.from(bytes).toString('hex')
}
