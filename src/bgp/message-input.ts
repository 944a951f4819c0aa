/**
 * From pieces of TCP to messages, some at a time: reading stops when the turn is over (reading-turns.ts), and while the session
 * is held back, since whoever takes the messages is not to have them yet. The connection is paused meanwhile.
 */
import { BgpError } from './errors.ts'
import { MessageReader } from './message/reader.ts'
import type { ReadingTurns } from './reading-turns.ts'
import type { Connection } from './transport.ts'

export interface Reading {
  readonly turns: ReadingTurns
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
  #isHeld = false
  #isWaiting = false
  #isReading = false
  #isStopped = false

  readonly #goOn = () => {
    this.#isWaiting = false
    this.#read()
  }

  constructor(reading: Reading) {
    this.#reading = reading
  }

  /** Octets of the longest message that is taken. */
  set longest(octets: number) {
    this.#reader.longest = octets
  }

  /** Something waits to be read, or may. */
  get isBehind(): boolean {
    return this.#isHeld || this.#isWaiting || this.#pieces.length > 0
  }

  get isHeld(): boolean {
    return this.#isHeld
  }

  push(piece: Uint8Array): void {
    this.#pieces.push(piece)
    this.#read()
  }

  /** The connection is gone, which is told when everything before is read: what is held comes now. */
  end(why: string): void {
    this.#ended = why
    this.#isHeld = false
    this.#read()
  }

  hold(): void {
    this.#isHeld = true
  }

  release(): void {
    this.#isHeld = false
    this.#read()
  }

  /** Nothing is read any more. */
  stop(): void {
    this.#isStopped = true
    this.#pieces.length = 0
    this.#reading.turns.cancel(this.#goOn)
  }

  #read(): void {
    if (this.#isReading || this.#isWaiting || this.#isStopped) return
    const { turns, connection } = this.#reading
    turns.begin()
    this.#isReading = true
    const isDone = this.#readAll()
    this.#isReading = false
    if (this.#isStopped) return
    if (isDone) {
      connection().resume()
      if (this.#ended !== undefined) this.#reading.ended(this.#ended)
    } else {
      connection().pause()
      this.#isWaiting = !this.#isHeld
      if (this.#isWaiting) turns.wait(this.#goOn)
    }
  }

  /** Whether there is no more. */
  #readAll(): boolean {
    try {
      while (!this.#isStopped) {
        if (this.#isHeld || this.#reading.turns.isOver) return false
        const message = this.#reader.next()
        if (message) {
          this.#reading.message(message)
          continue
        }
        const piece = this.#pieces.shift()
        if (!piece) return true
        this.#reader.push(piece)
      }
    } catch (error) {
      if (!(error instanceof BgpError)) throw error
      this.#reading.error(error)
    }
    return true
  }
}
