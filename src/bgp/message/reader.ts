/**
 * Cuts what TCP delivers into messages: several in one piece, or one in many.
 *
 * A message that came in one piece is not copied: it is a view of it. One that came in several is put together in a buffer of
 * the reader's, which the next such message goes into. So a message is good until next() is called again, and decoders copy
 * what they keep.
 */
import { checkHeader, HEADER_LENGTH, MAX_MESSAGE } from './header.ts'

const NOTHING = new Uint8Array(0)

export class MessageReader {
  /**
   * Octets of the longest message that is taken. MAX_EXTENDED_MESSAGE once *we* have offered extended messages: "A BGP
   * speaker that advertises the BGP Extended Message capability MUST be capable of receiving a message with a length up to
   * and including 65,535 octets", RFC 8654 §4.
   */
  longest = MAX_MESSAGE

  #piece: Uint8Array = NOTHING
  #at = 0
  /** The start of a message whose end has not come. */
  #begun: Uint8Array = NOTHING
  #begunLength = 0

  /** The piece is the reader's from now on. The one before it has been read: next() has answered undefined. */
  push(piece: Uint8Array): void {
    if (this.#at < this.#piece.length) throw new RangeError('Cannot take more octets: those before are not read')
    this.#piece = piece
    this.#at = 0
  }

  /** The next message with its header, or undefined until more has come. Throws BgpError 1/1 to 1/3. */
  next(): Uint8Array | undefined {
    if (this.#begunLength > 0) return this.#completed()
    const left = this.#piece.length - this.#at
    if (left >= HEADER_LENGTH) {
      const length = checkHeader(this.#piece, this.#at, this.longest)
      if (left >= length) {
        this.#at += length
        return this.#piece.subarray(this.#at - length, this.#at)
      }
    }
    this.#begin(left)
    return this.#exhausted()
  }

  #completed(): Uint8Array | undefined {
    if (!this.#begin(HEADER_LENGTH)) return this.#exhausted()
    const length = checkHeader(this.#begun, 0, this.longest)
    if (!this.#begin(length)) return this.#exhausted()
    this.#begunLength = 0
    return this.#begun.subarray(0, length)
  }

  /** Adds octets of the piece to the message that has begun, until it has so many. Whether it does. */
  #begin(length: number): boolean {
    const missing = length - this.#begunLength
    if (missing <= 0) return true
    if (this.#begun.length < length) {
      const larger = new Uint8Array(Math.max(length, MAX_MESSAGE))
      larger.set(this.#begun.subarray(0, this.#begunLength))
      this.#begun = larger
    }
    const added = this.#piece.subarray(this.#at, this.#at + missing)
    this.#begun.set(added, this.#begunLength)
    this.#begunLength += added.length
    this.#at += added.length
    return added.length === missing
  }

  /** Sessions are idle for long: they do not hold on to what they have read. */
  #exhausted(): undefined {
    this.#piece = NOTHING
    this.#at = 0
  }
}
