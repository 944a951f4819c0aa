/**
 * Cuts what TCP delivers into messages: several in one piece, or one in many.
 *
 * Messages are not copied where that can be helped. They lie in the piece that was pushed, or in a buffer of the reader's
 * that the next piece goes into; so a message is good until the next push, and decoders copy what they keep.
 */
import { checkHeader, HEADER_LENGTH, MAX_MESSAGE } from './header.ts'

export class MessageReader {
  /**
   * Octets of the longest message that is taken. MAX_EXTENDED_MESSAGE once *we* have offered extended messages: "A BGP
   * speaker that advertises the BGP Extended Message capability MUST be capable of receiving a message with a length up to
   * and including 65,535 octets", RFC 8654 §4.
   */
  longest = MAX_MESSAGE

  #bytes: Uint8Array = new Uint8Array(0)
  #at = 0
  #end = 0
  /** Grows to the longest message that came in pieces. */
  #own: Uint8Array = new Uint8Array(0)

  /** The piece is the reader's from now on. */
  push(piece: Uint8Array): void {
    const rest = this.#end - this.#at
    if (rest === 0) {
      this.#bytes = piece
      this.#at = 0
      this.#end = piece.length
      return
    }
    if (this.#bytes !== this.#own || this.#end + piece.length > this.#own.length) this.#gather(rest + piece.length)
    this.#own.set(piece, this.#end)
    this.#end += piece.length
  }

  /** The next message with its header, or undefined until more has come. Throws BgpError 1/1 to 1/3. */
  next(): Uint8Array | undefined {
    if (this.#end - this.#at < HEADER_LENGTH) return undefined
    const length = checkHeader(this.#bytes, this.#at, this.longest)
    if (this.#end - this.#at < length) return undefined
    const message = this.#bytes.subarray(this.#at, this.#at + length)
    this.#at += length
    return message
  }

  /** What is left goes to the start of our own buffer, which has room for so many octets then. */
  #gather(size: number): void {
    const own = this.#own.length >= size ? this.#own : new Uint8Array(2 * size)
    own.set(this.#bytes.subarray(this.#at, this.#end))
    this.#end -= this.#at
    this.#at = 0
    this.#own = own
    this.#bytes = own
  }
}
