/** Two sessions, or one and a script, over a link that loses what a test wants it to lose, on a clock that jumps. */
import { type BfdSettings, Session } from '../../src/bfd/session.ts'
import { type BfdControl, decodeBfd, encodeBfd } from '../../src/wire/bfd.ts'
import { seeded } from '../bgp/speakers.ts'
import { StepClock } from '../bgp/step-clock.ts'

export const FAST: BfdSettings = { minTx: 100, minRx: 100, multiplier: 3 }
/** Milliseconds. */
const LATENCY = 1

export interface Sent extends BfdControl {
  /** Milliseconds since the test began. */
  readonly at: number
}

export class End {
  readonly session: Session
  readonly sent: Sent[] = []
  /** 'up', or why it is down. */
  readonly told: string[] = []
  /** Arrived, and not read, since the process stands still. */
  readonly waiting: Uint8Array[] = []
  isStalled = false

  constructor(
    clock: StepClock,
    settings: BfdSettings,
    discriminator: number,
    random: () => number,
    send: (packet: Uint8Array) => void,
  ) {
    const began = clock.now()
    this.session = new Session({
      discriminator,
      settings,
      clock,
      random,
      send: (packet) => {
        this.sent.push({ ...decodeBfd(packet), at: clock.now() - began })
        send(packet)
      },
      readWaiting: () => this.read(),
      events: { up: () => this.told.push('up'), down: (why) => this.told.push(why) },
    })
  }

  arrive(packet: Uint8Array): void {
    this.waiting.push(packet)
    if (!this.isStalled) this.read()
  }

  read(): void {
    for (const packet of this.waiting.splice(0)) this.session.receive(decodeBfd(packet))
  }

  get last(): Sent {
    return this.sent.at(-1)!
  }

  /** What it has sent since then. */
  since(at: number): readonly Sent[] {
    return this.sent.filter((each) => each.at > at)
  }
}

export class Pair {
  readonly clock = new StepClock()
  readonly a: End
  readonly b: End
  /** Whether a packet of this end is lost. */
  loses: (from: 'a' | 'b') => boolean = () => false
  readonly #random: () => number
  readonly #began = this.clock.now()

  constructor({ a = FAST, b = FAST, seed = 1 }: { a?: BfdSettings; b?: BfdSettings; seed?: number } = {}) {
    this.#random = seeded(seed)
    this.a = this.#end('a', a, 0xa)
    this.b = this.#end('b', b, 0xb)
  }

  get now(): number {
    return this.clock.now() - this.#began
  }

  /** The end that has come again: b of old is gone without a word. */
  restarted(settings = FAST): End {
    this.b.session.stop()
    const end = this.#end('b', settings, 0xbb)
    Object.assign(this, { b: end })
    return end
  }

  #end(name: 'a' | 'b', settings: BfdSettings, discriminator: number): End {
    const send = (packet: Uint8Array) => {
      if (this.loses(name)) return
      this.clock.after(LATENCY, () => (name === 'a' ? this.b : this.a).arrive(packet))
    }
    return new End(this.clock, settings, discriminator, this.#random, send)
  }
}

/** One session, and what a test says to it. */
export class Solo {
  readonly clock = new StepClock()
  readonly end: End
  readonly #base: BfdControl

  constructor(settings = FAST, base: Partial<BfdControl> = {}, random: () => number = seeded(1)) {
    this.end = new End(this.clock, settings, 0xa, random, () => undefined)
    this.#base = {
      diagnostic: 0,
      state: 'Down',
      poll: false,
      final: false,
      controlPlaneIndependent: false,
      demand: false,
      detectMultiplier: 3,
      myDiscriminator: 0xb,
      yourDiscriminator: 0xa,
      desiredMinTx: 100_000,
      requiredMinRx: 100_000,
      requiredMinEchoRx: 0,
      authentication: undefined,
      ...base,
    }
  }

  hear(packet: Partial<BfdControl>): void {
    this.end.arrive(encodeBfd({ ...this.#base, ...packet }))
  }

  /** Up, and the Poll Sequence that belongs to it answered. */
  bringUp(): void {
    this.hear({ state: 'Init' })
    this.hear({ state: 'Up', final: true })
  }
}
