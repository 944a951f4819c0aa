/**
 * Daemons in the model: the same as on Linux, on a store in memory and the model's clock. What they wait for is time, or
 * promises that have been kept already; `passTime` lets both happen.
 */
import type { Files } from '../cni/host.ts'
import { MILLISECOND } from '../model/clock.ts'
import type { ModelKernel } from '../model/create.ts'
import type { Model } from '../model/model.ts'
import { Daemon } from '../overlay/daemon.ts'
import { networkKeys } from '../overlay/lease-key.ts'
import { LEASE_SECONDS } from '../overlay/registry.ts'
import type { Clock } from '../store/clock.ts'
import { MemoryServer, type MemoryStore } from '../store/memory.ts'
import type { DaemonCondition, DaemonPlace, Daemons } from './daemons.ts'
import { modelClock } from './model-clock.ts'
import { startModelUdp } from './model-udp.ts'

/** flannel's. */
const PREFIX = '/coreos.com/network'
const RENEW_SECONDS = 3_600
/** More than the longest chain of promises of a daemon between two timers. */
const TURNS = 200
/** What it said last. */
const WORDS = 10

interface Running {
  readonly daemon: Daemon
  readonly kernel: ModelKernel
  readonly store: MemoryStore
  failure: Error | undefined
}

export class ModelDaemons implements Daemons {
  readonly #kernel: ModelKernel
  readonly #files: Files
  readonly #clock: Clock
  /** By path of the store: one for each lab. */
  readonly #servers = new Map<string, MemoryServer>()
  /** By path of the namespace. */
  readonly #running = new Map<string, Running>()
  readonly #words = new Map<string, string[]>()

  constructor(kernel: ModelKernel, files: Files) {
    this.#kernel = kernel
    this.#files = files
    this.#clock = modelClock(kernel.model)
  }

  requireBackend(): void {}

  start(place: DaemonPlace): void {
    const { namespacePath, subnetFile, link } = place
    const kernel = this.#kernel.enter(namespacePath)!
    const store = this.#serverOf(place).connect('memory')
    const { random } = this.#kernel.model
    const words: string[] = []
    this.#words.set(namespacePath, words)
    const daemon = new Daemon({
      store,
      prefix: PREFIX,
      kernel,
      clock: this.#clock,
      random: () => random.bits('daemon') / 2 ** 32,
      randomBytes: (length) => Uint8Array.from({ length }, () => random.below('daemon', 256)),
      subnetFile: {
        read: () => this.#files.read(subnetFile),
        write: (text) => this.#files.replace(subnetFile, text, 0o644),
      },
      uplink: { interfaces: [link], patterns: [], canReach: undefined, publicIp: {} },
      rules: { masquerade: true, fullyRandom: true, forward: true, blackhole: false },
      leaseSeconds: LEASE_SECONDS,
      renewSeconds: RENEW_SECONDS,
      startUdp: (options) => startModelUdp(kernel, options),
      events: {
        notice({ level, subject, message }) {
          words.push(`${level} ${subject}: ${message}`)
        },
        ready() {},
        failed(error) {
          running.failure = error
        },
      },
    })
    const running: Running = { daemon, kernel, store, failure: undefined }
    this.#running.set(namespacePath, running)
  }

  kill({ namespacePath }: DaemonPlace): void {
    const running = this.#running.get(namespacePath)
    if (!running) return
    this.#running.delete(namespacePath)
    void running.daemon.close().then(() => running.kernel.close())
    running.store.close()
  }

  forget(): void {}

  async condition({ namespacePath }: DaemonPlace): Promise<DaemonCondition> {
    const running = this.#running.get(namespacePath)
    if (!running || running.failure) {
      const problems = running?.failure ? [running.failure.message] : []
      return { isRunning: false, isReady: false, problems, warnings: [], peers: 0, refused: 0 }
    }
    const { isReady, problems, warnings, peers, refused } = running.daemon.condition
    return { isRunning: true, isReady, problems, warnings, peers, refused }
  }

  lastWords({ namespacePath }: DaemonPlace): readonly string[] {
    return this.#words.get(namespacePath)?.slice(-WORDS) ?? []
  }

  #serverOf({ store, networkConfig }: DaemonPlace): MemoryServer {
    const there = this.#servers.get(store)
    if (there) return there
    const server = new MemoryServer(this.#clock)
    this.#servers.set(store, server)
    const value = this.#files.read(networkConfig)!
    void server.connect().transact([], [{ put: networkKeys(PREFIX).config, value }])
    return server
  }
}

/** Lets the model's time pass until `done`, but no longer than this, and whatever waits for it happen. Answers `done()`. */
export async function passTime(model: Model, done: () => boolean, milliseconds: number): Promise<boolean> {
  const { clock } = model
  const end = clock.now + milliseconds * MILLISECOND
  for (;;) {
    await promisesKept()
    if (done() || clock.now >= end) return done()
    const next = Math.max(clock.next ?? end, clock.now + MILLISECOND)
    model.runUntil(done, Math.min(next, end))
  }
}

async function promisesKept(): Promise<void> {
  for (let turn = 0; turn < TURNS; turn++) await undefined
}
