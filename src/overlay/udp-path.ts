/**
 * Keeps the data path of the backend udp running: begun when it is wanted, begun again when it has ended by itself (somebody
 * deleted its device), or could not begin (the process before us has not ended yet).
 */
import type { Clock } from '../store/clock.ts'
import type { UdpCounters } from './udp/counters.ts'
import type { UdpRoute } from './udp/lookup.ts'

export interface UdpDataPath {
  /** When it carries packets; what came before waits in the queues. Rejected when it ends before that. */
  readonly ready: Promise<void>
  setRoutes(routes: readonly UdpRoute[]): void
  counters(): UdpCounters
  stop(): Promise<void>
}

export interface UdpWish {
  /** Name of the TUN device. */
  readonly tun: string
  /** Of this node, to which others send; and the port of all nodes. */
  readonly address: string
  readonly port: number
  readonly routes: readonly UdpRoute[]
}

/** Throws when it cannot begin. `onFailure` is called when it has ended by itself. */
export type StartUdpDataPath = (options: UdpWish & { readonly onFailure: (error: Error) => void }) => UdpDataPath

export interface UdpPathOptions {
  readonly start: StartUdpDataPath
  readonly clock: Clock
  /** It carries packets. */
  started(wish: UdpWish): void
  /** Told once for each cause. */
  failed(error: Error): void
}

/** Milliseconds. */
const FIRST_PAUSE = 100
const LONGEST_PAUSE = 10_000

interface Running {
  readonly path: UdpDataPath
  readonly wish: UdpWish
  /** On the clock. */
  readonly since: number
  isReady: boolean
  hasFailed: boolean
}

export class UdpPath {
  readonly #options: UdpPathOptions
  #wish: UdpWish | undefined
  #running: Running | undefined
  #problem: string | undefined
  #pause = FIRST_PAUSE
  #cancelRetry: () => void = () => {}
  #work: Promise<void> = Promise.resolve()
  #isDue = false

  constructor(options: UdpPathOptions) {
    this.#options = options
  }

  /** Why it does not run though it should. */
  get problem(): string | undefined {
    if (!this.#wish) return undefined
    const running = this.#running
    return this.#problem ?? (running?.isReady && !running.hasFailed ? undefined : 'it is not running yet')
  }

  counters(): UdpCounters | undefined {
    return this.#running?.path.counters()
  }

  /** Undefined: it shall not run. */
  want(wish: UdpWish | undefined): void {
    this.#wish = wish
    this.#turnSoon()
  }

  close(): Promise<void> {
    this.want(undefined)
    return this.#work
  }

  /** One after the other: what has been stopped has ended before its device and port are taken again. */
  #turnSoon(): void {
    this.#cancelRetry()
    if (this.#isDue) return
    this.#isDue = true
    this.#work = this.#work.then(() => {
      this.#isDue = false
      return this.#turn()
    })
  }

  async #turn(): Promise<void> {
    const running = this.#running
    if (running && (running.hasFailed || !this.#wish || !isSamePlace(running.wish, this.#wish))) {
      await running.path.stop()
      this.#running = undefined
    }
    const wish = this.#wish
    if (!wish) this.#problem = undefined
    else if (this.#running) this.#running.path.setRoutes(wish.routes)
    else this.#start(wish)
  }

  #start(wish: UdpWish): void {
    try {
      const path = this.#options.start({ ...wish, onFailure: (error) => this.#hasFailed(error) })
      const running = { path, wish, since: this.#options.clock.now(), isReady: false, hasFailed: false }
      this.#running = running
      const begun = () => this.#hasBegun(running)
      path.ready.then(begun, () => {}) // one that ends too early tells `onFailure`, or was stopped
    } catch (error) {
      this.#fail(error as Error)
    }
  }

  #hasBegun(running: Running): void {
    if (this.#running !== running || running.hasFailed) return
    running.isReady = true
    this.#problem = undefined
    this.#options.started(running.wish)
  }

  #hasFailed(error: Error): void {
    const { running, clock } = { running: this.#running, clock: this.#options.clock }
    if (running) {
      running.hasFailed = true
      if (clock.now() - running.since > LONGEST_PAUSE) this.#pause = FIRST_PAUSE
    }
    if (this.#wish) this.#fail(error)
  }

  #fail(error: Error): void {
    if (this.#problem !== error.message) this.#options.failed(error)
    this.#problem = error.message
    this.#cancelRetry = this.#options.clock.after(this.#pause, () => this.#turnSoon())
    this.#pause = Math.min(2 * this.#pause, LONGEST_PAUSE)
  }
}

function isSamePlace(one: UdpWish, other: UdpWish): boolean {
  return one.tun === other.tun && one.address === other.address && one.port === other.port
}
