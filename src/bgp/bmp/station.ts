/**
 * The way to a monitoring station: RFC 7854 §3.2. We dial, and dial again after a rest; it says nothing.
 *
 * A station that does not keep up holds nobody back: when too much waits for it the connection is closed, and all is told anew
 * on the next one.
 */
import type { Clock } from '../../store/clock.ts'
import { BackOff } from '../back-off.ts'
import { type Connection, PLAIN, type Transport } from '../transport.ts'

/** Octets that wait, above which no more is told that can be told later. */
const HIGH_WATER = 1 << 20

export interface StationOptions {
  readonly address: string
  readonly port: number
  readonly localAddress: string | undefined
  /** Octets that may wait for it. */
  readonly buffer: number
  readonly transport: Transport
  readonly clock: Clock
  /** From 0 to below 1. */
  readonly random: () => number
}

export interface StationEvents {
  /** It is to be told all. */
  connected(): void
  /** There is room again. */
  room(): void
  /** Nothing that was told counts any more. */
  lost(why: string): void
}

export class Station {
  readonly #options: StationOptions
  readonly #events: StationEvents
  readonly #backOff: BackOff
  #connection: Connection | undefined
  #connectedAt: number | undefined
  #isClosed = false

  constructor(options: StationOptions, events: StationEvents) {
    this.#options = options
    this.#events = events
    this.#backOff = new BackOff(options.clock, options.random, () => this.#dial())
    this.#dial()
  }

  get isConnected(): boolean {
    return this.#connectedAt !== undefined
  }

  get hasRoom(): boolean {
    return this.isConnected && this.#connection!.backlog < Math.min(HIGH_WATER, this.#options.buffer / 2)
  }

  /** While it is connected. */
  send(octets: Uint8Array): void {
    if (!this.isConnected) return
    this.#connection!.send(octets)
    if (this.#connection!.backlog > this.#options.buffer) this.cut('it does not keep up')
  }

  /** Ends the connection; there is another one after a rest. */
  cut(why: string): void {
    this.#connection?.close()
    this.#ended(why)
  }

  /** For good. What was sent still goes out. */
  close(): void {
    this.#isClosed = true
    this.#backOff.stop()
    this.#connection?.close()
    this.#connection = undefined
    this.#connectedAt = undefined
  }

  #dial(): void {
    const { address, port, localAddress, transport, clock } = this.#options
    const connection: Connection = transport.connect(
      { ...PLAIN, remote: { address, port }, localAddress },
      {
        connected: () => {
          if (this.#connection !== connection) return
          this.#connectedAt = clock.now()
          this.#events.connected()
        },
        received: () => undefined,
        taken: () => {
          if (this.#connection === connection && this.hasRoom) this.#events.room()
        },
        closed: (why) => {
          if (this.#connection === connection) this.#ended(why)
        },
      },
    )
    this.#connection = connection
  }

  #ended(why: string): void {
    if (!this.#connection || this.#isClosed) return
    const lasted = this.#connectedAt === undefined ? 0 : this.#options.clock.now() - this.#connectedAt
    this.#connection = undefined
    this.#connectedAt = undefined
    this.#backOff.failed(lasted)
    this.#backOff.rest()
    this.#events.lost(why)
  }
}
