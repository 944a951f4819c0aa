/**
 * Nodes as network namespaces on a switch, each with the daemon as a process, and pods: a namespace, a veth pair and cni0, made
 * by ip as the CNI plugin would. Node N is 192.168.77.N and fd77::N on eth0; the switch is .100, and there is the store.
 *
 *   await using network = await startNetwork({ store, config, nodes: 2 })
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { files } from '../../../src/linux/files.ts'
import { parseSubnetFile } from '../../../src/overlay/subnet-file.ts'
import { openStore } from '../../../src/store/open.ts'
import type { Store } from '../../../src/store/store.ts'
import { run } from '../../support/command.ts'
import { type Etcd, startEtcd } from '../../support/etcd.ts'

export const SWITCH = 'switch'
const SWITCH_ADDRESS = '192.168.77.100'
const MAIN = join(import.meta.dirname, '../../../src/cli/main.ts')
const SECOND = 1000

/** Where the leases of a test file's networks are. */
export interface StoreUnderTest extends AsyncDisposable {
  readonly kind: 'etcd' | 'file'
  /** Flags of a daemon that uses it. */
  readonly flags: readonly string[]
  /** Somebody with etcdctl. */
  readonly operator: Store
  readonly etcd: Etcd | undefined
}

/** The switch and the store on it; `kind` says which. */
export async function startStore(kind: 'etcd' | 'file'): Promise<StoreUnderTest> {
  makeSwitch()
  if (kind === 'file') {
    const directory = mkdtempSync(join(tmpdir(), 'overlab-daemon-store-'))
    const operator = openStore({ file: directory }, { tryLock: files.tryLock, report: assert.fail })
    const remove = async () => {
      operator.close()
      rmSync(directory, { recursive: true, force: true })
    }
    return { kind, flags: ['--store', `file:${directory}`], operator, etcd: undefined, [Symbol.asyncDispose]: remove }
  }
  const etcd = await startEtcd({ namespace: SWITCH, address: SWITCH_ADDRESS })
  // The test itself is on the switch too, beside the nodes.
  run('ip', 'link', 'add', 'test0', 'type', 'veth', 'peer', 'name', 'test0', 'netns', SWITCH)
  run('ip', '-n', SWITCH, 'link', 'set', 'test0', 'master', 'br0', 'up')
  run('ip', 'address', 'add', '192.168.77.99/24', 'dev', 'test0')
  run('ip', 'link', 'set', 'test0', 'up')
  const operator = openStore({ etcd: { endpoints: [etcd.endpoint] } }, { tryLock: files.tryLock, report: assert.fail })
  const stop = async () => {
    operator.close()
    await etcd.stop()
  }
  return { kind, flags: ['-etcd-endpoints', etcd.endpoint], operator, etcd, [Symbol.asyncDispose]: stop }
}

function makeSwitch(): void {
  run('ip', 'netns', 'add', SWITCH)
  run('ip', '-n', SWITCH, 'link', 'set', 'lo', 'up')
  // Or it would take the lowest of its ports', and be another one for those who know it.
  run('ip', '-n', SWITCH, 'link', 'add', 'br0', 'address', '02:00:00:00:00:64', 'type', 'bridge')
  run('ip', '-n', SWITCH, 'address', 'add', `${SWITCH_ADDRESS}/24`, 'dev', 'br0')
  run('ip', '-n', SWITCH, 'address', 'add', 'fd77::100/64', 'dev', 'br0', 'nodad')
  run('ip', '-n', SWITCH, 'link', 'set', 'br0', 'up')
}

export interface NetworkOptions {
  readonly store: StoreUnderTest
  /** net-conf.json; left out: there is none yet. */
  readonly config?: unknown
  readonly nodes: number
  /** Of every daemon, besides those of the store. */
  readonly flags?: readonly string[]
  /** Left out: the daemons are begun, and each node gets a pod. */
  readonly idle?: true
}

let networks = 0

export async function startNetwork(options: NetworkOptions): Promise<Network> {
  const network = new Network(options)
  try {
    if (options.config !== undefined) await network.configure(options.config)
    if (options.idle) return network
    for (const node of network.nodes) node.start()
    await Promise.all(network.nodes.map((node) => node.ready()))
    for (const node of network.nodes) node.addPod()
    await network.settled()
    return network
  } catch (error) {
    await network[Symbol.asyncDispose]()
    throw error
  }
}

export class Network implements AsyncDisposable {
  readonly nodes: readonly Node[]
  readonly store: StoreUnderTest
  readonly prefix = `/overlab/test${++networks}`

  constructor({ store, nodes, flags = [] }: NetworkOptions) {
    this.store = store
    const common = [...store.flags, '-etcd-prefix', this.prefix, ...flags]
    this.nodes = Array.from({ length: nodes }, (_, i) => new Node(i + 1, common))
  }

  configure(config: unknown) {
    const value = JSON.stringify(config)
    return this.store.operator.transact([], [{ put: `${this.prefix}/config`, value }])
  }

  key(name = ''): string {
    return `${this.prefix}/subnets/${name}`
  }

  async leases(): Promise<Record<string, string>> {
    const { entries } = await this.store.operator.list(this.key())
    return Object.fromEntries(entries.map(({ key, value }) => [key.slice(this.key().length), value]))
  }

  /** Of a node that there is not, bound to a lease of a day. */
  async put(name: string, value: string): Promise<void> {
    const lease = await this.store.operator.grant(86_400)
    await this.store.operator.transact([], [{ put: this.key(name), value, lease }])
  }

  async delete(name: string): Promise<void> {
    await this.store.operator.transact([], [{ delete: this.key(name) }])
  }

  /** Every daemon knows of all the others, and the kernels are done with the addresses of new links. */
  settled(): Promise<void> {
    return eventually(`each of ${this.nodes.length} nodes has a way to the others`, () =>
      this.nodes.every(
        (from) => this.nodes.every((to) => from === to || from.reaches(to)) && from.ip('address show tentative') === '',
      ),
    )
  }

  /** Pairs whose pods do not reach each other. */
  unreachable(family: 'ipv4' | 'ipv6' = 'ipv4', size = 56): string[] {
    return this.nodes.flatMap((from) =>
      this.nodes.flatMap((to) => (from === to || from.ping(to, family, size) ? [] : [`${from.name} to ${to.name}`])),
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const node of this.nodes) await node.remove()
  }
}

export class Node {
  readonly number: number
  readonly name: string
  readonly podName: string
  readonly subnetPath: string
  readonly #folder: string
  readonly #flags: readonly string[]
  #process: ChildProcess | undefined
  #log = ''
  #podFamilies: readonly ('ipv4' | 'ipv6')[] = []

  constructor(number: number, flags: readonly string[]) {
    this.number = number
    this.name = `n${number}`
    this.podName = `pod${number}`
    this.#folder = mkdtempSync(join(tmpdir(), 'overlab-daemon-'))
    this.subnetPath = join(this.#folder, 'subnet.env')
    this.#flags = [...flags, '--subnet-file', this.subnetPath]
    run('ip', 'netns', 'add', this.name)
    this.ip('link set lo up')
    for (const key of ['net.ipv4.ip_forward', 'net.ipv6.conf.all.forwarding'])
      this.run('sysctl', '-q', '-w', `${key}=1`)
    this.plug()
  }

  /** A new link to the switch. */
  plug(): void {
    this.ip(`link add eth0 type veth peer name ${this.name} netns ${SWITCH}`)
    run('ip', '-n', SWITCH, 'link', 'set', this.name, 'master', 'br0', 'up')
    this.ip(`address add 192.168.77.${this.number}/24 dev eth0`)
    this.ip(`address add fd77::${this.number}/64 dev eth0 nodad`)
    this.ip('link set eth0 up')
    this.ip(`route add default via ${SWITCH_ADDRESS}`)
    this.ip('route add default via fd77::100')
  }

  run(program: string, ...args: string[]): string {
    return run('ip', 'netns', 'exec', this.name, program, ...args)
  }

  /** `ip`'s stdout, in this node. */
  ip(words: string): string {
    return run('ip', '-n', this.name, ...words.split(' '))
  }

  /** The lines, without what hangs on the end of them. */
  lines(words: string): string[] {
    const [program, ...args] = words.split(' ')
    return run(program!, '-n', this.name, ...args)
      .split('\n')
      .map((line) => line.trim().replace(/\s+/g, ' '))
      .filter((line) => line !== '')
  }

  /** `before`: words that the daemon is run by, as strace. */
  start(flags: readonly string[] = [], { before = [], env = {}, main = MAIN }: StartOptions = {}): this {
    const argv = ['netns', 'exec', this.name, 'setpriv', '--pdeathsig', 'KILL', ...before]
    argv.push(process.execPath, main, 'daemon', ...this.#flags, ...flags)
    this.#log = ''
    const child = spawn('ip', argv, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...env } })
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#log += text
    })
    this.#process = child
    return this
  }

  /** Another daemon on this node, with another network. */
  startSecond(flags: readonly string[]): { end(): Promise<void> } {
    const argv = ['netns', 'exec', this.name, 'setpriv', '--pdeathsig', 'KILL', process.execPath, MAIN, 'daemon']
    argv.push(...this.#flags, ...flags, '--subnet-file', join(this.#folder, 'second.env'))
    const child = spawn('ip', argv, { stdio: 'ignore' })
    return {
      async end() {
        if (child.exitCode !== null || child.signalCode !== null) return
        child.kill()
        await once(child, 'exit')
      },
    }
  }

  get log(): string {
    return this.#log
  }

  get pid(): number {
    return this.#process!.pid!
  }

  /** Until pods can be attached. */
  async ready(): Promise<void> {
    await eventually(`${this.name} is ready`, () => {
      assert.equal(this.#process!.exitCode, null, `${this.name} ended: ${this.#log}`)
      return / Ready: /.test(this.#log)
    }).catch((error: Error) => assert.fail(`${error.message}: ${this.#log}`))
  }

  signal(name: NodeJS.Signals): void {
    this.#process!.kill(name)
  }

  /** The exit status, or the signal. */
  async ended(): Promise<number | NodeJS.Signals> {
    const child = this.#process!
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    return child.exitCode ?? child.signalCode!
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | NodeJS.Signals> {
    this.signal(signal)
    return await this.ended()
  }

  variable(name: string): string | undefined {
    if (!existsSync(this.subnetPath)) return undefined
    return new RegExp(`^${name}=(.*)$`, 'm').exec(readFileSync(this.subnetPath, 'utf8'))?.[1]
  }

  get subnets() {
    return parseSubnetFile(readFileSync(this.subnetPath, 'utf8')).subnets
  }

  /** `10.5.7.0`: by which peers route. */
  get gateway(): string {
    return this.subnets.ipv4!.replace(/\/.*/, '')
  }

  mac(device = 'flannel.1'): string {
    return readJson<{ address: string }>(run('ip', '-n', this.name, '-j', 'link', 'show', device)).address
  }

  addPod(): void {
    run('ip', 'netns', 'add', this.podName)
    const pod = (words: string) => run('ip', '-n', this.podName, ...words.split(' '))
    const mtu = this.variable('FLANNEL_MTU')!
    this.ip(`link add cni0 mtu ${mtu} type bridge`)
    this.ip('link set cni0 up')
    this.ip(`link add veth0 mtu ${mtu} type veth peer name eth0 mtu ${mtu} netns ${this.podName}`)
    this.ip('link set veth0 master cni0 up')
    pod('link set lo up')
    pod('link set eth0 up')
    const { ipv4, ipv6 } = this.subnets
    this.#podFamilies = [...(ipv4 ? ['ipv4' as const] : []), ...(ipv6 ? ['ipv6' as const] : [])]
    for (const family of this.#podFamilies) {
      const length = this.subnets[family]!.replace(/.*\//, '')
      const nodad = family === 'ipv6' ? ' nodad' : ''
      this.ip(`address add ${this.#host(family, 1)}/${length} dev cni0${nodad}`)
      pod(`address add ${this.#host(family, 2)}/${length} dev eth0${nodad}`)
      pod(`route add default via ${this.#host(family, 1)}`)
    }
  }

  #host(family: 'ipv4' | 'ipv6', number: number): string {
    return this.subnets[family]!.replace(/\/.*/, '').replace(family === 'ipv4' ? /0$/ : /$/, String(number))
  }

  /** Whether the pod there answers; with a `size` that must not be cut. The first request may be lost to a neighbour's search. */
  ping(to: Node, family: 'ipv4' | 'ipv6' = 'ipv4', size = 56): boolean {
    const target = to.#host(family, 2)
    const argv = [
      'netns',
      'exec',
      this.podName,
      'ping',
      '-c',
      '3',
      '-i',
      '0.3',
      '-W',
      '2',
      '-M',
      'do',
      '-s',
      String(size),
      target,
    ]
    return spawnSync('ip', argv).status === 0
  }

  /** A ping that goes on, ten times a second, until it is asked how it went: how many of its requests got no answer. */
  pingOn(to: Node): { stop(): Promise<{ readonly sent: number; readonly lost: number }> } {
    const argv = ['netns', 'exec', this.podName, 'ping', '-i', '0.1', to.#host('ipv4', 2)]
    const child = spawn('ip', argv, { stdio: ['ignore', 'pipe', 'ignore'] })
    let text = ''
    child.stdout.setEncoding('utf8').on('data', (more: string) => {
      text += more
    })
    const closed = once(child, 'close')
    return {
      async stop() {
        // The last request may still be under way: it is not counted as lost.
        child.kill('SIGINT')
        await closed
        const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(text) ?? assert.fail(text)
        const isLastOut = Number(sent) > Number(received) && !text.includes(`icmp_seq=${sent} `)
        return { sent: Number(sent), lost: Number(sent) - Number(received) - (isLastOut ? 1 : 0) }
      },
    }
  }

  /** Whether it knows the way to the other one's pods, by whatever backend. */
  reaches(to: Node): boolean {
    const subnet = to.subnets.ipv4 ?? to.subnets.ipv6
    const routes = this.lines('ip route show').concat(this.lines('ip -6 route show'))
    if (routes.some((line) => line.includes(' dev flannel0'))) return true
    return routes.some((line) => line.startsWith(subnet!))
  }

  /** Routes of flannel's, neighbours and FDB of its devices: what changes with peers. */
  entries(): string[] {
    const devices = this.lines('ip -o link show').flatMap((line) => /: (flannel[^:@]*)/.exec(line)?.[1] ?? [])
    return [
      ...this.lines('ip -d route show')
        .filter((line) => / proto boot /.test(line) && !/ default /.test(line))
        .map((line) => `route ${line.replace(/^unicast | proto boot scope global| linkdown/g, '')}`),
      ...devices.flatMap((device) => [
        ...this.lines(`ip neigh show dev ${device} nud permanent`).map((line) => `neigh ${line}`),
        ...this.lines(`bridge fdb show dev ${device}`).map((line) => `fdb ${line}`),
      ]),
    ].sort()
  }

  async remove(): Promise<void> {
    if (this.#process && this.#process.exitCode === null && this.#process.signalCode === null)
      await this.stop('SIGKILL')
    for (const name of [this.podName, this.name]) spawnSync('ip', ['netns', 'delete', name])
    spawnSync('ip', ['-n', SWITCH, 'link', 'delete', this.name])
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

export interface StartOptions {
  readonly before?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** The command line that is run: that of the sources where left out. */
  readonly main?: string
}

/** Asks ten times a second. The limit is for what never comes; how fast it comes is measured elsewhere. */
export async function eventually(
  what: string,
  check: () => boolean | Promise<boolean>,
  limit = 20 * SECOND,
): Promise<void> {
  const end = performance.now() + limit
  while (!(await check())) {
    assert.ok(performance.now() < end, `it never came: ${what}`)
    await setTimeout(SECOND / 10)
  }
}

export function readJson<T>(text: string): T {
  const [first] = JSON.parse(text) as T[]
  return first!
}
