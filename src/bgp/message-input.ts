/**
 * From pieces of TCP to messages, some at a time.
 *
 * Reading stops after SLICE milliseconds and goes on by a timer: a peer that sends a full table is no reason for the timers of
 * other sessions to wait. It also stops while the session is held back, since whoever takes the messages is not to have them
 * yet. The connection is paused meanwhile.
 */
import type { Clock } from '../store/clock.ts'
import { BgpError } from './errors.ts'
import { MessageReader } from './message/reader.ts'
import type { Connection } from './transport.ts'

/** Milliseconds. */
const SLICE = 20

export interface Reading {
  readonly clock: Clock
  readonly connection: () => Connection
  message(message: Uint8Array): void
  /** The header of a message is wrong: 1/1 to 1/3. */
  error(error: BgpError): void
  /** The connection has ended, and all that came over it is read. */
  ended(why: string): void
}

export class MessageInput {
  readonly #reading: Reading
  readonly #reader = new MessageReader()
  readonly #pieces: Uint8Array[] = []
  #ended: string | undefined
  #held = false
  #stopped = false
  #isReading = false
  #cancelTurn: (() => void) | undefined

  constructor(reading: Reading) {
    this.#reading = reading
  }

  set longest(octets: number) {
    this.#reader.longest = octets
  }

  /** Whether something waits to be read, or may. */
  get isBehind(): boolean {
    return this.#held || this.#pieces.length > 0 || this.#cancelTurn !== undefined
  }

  get isHeld(): boolean {
    return this.#held
  }

  push(piece: Uint8Array): void {
    this.#pieces.push(piece)
    if (!this.#cancelTurn) this.#read()
  }

  /** The connection is gone, which is told when everything before is read: what is held comes now. */
  end(why: string): void {
    this.#ended = why
    this.#held = false
    if (!this.#cancelTurn) this.#read()
  }

  hold(): void {
    this.#held = true
  }

  release(): void {
    if (!this.#held) return
    this.#held = false
    if (!this.#cancelTurn) this.#read()
  }

  /** Nothing is read any more. */
  stop(): void {
    this.#stopped = true
    this.#pieces.length = 0
    this.#cancelTurn?.()
    this.#cancelTurn = undefined
  }

  #read(): void {
    if (this.#isReading || this.#stopped) return
    this.#isReading = true
    const more = this.#readSlice()
    this.#isReading = false
    if (this.#stopped) return
    const connection = this.#reading.connection()
    if (more) {
      connection.pause()
      if (!this.#held) this.#cancelTurn = this.#reading.clock.after(0, () => this.#goOn())
    } else {
      connection.resume()
      if (this.#ended !== undefined) this.#reading.ended(this.#ended)
    }
  }

  #goOn(): void {
    this.#cancelTurn = undefined
    this.#read()
  }

  /** Whether there may be more. */
  #readSlice(): boolean {
    const { clock } = this.#reading
    const began = clock.now()
    try {
      while (!this.#stopped) {
        if (this.#held) return true
        const message = this.#reader.next()
        if (message) {
          this.#reading.message(message)
          if (Math.abs(clock.now() - began) >= SLICE) return true
          continue
        }
        const piece = this.#pieces.shift()
        if (!piece) return false
        this.#reader.push(piece)
      }
    } catch (error) {
      if (!(error instanceof BgpError)) throw error
      this.#reading.error(error)
    }
    return false
  }
}
