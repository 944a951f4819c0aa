/**
 * A router between two links whose other ends do nothing but send and capture frames, of whichever kernel.
 *
 *      a0 ── r0 10.1.0.1/24  router  10.2.0.1/24 r1 ── b0
 *
 * The router knows neighbours 2 to 9 of both links.
 */
import assert from 'node:assert/strict'
import { runWords } from '../../../src/command/run.ts'
import { isErrno } from '../../../src/kernel/errors.ts'
import type { LiveKernel, Subscription } from '../../../src/kernel/live.ts'
import type { Route } from '../../../src/kernel/route.ts'
import { u16 } from '../../../src/model/bytes.ts'
import { MAC } from './frames.ts'

/** Of one machine. */
export interface Machine {
  readonly kernel: LiveKernel
  /** Lets its time go on. */
  pass(milliseconds: number): void | Promise<void>
}

let routers = 0

export class Router {
  readonly router: LiveKernel
  readonly #a: LiveKernel
  readonly #b: LiveKernel
  readonly #machine: Machine
  readonly #names: readonly string[]
  readonly #captures: Subscription[]
  /** Frames that left the router, and what else was said. */
  readonly #seen: string[] = []

  private constructor(machine: Machine) {
    const { kernel } = machine
    const prefix = `ovr-${++routers}-${Math.round(performance.now() * 1000)}`
    this.#machine = machine
    this.#names = ['a', 'r', 'b'].map((name) => `${prefix}${name}`)
    const [a, router, b] = this.#names.map((name) => kernel.enter(kernel.namespaces.add(name))!)
    this.#a = a!
    this.router = router!
    this.#b = b!
    for (const each of [this.#a, this.router, this.#b]) {
      for (const which of ['all', 'default']) each.sysctl.set(`net/ipv6/conf/${which}/disable_ipv6`, '1')
      each.links.set('lo', { up: true })
    }
    this.#captures = [this.#connect(this.#a, 'a0', 'r0', 1), this.#connect(this.#b, 'b0', 'r1', 2)]
    this.router.sysctl.set('net/ipv4/ip_forward', '1')
  }

  static async create(machine: Machine): Promise<Router> {
    const router = new Router(machine)
    // Linux finds the carrier a little later.
    await machine.pass(200)
    return router
  }

  #connect(far: LiveKernel, name: 'a0' | 'b0', peer: 'r0' | 'r1', network: number): Subscription {
    const { router } = this
    far.links.add({ kind: 'veth', name, mac: MAC[name], peer: { name: peer, mac: MAC[peer], namespace: router } })
    far.links.set(name, { up: true })
    router.links.set(peer, { up: true })
    router.addresses.add({ link: peer, prefix: `10.${network}.0.1/24` })
    for (let host = 2; host < 10; host++)
      router.neighbours.replace({ link: peer, address: `10.${network}.0.${host}`, mac: MAC[name] })
    return far.packets.capture({ link: name }, ({ packetType, bytes }) => {
      if (packetType !== 'outgoing') this.#seen.push(`${name} ${describe(bytes)}`)
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

  /** A command in the router, as it is typed. */
  async run(line: string): Promise<void> {
    const context = { kernel: this.router, now: () => 0, sleep: async () => {} }
    const { status, stderr } = await runWords(line.split(' '), context)
    assert.equal(status, 0, `${line}: ${stderr}`)
  }

  set(key: string, value: number): void {
    this.router.sysctl.set(`net/ipv4/${key}`, String(value))
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

  /** All routes, as they are now. */
  list(): void {
    for (const route of this.router.routes.list({ family: 'ipv4' })) this.#seen.push(sorted(route))
  }

  addresses(link: string): void {
    for (const { prefix, scope, secondary, broadcast } of this.router.addresses.list(link))
      this.#seen.push(`${prefix} ${scope} ${secondary} ${broadcast}`)
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
    for (const capture of this.#captures) capture.close()
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

const OWN = ['10.1.0.1', '10.2.0.1', '10.9.9.9', '10.13.5.5', '127.0.0.1']

/** Identifications that the router drew are blanked, and checksums over them. */
function describe(frame: Uint8Array): string {
  const bytes = frame.slice()
  const isIpv4 = u16(bytes, 12) === 0x0800
  if (isIpv4 && OWN.includes(bytes.subarray(26, 30).join('.')) && u16(bytes, 18) !== 0) bytes.fill(0, 18, 20)
  if (isIpv4 && OWN.includes(bytes.subarray(26, 30).join('.'))) bytes.fill(0, 24, 26)
  return Buffer.from(bytes).toString('hex')
}
