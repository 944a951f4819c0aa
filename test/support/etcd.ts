/**
 * etcd for tests: a process of Debian's etcd-server, with a folder of its own, gone when the test is.
 *
 *   await using etcd = await startEtcd()
 *   const store = etcdStore({ endpoints: [etcd.endpoint] })
 *
 * In a network namespace: `startEtcd({ namespace: 'switch', address: '192.168.77.100' })`, which listens on port 2379 there.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { type Certificates, makeCertificates } from './certificates.ts'
import { debianPackage } from './peers.ts'

const CLIENT_PORT = 2379

export interface EtcdOptions {
  /** A named network namespace to run in; our own where none is given. */
  readonly namespace?: string
  /** To listen on, and in the certificate. */
  readonly address?: string
  /** Of the first member's clients. A free one where none is given; 2379 in a namespace, and those after it. */
  readonly port?: number
  /** `server`: clients check etcd's certificate; `mutual`: etcd checks theirs, too. */
  readonly tls?: 'server' | 'mutual'
  /** More of etcd's own, as `--auth-token-ttl=1`. */
  readonly flags?: readonly string[]
}

export interface Etcd extends AsyncDisposable {
  /** `http://127.0.0.1:2379`. */
  readonly endpoint: string
  readonly port: number
  readonly certificates: Certificates | undefined
  readonly pid: number
  /** Runs etcdctl against it, and answers its stdout. */
  etcdctl(...args: string[]): Promise<string>
  /** Ends it with SIGKILL. Its data stay. */
  kill(): Promise<void>
  /** Starts it again after `kill`, with its data or, as after a disk was lost, without. */
  restart(data?: 'kept' | 'lost'): Promise<void>
  signal(name: 'SIGSTOP' | 'SIGCONT'): void
  stop(): Promise<void>
}

interface Member {
  readonly name: string
  readonly clientUrl: string
  readonly peerUrl: string
}

/** One that serves. */
export async function startEtcd(options: EtcdOptions = {}): Promise<Etcd> {
  const [etcd] = await startCluster(1, options)
  return etcd!
}

/** Members of one cluster on one address. More than half of them must live. */
export async function startCluster(size: number, options: EtcdOptions = {}): Promise<Etcd[]> {
  const { address = '127.0.0.1', namespace, tls } = options
  // All of them must be free at the same time; in a namespace nobody else is.
  const ports = namespace
    ? Array.from({ length: 2 * size }, (_, i) => (options.port ?? CLIENT_PORT) + i)
    : await freePorts(2 * size, address)
  if (options.port !== undefined) ports[0] = options.port
  const members: Member[] = []
  for (let at = 0; at < size; at++) {
    const [client, peer] = ports.slice(2 * at)
    const clientUrl = `${tls ? 'https' : 'http'}://${address}:${client}`
    members.push({ name: `member${at}`, clientUrl, peerUrl: `http://${address}:${peer}` })
  }
  const folder = mkdtempSync(join(tmpdir(), 'overlab-etcd-'))
  const certificates = tls && makeCertificates(join(folder, 'tls'), address)
  const cluster = members.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(',')
  let running = size
  const started = members.map((member) => {
    const remove = () => {
      if (--running === 0) rmSync(folder, { recursive: true, force: true })
    }
    return new EtcdProcess(member, { folder, cluster, certificates, options, remove })
  })
  try {
    await Promise.all(started.map((each) => each.start()))
  } catch (error) {
    await Promise.all(started.map((each) => each.stop()))
    throw error
  }
  return started
}

interface Surroundings {
  readonly folder: string
  readonly cluster: string
  readonly certificates: Certificates | undefined
  readonly options: EtcdOptions
  /** What the member leaves, when it is the last one. */
  remove(): void
}

class EtcdProcess implements Etcd {
  readonly endpoint: string
  readonly port: number
  readonly certificates: Certificates | undefined
  readonly #member: Member
  readonly #surroundings: Surroundings
  #process: ChildProcess | undefined
  #isStopped = false

  constructor(member: Member, surroundings: Surroundings) {
    this.#member = member
    this.#surroundings = surroundings
    this.endpoint = member.clientUrl
    this.port = Number(new URL(member.clientUrl).port)
    this.certificates = surroundings.certificates
  }

  get pid(): number {
    return this.#process!.pid!
  }

  async etcdctl(...args: string[]): Promise<string> {
    const { options, certificates } = this.#surroundings
    const etcdctl = join(debianPackage('etcd-client'), 'usr/bin/etcdctl')
    const tls = certificates
      ? ['--cacert', certificates.ca, '--cert', certificates.cert, '--key', certificates.key]
      : []
    const argv = [...inNamespace(options.namespace), etcdctl, '--endpoints', this.endpoint, ...tls, ...args]
    const env = { ...process.env, ETCDCTL_API: '3' }
    const { stdout } = await promisify(execFile)(argv[0]!, argv.slice(1), { env, maxBuffer: 1 << 28 })
    return stdout
  }

  async start(): Promise<void> {
    const { name, clientUrl, peerUrl } = this.#member
    const { cluster, certificates, options } = this.#surroundings
    const tls = certificates ? ['--cert-file', certificates.serverCert, '--key-file', certificates.serverKey] : []
    if (options.tls === 'mutual') tls.push('--client-cert-auth', '--trusted-ca-file', certificates!.ca)
    const argv = [
      ...inNamespace(options.namespace),
      // Nothing of ours outlives us, however we end.
      ...['setpriv', '--pdeathsig', 'KILL'],
      join(debianPackage('etcd-server'), 'usr/bin/etcd'),
      ...['--name', name, '--data-dir', this.#data, '--initial-cluster', cluster],
      ...['--listen-client-urls', clientUrl, '--advertise-client-urls', clientUrl],
      ...['--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl],
      // A leader soon, and leases of one second: etcd grants none shorter than one and a half elections.
      ...['--heartbeat-interval', '50', '--election-timeout', '500'],
      ...['--logger', 'zap', '--log-outputs', 'stderr', ...tls, ...(options.flags ?? [])],
    ]
    const child = spawn(argv[0]!, argv.slice(1), { stdio: ['ignore', 'ignore', 'pipe'] })
    this.#process = child
    const log: string[] = []
    const lines = createInterface({ input: child.stderr })
    await new Promise<void>((resolve, reject) => {
      lines.on('line', (line) => {
        log.push(line)
        if (log.length > 30) log.shift()
        if (/serving client traffic|serving insecure client|serving client requests/.test(line)) resolve()
      })
      child.once('error', reject)
      child.once('exit', () => reject(new Error(`etcd did not start:\n${log.join('\n')}`)))
    })
  }

  async kill(): Promise<void> {
    const child = this.#process
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const exit = once(child, 'exit')
    child.kill('SIGKILL')
    await exit
  }

  async restart(data: 'kept' | 'lost' = 'kept'): Promise<void> {
    await this.kill()
    if (data === 'lost') rmSync(this.#data, { recursive: true, force: true })
    await this.start()
  }

  /** When it returns, etcd has stopped, or goes on. */
  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    const { pid } = this.#process!
    process.kill(pid!, name)
    while (name === 'SIGSTOP' && !isStopped(pid!));
  }

  async stop(): Promise<void> {
    await this.kill()
    if (!this.#isStopped) this.#surroundings.remove()
    this.#isStopped = true
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  get #data(): string {
    return join(this.#surroundings.folder, this.#member.name)
  }
}

function inNamespace(namespace: string | undefined): string[] {
  return namespace ? ['ip', 'netns', 'exec', namespace] : []
}

/** Ports that nobody listened on a moment ago. */
export async function freePorts(count: number, address = '127.0.0.1'): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, address))
  await Promise.all(servers.map((server) => once(server, 'listening')))
  const ports = servers.map((server) => (server.address() as { port: number }).port)
  await Promise.all(servers.map((server) => once(server.close(), 'close')))
  return ports
}

/** Each thread stops when it hears of it, which on a busy machine takes a moment. Of one that is dead there is nothing to wait for. */
function isStopped(pid: number): boolean {
  const tasks = `/proc/${pid}/task`
  return readdirSync(tasks).every((task) => /^State:\t[TZX]/m.test(readFileSync(join(tasks, task, 'status'), 'utf8')))
}
