/**
 * Runs a speaker on this machine, until somebody ends it.
 *
 *   SIGHUP             reads the configuration again; one that cannot be used changes nothing
 *   SIGTERM, SIGINT    Cease to every peer, and the end; a second one ends at once
 */
import { hostname } from 'node:os'
import { type Controlled, conditionOf } from '../../bgp/control/answer.ts'
import { BFD_FAREWELL } from '../../bgp/neighbour.ts'
import { Speaker } from '../../bgp/speaker.ts'
import type { MonitoringSettings, SpeakerSettings } from '../../bgp/speaker-settings.ts'
import type { Configuration } from '../../cluster/config.ts'
import { TunnelledFib } from '../../cluster/tunnelled-fib.ts'
import { steadyClock } from '../../store/system-clock.ts'
import { type Level, type Log, openLog } from '../daemon/log.ts'
import { memoryGiver } from '../daemon/memory.ts'
import { serviceManager } from '../daemon/notify.ts'
import { CommandError, Exit } from '../exit.ts'
import { type Announcements, announcementsIn } from './announcements.ts'
import type { Cluster, ClusterSurroundings } from './cluster.ts'
import { readConfigFile } from './config-file.ts'
import { serveControl } from './control-server.ts'
import { type DataPath, openDataPath } from './data-path.ts'
import type { Metrics } from './metrics.ts'
import type { Monitoring } from './monitoring.ts'

export interface RunOptions {
  readonly config: string
  /** undefined: announcements are forgotten. */
  readonly state?: string
  readonly gracefulRestart?: true
  readonly kernel: boolean
  readonly socket: string
  readonly metrics?: Listen
  readonly logFormat: 'text' | 'json'
  readonly logLevel: Level
  readonly check?: true
}

export interface Listen {
  readonly ip: string
  readonly port: number
}

/** Milliseconds. */
const LONGEST_END = 3500

/** The exit status: 0 when somebody ended it. CommandError when it cannot begin. */
export async function runSpeaker(options: RunOptions, version: string): Promise<number> {
  const configuration = await readSettings(options)
  const settings = configuration.speaker
  if (options.check) {
    process.stdout.write(`"${options.config}" can be used: ${describe(settings)}\n`)
    return Exit.yes
  }
  const log = openLog(options.logFormat, options.logLevel)
  const ending = endings()
  const path = openDataPath(settings, steadyClock, log)
  try {
    log('info', 'bgp', `overlab ${version} begins, process ${process.pid}: ${describe(settings)}`)
    const cluster = await clusterOf(configuration, { kernel: path.kernel, state: options.state, log })
    const running = new Running((await cluster?.node.begin()) ?? settings, { options, path, log, version, cluster })
    await running.serve()
    const signal = await ending
    log('info', 'bgp', `${signal}: ending`)
    await running.stop()
    return Exit.yes
  } finally {
    path.close()
    // The last words of connections are waited for, but not for long.
    setTimeout(() => process.exit(), LONGEST_END).unref()
  }
}

interface Surroundings {
  readonly options: RunOptions
  readonly path: DataPath
  readonly log: Log
  readonly version: string
  readonly cluster: Cluster | undefined
}

/** undefined: there is none in the configuration. A speaker alone has no need of stores. */
async function clusterOf(
  { speaker, cluster }: Configuration,
  surroundings: ClusterSurroundings,
): Promise<Cluster | undefined> {
  if (!cluster) return undefined
  const { openCluster } = await import('./cluster.ts')
  return openCluster({ speaker, cluster }, surroundings)
}

/** A speaker with all that is around it: who asks it, who is told of it, and what outlives it. */
class Running {
  readonly #around: Surroundings
  readonly #announcements: Announcements | undefined
  readonly #manager = serviceManager(process.env)
  readonly #speaker: Speaker
  readonly #controlled: Controlled
  readonly #servers: { close(): void }[] = []
  #metrics: Metrics | undefined
  #monitoring: Monitoring | undefined
  #monitored: MonitoringSettings | undefined
  #isReloading: Promise<void> = Promise.resolve()

  constructor(settings: SpeakerSettings, around: Surroundings) {
    const { options, path, log, version, cluster } = around
    const fib = path.fib && new TunnelledFib(path.fib)
    this.#around = around
    this.#announcements = options.state === undefined ? undefined : announcementsIn(options.state)
    this.#speaker = new Speaker({
      ...path,
      fib,
      settings,
      clock: steadyClock,
      random: Math.random,
      restarted: options.gracefulRestart ?? false,
      log: (level, text) => log(level, 'session', text),
      // A speaker may have something to tell before it is there.
      changed: () => setImmediate(() => this.#noticed()),
    })
    // Tables come at once, and are there for hours; one that changes all the time is not held up.
    this.#speaker.observers.add({ settled: memoryGiver(Number.POSITIVE_INFINITY) })
    cluster?.node.join(this.#speaker, fib)
    this.#speaker.announce(this.#readAnnouncements())
    this.#controlled = {
      speaker: this.#speaker,
      version,
      startedAt: Date.now(),
      fib: path.fib,
      reload: () => this.#reload(),
      dump: async (file) => (await import('./monitoring.ts')).dump(this.#speaker, file, Date.now()),
      announcementsChanged: () => this.#announcements?.write(this.#speaker.announced),
      warnings: () => this.#warnings(),
    }
  }

  async serve(): Promise<void> {
    const { socket, metrics } = this.#around.options
    this.#servers.push(await serveControl(socket, this.#controlled))
    if (metrics) this.#servers.push(await this.#serveMetrics(metrics))
    await this.#monitor(this.#speaker.settings.monitoring)
    process.on('SIGHUP', () => void this.#reload().catch(() => undefined)) // what is wrong stands in the log
    this.#manager.ready()
    this.#noticed()
  }

  async stop(): Promise<void> {
    this.#manager.stopping()
    for (const server of this.#servers) server.close()
    this.#speaker.stop()
    // A neighbour is to learn of it by the Cease: BFD's last packet is faster, and looks like a fault.
    const hasBfd = this.#speaker.settings.neighbours.some(({ bfd }) => bfd !== undefined)
    if (hasBfd) await new Promise<void>((resolve) => steadyClock.after(BFD_FAREWELL, resolve))
    await this.#monitoring?.close()
    await this.#around.cluster?.close()
  }

  /** One after the other: the last is to count. */
  #reload(): Promise<void> {
    this.#isReloading = this.#isReloading.catch(() => undefined).then(() => this.#readAgain())
    return this.#isReloading
  }

  async #readAgain(): Promise<void> {
    const { options, log, path, cluster } = this.#around
    try {
      const { speaker: settings, cluster: its } = await readSettings(options)
      if (options.kernel && (settings.kernel !== undefined) !== (path.fib !== undefined)) {
        throw new CommandError(Exit.no, 'kernel.install is another, which needs another start')
      }
      if ((its === undefined) !== (cluster === undefined)) {
        throw new CommandError(Exit.no, 'cluster has come or gone, which needs another start')
      }
      if (cluster && its) cluster.node.configure({ speaker: settings, cluster: its })
      else this.#speaker.apply(settings)
      await this.#monitor(settings.monitoring)
      log('info', 'config', `"${options.config}" is applied: ${describe(settings)}`)
    } catch (error) {
      log('error', 'config', `"${options.config}" is not applied, all goes on as before: ${(error as Error).message}`)
      throw error
    }
  }

  /** Who watched before is told that it is over, unless it is the same. */
  async #monitor(settings: MonitoringSettings | undefined): Promise<void> {
    if (JSON.stringify(settings) === JSON.stringify(this.#monitored)) return
    this.#monitored = settings
    await this.#monitoring?.close('other configuration')
    this.#monitoring = undefined
    if (!settings) return
    const { path, log, version } = this.#around
    const { Monitoring } = await import('./monitoring.ts')
    this.#monitoring = new Monitoring({
      settings,
      speaker: this.#speaker,
      transport: path.transport,
      clock: steadyClock,
      random: Math.random,
      description: `overlab ${version}`,
      name: this.#speaker.settings.name ?? hostname(),
      log: (text) => log('info', 'monitoring', text),
    })
  }

  #readAnnouncements(): ReturnType<Announcements['read']> {
    try {
      return this.#announcements?.read() ?? []
    } catch (error) {
      this.#around.log('error', 'state', (error as Error).message)
      return []
    }
  }

  #noticed(): void {
    this.#metrics?.noticed()
    this.#around.cluster?.node.sessionsChanged()
    const neighbours = this.#speaker.neighbours()
    const established = neighbours.filter(({ state }) => state === 'Established')
    this.#manager.status(`${established.length} of ${neighbours.length} sessions are established`)
  }

  async #serveMetrics(listen: Listen): Promise<{ close(): void }> {
    const [{ createMetrics }, { serveHealth }] = await Promise.all([
      import('./metrics.ts'),
      import('../daemon/health.ts'),
    ])
    this.#metrics = createMetrics(this.#controlled, Date.now)
    const health = () => ({ ...conditionOf(this.#speaker), warnings: this.#warnings() })
    try {
      const server = await serveHealth('overlab bgp', listen, health, this.#metrics)
      return {
        close() {
          server.close()
          server.closeAllConnections()
        },
      }
    } catch (error) {
      const why = (error as Error).message
      throw new CommandError(Exit.environment, `Cannot serve metrics at ${listen.ip}, port ${listen.port}: ${why}`)
    }
  }

  #warnings(): string[] {
    const refused = this.#around.path.fib?.refused ?? []
    return [
      ...refused.map(({ what, why }) => `The kernel does not take ${what}: ${why}`),
      ...(this.#around.cluster?.node.problems ?? []),
    ]
  }
}

async function readSettings({ config, kernel }: RunOptions): Promise<Configuration> {
  const configuration = await readConfigFile(config)
  return kernel ? configuration : { ...configuration, speaker: { ...configuration.speaker, kernel: undefined } }
}

/** `AS 64512, 2 neighbors, 1 network`. */
function describe({ as, neighbours, networks }: SpeakerSettings): string {
  const counted = (count: number, noun: string) => `${count} ${noun}${count === 1 ? '' : 's'}`
  return `AS ${as}, ${counted(neighbours.length, 'neighbor')}, ${counted(networks.length, 'network')}`
}

/** The first signal ends it in order; the second finds no handler and kills at once. */
function endings(): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>()
  const signals = ['SIGINT', 'SIGTERM'] as const
  const onSignal = (signal: string) => {
    for (const each of signals) process.off(each, onSignal)
    resolve(signal)
  }
  for (const each of signals) process.on(each, onSignal)
  return promise
}
